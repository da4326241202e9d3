/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SRCU as scripts see it: making a domain, the API, and the state of a domain as
 * a table.  The functions check their arguments and hand on to srcu/srcu.h.
 */
#include <config.h>

#include "binding/binding.h"
#include "check/check.h"
#include "srcu/srcu.h"

#include <string.h>

/* --- srcu.new --- */

static const struct srcu_ops *const flavors[] = {
	&srcu_tree_ops, &srcu_tiny_ops, &srcu_ideal_ops
};

struct srcu_recipe {
	struct lb_recipe head;
	const struct srcu_ops *ops;
	struct srcu_opts opts;
};

static struct object *recipe_make(struct world *w, struct lb_recipe *r)
{
	struct srcu_recipe *sr = (struct srcu_recipe *)r;
	struct srcu *ss = srcu_new(w, r->name, sr->ops, &sr->opts);

	return ss ? ss->obj : NULL;
}

/* Each takes the option's value, which is on top. */

static void opt_flavor(lua_State *L, const char *name, struct srcu_recipe *r)
{
	const char *v = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";

	for (size_t i = 0; i < sizeof(flavors) / sizeof(flavors[0]); i++)
		if (!strcmp(v, flavors[i]->flavor)) {
			r->ops = flavors[i];
			return;
		}
	lb_arg_error(L, 2, "option '%s' is \"tree\", \"tiny\" or \"ideal\", not %s", name,
		     lb_describe(L, -1));
}

static void opt_size(lua_State *L, const char *name, struct srcu_recipe *r)
{
	static const char *const sizes[] = { "auto", "small", "big" }; /* as enum srcu_size */
	const char *v = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";

	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		if (!strcmp(v, sizes[i])) {
			r->opts.size = (enum srcu_size)i;
			return;
		}
	lb_arg_error(L, 2, "option '%s' is \"small\", \"big\" or \"auto\", not %s", name,
		     lb_describe(L, -1));
}

static lua_Integer opt_integer(lua_State *L, const char *name, lua_Integer lo, lua_Integer hi)
{
	if (!lua_isinteger(L, -1))
		lb_arg_error(L, 2, "option '%s' is an integer, not a %s", name, luaL_typename(L, -1));
	if (lua_tointeger(L, -1) < lo || lua_tointeger(L, -1) > hi)
		lb_arg_error(L, 2, "option '%s' is %I..%I, not %I", name, (LUAI_UACINT)lo,
			     (LUAI_UACINT)hi, (LUAI_UACINT)lua_tointeger(L, -1));
	return lua_tointeger(L, -1);
}

static void opt_fanout(lua_State *L, const char *name, struct srcu_recipe *r)
{
	r->opts.fanout = (unsigned)opt_integer(L, name, 2, 64);
}

static void opt_exp_holdoff(lua_State *L, const char *name, struct srcu_recipe *r)
{
	r->opts.exp_holdoff = (uint64_t)opt_integer(L, name, 0, LUA_MAXINTEGER);
	r->opts.has_exp_holdoff = true;
}

static void opt_counter_bits(lua_State *L, const char *name, struct srcu_recipe *r)
{
	r->opts.counter_bits = (unsigned)opt_integer(L, name, 2, 64);
}

static void opt_seq_bits(lua_State *L, const char *name, struct srcu_recipe *r)
{
	r->opts.seq_bits = (unsigned)opt_integer(L, name, 4, 64);
}

/* The bit of the fault that the value on top names. */
static uint32_t fault_bit(lua_State *L, const char *name)
{
	const char *v = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";

	for (const struct srcu_fault_info *f = srcu_fault_table; f->name; f++)
		if (!strcmp(v, f->name))
			return f->bit;
	lb_arg_error(L, 2, "option '%s': no fault is called %s (see srcu.faults())", name,
		     lb_describe(L, -1));
	return 0;
}

static void opt_faults(lua_State *L, const char *name, struct srcu_recipe *r)
{
	lua_Integer n = 0;

	if (!lua_istable(L, -1))
		lb_arg_error(L, 2, "option '%s' is a list of names, not a %s", name,
			     luaL_typename(L, -1));
	for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
		if (!lua_isinteger(L, -2))
			lb_arg_error(L, 2, "option '%s' is a list of names: {\"no-flip\"}", name);
		r->opts.faults |= fault_bit(L, name);
		n++;
	}
	if ((lua_Integer)lua_rawlen(L, -1) != n)
		lb_arg_error(L, 2, "option '%s' is a list with gaps", name);
}

