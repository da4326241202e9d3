/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All executions of a litmus test: a world with its variables and a task for each process,
 * each on a CPU of its own, explored to the end; and what the states were.
 */
#include <config.h>

#include "engine/checkpoint.h"
#include "explore/explore.h"
#include "litmus/runner.h"
#include "memory/model.h"
#include "srcu/srcu.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

bool (*litmus_interrupted)(void *);

static const struct objtype var_type = { .kind = "var" };

/* --- the world --- */

static bool make_var(struct runner *r, unsigned i)
{
	const struct global *g = &r->t->globals[i];
	struct rvar *v = &r->vars[i];
	struct object *o;

	*v = (struct rvar){ .stride = stride_of(g->type) };
	if (is_a(g->type, BT_SRCU) && !r->o->ideal) {
		struct srcu_opts opts = { 0 };

		v->ss = srcu_new(r->w, g->name, &srcu_tree_ops, &opts);
		if (!v->ss)
			return false;
		v->base = v->ss->obj->base;
		return true;
	}
	o = object_new(r->w, &var_type, g->name, (size_t)v->stride * g->elements);
	if (o)
		v->base = o->base;
	return o;
}

static void initialise(struct runner *r, unsigned i)
{
	const struct global *g = &r->t->globals[i];

	for (unsigned e = 0; !r->vars[i].ss && !is_a(g->type, BT_SPINLOCK) && e < g->elements; e++) {
		int64_t v = g->init_address[e] >= 0 ? (int64_t)(uintptr_t)r->vars[g->init_address[e]].base :
			    runner_wrap(r, g->type, g->init[e]);

		memcpy(r->vars[i].base + (size_t)e * r->vars[i].stride, &v, sizeof(v));
	}
}

static bool build(struct world *w, void *arg)
{
	struct runner *r = arg;
	bool ok = true;

	r->w = w;
	if (r->o->kernel)
		srcu_use(w, r->o->kernel, NULL);
	for (unsigned i = 0; i < r->t->nglobals && ok; i++)
		ok = make_var(r, i);
	for (unsigned i = 0; i < r->t->nglobals && ok; i++)
		initialise(r, i);
	if (ok && r->t->uses_rcu && r->o->rcu_as_srcu && !r->o->ideal) {
		struct srcu_opts opts = { 0 };

		r->rcu = srcu_new(w, "rcu", &srcu_tree_ops, &opts);
		ok = r->rcu;
	}
	for (unsigned i = 0; i < r->t->nprocs && ok; i++) {
		char name[16];

		snprintf(name, sizeof(name), "P%u", i);
		ok = task_new(w, TASK_THREAD, name, (int)i, interpret, &r->procs[i], NULL);
	}
	return ok;
}

static const struct memory_model *model_of(const struct runner *r)
{
	if (!strcmp(r->o->model, "sc"))
		return r->graphs ? &memory_sc_graphs : &memory_sc;
	return memory_model_by_name(r->o->model);
}

static bool make_world(struct runner *r)
{
	struct world *w = world_new(CARRIER_FIBER);

	r->w = w;
	if (!w)
		return false;
	return world_set_memory(w, model_of(r)) && world_set_cpus(w, (unsigned)r->t->nprocs) &&
	       world_do(w, build, r, NULL, false) && world_checkpoint(w);
}

/* --- values --- */

bool runner_find(const struct runner *r, int64_t pointer, unsigned *var, unsigned *element)
{
	for (unsigned i = 0; i < r->t->nglobals; i++) {
		const struct rvar *v = &r->vars[i];
		uint64_t at = (uint64_t)pointer - (uint64_t)(uintptr_t)v->base;

		if (at % v->stride || at / v->stride >= (v->ss ? 1 : r->t->globals[i].elements))
			continue;
		*var = i;
		*element = (unsigned)(at / v->stride);
		return true;
	}
	return false;
}

static int64_t value_at(void *arg, struct place where)
{
	const struct runner *r = arg;
	const struct rvar *v;
	uint64_t cell;

	if (where.proc >= 0)
		return r->procs[where.proc].locals[where.index].v;
	v = &r->vars[where.index];
	if (v->ss)
		return 0;
	memcpy(&cell, v->base + (size_t)where.element * v->stride, sizeof(cell));
	if (is_a(r->t->globals[where.index].type, BT_SPINLOCK))
		return cell != 0;
	return runner_wrap(r, r->t->globals[where.index].type, (int64_t)cell);
}

