/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the binding's files share: the session, handles of objects, the tables
 * from which functions, help(), the manual page and the editor's annotations
 * are made.  A binding translates and checks; it decides nothing.
 */
#ifndef SRCUSH_BINDING_BINDING_H
#define SRCUSH_BINDING_BINDING_H

#include <lua.h>
#include <lauxlib.h>

#include "engine/driver.h"
#include "engine/world.h"
#include "view/view.h"

struct srcu;
struct purity;
struct lb_kernel;
struct stress;

/* One function or method as a script sees it: the only source of help(),
 * srcush-lua(3), completion and annotations. */
struct lb_func {
	const char *name;	/* "srcu_read_lock", "srcu.new", "ss:state" */
	lua_CFunction fn;
	const char *sig;	/* "(ss) -> idx" */
	const char *doc;	/* one line, no full stop needed; NULL: a variant of
				 * the nearest entry above that has one */
	const char *example;	/* one or two lines of Lua, or NULL */
};
/* A chapter of the vocabulary; `funcs` ends with {0}. */
struct lb_section {
	const char *name;	/* "srcu", "locks", "stepping" */
	const char *title;	/* "Locks and completions" */
	const char *text;	/* a sentence or two for the manual, or NULL */
	const struct lb_func *funcs;
};
/*
 * Registers a section: plain names become globals, "lib.name" a field of a
 * global table, "kind:name" a method of the kind's metatable.  An entry whose
 * fn is NULL is only documented (dot-commands, what Lua code defines).  Every
 * function is a closure whose first upvalue is its entry: see lb_func_running().
 */
void lb_register(lua_State *L, const struct lb_section *s);
/* Pushes f->fn as such a closure, for what is found by other ways (metamethods). */
void lb_push_func(lua_State *L, const struct lb_func *f);
/* The entry of the C function that runs, NULL if it was not registered; and its
 * name for messages ("srcu_read_lock"), whatever the script calls it. */
const struct lb_func *lb_func_running(lua_State *L);
const char *lb_func_name(lua_State *L);
/* All registered sections, in order; for help and the generators. */
const struct lb_section *lb_section(size_t i);	/* NULL past the end */

/*
 * The session of one lua_State: its current world, which `world()` replaces.
 * Reached from any Lua thread of the state.
 */
struct session {
	lua_State *L;		/* the main thread */
	struct world *w;	/* never NULL */
	uint32_t generation;	/* number of the world: handles of older ones are stale */
	enum carrier_kind carrier; /* for the next world */
	char model[8];		/* the memory model of the next world; "": the default, */
	char default_model[8];	/* and if that is "", sc */
	bool color;		/* print in colours */
	unsigned columns;	/* 0: ask the terminal, 80 where there is none */
	bool batch;		/* no live terminal: never wait for a key */
	struct task *focus;	/* the shell's: calls typed run there */
	lua_State *running;	/* the Lua thread that runs on the driver's side: lb_running() */
	bool closes;		/* there are metatables with __close */
	lua_State *aux;		/* a Lua thread for short protected calls (lua_task.c) */
	bool lean;		/* steps keep no log, and need no line: lb_site() */
	unsigned finalizing;	/* finalizers under way: primitives refuse */
	int scenario_ref;	/* registry: the function that built the world, or LUA_NOREF */
	char *scenario_name;	/* "FILE:NAME" for messages, or NULL */
	bool building;		/* the scenario function runs: what it makes is made
				 * again by calling it, not from the journal */
	uint64_t lowest;	/* the least step that a journey in time has led to
				 * since the shell last asked; UINT64_MAX: none */
	bool reports;		/* Ctrl-C ends what runs, and what is known of it is reported:
				 * the shell, srcush explore */
	volatile bool defers;	/* Ctrl-C is asked for often enough: it need not raise anything */
	unsigned busy;		/* stepping functions under way: world() is refused */
	uint32_t generations;	/* worlds so far */
	struct lb_kernel *kernel[2]; /* --kernel: of domains of the flavors tree and tiny, or NULL */
	char unexplorable[512];	/* what a body did that no exploration can see, or "" */
	struct stress *stress;	/* the run that is under way, or NULL: lua_stress.h */
	struct purity *purity;	/* of the exploration that runs, or NULL */
	uint64_t executions;	/* that explorations have begun; and the last one in which a body
				 * drew a random number */
	uint64_t stirred;
	bool asserted;		/* an assert() outside of threads failed last */
	unsigned pure;		/* predicates under way: nothing may be made or changed */
	const void **freed_read; /* a thread's own: takes freed memory that it reads */
	lua_State *builder;	/* a Lua thread for calls from the journal */
	bool (*interrupt)(void *); /* given to each new world, see world_set_interrupt() */
	void *interrupt_arg;
};
static inline struct session *lb_session(lua_State *L)
{
	return *(struct session **)lua_getextraspace(L);
}

