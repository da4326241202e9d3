/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Restartable sequences and membarrier() as scripts see them: the primitives of k/rseq.h,
 * of which tree_fast.c is made.  An rseq is what a process has registered: one word for each
 * CPU, in which a sequence that is under way there and a membarrier that passes meet.
 */
#include <config.h>

#include "binding/binding.h"
#include "k/rseq.h"

static const struct field rseq_fields[] = {
	{ .name = "busy", .offset = offsetof(struct rseq, lock.owner), .size = 8, .flags = FIELD_OWNER },
	{ 0 }
};
static const struct objtype rseq_objtype = { .kind = "rseq" };

static struct object *rseq_make(struct world *w, struct lb_recipe *r)
{
	unsigned n = world_cpus(w);
	struct object *o = object_new(w, &rseq_objtype, r->name, n * sizeof(struct rseq));

	if (!o || !object_describe_run(o, o->base, "cpu", rseq_fields, sizeof(struct rseq), n))
		return NULL;
	o->impl = o->base;
	return o;
}

static int l_rseq(lua_State *L)
{
	lb_check_name(L, 1);
	lb_make(L, lb_recipe_new(L, 1, sizeof(struct lb_recipe), rseq_make));
	return 1;
}

#define SEQUENCE (SITE_SPIN | SITE_IRQ | SITE_SEQUENCE)
#define PASSING (SITE_SPIN | SITE_IRQ | SITE_MEMBARRIER)
static const struct site begin_site = LB_SITE(OP_LOCK, ORD_ONCE, SEQUENCE, "rseq_begin");
static const struct site end_site = LB_SITE(OP_UNLOCK, ORD_ONCE, SEQUENCE, "rseq_end");
static const struct site fence_site = LB_SITE(OP_FENCE, ORD_MB, 0, "membarrier");
static const struct site come_site = LB_SITE(OP_LOCK, ORD_ONCE, PASSING, "membarrier");
static const struct site go_site = LB_SITE(OP_UNLOCK, ORD_ONCE, PASSING, "membarrier");

static struct rseq *check_rseq(lua_State *L, bool takes)
{
	struct task *t = lb_task(L);
	struct object *o = lb_check_object(L, 1, &rseq_objtype);

	if (takes && t->ctx.spin >= CONTEXT_MAX)
		luaL_error(L, "%s: more than %d spinlocks are held", lb_func_name(L), CONTEXT_MAX);
	return o->impl;
}

static int l_begin(lua_State *L)
{
	struct rseq *r = check_rseq(L, true);

	lb_event(L, &begin_site, &r[raw_cpu()].lock.owner, 8, 0, 0);
	return 0;
}

static int l_end(lua_State *L)
{
	struct rseq *r = check_rseq(L, false);

	lb_event(L, &end_site, &r[raw_cpu()].lock.owner, 8, 0, 0);
	return 0;
}

static int l_membarrier(lua_State *L)
{
	struct rseq *r = check_rseq(L, true);
	unsigned n = world_cpus(task_current()->w);

	lb_event(L, &fence_site, NULL, 0, 0, 0);
	for (unsigned cpu = 0; cpu < n; cpu++) {
		lb_event(L, &come_site, &r[cpu].lock.owner, 8, 0, 0);
		lb_event(L, &go_site, &r[cpu].lock.owner, 8, 0, 0);
	}
	lb_event(L, &fence_site, NULL, 0, 0, 0);
	return 0;
}

#define R "local r = rseq(\"r\")\nthread(\"t\", function() "

static const struct lb_func rseq_funcs[] = {
	{ "rseq", l_rseq, "(name) -> rseq",
	  "Makes what a process needs for restartable sequences and membarrier()", "local r = rseq(\"r\")" },
	{ "rseq_begin", l_begin, "(r)",
	  "Begins a restartable sequence: up to rseq_end() nothing else runs on the CPU, and no "
	  "membarrier(r) passes it, as in the attempt of a real one that commits. Orders nothing",
	  R "rseq_begin(r); rseq_end(r) end)" },
	{ "rseq_end", l_end, "(r)", "Ends the sequence. Orders nothing",
	  R "rseq_begin(r); rseq_end(r) end)" },
	{ "membarrier", l_membarrier, "(r)",
	  "As membarrier(2), PRIVATE_EXPEDITED_RSEQ: a full barrier here, and one in every other thread "
	  "somewhere between its last sequence that came before and its first that came behind",
	  R "membarrier(r) end)" },
	{ 0 }
};
static const struct lb_section rseq_section = {
	"rseq", "Restartable sequences and membarrier",
	"What fast readers are made of. An empty sequence stands for a compiler's barrier in a "
	"reader that leaves the fence to membarrier().",
	rseq_funcs
};

void lb_open_rseq(lua_State *L)
{
	lb_register(L, &rseq_section);
}
