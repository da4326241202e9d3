/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SRCU as scripts see it: making a domain, and the API.  The functions check their
 * arguments and hand on to srcu/srcu.h.
 */
#include <config.h>

#include "binding/lua_ktree.h"
#include "check/check.h"
#include "srcu/srcu.h"

#include <limits.h>
#include <string.h>

/* --- srcu.new --- */

static const struct srcu_ops *const flavors[] = {
	&srcu_tree_ops, &srcu_tiny_ops, &srcu_ideal_ops
};

struct srcu_recipe {
	struct lb_recipe head;
	const struct srcu_ops *ops;	/* where there is no kernel */
	struct lb_kernel *kernel;
	bool has_flavor;		/* it was given */
	struct srcu_opts opts;
};

/* In a world that is built again that is the image that it had, whatever was loaded since. */
static const struct srcu_ops *recipe_ops(const struct srcu_recipe *r)
{
	return r->kernel ? &lb_kernel_of(r->kernel, r->kernel->s->generation)->ops : r->ops;
}

static struct object *recipe_make(struct world *w, struct lb_recipe *r)
{
	struct srcu_recipe *sr = (struct srcu_recipe *)r;
	struct srcu *ss;

	lb_kernels_settle(w);
	ss = srcu_new(w, r->name, recipe_ops(sr), &sr->opts);

	return ss ? ss->obj : NULL;
}

/* Each takes the option's value, which is on top. */

static void opt_flavor(lua_State *L, const char *name, struct srcu_recipe *r)
{
	const char *v = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";

	for (size_t i = 0; i < sizeof(flavors) / sizeof(flavors[0]); i++)
		if (!strcmp(v, flavors[i]->flavor)) {
			r->ops = flavors[i];
			r->has_flavor = true;
			return;
		}
	lb_arg_error(L, 2, "option '%s' is \"tree\", \"tiny\" or \"ideal\", not %s", name,
		     lb_describe(L, -1));
}

