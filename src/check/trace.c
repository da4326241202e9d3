/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Judging an execution that is over by its trace: reads the log into a form that is
 * quick to walk, finds out what there is to judge, and asks the oracles for it.  Its
 * memory is kept from one execution to the next.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "check/trace_internal.h"
#include "engine/internal.h"

/* Clocks of one trace: so many words, and no more. */
#define CLOCKS_MAX ((size_t)1 << 27)

/* --- kept from step to step --- */

static struct trace *trace_of(struct check *c)
{
	if (!c->trace) {
		c->trace = calloc(1, sizeof(*c->trace));
		if (!c->trace) {
			world_fail(c->w, "out of memory");
			return NULL;
		}
		c->trace->c = c;
		c->trace->w = c->w;
	}
	return c->trace;
}

static void note_at(struct check *c, enum tr_extra_kind kind, uint64_t step, uint32_t what, uint32_t plains)
{
	struct trace *tr = trace_of(c);

	if (!tr)
		return;
	if (check_grow(c, (void **)&tr->extras, &tr->extras_cap, tr->nextras + 1,
		       sizeof(*tr->extras)))
		tr->extras[tr->nextras++] = (struct tr_extra){
			.step = (uint32_t)step, .what = what, .kind = (uint8_t)kind,
			.plains = plains };
	else
		tr->lost = true;
}

static void note(struct check *c, enum tr_extra_kind kind, uint64_t step, uint32_t what)
{
	note_at(c, kind, step, what, UINT32_MAX);
}

void trace_cond(struct check *c, struct task *t)
{
	struct peek p = { 0 };

	/* a condition over a whole domain has that for its location */
	if (t->ev.loc || !t->predicate || c->w->lean)
		return;
	world_peek_begin(c->w, &p);
	t->predicate(t->predicate_arg);
	world_peek_end(c->w, &p);
	if (p.other)
		note(c, EXTRA_ANYTHING, world_steps(c->w), 0);
	for (size_t i = 0; i < p.n; i++)
		note(c, EXTRA_PEEK, world_steps(c->w), p.locs[i]);
	peek_release(&p);
}

void trace_ghosts(struct check *c)
{
	size_t n;
	const struct ghost_access *g = world_ghosts(c->w, &n);
	const struct record *r = log_record(c->w, world_steps(c->w));
	const struct task *t = r ? world_task(c->w, r->task) : NULL;

	if (c->w->lean)
		return;
	for (size_t i = 0; i < n; i++)
		note_at(c, g[i].write ? EXTRA_WRITE : EXTRA_READ, world_steps(c->w), g[i].loc,
			t && g[i].task == task_id(t) ? (uint32_t)g[i].plains : UINT32_MAX);
}

void trace_pass(struct check *c, const struct task *worker)
{
	/* the step that is being made */
	if (!c->w->lean)
		note(c, EXTRA_IDLE, world_steps(c->w) + 1, worker->index);
}

void trace_forget(struct check *c)
{
	if (!c->trace)
		return;
	c->trace->nextras = c->trace->ntold = 0;
	c->trace->lost = false;
}

void trace_release(struct check *c)
{
	struct trace *tr = c->trace;

	lockorder_release(c);
	if (!tr)
		return;
	free(tr->ev);
	free(tr->tasks);
	free(tr->dense);
	free(tr->locs);
	free(tr->slots);
	free(tr->clocks);
	free(tr->nodes);
	free(tr->race_nodes);
	free(tr->peeks);
	free(tr->groups);
	free(tr->group_mem);
	free(tr->frees);
	free(tr->holds);
	free(tr->by_task);
	trace_calls_release(&tr->calls);
	free(tr->extras);
	free(tr->told);
	race_plain_release(tr);
	free(tr);
}

/* --- what has been told --- */

bool trace_told(struct trace *tr, uint64_t key)
{
	for (size_t i = 0; i < tr->ntold; i++)
		if (tr->told[i] == key)
			return true;
	if (check_grow(tr->c, (void **)&tr->told, &tr->told_cap, tr->ntold + 1, sizeof(*tr->told)))
		tr->told[tr->ntold++] = key;
	return false;
}

void trace_at_step(struct trace *tr, uint32_t step)
{
	struct violation *v = &tr->w->violations[tr->w->nviolations - 1];

	if (!tr->w->nviolations)
		return;
	v->step = step;
	free(v->schedule);
	v->schedule = world_schedule_upto(tr->w, step);
}

/* --- locations --- */

