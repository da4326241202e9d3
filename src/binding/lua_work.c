/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Work items whose function is a script's: each runs on a worker of its own,
 * once for each time that it was queued.
 */
#include <config.h>

#include "binding/binding.h"
#include "binding/lua_purity.h"
#include "k/work.h"

#include <stdlib.h>
#include <string.h>

/* A script's work item; lies in simulated memory. */
struct lua_work {
	struct work_struct work;	/* first */
	struct object *obj;
	struct lb_fn *fn;
};

static const struct field work_fields[] = {
	{ .name = "state", .offset = offsetof(struct lua_work, work.state), .size = 8 },
	{ 0 }
};

static void work_destroy(struct object *o)
{
	if (o->base)
		lb_fn_put(((struct lua_work *)o->base)->fn);
}

static const struct objtype work_objtype = {
	.kind = "work", .fields = work_fields, .destroy = work_destroy
};

struct lb_fn *lb_work_fn(struct object *o)
{
	return o->type == &work_objtype && o->base ? ((struct lua_work *)o->base)->fn : NULL;
}

/* On the stack of the kworker. */
static void work_main(struct work_struct *work)
{
	struct lua_work *w = (struct lua_work *)work;

	lb_fn_call(w->fn, w->obj);
}

struct work_recipe {
	struct lb_recipe head;
	struct lb_fn *fn;
};

static struct object *work_make(struct world *w, struct lb_recipe *r)
{
	struct object *o = object_new(w, &work_objtype, r->name, sizeof(struct lua_work));
	struct lua_work *lw = o ? o->base : NULL;

	if (!lw)
		return NULL;
	init_work(&lw->work, work_main, o->name);
	lw->obj = o;
	lw->fn = lb_fn_get(((struct work_recipe *)r)->fn);
	return o;
}

static void work_release(struct lb_recipe *r)
{
	lb_fn_put(((struct work_recipe *)r)->fn);
}

static int l_work(lua_State *L)
{
	const char *name = lb_check_name(L, 1);
	struct work_recipe *r;

	/* the workers of an srcu_struct are called kworker/NAME:gp and the like */
	if (strchr(name, ':'))
		lb_arg_error(L, 1, "\"%s\": a work item's name has no ':'", name);
	lb_check_type(L, 2, LUA_TFUNCTION);
	r = lb_recipe_new(L, 1, sizeof(*r), work_make);
	r->head.release = work_release;
	r->fn = lb_fn_new(L, 2);
	purity_adopt(L, 2, "work", name);
	lb_make(L, &r->head);
	return 1;
}

static struct work_struct *check_work(lua_State *L)
{
	lb_task(L);
	return lb_check_object(L, 1, &work_objtype)->base;
}

static int l_queue_work(lua_State *L)
{
	static const struct site base = LB_SITE(OP_CMPXCHG, ORD_FULL, 0, "queue_work");
	struct work_struct *work = check_work(L);

	lua_pushboolean(L, k_queue_work(work, -1, lb_site(L, &base)));
	return 1;
}

static int l_flush_work(lua_State *L)
{
	static const struct site base = LB_SITE(OP_COND, ORD_FULL, SITE_SLEEPS, "flush_work");
	struct work_struct *work = check_work(L);

	k_flush_work(work, lb_site(L, &base));
	return 0;
}

#define W "local w = work(\"w\", function() yield() end)\nthread(\"t\", function() "

static const struct lb_func work_funcs[] = {
	{ "work", l_work, "(name, fn) -> work",
	  "Makes a work item: fn(work) runs on the worker kworker/NAME once for each time that it "
	  "was queued, never twice at once",
	  "local w = work(\"flush\", function(w) yield() end)" },
	{ "queue_work", l_queue_work, "(work) -> boolean",
	  "Queues a work item on this CPU; false if it was queued already and has not begun to run",
	  W "print(queue_work(w), queue_work(w)) end)" },
	{ "flush_work", l_flush_work, "(work)",
	  "Blocks until the work that is queued or running now is done",
	  W "queue_work(w); flush_work(w) end)" },
	{ 0 }
};
static const struct lb_section work_section = {
	"work", "Work items",
	"A work item that is queued while it runs runs once more. Its function may sleep. The worker "
	"is a task like a thread: it is stepped by its name, kworker/NAME.",
	work_funcs
};

void lb_open_work(lua_State *L)
{
	lb_new_kind(L, &work_objtype);
	lb_register(L, &work_section);
}