static void opt_kernel(lua_State *L, const char *name, struct srcu_recipe *r)
{
	r->kernel = lb_test_kernel(L, -1);
	if (!r->kernel)
		lb_arg_error(L, 2, "option '%s' is what srcu.load_kernel gives, not %s", name,
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

static void opt_fanout(lua_State *L, const char *name, struct srcu_recipe *r)
{
	r->opts.fanout = (unsigned)lb_opt_integer(L, name, 2, 64);
}

static void opt_fanout_leaf(lua_State *L, const char *name, struct srcu_recipe *r)
{
	r->opts.fanout_leaf = (unsigned)lb_opt_integer(L, name, 2, 64);
}

static void opt_contention_lim(lua_State *L, const char *name, struct srcu_recipe *r)
{
	r->opts.contention_lim = (unsigned)lb_opt_integer(L, name, 0, INT_MAX);
	r->opts.has_contention_lim = true;
}

static void opt_static(lua_State *L, const char *name, struct srcu_recipe *r)
{
	if (!lua_isboolean(L, -1))
		lb_arg_error(L, 2, "option '%s' is a boolean, not a %s", name, luaL_typename(L, -1));
	r->opts.is_static = lua_toboolean(L, -1);
}

static void opt_exp_holdoff(lua_State *L, const char *name, struct srcu_recipe *r)
{
	r->opts.exp_holdoff = (uint64_t)lb_opt_integer(L, name, 0, LUA_MAXINTEGER);
	r->opts.has_exp_holdoff = true;
}

static void opt_counter_bits(lua_State *L, const char *name, struct srcu_recipe *r)
{
	r->opts.counter_bits = (unsigned)lb_opt_integer(L, name, 2, 64);
}

static void opt_seq_bits(lua_State *L, const char *name, struct srcu_recipe *r)
{
	r->opts.seq_bits = (unsigned)lb_opt_integer(L, name, 4, 64);
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
	{ "kernel", opt_kernel },
	{ "size", opt_size },
	{ "fanout", opt_fanout },
	{ "fanout_leaf", opt_fanout_leaf },
	{ "small_contention_lim", opt_contention_lim },
	{ "static", opt_static },
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
			lb_arg_error(L, 2, "no option is called '%s' (flavor, kernel, size, "
				     "fanout, fanout_leaf, small_contention_lim, static, exp_holdoff, "
				     "counter_bits, seq_bits, faults)",
				     lb_describe(L, 3));
		o->take(L, o->name, r);
	}
}

/* What the domain is made of: a kernel tree has one flavor, and --kernel stands for ours. */
static void check_kernel(lua_State *L, struct srcu_recipe *r)
{
	const char *variant = r->kernel ? lb_kernel_newest(r->kernel)->image->variant : NULL;

	if (!variant)
		r->kernel = lb_kernel_for(L, r->ops->flavor);
	else if (r->has_flavor && strcmp(variant, r->ops->flavor))
		lb_arg_error(L, 2, "option 'flavor' is \"%s\", the kernel is of the variant \"%s\"",
			     r->ops->flavor, variant);
}

static int l_new(lua_State *L)
{
	struct srcu_recipe given = { .ops = &srcu_tree_ops }, *r;

	lb_check_name(L, 1);
	lua_settop(L, 2);
	if (!lua_isnil(L, 2))
		check_opts(L, &given);
	check_kernel(L, &given);
	r = lb_recipe_new(L, 1, sizeof(*r), recipe_make);
	r->ops = given.ops;
	r->kernel = given.kernel;
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

static int l_init_srcu_struct(lua_State *L)
{
	struct srcu *ss = check_call(L);

	if (!init_srcu_struct(ss))
		return luaL_error(L, "init_srcu_struct: %s", world_error(ss->obj->w));
	lua_pushinteger(L, 0);
	return 1;
}

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

/* --- the section --- */

#define SS "local ss = srcu.new(\"ss\")\nthread(\"t\", function()\n  "
#define END "\nend)"

static const struct lb_func srcu_funcs[] = {
	{ "srcu.new", l_new, "(name [, opts]) -> srcu",
	  "Makes an SRCU domain. opts: flavor=\"tree\"|\"tiny\"|\"ideal\" (tiny: for cpus(1), "
	  "and nobody is preempted any more; ideal: the guarantee and nothing else), "
	  "size=\"small\"|\"big\"|\"auto\" (big from 128 "
	  "CPUs on, else it grows when its locks are contended for more than "
	  "small_contention_lim=100 times in a jiffy), fanout=2..64 and fanout_leaf=2..64 of its "
	  "tree (64 and 16), static=true (made ready at first use, as by DEFINE_SRCU), "
	  "exp_holdoff=NS, counter_bits=2..64 and seq_bits=4..64 (small: wrap is within reach; "
	  "with 4 it cannot be big), faults={...} (see srcu.faults), kernel=K (made of the kernel's own "
	  "code: see srcu.load_kernel)",
	  "local ss = srcu.new(\"ss\", {counter_bits = 8, faults = {\"no-flip\"}})" },
	{ "srcu.faults", l_faults, "() -> list",
	  "Lists the pieces of the algorithm that srcu.new can leave out: {name=, text=} each",
	  "for _, f in ipairs(srcu.faults()) do print(f.name, f.text) end" },
	{ "srcu:state", lb_srcu_state, "() -> table",
	  "The state of a domain, now and without a step: gp_seq, gp_state (\"IDLE\", \"SCAN1\", "
	  "\"SCAN2\"), gp_seq_needed, gp_seq_needed_exp, srcu_idx, size_state, "
	  "lock_count[cpu][idx], unlock_count[cpu][idx], readers[idx], cblist[cpu] = {done=, "
	  "wait=, next_ready=, next=}, who holds gp_mutex and cb_mutex (a name or nil), and of a "
	  "domain with a tree nodes[i] = {level=, lo=, hi=, parent=, have_cbs[slot]=, "
	  "data_have_cbs[slot]=, gp_seq_needed_exp=}, i and slot from 0. Of the tiny flavor: "
	  "srcu_idx, srcu_idx_max, readers[idx], gp_running, gp_waiting, cblist[0]; "
	  "of the ideal one: open (sections), cblist[0]. What a kernel tree does not have is nil",
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
	  "A number that grows with each grace period, as srcu_idx does; of the tiny flavor 0, "
	  "without a step",
	  SS "print(srcu_batches_completed(ss))" END },
	{ "init_srcu_struct", l_init_srcu_struct, "(ss) -> 0",
	  "Makes a domain anew: a static one ahead of its first use, or one that was cleaned up. "
	  "srcu.new does it already for others. A domain in use is left alone, with a warning",
	  "local ss = srcu.new(\"ss\", {static = true})\nthread(\"t\", function()\n"
	  "  init_srcu_struct(ss)\n  synchronize_srcu(ss)\nend)" },
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
	lb_open_ktree(L);
}