static struct tr_slot *slot_of(struct trace *tr, uint32_t off)
{
	size_t i = (size_t)((off * 0x9e3779b97f4a7c15u) >> 32);

	for (;; i++) {
		struct tr_slot *s = &tr->slots[i & (tr->nslots - 1)];

		if (s->gen != tr->gen || tr->locs[s->loc].off == off)
			return s;
	}
}

static bool more_slots(struct trace *tr)
{
	size_t n = tr->nslots ? tr->nslots * 2 : 256;
	struct tr_slot *slots = calloc(n, sizeof(*slots));

	if (!slots)
		return world_fail(tr->w, "out of memory");
	free(tr->slots);
	tr->slots = slots;
	tr->nslots = n;
	tr->gen = 1;
	for (size_t i = 1; i <= tr->nlocs; i++)
		*slot_of(tr, tr->locs[i].off) = (struct tr_slot){ 1, (uint32_t)i };
	return true;
}

/* A new location.  0: no memory. */
static uint32_t new_loc(struct trace *tr, uint32_t off)
{
	if (!check_grow(tr->c, (void **)&tr->locs, &tr->locs_cap, tr->nlocs + 2,
			sizeof(*tr->locs)))
		return 0;
	tr->locs[++tr->nlocs] = (struct tr_loc){ .off = off };
	return (uint32_t)tr->nlocs;
}

uint32_t trace_loc(struct trace *tr, uint32_t off)
{
	struct tr_slot *s;

	if (tr->nlocs * 2 >= tr->nslots && !more_slots(tr))
		return 0;
	s = slot_of(tr, off);
	if (s->gen != tr->gen)
		*s = (struct tr_slot){ tr->gen, new_loc(tr, off) };
	return s->loc;
}

/* --- reading the log --- */

#define RMW (TR_READ | TR_WRITE)
static const uint8_t op_how[OP_COUNT] = {
	[OP_LOAD] = TR_READ, [OP_PLAIN_LOAD] = TR_READ | TR_PLAIN,
	[OP_STORE] = TR_WRITE, [OP_PLAIN_STORE] = TR_WRITE | TR_PLAIN,
	[OP_ADD] = RMW, [OP_CPU_ADD] = RMW, [OP_AND] = RMW, [OP_OR] = RMW, [OP_XOR] = RMW,
	[OP_XCHG] = RMW,
	[OP_CMPXCHG] = RMW, [OP_MIN_ARM] = RMW, [OP_MAX] = RMW,
	[OP_LOCK] = RMW | TR_ACQUIRED | TR_HOLDS, [OP_TRYLOCK] = RMW | TR_ACQUIRED | TR_HOLDS,
	[OP_LOCK_READ] = RMW | TR_ACQUIRED | TR_HOLDS, [OP_LOCK_QUEUE] = RMW,
	[OP_UNLOCK] = TR_WRITE | TR_HOLDS, [OP_UNLOCK_READ] = RMW | TR_HOLDS,
	[OP_WAIT] = RMW, [OP_COMPLETE] = RMW,
	[OP_WORK_WAIT] = RMW | TR_HOLDS, [OP_TIMER_WAIT] = RMW | TR_HOLDS,
	[OP_CPU_CTX] = TR_HOLDS, [OP_IRQ] = TR_HOLDS,
	[OP_COND] = TR_COND, [OP_FREE] = TR_FREE, [OP_WQ] = RMW, [OP_WQ_WAIT] = TR_READ,
	[OP_ADVANCE] = RMW,
};

static uint8_t how_of(const struct site *s, const struct record *r)
{
	uint8_t how = op_how[s->op];

	switch (s->op) {
	case OP_AND: case OP_OR: case OP_XOR: case OP_XCHG: case OP_CMPXCHG: case OP_MIN_ARM: case OP_MAX:
		/* what leaves the value as it was could be a read as well */
		return r->value == r->stored ? TR_READ : how;
	case OP_TRYLOCK:
		return r->value ? how : TR_READ;
	default:
		return how;
	}
}

static void count(uint16_t *depth, int delta)
{
	if (delta > 0 || *depth)
		*depth = (uint16_t)(*depth + delta);
}