/* Opens everything into a fresh lua_State: session, world, all sections, the
 * Lua prelude and embedded modules.  Raises on error. */
void lb_open(lua_State *L, enum carrier_kind carrier);
/* The shell goes: nothing of its own is called any more.  Before lua_close(), which
 * releases the world after the last finalizer, so that finalizers may use it. */
void lb_close(lua_State *L);
/* Discards the current world; the next is empty, or built by the function at
 * `idx` (0: none).  Raises what the function raises, leaving an empty world. */
void lb_new_world(lua_State *L, int scenario_idx);

/* The session's world while another takes its place. */
struct lb_world_aside {
	struct world *w;
	uint32_t generation;
	struct task *focus;
	char *scenario_name;
	int scenario_ref;
	int handles_ref, ghosts_ref;
	uint64_t lowest;
};
/* An empty world on fibers takes the place of the session's, in which nobody checks
 * invariants but who steps it (lua_claim.h).  False: no memory, nothing has changed. */
bool lb_world_set_aside(lua_State *L, struct lb_world_aside *a);
/* The world that has it now is released.  Raises nothing. */
void lb_world_take_back(struct session *s, struct lb_world_aside *a);
/* Has the empty world built by the function at `idx`.  False: what that raised is pushed. */
bool lb_scenario_build(lua_State *L, int idx);

/* --- handles --- */

/* The tables of handles and of ghosts' values, per world: pushes the one in use; begins
 * to use the one on top, and pops it. */
void lb_handles_push(lua_State *L);
void lb_handles_use(lua_State *L);
void lb_ghosts_push(lua_State *L);
void lb_ghosts_use(lua_State *L);
/* The ghosts of the session's world, as they are; and so again, before the world itself
 * goes back to its checkpoint.  NULL, false: world_error(); one that holds a table, say,
 * cannot be kept. */
struct lb_ghosts;
struct lb_ghosts *lb_ghosts_save(struct session *s);
bool lb_ghosts_back(struct session *s, struct lb_ghosts *g);
void lb_ghosts_drop(struct session *s, struct lb_ghosts *g);	/* NULL is allowed */

/* Raises where a predicate or a finalizer runs, in which nothing may be made or changed. */
void lb_check_impure(lua_State *L);
/* Pushes the handle of an object (nil for NULL); equal objects give the same userdata. */
void lb_push_object(lua_State *L, struct object *o);
/* The object of a handle: raises when it is of another kind, of another world,
 * not made yet at this step (after going back) or destroyed.  Freed heap objects
 * pass (touching them is the oracle's matter). */
struct object *lb_check_object(lua_State *L, int idx, const struct objtype *type);
/* Any kind; NULL if it is no handle.  Raises as lb_check_object() does when its
 * object cannot be used. */
struct object *lb_test_object(lua_State *L, int idx);
/* A new world begins: no handle is known yet. */
void lb_handles_reset(lua_State *L);
/* The object of the handle at `handle_idx`, which stands for argument `arg`. */
struct object *lb_resolve(lua_State *L, int arg, int handle_idx);
/* An SRCU domain that has not been cleaned up. */
struct srcu *lb_check_srcu(lua_State *L, int idx);
/* ss:state(), of lua_srcu.c's table (lua_srcu_state.c). */
int lb_srcu_state(lua_State *L);
/* The arguments [head,] fn from `arg` on: a head for call_srcu() or call_rcu(), which
 * has *func called. */
struct rcu_head;
int lb_rcu_head(lua_State *L);	/* rcu_head(name) */
struct rcu_head *lb_take_callback(lua_State *L, int arg, void (**func)(struct rcu_head *));
/* A thread, by handle or by name. */
struct task *lb_check_task(lua_State *L, int idx);
/* A name argument: valid characters, or an argument error. */
const char *lb_check_name(lua_State *L, int idx);
/* An integer in a range, or "bad argument #2 to 'NAME' (expected 0..3, got 7)". */
lua_Integer lb_check_range(lua_State *L, int idx, lua_Integer lo, lua_Integer hi);
/* An integer; strings are not converted. */
lua_Integer lb_check_int(lua_State *L, int idx);
/* Pushes and returns what a message says of a value: itself, or its type, as an
 * address tells nothing. */