static int64_t address_at(void *arg, struct place where)
{
	const struct rvar *v = &((const struct runner *)arg)->vars[where.index];

	return (int64_t)(uintptr_t)(v->base + (size_t)where.element * v->stride);
}

static size_t print_value(const struct runner *r, char *to, size_t room, int64_t v)
{
	unsigned var, element;

	if (!runner_find(r, v, &var, &element))
		return (size_t)snprintf(to, room, "%" PRId64, v);
	if (r->t->globals[var].is_array)
		return (size_t)snprintf(to, room, "&%s[%u]", r->t->globals[var].name, element);
	return (size_t)snprintf(to, room, "%s", r->t->globals[var].name);
}

static size_t text_room(const struct litmus *t)
{
	size_t room = 8;

	for (size_t i = 0; i < t->nshown; i++) {
		const struct place *p = &t->shown[i];

		room += 128 + strlen(p->proc < 0 ? t->globals[p->index].name : t->procs[p->proc].locals[p->index].name);
	}
	for (size_t i = 0; i < t->nglobals; i++)
		room += t->nshown * strlen(t->globals[i].name);
	return room;
}

/* "+0:r1=1; x=2;": what holds of it comes first. */
static const char *print_state(struct runner *r, bool positive)
{
	const struct litmus *t = r->t;
	size_t room = text_room(t), n = 0;

	r->text[n++] = positive ? '+' : '-';
	for (size_t i = 0; i < t->nshown; i++) {
		const struct place *p = &t->shown[i];

		if (p->proc >= 0)
			n += (size_t)snprintf(r->text + n, room - n, "%d:%s=", p->proc,
					      t->procs[p->proc].locals[p->index].name);
		else if (t->globals[p->index].is_array)
			n += (size_t)snprintf(r->text + n, room - n, "%s[%u]=", t->globals[p->index].name, p->element);
		else
			n += (size_t)snprintf(r->text + n, room - n, "[%s]=", t->globals[p->index].name);
		n += print_value(r, r->text + n, room - n, value_at(r, *p));
		n += (size_t)snprintf(r->text + n, room - n, "; ");
	}
	if (n > 1)
		n--;
	r->text[n] = '\0';
	return r->text;
}

/* --- the source of executions --- */

static struct world *source_begin(void *arg, bool lean, const char **why)
{
	struct runner *r = arg;

	world_set_lean(r->w, false);
	if (!world_restore(r->w)) {
		*why = world_error(r->w);
		return NULL;
	}
	world_set_lean(r->w, lean);
	return r->w;
}

static bool source_again(void *arg)
{
	struct runner *r = arg;

	return world_restore_memory(r->w);
}

static bool is_done(struct runner *r, unsigned i)
{
	char name[16];
	const struct task *t;

	snprintf(name, sizeof(name), "P%u", i);
	t = task_by_name(r->w, name);
	return t && t->state == TASK_DONE;
}

static bool all_done(struct runner *r)
{
	for (unsigned i = 0; i < r->t->nprocs; i++)
		if (!is_done(r, i))
			return false;
	return true;
}

static bool is_filtered(struct runner *r)
{
	struct cond_env env = { .arg = r, .value = value_at, .address = address_at };

	return r->t->filter && !cond_holds(r->t->filter, &env);
}

static const char *source_end(void *arg, struct world *w, enum exec_end how)
{
	struct runner *r = arg;
	struct cond_env env = { .arg = r, .value = value_at, .address = address_at };
	bool stopped = false, done = all_done(r);

	(void)w;
	for (unsigned i = 0; i < r->t->nprocs; i++) {
		stopped |= r->procs[i].stop != STOP_NOT;
		r->stuck |= r->procs[i].stop == STOP_LOCK || r->procs[i].stop == STOP_SPIN;
		r->result->cut_loops += r->procs[i].stop == STOP_LOOP;
	}
	if (!done && !stopped && how == EXEC_COMPLETE)
		r->result->deadlocks++;
	if (!done || how != EXEC_COMPLETE)
		return NULL;
	if (is_filtered(r)) {
		r->result->filtered++;
		return NULL;
	}
	return print_state(r, cond_holds(r->t->cond, &env));
}

