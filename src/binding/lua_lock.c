/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mutexes, spinlocks, completions, and what a CPU forbids itself: preemption,
 * bottom halves, interrupts.  A lock's event is on its owner, a completion's on
 * its count, both at the start of the object.
 */
#include <config.h>

#include "binding/binding.h"
#include "check/check.h"
#include "k/lock.h"
#include "k/mem.h"
#include "k/objtypes.h"

#include <stdlib.h>
#include <string.h>

/* What a function of the table does: the event, and on what. */
struct lock_op {
	struct site site;
	const struct objtype *type;
	int delta;		/* l_context: 1 off, -1 on again */
};
static const struct lock_op lock_ops[];
static const struct lb_func lock_funcs[];

static const struct lock_op *op_of(lua_State *L)
{
	return &lock_ops[lb_func_running(L) - lock_funcs];
}

/* --- making --- */

struct lock_recipe {
	struct lb_recipe head;
	const struct objtype *type;
	char *class;
};

static struct object *lock_make(struct world *w, struct lb_recipe *r)
{
	const struct lock_recipe *l = (struct lock_recipe *)r;
	struct object *o = k_object_new(w, l->type, r->name);

	if (!o || !l->class)
		return o;
	o->lock_class = strdup(l->class);
	if (o->lock_class)
		return o;
	world_fail(w, "out of memory");
	return NULL;
}

static void lock_release(struct lb_recipe *r)
{
	free(((struct lock_recipe *)r)->class);
}

/* The class of a lock's options at 2, on the stack; NULL: there is none. */
static const char *check_class(lua_State *L)
{
	const char *class;

	if (lua_isnoneornil(L, 2))
		return NULL;
	lb_check_type(L, 2, LUA_TTABLE);
	for (lua_pushnil(L); lua_next(L, 2); lua_pop(L, 1))
		if (lua_type(L, -2) != LUA_TSTRING || strcmp(lua_tostring(L, -2), "class"))
			lb_arg_error(L, 2, "unknown option '%s': there is class",
				     luaL_tolstring(L, -2, NULL));
	if (lua_getfield(L, 2, "class") == LUA_TNIL)
		return NULL;
	class = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
	if (!name_is_valid(class))
		lb_arg_error(L, 2, "class: a name is expected, got %s", luaL_tolstring(L, -1, NULL));
	return class;
}

int lb_make_lock(lua_State *L, const struct objtype *type)
{
	struct lock_recipe *r;
	const char *class;

	lb_check_name(L, 1);
	class = check_class(L);
	r = lb_recipe_new(L, 1, sizeof(*r), lock_make);
	r->head.release = lock_release;
	r->type = type;
	if (class) {
		r->class = strdup(class);
		if (!r->class) {
			lb_recipe_free(&r->head);
			return luaL_error(L, "%s: out of memory", lb_func_name(L));
		}
	}
	lb_make(L, &r->head);
	return 1;
}

static int l_new(lua_State *L)
{
	return lb_make_lock(L, op_of(L)->type);
}

static int l_new_completion(lua_State *L)
{
	lb_make_basic(L, 1, &completion_objtype, 0);
	return 1;
}

/* --- locking --- */

static struct object *check_op(lua_State *L)
{
	lb_task(L);
	return lb_check_object(L, 1, op_of(L)->type);
}

static uint64_t perform(lua_State *L, const struct object *o, uint64_t operand)
{
	const struct site *s = &op_of(L)->site;

	/* each spinlock counts as one preempt_disable(), of which there are so many */
	if (s->flags & SITE_SPIN && s->op != OP_UNLOCK && task_current()->ctx.spin >= CONTEXT_MAX)
		luaL_error(L, "%s: more than %d spinlocks are held", s->prim, CONTEXT_MAX);
	return lb_event(L, &op_of(L)->site, o->base, 8, operand, 0);
}

static int l_op(lua_State *L)
{
	perform(L, check_op(L), 0);
	return 0;
}

static int l_try(lua_State *L)
{
	lua_pushboolean(L, perform(L, check_op(L), 0) != 0);
	return 1;
}

/* The flags say whether interrupts were off before: a nested section leaves
 * them off, which the engine knows by counting. */
static int l_irqsave(lua_State *L)
{
	struct object *o = check_op(L);
	bool off = task_current()->ctx.irq != 0;

	perform(L, o, 0);
	lua_pushinteger(L, off);
	return 1;
}

static int l_irqrestore(lua_State *L)
{
	struct object *o = check_op(L);

	lb_check_range(L, 2, 0, 1);
	perform(L, o, 0);
	return 0;
}

static int l_complete(lua_State *L)
{
	perform(L, check_op(L), 1);
	return 0;
}

/* --- who holds it? --- */

/* A mutex or a spinlock. */
static struct object *check_lock(lua_State *L)
{
	struct object *o = lb_test_object(L, 1);

	if (!o || (o->type != &mutex_objtype && o->type != &spinlock_objtype))
		lb_type_error(L, 1, "mutex or spinlock");
	return o;
}