static const struct option {
	const char *name;
	void (*take)(lua_State *L, const char *name, struct srcu_recipe *r);
} options[] = {
	{ "flavor", opt_flavor },
	{ "size", opt_size },
	{ "fanout", opt_fanout },
	{ "exp_holdoff", opt_exp_holdoff },
	{ "counter_bits", opt_counter_bits },
	{ "seq_bits", opt_seq_bits },
	{ "faults", opt_faults },
};

/* Takes the table at 2.  A key that is no option is an error, not ignored. */
static void check_opts(lua_State *L, struct srcu_recipe *r)
{
	lb_check_type(L, 2, LUA_TTABLE);
	for (lua_pushnil(L); lua_next(L, 2); lua_settop(L, 3)) {
		const struct option *o = NULL;

		if (lua_type(L, 3) == LUA_TSTRING)
			for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
				if (!strcmp(lua_tostring(L, 3), options[i].name))
					o = &options[i];
		if (!o)
			lb_arg_error(L, 2, "no option is called '%s' (flavor, size, fanout, "
				     "exp_holdoff, counter_bits, seq_bits, faults)",
				     lb_describe(L, 3));
		o->take(L, o->name, r);
	}
}

static int l_new(lua_State *L)
{
	struct srcu_recipe given = { .ops = &srcu_tree_ops }, *r;

	lb_check_name(L, 1);
	lua_settop(L, 2);
	if (!lua_isnil(L, 2))
		check_opts(L, &given);
	r = lb_recipe_new(L, 1, sizeof(*r), recipe_make);
	r->ops = given.ops;
	r->opts = given.opts;
	lb_make(L, &r->head);
	return 1;
}

static int l_faults(lua_State *L)
{
	lua_Integer n = 0;

	lua_newtable(L);
	for (const struct srcu_fault_info *f = srcu_fault_table; f->name; f++) {
		lua_createtable(L, 0, 2);
		lua_pushstring(L, f->name);
		lua_setfield(L, -2, "name");
		lua_pushstring(L, f->text);
		lua_setfield(L, -2, "text");
		lua_rawseti(L, -2, ++n);
	}
	return 1;
}

/* --- the API --- */

struct srcu *lb_check_srcu(lua_State *L, int idx)
{
	return lb_check_object(L, idx, &srcu_objtype)->impl;
}

static struct srcu *check_call(lua_State *L)
{
	lb_task(L);
	return lb_check_srcu(L, 1);
}

static int check_index(lua_State *L)
{
	if (!lua_isinteger(L, 2))
		lb_arg_error(L, 2, "index 0 or 1 expected, got %s", luaL_typename(L, 2));
	if (lua_tointeger(L, 2) != 0 && lua_tointeger(L, 2) != 1)
		lb_arg_error(L, 2, "index 0 or 1 expected, got %I",
			     (LUAI_UACINT)lua_tointeger(L, 2));
	return (int)lua_tointeger(L, 2);
}

#define LOCK(name)						\
	static int l_##name(lua_State *L)			\
	{							\
		lua_pushinteger(L, name(check_call(L)));	\
		return 1;					\
	}
#define UNLOCK(name)						\
	static int l_##name(lua_State *L)			\
	{							\
		struct srcu *ss = check_call(L);		\
								\
		name(ss, check_index(L));			\
		return 0;					\
	}
#define WAIT(name)						\
	static int l_##name(lua_State *L)			\
	{							\
		name(check_call(L));				\
		return 0;					\
	}
/* Numbers of the kernel's unsigned long, as Lua's integers of the same bits. */
#define NUMBER(name)						\
	static int l_##name(lua_State *L)			\
	{							\
		lua_pushinteger(L, (lua_Integer)name(check_call(L))); \
		return 1;					\
	}

LOCK(srcu_read_lock)
LOCK(srcu_read_lock_nmisafe)
LOCK(srcu_down_read)
UNLOCK(srcu_read_unlock)
UNLOCK(srcu_read_unlock_nmisafe)
UNLOCK(srcu_up_read)
WAIT(synchronize_srcu)
WAIT(synchronize_srcu_expedited)
WAIT(srcu_barrier)
WAIT(cleanup_srcu_struct)
NUMBER(get_state_synchronize_srcu)
NUMBER(start_poll_synchronize_srcu)
NUMBER(srcu_batches_completed)

