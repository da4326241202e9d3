/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lists of heap objects as scripts see them: the kernel's list_head with its
 * additions, deletions and traversals, for updaters and for SRCU readers.
 */
#include <config.h>

#include "binding/binding.h"
#include "check/check.h"
#include "k/list.h"
#include "k/objtypes.h"
#include "srcu/srcu.h"

/* What a function of the table does. */
struct list_op {
	struct site site;	/* of what others see: the publishing store, the hop */
	struct site load, store; /* of what it does beside that */
	bool rcu, tail;
};
static const struct list_op list_ops[];
static const struct lb_func list_funcs[];
static const struct lb_func next_srcu_func, next_func;

static const struct list_op *op_of(lua_State *L)
{
	return &list_ops[lb_func_running(L) - list_funcs];
}

/* --- making --- */

static struct object *list_make(struct world *w, struct lb_recipe *r)
{
	struct object *o = k_object_new(w, &list_objtype, r->name);

	if (o)
		*list_links(o) = (struct list_head){ (uintptr_t)o->base, (uintptr_t)o->base };
	return o;
}

static int l_list_head(lua_State *L)
{
	lb_make(L, lb_recipe_new(L, 1, sizeof(struct lb_recipe), list_make));
	return 1;
}

/* --- changing --- */

static struct list_sites sites_of(lua_State *L, const struct list_op *op)
{
	return (struct list_sites){ .load = lb_site(L, &op->load), .store = lb_site(L, &op->store),
				    .publish = lb_site(L, &op->site) };
}

static int l_add(lua_State *L)
{
	const struct list_op *op = op_of(L);
	struct object *o, *head;
	struct list_sites s;

	lb_task(L);
	o = lb_check_object(L, 1, &heap_objtype);
	head = lb_check_object(L, 2, &list_objtype);
	s = sites_of(L, op);
	k_list_add(o, head, op->tail, &s);
	return 0;
}

static int l_del(lua_State *L)
{
	const struct list_op *op = op_of(L);
	struct list_sites s;
	struct object *o;

	lb_task(L);
	o = lb_check_object(L, 1, &heap_objtype);
	s = sites_of(L, op);
	k_list_del(o, op->rcu, &s);
	return 0;
}

static int l_empty(lua_State *L)
{
	struct object *head;

	lb_task(L);
	head = lb_check_object(L, 1, &list_objtype);
	lua_pushboolean(L, k_list_empty(head, lb_site(L, &op_of(L)->site)));
	return 1;
}

/* --- going through --- */

static const struct site srcu_hop = LB_SITE(OP_LOAD, ORD_DEREF, 0, "list_for_each_entry_srcu");
static const struct site plain_hop = LB_SITE(OP_PLAIN_LOAD, ORD_NONE, 0, "list_for_each_entry");

/* The generic for's call: the state is the head, the control the object before. */
static int hop(lua_State *L, const struct site *base)
{
	struct object *head, *at;

	lb_task(L);
	head = lb_check_object(L, 1, &list_objtype);
	at = lua_isnoneornil(L, 2) ? head : lb_check_object(L, 2, &heap_objtype);
	lb_push_object(L, k_list_next(head, at, lb_site(L, base)));
	return 1;
}

static int l_next_srcu(lua_State *L)
{
	return hop(L, &srcu_hop);
}

static int l_next(lua_State *L)
{
	return hop(L, &plain_hop);
}

static int push_loop(lua_State *L, const struct lb_func *next)
{
	lb_push_func(L, next);
	lua_pushvalue(L, 1);
	lua_pushnil(L);
	return 3;
}

static int l_for_each_srcu(lua_State *L)
{
	struct task *t = lb_task(L);
	struct object *head = lb_check_object(L, 1, &list_objtype);
	struct srcu *ss = lb_check_srcu(L, 2);

	if (!check_holds_section(t->w, t, ss))
		check_report(t->w, "rcu-usage", t, NULL, "%s(%s) outside of any read section of %s",
			     lb_func_name(L), head->name, ss->obj->name);
	return push_loop(L, &next_srcu_func);
}

static int l_for_each(lua_State *L)
{
	lb_task(L);
	lb_check_object(L, 1, &list_objtype);
	return push_loop(L, &next_func);
}

/* --- the table --- */

#define O "local o, list = kmalloc(\"o\"), list_head(\"list\")\nthread(\"t\", function() "