static int l_lockdep_is_held(lua_State *L)
{
	lb_task(L);
	lua_pushboolean(L, k_lock_held(check_lock(L)->base));
	return 1;
}

static int l_lockdep_assert_held(lua_State *L)
{
	struct task *t = lb_task(L);
	struct object *o = check_lock(L);

	if (!k_lock_held(o->base))
		check_report(t->w, "warning", t, NULL, "lockdep_assert_held(%s) failed: %s does "
			     "not hold it", o->name, task_name(t));
	return 0;
}

/* --- preemption, bottom halves, interrupts --- */

static int l_context(lua_State *L)
{
	struct task *t = lb_task(L);
	const struct lock_op *op = op_of(L);

	if (op->delta > 0 && k_ctx_depth(t, &op->site) >= CONTEXT_MAX)
		return luaL_error(L, "%s: nested more than %d deep", op->site.prim, CONTEXT_MAX);
	k_ctx(lb_site(L, &op->site), op->delta);
	return 0;
}

/* --- the table --- */

#define M "local m = mutex(\"m\")\nthread(\"t\", function() "
#define S "local l = spinlock(\"l\")\nthread(\"t\", function() "
#define C "local c = completion(\"c\")\nthread(\"t\", function() "
#define T "thread(\"t\", function() "
#define IRQ_LOCK (SITE_SPIN | SITE_IRQ)
#define BH_LOCK (SITE_SPIN | SITE_BH)