static int l_poll_state_synchronize_srcu(lua_State *L)
{
	struct srcu *ss = check_call(L);
	lua_Integer cookie = lb_check_int(L, 2);

	lua_pushboolean(L, poll_state_synchronize_srcu(ss, (unsigned long)cookie));
	return 1;
}

static int l_srcu_read_lock_held(lua_State *L)
{
	struct srcu *ss = check_call(L);
	struct task *t = task_current();

	lua_pushboolean(L, check_holds_section(t->w, t, ss));
	return 1;
}

static int l_call_srcu(lua_State *L)
{
	struct srcu *ss = check_call(L);
	rcu_callback_t func;
	struct rcu_head *head = lb_take_callback(L, 2, &func);

	call_srcu(ss, head, func);
	return 0;
}

/* --- ss:state() --- */

static void set_number(lua_State *L, const char *key, uint64_t v)
{
	lua_pushinteger(L, (lua_Integer)v);
	lua_setfield(L, -2, key);
}

static void set_holder(lua_State *L, const char *key, struct world *w, const uint64_t *owner)
{
	struct task *t = owner && *owner ? task_by_id(w, (uint32_t)(*owner - 1)) : NULL;

	if (!t)
		return;
	lua_pushstring(L, task_name(t));
	lua_setfield(L, -2, key);
}

/* t[cpu] = {[0]=, [1]=} of one kind of counter, for all CPUs; t is on top. */
static void set_counts(lua_State *L, struct srcu *ss, unsigned cpu, bool unlocks)
{
	uint64_t n[2][2];

	lua_createtable(L, 1, 1);
	for (unsigned idx = 0; idx < 2; idx++) {
		if (!ss->ops->counts(ss, cpu, idx, &n[idx][0], &n[idx][1]))
			continue;
		lua_pushinteger(L, (lua_Integer)n[idx][unlocks]);
		lua_rawseti(L, -2, idx);
	}
	lua_rawseti(L, -2, cpu);
}

static void set_counters(lua_State *L, struct srcu *ss, const struct srcu_view *v)
{
	uint64_t locks, unlocks, readers[2] = { 0, 0 };

	for (int unlock = 0; unlock < 2; unlock++) {
		lua_createtable(L, (int)v->ncpus, 1);
		for (unsigned cpu = 0; cpu < v->ncpus; cpu++)
			set_counts(L, ss, cpu, unlock);
		lua_setfield(L, -2, unlock ? "unlock_count" : "lock_count");
	}
	lua_createtable(L, 1, 1);
	for (unsigned idx = 0; idx < 2; idx++) {
		for (unsigned cpu = 0; cpu < v->ncpus; cpu++)
			if (ss->ops->counts(ss, cpu, idx, &locks, &unlocks))
				readers[idx] += locks - unlocks;
		lua_pushinteger(L, (lua_Integer)readers[idx]);
		lua_rawseti(L, -2, idx);
	}
	lua_setfield(L, -2, "readers");
}

static void set_cblists(lua_State *L, struct srcu *ss, const struct srcu_view *v)
{
	struct srcu_cblist_view c;

	lua_createtable(L, (int)v->ncpus, 1);
	for (unsigned cpu = 0; cpu < v->ncpus; cpu++) {
		if (!ss->ops->cblist(ss, cpu, &c))
			continue;
		lua_createtable(L, 0, 4);
		set_number(L, "done", (uint64_t)c.done);
		set_number(L, "wait", (uint64_t)c.wait);
		set_number(L, "next_ready", (uint64_t)c.next_ready);
		set_number(L, "next", (uint64_t)c.next);
		lua_rawseti(L, -2, cpu);
	}
	lua_setfield(L, -2, "cblist");
}

static void set_tiny(lua_State *L, const struct srcu_view *v)
{
	lua_createtable(L, 1, 1);
	for (int idx = 0; idx < 2; idx++) {
		lua_pushinteger(L, v->nesting[idx]);
		lua_rawseti(L, -2, idx);
	}
	lua_setfield(L, -2, "readers");
	set_number(L, "srcu_idx_max", v->srcu_idx_max);
	lua_pushboolean(L, v->gp_running);
	lua_setfield(L, -2, "gp_running");
	lua_pushboolean(L, v->gp_waiting);
	lua_setfield(L, -2, "gp_waiting");
}