const char *lb_describe(lua_State *L, int idx);
/* The integer on top, which option `name` of the table that is argument 2 has; raises if it
 * is none, or not within lo..hi. */
lua_Integer lb_opt_integer(lua_State *L, const char *name, lua_Integer lo, lua_Integer hi);
/* A value of the Lua type (LUA_TTABLE ...). */
void lb_check_type(lua_State *L, int idx, int type);
/* Raises "bad argument #idx to 'NAME' (...)", printf-like as lua_pushfstring(); NAME as
 * it was registered, whatever the script calls the function. */
int lb_arg_error(lua_State *L, int idx, const char *fmt, ...);
/* The same with "mutex expected, got number". */
int lb_type_error(lua_State *L, int idx, const char *expected);
/* Adds methods to a kind's metatable happens through lb_register ("kind:name");
 * this makes the metatable itself, with __tostring, __name, __eq. */
void lb_new_kind(lua_State *L, const struct objtype *type);

/* --- making objects --- */

/*
 * What it takes to make an object, now and at each rebuild: the head of a
 * kind's own structure.  `make` gives NULL with world_error() set; it may use
 * nothing but the recipe.  lb_recipe_new() checks the name at `idx`, allocates
 * `size` zeroed bytes and fills in the head; lb_make() takes the recipe, makes
 * the object (through the journal when no task runs and no scenario is being
 * built) and pushes its handle.  Both raise.
 */
struct lb_recipe {
	struct object *(*make)(struct world *w, struct lb_recipe *r);
	void (*release)(struct lb_recipe *r);	/* frees what it holds beside itself */
	struct object *made;
	char *name;
};
void *lb_recipe_new(lua_State *L, int idx, size_t size,
		    struct object *(*make)(struct world *, struct lb_recipe *));
void lb_recipe_free(struct lb_recipe *r);
void lb_make(lua_State *L, struct lb_recipe *r);
/* Calls fn(builder) with `ud` as light userdata at index 1, protected, from where an
 * error must not be raised (journal entries).  False with world_error() set. */
bool lb_protected(struct session *s, lua_CFunction fn, void *ud);

/* The simplest kinds: those of k_object_new() with `value` in their first eight
 * bytes.  The name is at `idx`.  Pushes the handle. */
void lb_make_basic(lua_State *L, int idx, const struct objtype *type, uint64_t value);
/* A lock, with its name at 1 and at 2 perhaps {class=NAME}.  Pushes the handle. */
int lb_make_lock(lua_State *L, const struct objtype *type);

/* --- locations: what READ_ONCE() and its like are applied to --- */

enum lb_loc_kind {
	LB_VAR,		/* a var: integers */
	LB_PTR,		/* a ptr: objects and nil */
	LB_INT_FIELD,	/* a field made with an integer: integers, objects */
	LB_PTR_FIELD,	/* a field made with null or an object: those, and integers */
};
struct lb_loc {
	void *addr;
	struct object *obj;
	enum lb_loc_kind kind;
};
/* A var, a ptr, or a field's location (o'f', o'f'[i]). */
void lb_check_loc(lua_State *L, int idx, struct lb_loc *loc);
/* A value that the location can hold; and a value of it for the script. */
uint64_t lb_loc_tovalue(lua_State *L, int idx, const struct lb_loc *loc);
void lb_loc_pushvalue(lua_State *L, uint64_t v, const struct lb_loc *loc);
/* Pushes what the location holds: a step at `base` in a thread, none outside. */
void lb_loc_read(lua_State *L, const struct lb_loc *loc, const struct site *base);
bool lb_is_null(lua_State *L, int idx);	/* nil, none or `null` */
void lb_push_null(lua_State *L);	/* `null`: nil where a table cannot hold nil */

/* --- Lua functions that C structures hold (lua_task.c) --- */

/* Counted: recipes, bodies and callbacks share one reference.  lb_fn_new() takes the
 * function (or, for ghosts, any value) at `idx` and raises when memory runs out; the others never raise. */
struct lb_fn {
	struct session *s;
	int ref;
	lua_State *L1;	/* the Lua thread that it runs in as a callback, or NULL */
	int l1_ref;
	bool used;	/* it has begun to, and has not come to its end */
	unsigned count;
};
struct lb_fn *lb_fn_new(lua_State *L, int idx);
struct lb_fn *lb_fn_get(struct lb_fn *f);
void lb_fn_put(struct lb_fn *f);	/* NULL is allowed */
/* Calls f(handle of `arg`, if any) for C code that runs in the current task (an SRCU
 * callback), in a Lua thread of its own, on the task's stack: it may step.  An error
 * is a violation and ends the task.  It may not be under way already. */