/* What the task keeps to itself on its CPU, as perform.c counts it. */
static void count_context(struct context *c, const struct site *s, const struct record *r,
			  uint8_t how)
{
	int delta = s->op == OP_CPU_CTX ? (int)(int64_t)r->stored :
		    s->op == OP_UNLOCK || s->op == OP_UNLOCK_READ ? -1 :
		    how & TR_ACQUIRED ? 1 : 0;

	if (s->op == OP_IRQ)
		c->irq = 1;
	else if (s->op == OP_TIMER_WAIT)
		c->bh = 1;
	if (!delta)
		return;
	if (s->flags & SITE_SPIN)
		count(&c->spin, delta);
	if (s->flags & SITE_IRQ)
		count(&c->irq, delta);
	if (s->flags & SITE_BH)
		count(&c->bh, delta);
	if (s->op == OP_CPU_CTX && !(s->flags & (SITE_IRQ | SITE_BH)))
		count(&c->preempt, delta);
}

static uint8_t level_of(const struct context *c)
{
	return c->irq ? 3 : c->bh ? 2 : c->preempt || c->spin;
}

/* The number of a task of the world.  0: no memory, else counted from 1. */
static uint16_t new_task(struct trace *tr, struct task *t, uint32_t index)
{
	if (!check_grow(tr->c, (void **)&tr->tasks, &tr->tasks_cap, tr->ntasks + 1,
			sizeof(*tr->tasks)))
		return 0;
	tr->tasks[tr->ntasks++] = (struct tr_task){ .t = t,
						    .made_at = t ? (uint32_t)t->made_at : 0 };
	return tr->dense[index] = (uint16_t)tr->ntasks;
}

static bool add_free(struct trace *tr, uint32_t n)
{
	const struct object *o = object_at(tr->w, arena_addr(tr->w, tr->locs[tr->ev[n].loc].off));

	if (!o)
		return true;
	if (!check_grow(tr->c, (void **)&tr->frees, &tr->frees_cap, tr->nfrees + 1,
			sizeof(*tr->frees)))
		return false;
	tr->frees[tr->nfrees++] = (struct tr_free){
		.base = arena_offset(tr->w, o->base), .size = (uint32_t)o->size, .event = n };
	return true;
}

static bool add_group(struct trace *tr, uint32_t base, uint32_t size)
{
	for (size_t i = tr->anything; i < tr->ngroups; i++)
		if (tr->groups[i].base == base && tr->groups[i].size == size)
			return true;
	if (!check_grow(tr->c, (void **)&tr->groups, &tr->groups_cap, tr->ngroups + 1,
			sizeof(*tr->groups)))
		return false;
	tr->groups[tr->ngroups++] = (struct tr_group){ .base = base, .size = size };
	return true;
}

static bool add_domain(struct trace *tr, uint32_t off)
{
	const struct object *o = object_at(tr->w, arena_addr(tr->w, off));

	if (!o || !o->base)
		return add_group(tr, off, 1);
	return add_group(tr, arena_offset(tr->w, o->base), (uint32_t)o->size);
}

/* An event that is TR_HOLDS: what the task keeps from then on. */
static bool scan_hold(struct trace *tr, struct tr_task *tt, const struct record *r, uint32_t n)
{
	const struct tr_event *ev = &tr->ev[n];

	if (!check_grow(tr->c, (void **)&tr->holds, &tr->holds_cap, tr->nholds + 1,
			sizeof(*tr->holds)))
		return false;
	tr->holds[tr->nholds++] = n;
	/* between two passes nothing is kept */
	if (ev->site->op == OP_WORK_WAIT || ev->site->op == OP_TIMER_WAIT) {
		tt->ctx = (struct context){ 0 };
		if (ev->prev)
			tr->ev[ev->prev].own = 0;
	}
	count_context(&tt->ctx, ev->site, r, ev->how);
	tt->own = level_of(&tt->ctx);
	tr->has_locks |= (ev->how & TR_ACQUIRED) != 0;
	return true;
}

/* A race takes two tasks, a write and a plain access. */
static void touch(struct trace *tr, const struct tr_event *ev)
{
	struct tr_loc *l = &tr->locs[ev->loc];

	if (!l->touched)
		l->task = ev->task;
	l->touched = true;
	l->shared |= l->task != ev->task;
	l->written |= (ev->how & TR_WRITE) != 0;
	l->plain |= (ev->how & TR_PLAIN) != 0;
	tr->may_race |= l->plain && l->shared && l->written;
}