static int l_state(lua_State *L)
{
	static const char *const states[] = { "IDLE", "SCAN1", "SCAN2" };
	struct srcu *ss = lb_check_srcu(L, 1);
	struct srcu_view v;

	memset(&v, 0, sizeof(v));
	ss->ops->view(ss, &v);
	lua_createtable(L, 0, 12);
	if (v.has_gp_seq) {
		set_number(L, "gp_seq", v.gp_seq);
		set_number(L, "gp_seq_needed", v.gp_seq_needed);
		set_number(L, "gp_seq_needed_exp", v.gp_seq_needed_exp);
		lua_pushstring(L, v.gp_state < 3 ? states[v.gp_state] : "?");
		lua_setfield(L, -2, "gp_state");
	}
	if (v.has_open)
		set_number(L, "open", v.open);
	else
		set_number(L, "srcu_idx", v.srcu_idx);
	if (v.has_nesting)
		set_tiny(L, &v);
	if (v.has_size_state) {
		lua_pushstring(L, v.size_state);
		lua_setfield(L, -2, "size_state");
	}
	if (v.has_counts)
		set_counters(L, ss, &v);
	if (v.has_cblist)
		set_cblists(L, ss, &v);
	if (v.has_mutexes) {
		set_holder(L, "gp_mutex", ss->obj->w, v.gp_mutex_owner);
		set_holder(L, "cb_mutex", ss->obj->w, v.cb_mutex_owner);
	}
	return 1;
}

/* --- the section --- */

#define SS "local ss = srcu.new(\"ss\")\nthread(\"t\", function()\n  "
#define END "\nend)"