/* X(name, function, operation, order, flags, type, delta, signature, doc, example) */
#define LOCKS(X) \
	X("mutex", l_new, OP_NONE, ORD_NONE, 0, &mutex_objtype, 0, "(name [, opts]) -> mutex", \
	  "Makes a mutex, unlocked. Locks of one class are one where their order is judged: " \
	  "\"vm1.lock\" and \"vm2.lock\" are unless they are given a class each, by opts: {class=NAME}", \
	  "local m = mutex(\"vm.lock\")\nlocal parent = mutex(\"a.lock\", {class=\"parent\"})") \
	X("mutex_lock", l_op, OP_LOCK, ORD_ACQUIRE, SITE_MUTEX | SITE_SLEEPS, &mutex_objtype, 0, \
	  "(m)", "Takes a mutex; the thread is blocked while another holds it", \
	  M "mutex_lock(m); mutex_unlock(m) end)") \
	X("mutex_trylock", l_try, OP_TRYLOCK, ORD_ACQUIRE, SITE_MUTEX, &mutex_objtype, 0, \
	  "(m) -> boolean", "Takes a mutex if it is free; was it?", \
	  M "if mutex_trylock(m) then mutex_unlock(m) end end)") \
	X("mutex_unlock", l_op, OP_UNLOCK, ORD_RELEASE, SITE_MUTEX, &mutex_objtype, 0, "(m)", \
	  "Gives a mutex back", M "mutex_lock(m); mutex_unlock(m) end)") \
	X("mutex_is_locked", l_try, OP_LOAD, ORD_ONCE, 0, &mutex_objtype, 0, "(m) -> boolean", \
	  "Does anybody hold the mutex?", M "print(mutex_is_locked(m)) end)") \
	X("spinlock", l_new, OP_NONE, ORD_NONE, 0, &spinlock_objtype, 0, \
	  "(name [, opts]) -> spinlock", \
	  "Makes a spinlock, unlocked; opts are as for mutex()", "local l = spinlock(\"l\")") \
	X("spin_lock", l_op, OP_LOCK, ORD_ACQUIRE, SITE_SPIN, &spinlock_objtype, 0, "(l)", \
	  "Takes a spinlock; until it is given back the CPU runs nothing else, and the thread may " \
	  "not sleep", S "spin_lock(l); spin_unlock(l) end)") \
	X("spin_trylock", l_try, OP_TRYLOCK, ORD_ACQUIRE, SITE_SPIN, &spinlock_objtype, 0, \
	  "(l) -> boolean", "Takes a spinlock if it is free; was it?", \
	  S "if spin_trylock(l) then spin_unlock(l) end end)") \
	X("spin_unlock", l_op, OP_UNLOCK, ORD_RELEASE, SITE_SPIN, &spinlock_objtype, 0, "(l)", \
	  "Gives a spinlock back", S "spin_lock(l); spin_unlock(l) end)") \
	X("spin_lock_irqsave", l_irqsave, OP_LOCK, ORD_ACQUIRE, IRQ_LOCK, &spinlock_objtype, 0, \
	  "(l) -> flags", "Takes a spinlock with interrupts off", \
	  S "local flags = spin_lock_irqsave(l); spin_unlock_irqrestore(l, flags) end)") \
	X("spin_unlock_irqrestore", l_irqrestore, OP_UNLOCK, ORD_RELEASE, IRQ_LOCK, \
	  &spinlock_objtype, 0, "(l, flags)", "Gives it back; interrupts are as they were before", \
	  S "local flags = spin_lock_irqsave(l); spin_unlock_irqrestore(l, flags) end)") \
	X("spin_lock_irq", l_op, OP_LOCK, ORD_ACQUIRE, IRQ_LOCK, &spinlock_objtype, 0, "(l)", \
	  "Takes a spinlock with interrupts off, which were on", \
	  S "spin_lock_irq(l); spin_unlock_irq(l) end)") \
	X("spin_unlock_irq", l_op, OP_UNLOCK, ORD_RELEASE, IRQ_LOCK, &spinlock_objtype, 0, "(l)", \
	  "Gives it back, with interrupts on again", S "spin_lock_irq(l); spin_unlock_irq(l) end)") \
	X("spin_lock_bh", l_op, OP_LOCK, ORD_ACQUIRE, BH_LOCK, &spinlock_objtype, 0, "(l)", \
	  "Takes a spinlock with bottom halves off", S "spin_lock_bh(l); spin_unlock_bh(l) end)") \
	X("spin_unlock_bh", l_op, OP_UNLOCK, ORD_RELEASE, BH_LOCK, &spinlock_objtype, 0, "(l)", \
	  "Gives it back, with bottom halves on again", S "spin_lock_bh(l); spin_unlock_bh(l) end)") \
	X("lockdep_is_held", l_lockdep_is_held, OP_NONE, ORD_NONE, 0, NULL, 0, "(m) -> boolean", \
	  "Does this thread hold the mutex or spinlock? No step", \
	  M "mutex_lock(m); print(lockdep_is_held(m)); mutex_unlock(m) end)") \
	X("lockdep_assert_held", l_lockdep_assert_held, OP_NONE, ORD_NONE, 0, NULL, 0, "(m)", \
	  "Reports \"warning\" unless this thread holds the mutex or spinlock; no step", \
	  M "mutex_lock(m); lockdep_assert_held(m); mutex_unlock(m) end)") \
	X("completion", l_new_completion, OP_NONE, ORD_NONE, 0, &completion_objtype, 0, "(name) -> completion", \
	  "Makes a completion, not complete", "local c = completion(\"c\")") \
	X("wait_for_completion", l_op, OP_WAIT, ORD_ACQUIRE, SITE_SLEEPS, &completion_objtype, 0, \
	  "(c)", "Blocks until the completion is complete, and uses one complete() up", \
	  C "wait_for_completion(c) end)\nthread(\"u\", function() complete(c) end)") \
	X("complete", l_complete, OP_COMPLETE, ORD_RELEASE, 0, &completion_objtype, 0, "(c)", \
	  "Lets one waiter go, now or later", C "complete(c) end)") \
	X("preempt_disable", l_context, OP_CPU_CTX, ORD_NONE, 0, NULL, 1, "()", \
	  "Until preempt_enable() the CPU runs nothing but this thread; nests", \
	  T "preempt_disable(); preempt_enable() end)") \
	X("preempt_enable", l_context, OP_CPU_CTX, ORD_NONE, 0, NULL, -1, "()", \
	  "Ends preempt_disable(); without one it is reported", T "preempt_disable(); preempt_enable() end)") \
	X("local_bh_disable", l_context, OP_CPU_CTX, ORD_NONE, SITE_BH, NULL, 1, "()", \
	  "No bottom halves on this CPU, and no preemption; nests", \
	  T "local_bh_disable(); local_bh_enable() end)") \
	X("local_bh_enable", l_context, OP_CPU_CTX, ORD_NONE, SITE_BH, NULL, -1, "()", \
	  "Ends local_bh_disable()", T "local_bh_disable(); local_bh_enable() end)") \
	X("local_irq_disable", l_context, OP_CPU_CTX, ORD_NONE, SITE_IRQ, NULL, 1, "()", \
	  "No interrupts on this CPU, and no preemption; nests", \
	  T "local_irq_disable(); local_irq_enable() end)") \
	X("local_irq_enable", l_context, OP_CPU_CTX, ORD_NONE, SITE_IRQ, NULL, -1, "()", \
	  "Ends local_irq_disable()", T "local_irq_disable(); local_irq_enable() end)")

#define FUNC(name, fn, op, order, flags, type, delta, sig, doc, example) \
	{ name, fn, sig, doc, example },
static const struct lb_func lock_funcs[] = { LOCKS(FUNC) { 0 } };

#define OP(name, fn, op, order, flags, type, delta, sig, doc, example) \
	{ LB_SITE(op, order, flags, name), type, delta },
static const struct lock_op lock_ops[] = { LOCKS(OP) };

static const struct lb_section lock_section = {
	"locks", "Locks, completions, and what the CPU forbids itself",
	"Taking a lock that is held blocks; nobody spins. To sleep (mutex, completion, "
	"synchronize) under a spinlock or with preemption or interrupts off is a violation.",
	lock_funcs
};

void lb_open_lock(lua_State *L)
{
	lb_new_kind(L, &mutex_objtype);
	lb_new_kind(L, &spinlock_objtype);
	lb_new_kind(L, &completion_objtype);
	lb_register(L, &lock_section);
	lb_open_wait(L);
	lb_open_work(L);
	lb_open_list(L);
}
