/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Plain RCU as scripts see it.  There is one domain for all, so nothing is made and
 * nothing is given to the functions; they check and hand on to srcu/rcu.h.
 */
#include <config.h>

#include "binding/binding.h"
#include "srcu/rcu.h"

static int l_read_lock(lua_State *L)
{
	if (lb_task(L)->ctx.rcu == UINT16_MAX)
		return luaL_error(L, "%s: nested too deeply", lb_func_name(L));
	rcu_read_lock();
	return 0;
}

static int l_read_unlock(lua_State *L)
{
	lb_task(L);
	rcu_read_unlock();
	return 0;
}

static int l_read_lock_held(lua_State *L)
{
	lua_pushboolean(L, lb_task(L)->ctx.rcu != 0);
	return 1;
}

static int l_synchronize(lua_State *L)
{
	lb_task(L);
	synchronize_rcu();
	return 0;
}

static int l_barrier(lua_State *L)
{
	lb_task(L);
	rcu_barrier();
	return 0;
}

static int l_call(lua_State *L)
{
	struct rcu_head *head;
	rcu_callback_t func;

	lb_task(L);
	head = lb_take_callback(L, 1, &func);
	call_rcu(head, func);
	return 0;
}

static int l_kfree(lua_State *L)
{
	struct object *o;

	lb_task(L);
	if (lua_isnone(L, 1))
		lb_type_error(L, 1, "object or nil");
	if (lb_is_null(L, 1))
		return 0;
	/* of any kind: that it may not be freed is an oracle's to say */
	o = lb_check_object(L, 1, NULL);
	if (!o->base)
		lb_arg_error(L, 1, "%s \"%s\" has no address", o->type->kind, o->name);
	kfree_rcu(o->base);
	return 0;
}

#define T "thread(\"t\", function()\n  "
#define END "\nend)"

static const struct lb_func plain_funcs[] = {
	{ "rcu_read_lock", l_read_lock, "()",
	  "Begins a read section of plain RCU, in which the thread may not sleep; nests",
	  T "rcu_read_lock()\n  rcu_read_unlock()" END },
	{ "rcu_read_unlock", l_read_unlock, "()",
	  "Ends the read section that rcu_read_lock() began last", NULL },
	{ "rcu_read_lock_held", l_read_lock_held, "() -> boolean",
	  "Is this thread in a read section of plain RCU? No step",
	  T "print(rcu_read_lock_held())" END },
	{ "synchronize_rcu", l_synchronize, "()",
	  "Waits until every read section of plain RCU that began before has ended",
	  "local p = ptr(\"p\", kmalloc(\"old\"))\n" T
	  "local old = rcu_replace_pointer(p, nil, true)\n  synchronize_rcu()\n  kfree(old)" END },
	{ "call_rcu", l_call, "([head,] fn)",
	  "Has fn called, by a kworker, when every read section of plain RCU that began before has "
	  "ended; fn is given the head, may step, and may not sleep",
	  T "local o = kmalloc(\"old\")\n  call_rcu(rcu_head(\"head\"), function() kfree(o) end)" END },
	{ "rcu_barrier", l_barrier, "()",
	  "Waits until every callback of call_rcu() and kfree_rcu() that was posted before has been called",
	  T "call_rcu(function() end)\n  rcu_barrier()" END },
	{ "kfree_rcu", l_kfree, "(object or nil)",
	  "Frees a heap object when every read section of plain RCU that began before has ended; "
	  "kfree_rcu(nil) does nothing",
	  T "kfree_rcu(kmalloc(\"old\"))" END },
	{ 0 }
};
static const struct lb_section plain_section = {
	"rcu-plain", "Plain RCU",
	"The guarantee of RCU and nothing of how the kernel keeps it. A section may be preempted; "
	"to sleep in one is a violation. It protects from synchronize_rcu(), call_rcu() and "
	"kfree_rcu() alone: what is freed behind a grace period of an srcu_struct needs a read "
	"section of that srcu_struct.",
	plain_funcs
};

void lb_open_rcu_plain(lua_State *L)
{
	lb_register(L, &plain_section);
}