/* X(name, function, operation, order, rcu, tail, signature, doc, example) */
#define LISTS(X) \
	X("list_head", l_list_head, OP_NONE, ORD_NONE, 0, 0, "(name) -> list", \
	  "Makes an empty list of heap objects; each object can be on one list at a time", \
	  "local list = list_head(\"kvm.list\")") \
	X("list_add_rcu", l_add, OP_STORE, ORD_RELEASE, 1, 0, "(object, list)", \
	  "Puts an object at the head of a list, where readers may be under way: five steps, of " \
	  "which the fourth publishes it. To add what is on a list is reported", \
	  O "list_add_rcu(o, list) end)") \
	X("list_add_tail_rcu", l_add, OP_STORE, ORD_RELEASE, 1, 1, "(object, list)", \
	  "The same at the end of the list", O "list_add_tail_rcu(o, list) end)") \
	X("list_del_rcu", l_del, OP_STORE, ORD_ONCE, 1, 0, "(object)", \
	  "Takes an object off its list; readers that stand on it can still go on, so it may be " \
	  "freed only after a grace period. To delete what is on no list is reported", \
	  O "list_add_rcu(o, list)\n  list_del_rcu(o)\nend)") \
	X("list_add", l_add, OP_STORE, ORD_ONCE, 0, 0, "(object, list)", \
	  "As list_add_rcu() without its ordering: for lists that a lock protects", \
	  O "list_add(o, list) end)") \
	X("list_add_tail", l_add, OP_STORE, ORD_ONCE, 0, 1, "(object, list)", \
	  "The same at the end of the list", O "list_add_tail(o, list) end)") \
	X("list_del", l_del, OP_STORE, ORD_ONCE, 0, 0, "(object)", \
	  "Takes an object off its list; a reader that stands on it has no way on", \
	  O "list_add(o, list); list_del(o) end)") \
	X("list_empty", l_empty, OP_LOAD, ORD_ONCE, 0, 0, "(list) -> boolean", \
	  "Is the list empty at this moment?", O "print(list_empty(list)) end)") \
	X("list_for_each_entry_srcu", l_for_each_srcu, OP_LOAD, ORD_DEREF, 1, 0, "(list, ss) -> iterator", \
	  "For a generic for: the list's objects, one step for each pointer, in a read section of " \
	  "ss; outside of one it is reported as \"rcu-usage\"", \
	  "local ss, list = srcu.new(\"ss\"), list_head(\"list\")\nthread(\"t\", function()\n" \
	  "  local idx = srcu_read_lock(ss)\n  for o in list_for_each_entry_srcu(list, ss) do\n" \
	  "    print(o)\n  end\n  srcu_read_unlock(ss, idx)\nend)") \
	X("list_for_each_entry", l_for_each, OP_PLAIN_LOAD, ORD_NONE, 0, 0, "(list) -> iterator", \
	  "The same with plain loads, for whoever holds the list's lock", \
	  O "for o in list_for_each_entry(list) do print(o) end end)")

#define FUNC(name, fn, op, order, rcu, tail, sig, doc, example) { name, fn, sig, doc, example },
static const struct lb_func list_funcs[] = { LISTS(FUNC) { 0 } };

#define OP(name, fn, op, order, rcu, tail, sig, doc, example) \
	{ LB_SITE(op, order, 0, name), LB_SITE(OP_PLAIN_LOAD, ORD_NONE, 0, name), \
	  LB_SITE(OP_PLAIN_STORE, ORD_NONE, 0, name), rcu, tail },
static const struct list_op list_ops[] = { LISTS(OP) };

static const struct lb_func next_srcu_func = {
	"list_for_each_entry_srcu", l_next_srcu, NULL, NULL, NULL
};
static const struct lb_func next_func = { "list_for_each_entry", l_next, NULL, NULL, NULL };

static const struct lb_section list_section = {
	"lists", "Lists",
	"Objects that kmalloc() makes have the links of one list in them, as a struct list_head "
	"would be. What CONFIG_DEBUG_LIST finds (adding twice, deleting twice, neighbours that are "
	"none) is the violation \"warning\", which ends the thread.",
	list_funcs
};

void lb_open_list(lua_State *L)
{
	lb_new_kind(L, &list_objtype);
	lb_register(L, &list_section);
}
