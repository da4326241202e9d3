/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Accessors of RCU-protected pointers.  What lockdep would call suspicious RCU
 * usage is reported, and the thread goes on, as the kernel does.
 */
#include <config.h>

#include "binding/binding.h"
#include "check/check.h"
#include "srcu/rcu.h"

static const struct site deref_site = LB_SITE(OP_LOAD, ORD_DEREF, 0, "rcu_dereference");
static const struct site srcu_deref_site = LB_SITE(OP_LOAD, ORD_DEREF, 0, "srcu_dereference");
static const struct site raw_site = LB_SITE(OP_LOAD, ORD_DEREF, 0, "rcu_dereference_raw");
static const struct site access_site = LB_SITE(OP_LOAD, ORD_ONCE, 0, "rcu_access_pointer");
/* Plain: the updater is alone with the pointer; a second one would be a race. */
static const struct site protected_site =
	LB_SITE(OP_PLAIN_LOAD, ORD_NONE, 0, "rcu_dereference_protected");
static const struct site assign_site = LB_SITE(OP_STORE, ORD_RELEASE, 0, "rcu_assign_pointer");

static struct lb_loc check_pointer(lua_State *L)
{
	struct lb_loc loc;

	lb_task(L);
	lb_check_loc(L, 1, &loc);
	if (loc.kind == LB_VAR || loc.kind == LB_INT_FIELD)
		lb_arg_error(L, 1, "a pointer is needed, and this holds integers");
	return loc;
}

static int load_pointer(lua_State *L, const struct lb_loc *loc, const struct site *site)
{
	lb_loc_pushvalue(L, lb_event(L, site, loc->addr, 8, 0, 0), loc);
	return 1;
}


/* For code that runs under more than one flavour and leaves the asking to its callers. */
static int l_dereference_raw(lua_State *L)
{
	struct lb_loc loc = check_pointer(L);

	return load_pointer(L, &loc, &raw_site);
}

static int l_access_pointer(lua_State *L)
{
	struct lb_loc loc = check_pointer(L);

	return load_pointer(L, &loc, &access_site);
}

/* Reports that the pointer was used without `what`. */
static void report_usage(lua_State *L, const struct lb_loc *loc, const char *what,
			 const char *whose)
{
	struct task *t = task_current();
	char name[128];

	location_name(t->w, loc->addr, name, sizeof(name), NULL);
	check_report(t->w, "rcu-usage", t, NULL, "%s(%s) %s%s", lb_func_name(L), name, what, whose);
}

static bool check_cond(lua_State *L, int idx)
{
	if (lua_isnone(L, idx))
		lb_arg_error(L, idx, "condition expected");
	return lua_toboolean(L, idx);
}

/* cond_idx: as below */
static int rcu_dereference_if(lua_State *L, int cond_idx)
{
	struct lb_loc loc = check_pointer(L);
	bool cond = cond_idx && check_cond(L, cond_idx);

	if (!cond && !task_current()->ctx.rcu)
		report_usage(L, &loc, "outside of any RCU read section: suspicious RCU usage", "");
	return load_pointer(L, &loc, &deref_site);
}

static int l_dereference(lua_State *L)
{
	return rcu_dereference_if(L, 0);
}

static int l_dereference_check(lua_State *L)
{
	return rcu_dereference_if(L, 2);
}

/* cond_idx: the argument under which it is legal without a section, or 0. */
static int srcu_dereference_if(lua_State *L, int cond_idx)
{
	struct lb_loc loc = check_pointer(L);
	struct srcu *ss = lb_check_srcu(L, 2);
	bool cond = cond_idx && check_cond(L, cond_idx);
	struct task *t = task_current();

	if (!cond && !check_holds_section(t->w, t, ss))
		report_usage(L, &loc, "outside of any read section of ", ss->obj->name);
	return load_pointer(L, &loc, &srcu_deref_site);
}

static int l_srcu_dereference(lua_State *L)
{
	return srcu_dereference_if(L, 0);
}

static int l_srcu_dereference_check(lua_State *L)
{
	return srcu_dereference_if(L, 3);
}

static int l_dereference_protected(lua_State *L)
{
	struct lb_loc loc = check_pointer(L);

	if (!check_cond(L, 2))
		report_usage(L, &loc, "without what is said to protect the pointer", "");
	return load_pointer(L, &loc, &protected_site);
}

static uint64_t check_new(lua_State *L, const struct lb_loc *loc)
{
	if (lua_isnone(L, 2))
		lb_arg_error(L, 2, "object or nil expected");
	return lb_loc_tovalue(L, 2, loc);
}