void lb_fn_call(struct lb_fn *f, struct object *arg);
/* The Lua thread that runs now, for hooks: safe in a signal handler. */
lua_State *lb_running(struct session *s);

/* --- calls from a thread's body (lua_task.c) --- */

/* The current task, or raises "NAME: no current thread" (NAME is the running C
 * function's).  Also refuses in finalizers and in predicates. */
static inline struct task *lb_task(lua_State *L);
/* True on the driver's side and in predicates, where reads take no step. */
static inline bool lb_outside(lua_State *L)
{
	return !task_current() || lb_session(L)->pure;
}
struct task *lb_task_refuse(lua_State *L);	/* raises: why there is none */
static inline struct task *lb_task(lua_State *L)
{
	struct session *s = lb_session(L);
	struct task *t = task_current();

	return t && !s->pure && !s->finalizing ? t : lb_task_refuse(L);
}
/* A site of a primitive used by the script itself: file and line of the caller.  To
 * ask Lua for them costs as much as the rest of a step: from the LB_LINES_MAXth step
 * of an execution on it is `base`, which has none. */
#define LB_LINES_MAX 10000
struct site *lb_site_of_line(lua_State *L, const struct site *base);
static inline struct site *lb_site(lua_State *L, const struct site *base)
{
	return lb_session(L)->lean ? (struct site *)base : lb_site_of_line(L, base);
}
/* Raises if a task runs: stepping functions must not be called in a body. */
void lb_check_driver(lua_State *L);
/* The base of such sites: a primitive that scripts use. */
#define LB_SITE(op_, order_, flags_, prim_)					\
	{ .op = (op_), .order = (order_), .flags = SITE_LUA | (flags_),		\
	  .prim = (prim_), .expr = "", .func = "", .file = "" }
/* Performs an event at the script's own site and returns the answer. */
static inline uint64_t lb_event(lua_State *L, const struct site *base, void *loc, unsigned size,
				uint64_t a, uint64_t b)
{
	struct site *s;

	lb_task(L);
	s = lb_site(L, base);
	return task_event((struct event){ .site = s, .op = s->op, .order = s->order,
					  .loc = loc, .size = (uint8_t)size, .a = a, .b = b });
}

/* Integers and objects as 64-bit values of ptr variables and fields. */
uint64_t lb_tovalue(lua_State *L, int idx);	/* integer, handle or nil */
uint64_t lb_tovalue_in(lua_State *L, int arg, int idx); /* the same, found in argument `arg` */
void lb_pushvalue(lua_State *L, uint64_t v);	/* an object's address gives its handle */

/* Is L the Lua thread of t's body itself?  Does t run a typed call? */
bool lb_is_body_thread(struct task *t, lua_State *L);
bool lb_task_takes_calls(struct task *t);
/* Makes a thread's or an interrupt's task: body `f` (NULL: a thread that takes
 * calls), cpu -1: see task_new(). */
struct task *lb_task_new(struct session *s, struct world *w, enum task_kind kind,
			 const char *name, int cpu, struct lb_fn *f);
/* The script's function that a task or a work item runs; NULL: none. */
struct lb_fn *lb_task_fn(struct task *t);
struct lb_fn *lb_work_fn(struct object *o);
/* Runs the chunk at `idx` (a function) on a thread that takes calls; the journal
 * keeps it.  It is then stepped like anything else. */
void lb_thread_call(lua_State *L, struct task *t, int idx);
/* After the steps: has the last typed call of t ended?  Its results (or error) are
 * then pushed; returns their number, -1 with a message pushed on error, -2 when
 * it has not ended. */
int lb_thread_result(lua_State *L, struct task *t);

/* Something looks at the world without a step, and at more than locations: in a thread
 * that makes the scenario one that cannot be explored. */
void lb_look(lua_State *L);

/* Field `key` of the table on top; NULL: none. */
static inline void lb_set_string(lua_State *L, const char *key, const char *s)
{
	lua_pushstring(L, s);
	lua_setfield(L, -2, key);
}
static inline void lb_set_integer(lua_State *L, const char *key, uint64_t v)
{
	lua_pushinteger(L, (lua_Integer)v);
	lua_setfield(L, -2, key);
}
/* Pushes a violation as a table of these fields, where they are not NULL. */
struct lb_violation { const char *kind, *message, *thread, *other, *schedule; uint64_t step; };
void lb_push_violation_of(lua_State *L, const struct lb_violation *v);
/* The same of one of this world. */
void lb_push_violation(lua_State *L, const struct violation *v);
/* Pushes the event of a record or of a pending step as api.md section 4 says. */
void lb_push_event(lua_State *L, uint64_t step);
void lb_push_pending(lua_State *L, struct task *t);

