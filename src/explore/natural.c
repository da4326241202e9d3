/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An execution of a memory model is a graph, and its steps can be put into many orders, in
 * most of which loads are stale long after the store's task has gone through a full barrier.
 * Here one is looked for that a machine could have had: a store is early, a load stale only
 * where nothing else can move, and a full barrier waits until what was stored before it is
 * missed by nobody any more.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "engine/internal.h"
#include "engine/log.h"
#include "explore/minimise.h"
#include "memory/execution.h"
#include "memory/history.h"
#include "memory/model.h"

#define NOWHERE UINT32_MAX

/* A step of the run: what must have come before it, and how it treats a location of which
 * the order of accesses is not the order of steps (`place`, else NOWHERE). */
struct nstep {
	uint32_t task;		/* index in struct natural */
	uint32_t after[4];	/* steps, or NOWHERE: of its place, of its CPU, maker, source */
	uint32_t place;
	uint32_t reads, writes;	/* numbers in the place's coherence order, or NOWHERE */
	bool alone;		/* everything keeps its order to it */
	bool drains;
	bool done;
};

/* A location: its stores so far, by their place in coherence order, 0 the first value. */
struct nplace {
	uint32_t loc;
	bool ordered;		/* one order for all that is done to it, that of the run */
	uint32_t last;		/* if ordered: step that was met last */
	const struct mem_location *stores;
	uint32_t *readers;	/* of each store: loads of it still to come */
	bool *made;
};

struct ntask { uint32_t id, cpu, *steps; uint32_t n, at; };

struct natural {
	struct world *w;
	uint32_t n;
	struct nstep *steps;
	struct nplace *places;
	size_t nplaces, places_cap;
	struct ntask *tasks;
	size_t ntasks, tasks_cap;
	uint32_t lowest;	/* all before it are done */
	uint32_t *cpu_last;
};

static struct nplace *place_at(struct natural *o, uint32_t loc)
{
	for (size_t i = 0; i < o->nplaces; i++)
		if (o->places[i].loc == loc)
			return &o->places[i];
	if (!grow(&o->places, &o->places_cap, o->nplaces + 1, sizeof(*o->places)))
		return NULL;
	o->places[o->nplaces] = (struct nplace){ .loc = loc, .last = NOWHERE };
	return &o->places[o->nplaces++];
}

static struct ntask *task_at(struct natural *o, uint32_t id)
{
	for (size_t i = 0; i < o->ntasks; i++)
		if (o->tasks[i].id == id)
			return &o->tasks[i];
	if (!grow(&o->tasks, &o->tasks_cap, o->ntasks + 1, sizeof(*o->tasks)))
		return NULL;
	o->tasks[o->ntasks] = (struct ntask){ .id = id, .steps = calloc(o->n, sizeof(uint32_t)) };
	return o->tasks[o->ntasks].steps ? &o->tasks[o->ntasks++] : NULL;
}

/* Which locations there are, and which have one order. */
static bool find_places(struct natural *o)
{
	for (uint32_t i = 0; i < o->n; i++) {
		const struct record *r = log_record(o->w, i + 1);
		struct nplace *p;

		if (r->loc == LOC_NONE)
			continue;
		p = place_at(o, r->loc);
		if (!p)
			return false;
		p->ordered |= !op_is_access(site_by_id(r->site)->op) || !log_access(o->w, i + 1);
	}
	for (size_t i = 0; i < o->nplaces; i++) {
		struct nplace *p = &o->places[i];

		if (p->ordered)
			continue;
		p->stores = history_at(o->w->history, arena_addr(o->w, p->loc), 0);
		p->readers = p->stores ? calloc(p->stores->n, sizeof(*p->readers)) : NULL;
		p->made = p->stores ? calloc(p->stores->n, sizeof(*p->made)) : NULL;
		if (!p->readers || !p->made)
			return false;
		p->made[0] = true;
	}
	return true;
}

static uint32_t number_of(const struct nplace *p, uint64_t step)
{
	for (size_t i = 0; i < p->stores->n; i++)
		if (p->stores->v[i].step == step)
			return (uint32_t)i;
	return NOWHERE;
}

