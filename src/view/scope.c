/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a verdict is about: how many threads and CPUs, which memory model, which
 * SRCU with which options.  It says nothing of what is not among them.
 */
#include <config.h>

#include "view/object.h"
#include "engine/kapi.h"
#include "engine/log.h"
#include "memory/model.h"
#include "srcu/rcu.h"
#include "srcu/srcu.h"

#include <string.h>

static void add_count(struct sbuf *out, size_t n, const char *what)
{
	if (n)
		sbuf_addf(out, "%s%zu %s%s", out->len ? ", " : "", n, what, n == 1 ? "" : "s");
}

static void add_tasks(struct world *w, struct sbuf *out)
{
	size_t threads = 0, irqs = 0;

	for (size_t i = 0; i < world_task_count(w); i++) {
		threads += world_task(w, i)->kind == TASK_THREAD;
		irqs += world_task(w, i)->kind == TASK_IRQ;
	}
	add_count(out, threads, "thread");
	add_count(out, irqs, "interrupt");
}

static bool same_options(const struct srcu *a, const struct srcu *b)
{
	return a->ops == b->ops && a->opts.size == b->opts.size &&
	       a->opts.counter_bits == b->opts.counter_bits &&
	       a->opts.seq_bits == b->opts.seq_bits && a->opts.faults == b->opts.faults;
}

/* The n-th object's domain, unless one before it is like it. */
static struct srcu *new_domain(struct world *w, size_t n)
{
	struct object *o = world_object(w, n);
	struct srcu *ss = o->type == &srcu_objtype ? o->impl : NULL;

	for (size_t i = 0; ss && i < n; i++) {
		o = world_object(w, i);
		if (o->type == &srcu_objtype && same_options(o->impl, ss))
			return NULL;
	}
	return ss;
}

static void add_domain(const struct srcu *ss, struct sbuf *out)
{
	if (ss->ops->version)
		sbuf_addf(out, ", Linux %s %s SRCU", ss->ops->version, ss->ops->flavor);
	else
		sbuf_addf(out, ", %s SRCU of %s", ss->ops->flavor, PACKAGE_STRING);
	if (ss->opts.size != SRCU_SIZE_OPT_AUTO)
		sbuf_addf(out, ", size %s", ss->opts.size == SRCU_SIZE_OPT_BIG ? "big" : "small");
	if (ss->opts.counter_bits)
		sbuf_addf(out, ", counter_bits %u", ss->opts.counter_bits);
	if (ss->opts.seq_bits)
		sbuf_addf(out, ", seq_bits %u", ss->opts.seq_bits);
	for (const struct srcu_fault_info *f = srcu_fault_table; f->name; f++)
		if (ss->opts.faults & f->bit)
			sbuf_addf(out, ", fault %s", f->name);
}

/* As far as the run at hand shows it. */
static void add_hurry(struct world *w, struct sbuf *out)
{
	bool normal = false, expedited = false;

	for (size_t i = 0; i < log_mark_count(w); i++) {
		const struct mark *m = log_mark(w, i);
		const struct kapi *api = kapi_by_id(m->api);
		bool asks = api && (api->kind == KAPI_SYNCHRONIZE || api->kind == KAPI_CALL);

		expedited |= asks && strstr(api->name, "expedited");
		normal |= asks && !strstr(api->name, "expedited");
	}
	if (normal || expedited)
		sbuf_addf(out, ", %s grace periods", normal && expedited ? "normal and expedited" :
			  normal ? "normal" : "expedited");
}

static void add_model(struct world *w, int promises, struct sbuf *out)
{
	const char *model = world_model(w)->name;

	sbuf_addf(out, ", %s", model);
	if (strcmp(model, "weak"))
		return;
	if (promises < 0)
		sbuf_add(out, " without load buffering (nothing is concluded about load-to-store order)");
	else
		sbuf_addf(out, " with load buffering by up to %d promise%s (dependencies that no execution refutes are "
			  "assumed)", promises, promises == 1 ? "" : "s");
}

void view_scope(struct world *w, int promises, struct sbuf *out)
{
	bool any = false;

	add_tasks(w, out);
	add_count(out, world_cpus(w), "CPU");
	add_model(w, promises, out);
	for (size_t i = 0; i < world_object_count(w); i++) {
		struct srcu *ss = new_domain(w, i);

		if (ss)
			add_domain(ss, out);
		any |= ss != NULL;
	}
	if (any)
		add_hurry(w, out);
}