/* What the filter takes out raises no flags either. */
static bool source_allows(void *arg, struct mm *m)
{
	struct runner *r = arg;
	unsigned none = 0;

	if (mm_rcu(m, all_done(r) && !is_filtered(r) ? &r->result->flags : &none))
		return true;
	r->impossible += !m->oom;
	return false;
}

static const char *source_refused(void *arg)
{
	struct runner *r = arg;

	return r->failed ? r->error : NULL;
}

static bool is_interrupted(void *arg)
{
	return litmus_interrupted && litmus_interrupted(arg);
}

/* --- results --- */

static int by_text(const void *a, const void *b)
{
	return strcmp(((const struct litmus_state *)a)->text, ((const struct litmus_state *)b)->text);
}

static bool take_states(struct litmus_result *r, const struct explore_report *x)
{
	r->states = calloc(x->noutcomes + 1, sizeof(*r->states));
	for (size_t i = 0; r->states && i < x->noutcomes; i++) {
		struct litmus_state *s = &r->states[r->nstates];

		*s = (struct litmus_state){ .text = strdup(x->outcomes[i].text + 1), .count = x->outcomes[i].count,
					    .positive = x->outcomes[i].text[0] == '+' };
		if (!s->text)
			return false;
		r->nstates++;
		if (s->positive)
			r->positive += s->count;
		else
			r->negative += s->count;
	}
	if (!r->states)
		return false;
	qsort(r->states, r->nstates, sizeof(*r->states), by_text);
	return true;
}

static bool explore_all(struct runner *r)
{
	struct explore x = {
		.opts = { .strategy = EXPLORE_DPOR, .preemptions = -1, .jobs = 1, .unjudged = true, .keep_going = true,
			  .seconds = r->o->seconds, .promises = r->o->promises },
		.src = { .arg = r, .begin = source_begin, .again = source_again, .end = source_end,
			 .refused = source_refused, .allows = r->graphs ? source_allows : NULL },
		.interrupted = is_interrupted, .arg = r,
	};
	bool ok = explore_run(&x);

	if (!ok)
		snprintf(r->result->error, sizeof(r->result->error), "%s", x.report.error ? x.report.error : "out of memory");
	else
		ok = take_states(r->result, &x.report);
	if (ok && x.report.bound)
		r->result->bound = strdup(x.report.bound);
	r->result->skipped = !ok && r->failed && r->skipped;
	explore_release(&x);
	return ok;
}

static bool prepare(struct runner *r)
{
	r->vars = calloc(r->t->nglobals + 1, sizeof(*r->vars));
	r->procs = calloc(r->t->nprocs, sizeof(*r->procs));
	r->text = malloc(text_room(r->t));
	if (!r->vars || !r->procs || !r->text)
		return false;
	for (unsigned i = 0; i < r->t->nprocs; i++) {
		r->procs[i] = (struct rproc){ .r = r, .p = &r->t->procs[i], .n = i };
		r->procs[i].locals = calloc(r->t->procs[i].nlocals + 1, sizeof(*r->procs[i].locals));
		if (!r->procs[i].locals)
			return false;
	}
	return true;
}

static void release(struct runner *r)
{
	if (r->w)
		world_free(r->w);
	for (unsigned i = 0; r->procs && i < r->t->nprocs; i++)
		free(r->procs[i].locals);
	free(r->procs);
	free(r->vars);
	free(r->text);
}

bool litmus_run(const struct litmus *t, const struct litmus_opts *o, struct litmus_result *result)
{
	struct runner r = { .t = t, .o = o, .result = result };
	double started = explore_now();
	bool ok;

	*result = (struct litmus_result){ 0 };
	/* what nothing but the axioms orders is to be asked about */
	r.graphs = t->uses_plain || (t->uses_srcu && o->ideal) || (t->uses_rcu && (o->ideal || !o->rcu_as_srcu));
	ok = prepare(&r) && make_world(&r);
	if (ok)
		ok = explore_all(&r);
	else
		snprintf(result->error, sizeof(result->error), "%s", r.w && *world_error(r.w) ? world_error(r.w) : "out of memory");
	if (ok && !result->nstates && !result->bound)
		result->deadlocks += r.impossible + r.stuck;
	result->seconds = explore_now() - started;
	release(&r);
	return ok;
}

void litmus_result_release(struct litmus_result *r)
{
	for (size_t i = 0; i < r->nstates; i++)
		free(r->states[i].text);
	free(r->states);
	free(r->bound);
	*r = (struct litmus_result){ 0 };
}