static bool scan_record(struct trace *tr, const struct record *r, uint32_t n)
{
	struct tr_event *ev = &tr->ev[n];
	size_t ntasks = world_task_count(tr->w);
	/* somebody outside stands behind the world's own */
	uint32_t index = r->task == UINT16_MAX ? (uint32_t)ntasks : r->task;
	uint16_t task = tr->dense[index];
	struct tr_task *tt;

	if (!task) {
		task = new_task(tr, index < ntasks ? tr->w->tasks[index] : NULL, index);
		if (!task)
			return false;
	}
	tt = &tr->tasks[task - 1];
	*ev = (struct tr_event){ .site = site_by_id(r->site), .task = (uint16_t)(task - 1),
				 .prev = tt->last, .size = (uint8_t)(1u << (r->flags >> REC_SIZE_SHIFT & 3)),
				 .pos = tt->last ? tr->ev[tt->last].pos + 1 : 1,
				 .cpu = r->cpu_lo | (uint32_t)(r->flags >> REC_CPU_SHIFT) << 8 };
	tt->last = n;
	if (!ev->site)
		return false;
	if (!(r->flags & REC_REFUSED))
		ev->how = how_of(ev->site, r);
	tr->outside |= !tt->t;
	if (ev->how & TR_HOLDS && !scan_hold(tr, tt, r, n))
		return false;
	ev->own = tt->own;
	if (r->loc == LOC_NONE || !ev->how)
		return true;
	ev->loc = trace_loc(tr, r->loc);
	touch(tr, ev);
	if (!ev->loc || !(ev->how & (TR_FREE | TR_COND)))
		return ev->loc;
	return ev->how & TR_FREE ? add_free(tr, n) : add_domain(tr, r->loc);
}

/* Where a kernel without preemption gives the CPU to somebody else: see task.c. */
static bool gives_cpu_up(const struct site *s)
{
	switch (s->op) {
	case OP_WORK_WAIT: case OP_TIMER_WAIT: case OP_CALL_WAIT: case OP_ASSUME:
		return true;
	case OP_YIELD:
		return !(s->flags & SITE_DELAY);
	default:
		return s->flags & SITE_SLEEPS;
	}
}

/* In such a kernel a CPU is kept until the next of these. */
static void keep_cpus(struct trace *tr)
{
	for (uint32_t n = 1; n <= tr->n; n++) {
		const struct tr_event *ev = &tr->ev[n];

		if (ev->prev && !gives_cpu_up(ev->site) && !tr->ev[ev->prev].own)
			tr->ev[ev->prev].own = 1;
	}
	for (size_t i = 0; i < tr->ntasks; i++) {
		const struct task *t = tr->tasks[i].t;
		struct tr_event *ev = &tr->ev[tr->tasks[i].last];

		if (t && t->state == TASK_READY && !gives_cpu_up(t->ev.site) && !ev->own)
			ev->own = 1;
	}
}

/* Who is over keeps nothing, and neither does who waits for the next pass. */
static void end_tasks(struct trace *tr)
{
	for (size_t i = 0; i < tr->ntasks; i++) {
		const struct task *t = tr->tasks[i].t;

		if (t && (t->state == TASK_DONE || t->state == TASK_FAILED ||
			  t->ev.op == OP_TIMER_WAIT || t->ev.op == OP_WORK_WAIT))
			tr->ev[tr->tasks[i].last].own = 0;
	}
	if (tr->w->voluntary)
		keep_cpus(tr);
}

/* The group of all locations comes first, if there is one. */
static bool begin_groups(struct trace *tr)
{
	tr->anything = false;
	for (size_t i = 0; i < tr->nextras; i++)
		tr->anything |= tr->extras[i].kind == EXTRA_ANYTHING;
	tr->ngroups = 0;
	return !tr->anything || add_group(tr, 0, UINT32_MAX);
}

static bool scan_extras(struct trace *tr)
{
	for (size_t i = 0; i < tr->nextras; i++) {
		const struct tr_extra *x = &tr->extras[i];

		if (x->kind == EXTRA_IDLE && x->step <= tr->n && x->step)
			tr->ev[x->step].how |= TR_IDLE;
		else if (x->kind != EXTRA_ANYTHING && x->kind != EXTRA_IDLE &&
			 !trace_loc(tr, x->what))
			return false;
	}
	return true;
}

static int cmp_free(const void *a, const void *b)
{
	const struct tr_free *x = a, *y = b;

	return x->base != y->base ? (x->base < y->base ? -1 : 1) :
				    (x->event > y->event) - (x->event < y->event);
}