static int l_assign_pointer(lua_State *L)
{
	struct lb_loc loc = check_pointer(L);

	lb_event(L, &assign_site, loc.addr, 8, check_new(L, &loc), 0);
	return 0;
}

static int l_replace_pointer(lua_State *L)
{
	struct lb_loc loc = check_pointer(L);
	uint64_t new = check_new(L, &loc);

	if (!check_cond(L, 3))
		report_usage(L, &loc, "without what is said to protect the pointer", "");
	load_pointer(L, &loc, &protected_site);
	lb_event(L, &assign_site, loc.addr, 8, new, 0);
	return 1;
}

static const struct lb_func rcu_funcs[] = {
	{ "srcu_dereference", l_srcu_dereference, "(p, ss) -> object or nil",
	  "Reads a pointer in a read section of ss; outside of one it is reported as \"rcu-usage\"",
	  "local ss, p = srcu.new(\"ss\"), ptr(\"p\", kmalloc(\"o\", {count = 1}))\n"
	  "thread(\"reader\", function()\n  local idx = srcu_read_lock(ss)\n"
	  "  print(srcu_dereference(p, ss).count)\n  srcu_read_unlock(ss, idx)\nend)" },
	{ "srcu_dereference_check", l_srcu_dereference_check, "(p, ss, cond) -> object or nil",
	  "As srcu_dereference(), and legal without a section where cond is true",
	  "local ss, p, m = srcu.new(\"ss\"), ptr(\"p\"), mutex(\"m\")\nthread(\"t\", function()\n"
	  "  mutex_lock(m)\n  print(srcu_dereference_check(p, ss, lockdep_is_held(m)))\n"
	  "  mutex_unlock(m)\nend)" },
	{ "rcu_dereference", l_dereference, "(p) -> object or nil",
	  "Reads a pointer in a read section of plain RCU; outside of one it is reported as "
	  "\"rcu-usage\"",
	  "local p = ptr(\"p\")\nthread(\"t\", function()\n  rcu_read_lock()\n"
	  "  print(rcu_dereference(p))\n  rcu_read_unlock()\nend)" },
	{ "rcu_dereference_check", l_dereference_check, "(p, cond) -> object or nil",
	  "As rcu_dereference(), and legal without a section where cond is true",
	  "local p, m = ptr(\"p\"), mutex(\"m\")\nthread(\"t\", function()\n"
	  "  mutex_lock(m)\n  print(rcu_dereference_check(p, lockdep_is_held(m)))\n"
	  "  mutex_unlock(m)\nend)" },
	{ "rcu_dereference_raw", l_dereference_raw, "(p) -> object or nil",
	  "Reads a pointer whose object is then looked into, wherever that is: nothing is reported",
	  "local p = ptr(\"p\")\nthread(\"t\", function() print(rcu_dereference_raw(p)) end)" },
	{ "rcu_dereference_protected", l_dereference_protected, "(p, cond) -> object or nil",
	  "Reads a pointer that only this thread changes now, plainly; that cond is false is "
	  "reported as \"rcu-usage\"",
	  "local p = ptr(\"p\")\nthread(\"t\", function() print(rcu_dereference_protected(p, true)) end)" },
	{ "rcu_access_pointer", l_access_pointer, "(p) -> object or nil",
	  "Reads a pointer that is only compared, never followed",
	  "local p = ptr(\"p\")\nthread(\"t\", function() print(rcu_access_pointer(p) == nil) end)" },
	{ "rcu_assign_pointer", l_assign_pointer, "(p, object or nil)",
	  "Publishes an object: a store with release order",
	  "local p = ptr(\"p\")\nthread(\"t\", function()\n"
	  "  local o = kmalloc(\"new\", {count = 0})\n  o.count = 1\n  rcu_assign_pointer(p, o)\nend)" },
	{ "rcu_replace_pointer", l_replace_pointer, "(p, object or nil, cond) -> old",
	  "rcu_dereference_protected() and rcu_assign_pointer(): two steps, and no exchange",
	  "local p, m = ptr(\"p\", kmalloc(\"old\")), mutex(\"m\")\nthread(\"t\", function()\n"
	  "  mutex_lock(m)\n  kfree(rcu_replace_pointer(p, nil, lockdep_is_held(m)))\n"
	  "  mutex_unlock(m)\nend)" },
	{ 0 }
};
static const struct lb_section rcu_section = {
	"rcu", "Pointers protected by RCU",
	"p is a ptr, or the location of a field that holds pointers (o'next'). nil stands for NULL.",
	rcu_funcs
};

void lb_open_rcu(lua_State *L)
{
	lb_register(L, &rcu_section);
	lb_open_rcu_plain(L);
	lb_open_rseq(L);
}
