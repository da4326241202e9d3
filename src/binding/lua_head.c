/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Heads of callbacks: the rcu_head that call_srcu() and call_rcu() post, with the Lua
 * function that it has called.
 */
#include <config.h>

#include "binding/binding.h"
#include "binding/lua_purity.h"
#include "srcu/srcu.h"

/* What a script's callback needs; lies in simulated memory. */
struct lua_head {
	struct rcu_head head;	/* first: the object is the rcu_head */
	struct object *obj;
	struct lb_fn *fn;	/* posted, not invoked yet */
	struct lb_fn *running;	/* being invoked; it may post itself again */
	bool named;		/* made by rcu_head(): the callback is given it */
};

static const struct field head_fields[] = {
	{ .name = "next", .offset = offsetof(struct lua_head, head.next), .size = 8,
	  .flags = FIELD_PTR },
	{ .name = "queued", .offset = offsetof(struct lua_head, head.queued), .size = 8 },
	{ 0 }
};

static void head_destroy(struct object *o)
{
	struct lua_head *h = o->base;

	if (!h)
		return;
	lb_fn_put(h->fn);
	lb_fn_put(h->running);
}

static const struct objtype head_objtype = {
	.kind = "rcu_head", .fields = head_fields, .destroy = head_destroy,
	.reset = head_destroy	/* nothing was posted when the world was built */
};

static struct object *head_new(struct world *w, const char *name, bool named)
{
	struct object *o = object_new(w, &head_objtype, name, sizeof(struct lua_head));

	if (o) {
		((struct lua_head *)o->base)->obj = o;
		((struct lua_head *)o->base)->named = named;
	}
	return o;
}

static struct object *head_make(struct world *w, struct lb_recipe *r)
{
	return head_new(w, r->name, true);
}

int lb_rcu_head(lua_State *L)
{
	lb_make(L, lb_recipe_new(L, 1, sizeof(struct lb_recipe), head_make));
	return 1;
}

/* On the stack of the kworker that invokes callbacks. */
static void invoke(struct rcu_head *head)
{
	struct lua_head *h = (struct lua_head *)head;

	lb_fn_put(h->running);
	/* the head was free to be posted again before we came here: then the new
	 * function is called, now and once more */
	h->running = h->head.queued && h->fn ? lb_fn_get(h->fn) : h->fn;
	if (!h->head.queued)
		h->fn = NULL;
	if (h->running)
		lb_fn_call(h->running, h->named ? h->obj : NULL);
	lb_fn_put(h->running);
	h->running = NULL;
}

struct rcu_head *lb_take_callback(lua_State *L, int arg, rcu_callback_t *func)
{
	struct world *w = lb_session(L)->w;
	bool named = lua_type(L, arg) == LUA_TUSERDATA;
	int fn = named ? arg + 1 : arg;
	struct object *o = named ? lb_check_object(L, arg, &head_objtype) : NULL;
	struct lua_head *h;
	struct lb_fn *f;

	if (lua_type(L, fn) != LUA_TFUNCTION)
		lb_type_error(L, fn, named ? "function" : "function or rcu_head");
	if (!o)
		o = head_new(w, "rcu_head", false);
	if (!o) {
		luaL_error(L, "%s: %s", lb_func_name(L), world_error(w));
		return NULL;
	}
	h = o->base;
	/* a head that is queued keeps the function it was posted with: to post it
	 * once more is a bug that call_srcu() itself reports */
	if (!h->fn || !h->head.queued) {
		purity_adopt(L, fn, "callback", NULL);
		f = lb_fn_new(L, fn);
		lb_fn_put(h->fn);
		h->fn = f;
	}
	*func = invoke;
	return &h->head;
}

void lb_open_head(lua_State *L)
{
	lb_new_kind(L, &head_objtype);
}