static bool scan_begin(struct trace *tr)
{
	size_t ntasks = world_task_count(tr->w);

	tr->n = tr->w->log.n;
	tr->ntasks = tr->nlocs = tr->nfrees = tr->nholds = 0;
	tr->may_race = tr->has_locks = tr->outside = false;
	tr->has_marks = log_mark_count(tr->w) != 0;
	if (!++tr->gen) {
		memset(tr->slots, 0, tr->nslots * sizeof(*tr->slots));
		tr->gen = 1;
	}
	if (!check_grow(tr->c, (void **)&tr->ev, &tr->ev_cap, tr->n + 1, sizeof(*tr->ev)) ||
	    !check_grow(tr->c, (void **)&tr->dense, &tr->dense_cap, ntasks + 1,
			sizeof(*tr->dense)) ||
	    !check_grow(tr->c, (void **)&tr->locs, &tr->locs_cap, 1, sizeof(*tr->locs)))
		return false;
	memset(tr->dense, 0, (ntasks + 1) * sizeof(*tr->dense));
	return begin_groups(tr);
}

bool trace_scan(struct trace *tr)
{
	if (!scan_begin(tr))
		return false;
	for (uint32_t n = 1; n <= tr->n; n++)
		if (!scan_record(tr, &tr->w->log.chunks[(n - 1) / LOG_CHUNK][(n - 1) % LOG_CHUNK], n))
			return false;
	if (!scan_extras(tr))
		return false;
	if (tr->nfrees > 1)
		qsort(tr->frees, tr->nfrees, sizeof(*tr->frees), cmp_free);
	end_tasks(tr);
	return true;
}

static bool is_peeked(const struct trace *tr, uint32_t loc)
{
	for (size_t i = 0; i < tr->nextras; i++)
		if (tr->extras[i].kind == EXTRA_PEEK && tr->extras[i].what == loc)
			return true;
	return false;
}

bool trace_peeks(struct trace *tr)
{
	tr->npeeks = 0;
	for (size_t i = 0; i < tr->nextras; i++) {
		const struct tr_extra *x = &tr->extras[i];

		if (x->kind != EXTRA_WRITE || !is_peeked(tr, x->what))
			continue;
		if (!check_grow(tr->c, (void **)&tr->peeks, &tr->peeks_cap, tr->npeeks + 1, sizeof(*tr->peeks)))
			return false;
		tr->peeks[tr->npeeks++] = (struct execution_peek){ x->step, x->what };
	}
	return true;
}

/* --- the judgement --- */

void trace_give_up(struct world *w, const char *why)
{
	char *text = strdup(why);

	world_violate(w, "error", text, NULL, NULL);
}

static bool too_long(const struct trace *tr)
{
	return (tr->n + 1) * tr->ntasks > CLOCKS_MAX;
}

/* Data races and plain accesses of what is freed.  False: no memory. */
static bool judge_plain(struct trace *tr, bool plain)
{
	if (plain && race_plain_has_frees(tr)) {
		if (!hb_compute(tr, HB_FREE) || !race_plain_frees(tr))
			return false;
	}
	if (!plain && !tr->may_race)
		return true;
	return hb_compute(tr, HB_RACE) && (!plain || race_plain_judge(tr)) &&
	       (!tr->may_race || race_judge(tr));
}

/* False: there was no memory. */
static bool judge(struct trace *tr, struct trace_finding *f)
{
	bool find, plain, ok = true;

	if (tr->lost || tr->w->log.n > UINT32_MAX - 2 || !trace_scan(tr))
		return false;
	find = f && !tr->outside && (tr->nfrees || tr->has_marks);
	if ((tr->has_locks || tr->has_marks) && !lockorder_judge(tr))
		return false;
	/* an order of steps, and what it implies, is no argument under other models */
	if (tr->w->history)
		return trace_peeks(tr) && gp_model_judge(tr) && race_model_judge(tr);
	plain = race_plain_possible(tr, &ok);
	if (!ok)
		return false;
	if (too_long(tr)) {
		if (f && (find || tr->may_race || plain))
			trace_give_up(tr->w, "the execution is too long for its trace to be judged");
		return true;
	}
	return judge_plain(tr, plain) && (!find || trace_find(tr, f));
}

bool trace_judge(struct world *w, struct trace_finding *f)
{
	struct check *c = check_of(w);
	struct trace *tr;

	if (f)
		*f = (struct trace_finding){ 0 };
	if (!c || (!w->log.n && !w->plains.n) || w->lean)
		return false;
	tr = trace_of(c);
	if (!tr || !judge(tr, f))
		trace_give_up(w, "there was no memory to judge the trace");
	return f && f->n;
}

void trace_finding_release(struct trace_finding *f)
{
	free(f->steps);
	*f = (struct trace_finding){ 0 };
}