static const struct lb_func srcu_funcs[] = {
	{ "srcu.new", l_new, "(name [, opts]) -> srcu",
	  "Makes an SRCU domain. opts: flavor=\"tree\"|\"tiny\"|\"ideal\" (tiny: for cpus(1), "
	  "and nobody is preempted any more; ideal: the guarantee and nothing else), size=\"small\"|\"big\"|\"auto\", "
	  "fanout=2..64, exp_holdoff=NS, counter_bits=2..64 and seq_bits=4..64 (small: wrap is "
	  "within reach), faults={...} (see srcu.faults)",
	  "local ss = srcu.new(\"ss\", {counter_bits = 8, faults = {\"no-flip\"}})" },
	{ "srcu.faults", l_faults, "() -> list",
	  "Lists the pieces of the algorithm that srcu.new can leave out: {name=, text=} each",
	  "for _, f in ipairs(srcu.faults()) do print(f.name, f.text) end" },
	{ "srcu:state", l_state, "() -> table",
	  "The state of a domain, now and without a step: gp_seq, gp_state (\"IDLE\", \"SCAN1\", "
	  "\"SCAN2\"), gp_seq_needed, gp_seq_needed_exp, srcu_idx, size_state, "
	  "lock_count[cpu][idx], unlock_count[cpu][idx], readers[idx], cblist[cpu] = {done=, "
	  "wait=, next_ready=, next=}, and who holds gp_mutex and cb_mutex (a name or nil). Of the "
	  "tiny flavor: srcu_idx, srcu_idx_max, readers[idx], gp_running, gp_waiting, cblist[0]; "
	  "of the ideal one: open (sections), cblist[0]",
	  "local ss = srcu.new(\"ss\")\nprint(ss:state().gp_state)" },
	{ "srcu_read_lock", l_srcu_read_lock, "(ss) -> idx",
	  "Begins a read section; never blocks. Give idx to srcu_read_unlock()",
	  SS "local idx = srcu_read_lock(ss)\n  srcu_read_unlock(ss, idx)" END },
	{ "srcu_read_unlock", l_srcu_read_unlock, "(ss, idx)",
	  "Ends the read section that srcu_read_lock() began, on any CPU",
	  SS "local idx = srcu_read_lock(ss)\n  migrate(1)\n  srcu_read_unlock(ss, idx)" END },
	{ "srcu_read_lock_nmisafe", l_srcu_read_lock_nmisafe, "(ss) -> idx",
	  "As srcu_read_lock(), for code that also runs in NMIs",
	  SS "local idx = srcu_read_lock_nmisafe(ss)\n  srcu_read_unlock_nmisafe(ss, idx)" END },
	{ "srcu_read_unlock_nmisafe", l_srcu_read_unlock_nmisafe, "(ss, idx)",
	  "Ends a section that srcu_read_lock_nmisafe() began", NULL },
	{ "srcu_down_read", l_srcu_down_read, "(ss) -> idx",
	  "Begins a read section that another thread may end",
	  "local ss, i = srcu.new(\"ss\"), var(\"i\", -1)\n"
	  "thread(\"t\", function() WRITE_ONCE(i, srcu_down_read(ss)) end)\n"
	  "thread(\"u\", function()\n  cond_wait(function() return READ_ONCE(i) >= 0 end)\n"
	  "  srcu_up_read(ss, READ_ONCE(i))\nend)" },
	{ "srcu_up_read", l_srcu_up_read, "(ss, idx)",
	  "Ends a section that srcu_down_read() began, in whatever thread", NULL },
	{ "srcu_read_lock_held", l_srcu_read_lock_held, "(ss) -> boolean",
	  "Is this thread in a read section of ss? No step",
	  SS "print(srcu_read_lock_held(ss))" END },
	{ "synchronize_srcu", l_synchronize_srcu, "(ss)",
	  "Waits until every read section that began before has ended",
	  "local ss, p = srcu.new(\"ss\"), ptr(\"p\", kmalloc(\"old\"))\nthread(\"t\", function()\n"
	  "  local old = rcu_replace_pointer(p, nil, true)\n  synchronize_srcu(ss)\n  kfree(old)\nend)" },
	{ "synchronize_srcu_expedited", l_synchronize_srcu_expedited, "(ss)",
	  "As synchronize_srcu(), in a hurry: without the delays between scans",
	  SS "synchronize_srcu_expedited(ss)" END },
	{ "rcu_head", lb_rcu_head, "(name) -> rcu_head",
	  "Makes a head for call_srcu(ss, head, fn)",
	  "local head = rcu_head(\"head\")" },
	{ "call_srcu", l_call_srcu, "(ss, [head,] fn)",
	  "Has fn called, by a kworker, when every read section that began before has ended; fn is "
	  "given the head, may step, and may not sleep. A head may be posted again once it is called",
	  SS "local o = kmalloc(\"old\")\n  call_srcu(ss, function() kfree(o) end)" END },
	{ "srcu_barrier", l_srcu_barrier, "(ss)",
	  "Waits until every callback posted before has been called",
	  SS "call_srcu(ss, function() end)\n  srcu_barrier(ss)" END },
	{ "get_state_synchronize_srcu", l_get_state_synchronize_srcu, "(ss) -> cookie",
	  "A number for poll_state_synchronize_srcu(); starts nothing",
	  SS "local cookie = get_state_synchronize_srcu(ss)" END },
	{ "start_poll_synchronize_srcu", l_start_poll_synchronize_srcu, "(ss) -> cookie",
	  "Asks for a grace period without waiting for it; gives a number to poll with",
	  SS "local cookie = start_poll_synchronize_srcu(ss)\n"
	  "  while not poll_state_synchronize_srcu(ss, cookie) do yield() end" END },
	{ "poll_state_synchronize_srcu", l_poll_state_synchronize_srcu, "(ss, cookie) -> boolean",
	  "Has a full grace period elapsed since the cookie was got?",
	  SS "local cookie = get_state_synchronize_srcu(ss)\n"
	  "  synchronize_srcu(ss)\n  assert(poll_state_synchronize_srcu(ss, cookie))" END },
	{ "srcu_batches_completed", l_srcu_batches_completed, "(ss) -> integer",
	  "A number that grows with each grace period, as srcu_idx does",
	  SS "print(srcu_batches_completed(ss))" END },
	{ "cleanup_srcu_struct", l_cleanup_srcu_struct, "(ss)",
	  "Ends a domain. As in the kernel it warns and refuses while there are readers, "
	  "callbacks or grace periods; using the domain afterwards is a use after free",
	  SS "cleanup_srcu_struct(ss)" END },
	{ 0 }
};
static const struct lb_section srcu_section = {
	"srcu", "SRCU",
	"A domain is made with srcu.new; the functions are the kernel's and are called in threads. "
	"Each is as many steps as the algorithm has accesses to shared memory.",
	srcu_funcs
};

void lb_open_srcu(lua_State *L)
{
	lb_new_kind(L, &srcu_objtype);
	lb_open_head(L);
	lb_register(L, &srcu_section);
}