/* The session, when stepping is possible here: not in a thread's body, a
 * predicate, a scenario function or another stepping function; raises else. */
struct session *lb_check_steppable(lua_State *L);
/* When nothing is enabled any more: deadlocks, leaks, and what finally() says. */
void lb_stuck(struct world *w);
/* A schedule has been performed: everything that exploration judges at the end of one. */
void lb_replayed(struct world *w);
/* Lets each new thread run to its first step, so that one can look at it.  The
 * world; raises when that fails. */
struct world *lb_prime(lua_State *L);
/* Pushes a userdata that owns a growing string: released when it is collected. */
struct sbuf;
struct sbuf *lb_new_sbuf(lua_State *L);
/* What a view is asked for beside what it shows: the options of show(), at idx. */
struct lb_view_request {
	struct view_opts o;
	bool text;		/* give the text back instead of printing it */
	lua_Integer last_n;	/* timeline: only so many steps at the end; 0: all */
};
void lb_check_view(lua_State *L, int idx, struct lb_view_request *r);
/* Prints what a view has made, or pushes it: the number of results. */
int lb_give_view(lua_State *L, struct sbuf *b, const struct lb_view_request *r);
/* The width to print for: the session's, the terminal's, or 0 for the default. */
unsigned lb_columns(lua_State *L);

/* Sections, opened in this order by lb_open. */
void lb_open_world(lua_State *L);	/* world cpus var ptr ghost ... : lua_object.c */
void lb_open_heap(lua_State *L);	/* kmalloc, array, null, kfree: lua_heap.c */
void lb_open_field(lua_State *L);	/* o.f and o'f'; by lb_open_heap(): lua_field.c */
void lb_open_task(lua_State *L);	/* what Lua itself needs on task stacks: lua_task.c */
void lb_open_thread(lua_State *L);	/* thread, migrate, yield, assert ...: lua_thread.c */
void lb_open_guard(lua_State *L);	/* print, coroutines, finalizers, the watchdog: lua_guard.c */
void lb_open_access(lua_State *L);	/* READ_ONCE .. smp_mb .. atomics: lua_access.c */
void lb_open_rseq(lua_State *L);	/* rseq_begin, membarrier ..; by lb_open_rcu(): lua_rseq.c */
void lb_open_rcu_plain(lua_State *L);	/* rcu_read_lock ..; by lb_open_rcu(): lua_rcu_plain.c */
void lb_open_rcu(lua_State *L);		/* rcu_dereference ..; by lb_open_access(): lua_rcu.c */
void lb_open_lock(lua_State *L);	/* mutex, spinlock, completion: lua_lock.c */
void lb_open_list(lua_State *L);	/* list_head ..; by lb_open_lock(): lua_list.c */
void lb_open_wait(lua_State *L);	/* waitqueue, rwsem ..; by lb_open_lock(): lua_wait.c */
void lb_open_work(lua_State *L);	/* work ..; by lb_open_lock(): lua_work.c */
void lb_open_head(lua_State *L);	/* rcu_head's kind; by lb_open_srcu(): lua_head.c */
void lb_open_ktree(lua_State *L);	/* srcu.load_kernel; by lb_open_srcu(): lua_ktree.c */
void lb_open_srcu(lua_State *L);	/* srcu.*, srcu_read_lock ...: lua_srcu.c */
void lb_open_kvm(lua_State *L);		/* kvm.*: lua_kvm.c */
void lb_open_step(lua_State *L);	/* step run back schedule ...: lua_step.c */
void lb_open_travel(lua_State *L);	/* back replay ...: lua_travel.c, by lb_open_step() */
void lb_open_event(lua_State *L);	/* pending trace ...: lua_event.c, by lb_open_step() */
void lb_open_explore(lua_State *L);	/* explore, report:show ..: lua_explore.c */
void lb_open_view(lua_State *L);	/* show timeline: lua_view.c */
void lb_open_claim(lua_State *L);	/* invariant finally outcome: lua_claim.c */
void lb_open_help(lua_State *L);	/* what the prelude defines: lua_core.c */

#endif