static void access(struct natural *o, uint32_t i, struct nplace *p, enum ev_op op)
{
	const struct log_access *a = log_access(o->w, i + 1);
	struct nstep *s = &o->steps[i];

	s->place = (uint32_t)(p - o->places);
	s->writes = number_of(p, i + 1);
	if (!op_reads(op))
		return;
	s->reads = number_of(p, a->source);
	if (a->source)
		s->after[3] = a->source - 1;
	if (s->reads != NOWHERE)
		p->readers[s->reads]++;
}

static bool is_full(const struct natural *o, const struct site *s, bool changed)
{
	switch (s->op) {
	case OP_LOAD: case OP_STORE: case OP_PLAIN_LOAD: case OP_PLAIN_STORE: case OP_CPU_ADD: case OP_UNLOCK:
		return false;
	case OP_FENCE:
		return s->order == ORD_MB;
	case OP_LOCK:
		return o->w->model->buffers && !(s->flags & SITE_SEQUENCE);
	default:
		return o->w->model->buffers || (s->order == ORD_FULL && changed);
	}
}

static bool note(struct natural *o, uint32_t i)
{
	const struct record *r = log_record(o->w, i + 1);
	const struct site *site = site_by_id(r->site);
	const struct task *t = r->task == UINT16_MAX ? NULL : world_task(o->w, r->task);
	uint32_t cpu = r->cpu_lo | (uint32_t)(r->flags >> REC_CPU_SHIFT) << 8;
	struct nstep *s = &o->steps[i];
	struct nplace *p = r->loc == LOC_NONE ? NULL : place_at(o, r->loc);
	struct ntask *nt = t ? task_at(o, task_id(t)) : NULL;

	*s = (struct nstep){ .place = NOWHERE, .reads = NOWHERE, .writes = NOWHERE,
			     .after = { NOWHERE, NOWHERE, NOWHERE, NOWHERE } };
	if (!nt || cpu >= WORLD_CPUS_MAX)
		return false;
	s->task = (uint32_t)(nt - o->tasks);
	s->alone = site->op == OP_FREE || site->op == OP_COND || site->op == OP_ADVANCE;
	s->drains = is_full(o, site, r->value != r->stored);
	if (!nt->n)
		for (size_t k = 0; k < o->ntasks; k++)
			if (o->tasks[k].id == t->obj->creator && o->tasks[k].n)
				s->after[2] = o->tasks[k].steps[o->tasks[k].n - 1];
	nt->steps[nt->n++] = i;
	s->after[1] = o->cpu_last[cpu];
	o->cpu_last[cpu] = i;
	if (!p)
		return true;
	if (p->ordered) {
		s->after[0] = p->last;
		p->last = i;
	} else {
		access(o, i, p, site->op);
	}
	return true;
}

/* --- the order --- */

/* Is a store missed by a load that is still to come, or older than one that is? */
static bool is_early(const struct nplace *p, uint32_t number)
{
	for (uint32_t k = 0; k < number; k++)
		if (!p->made[k] || p->readers[k])
			return true;
	return false;
}

static unsigned newer(const struct nplace *p, uint32_t number)
{
	unsigned n = 0;

	for (size_t k = number + 1; k < p->stores->n; k++)
		n += p->made[k];
	return n;
}

static bool has_pending(const struct natural *o, const struct ntask *t)
{
	for (uint32_t k = 0; k < t->at; k++) {
		const struct nstep *s = &o->steps[t->steps[k]];

		if (s->writes != NOWHERE && is_early(&o->places[s->place], s->writes))
			return true;
	}
	return false;
}

static bool may_come(const struct natural *o, uint32_t i)
{
	const struct nstep *s = &o->steps[i];

	for (int k = 0; k < 4; k++)
		if (s->after[k] != NOWHERE && !o->steps[s->after[k]].done)
			return false;
	if (s->alone)
		return o->lowest == i;
	for (uint32_t k = o->lowest; k < i; k++)
		if (o->steps[k].alone && !o->steps[k].done)
			return false;
	return true;
}

/* How far it is from what a person expects: 0, nothing is early or stale. */
enum { STRANGE_NOT, STRANGE_STALE, STRANGE_EARLY, STRANGE_BARRIER, STRANGE_NEVER };

static int how_strange(const struct natural *o, const struct ntask *t)
{
	uint32_t i = t->at < t->n ? t->steps[t->at] : 0;
	const struct nstep *s = &o->steps[i];
	const struct nplace *p = s->place == NOWHERE ? NULL : &o->places[s->place];
	bool early = false;

	if (t->at == t->n || !may_come(o, i))
		return STRANGE_NEVER;
	if (s->drains && has_pending(o, t))
		return STRANGE_BARRIER;
	if (p && s->writes != NOWHERE) {
		/* it reads itself what it comes behind */
		if (s->reads != NOWHERE)
			p->readers[s->reads]--;
		early = is_early(p, s->writes);
		if (s->reads != NOWHERE)
			p->readers[s->reads]++;
		if (early)
			return STRANGE_EARLY;
	}
	if (p && newer(p, s->reads != NOWHERE ? s->reads : s->writes))
		return STRANGE_STALE;
	return STRANGE_NOT;
}

static struct ntask *next_task(struct natural *o, struct ntask *now)
{
	struct ntask *best = NULL;
	int least = STRANGE_NEVER;

	if (now && how_strange(o, now) == STRANGE_NOT)
		return now;
	for (size_t k = 0; k < o->ntasks; k++) {
		struct ntask *t = &o->tasks[k];
		int strange = how_strange(o, t);

		if (strange < least ||
		    (best && strange == least && t->steps[t->at] < best->steps[best->at])) {
			best = t;
			least = strange;
		}
	}
	return least == STRANGE_NEVER ? NULL : best;
}

static struct exec_step make(struct natural *o, struct ntask *t)
{
	uint32_t i = t->steps[t->at++];
	struct nstep *s = &o->steps[i];
	struct exec_step step = { .task = t->id };
	struct nplace *p = s->place == NOWHERE ? NULL : &o->places[s->place];

	s->done = true;
	while (o->lowest < o->n && o->steps[o->lowest].done)
		o->lowest++;
	if (!p) {
		if (site_by_id(log_record(o->w, i + 1)->site)->op == OP_CHOOSE)
			step.choice = log_choice(o->w, i + 1);
		return step;
	}
	step.choice = newer(p, s->reads != NOWHERE ? s->reads : s->writes);
	if (step.choice)
		step.choice++;
	if (s->reads != NOWHERE)
		p->readers[s->reads]--;
	if (s->writes != NOWHERE)
		p->made[s->writes] = true;
	return step;
}

static void release(struct natural *o)
{
	for (size_t i = 0; i < o->nplaces; i++) {
		free(o->places[i].readers);
		free(o->places[i].made);
	}
	for (size_t i = 0; i < o->ntasks; i++)
		free(o->tasks[i].steps);
	free(o->places);
	free(o->tasks);
	free(o->steps);
	free(o->cpu_last);
}

/* Every access reads or writes something that is known. */
static bool is_whole(const struct natural *o)
{
	for (uint32_t i = 0; i < o->n; i++)
		if (o->steps[i].place != NOWHERE && o->steps[i].reads == NOWHERE && o->steps[i].writes == NOWHERE)
			return false;
	return true;
}

bool natural_order(struct world *w, struct trail *out)
{
	struct natural o = { .w = w, .n = (uint32_t)world_steps(w) };
	struct ntask *t = NULL;
	bool ok;

	out->n = 0;
	if (!w->history || !o.n || o.n > NATURAL_MAX)
		return false;
	o.steps = calloc(o.n, sizeof(*o.steps));
	o.cpu_last = malloc(WORLD_CPUS_MAX * sizeof(*o.cpu_last));
	ok = o.steps && o.cpu_last && grow(&out->v, &out->cap, o.n, sizeof(*out->v)) && find_places(&o);
	if (ok)
		memset(o.cpu_last, 0xff, WORLD_CPUS_MAX * sizeof(*o.cpu_last));
	for (uint32_t i = 0; i < o.n && ok; i++)
		ok = note(&o, i);
	ok = ok && is_whole(&o);
	while (ok && out->n < o.n && (t = next_task(&o, t)))
		out->v[out->n++] = make(&o, t);
	ok = ok && out->n == o.n;
	release(&o);
	return ok;
}
