/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Wait queues and reader-writer semaphores as scripts see them.
 */
#include <config.h>

#include "binding/binding.h"
#include "k/lock.h"
#include "k/objtypes.h"
#include "k/wait.h"

static const struct lb_func wait_funcs[], rwsem_funcs[];

/* --- wait queues --- */

static const struct site prepare_site = LB_SITE(OP_WQ, ORD_FULL, 0, "prepare_to_wait");
static const struct site enter_site = LB_SITE(OP_WQ, ORD_FULL, 0, "schedule_wait");
static const struct site sleep_site = LB_SITE(OP_WQ_WAIT, ORD_FULL, SITE_SLEEPS, "schedule_wait");
static const struct site finish_site = LB_SITE(OP_WQ, ORD_ONCE, 0, "finish_wait");
static const struct site wake_site = LB_SITE(OP_WQ, ORD_FULL, 0, "wake_up");
static const struct site active_site = LB_SITE(OP_LOAD, ORD_ONCE, 0, "waitqueue_active");

static int l_waitqueue(lua_State *L)
{
	lb_make_basic(L, 1, &waitqueue_objtype, 0);
	return 1;
}

static struct wait_queue_head *check_wq(lua_State *L)
{
	lb_task(L);
	return lb_check_object(L, 1, &waitqueue_objtype)->base;
}

static int too_many(lua_State *L)
{
	return luaL_error(L, "%s: the thread is on %d wait queues already", lb_func_name(L),
			  TASK_WAITS_MAX);
}

static int l_prepare_to_wait(lua_State *L)
{
	struct wait_queue_head *wq = check_wq(L);

	return k_prepare_to_wait(wq, lb_site(L, &prepare_site)) ? 0 : too_many(L);
}

static int l_schedule_wait(lua_State *L)
{
	struct wait_queue_head *wq = check_wq(L);

	return k_schedule_wait(wq, lb_site(L, &enter_site), lb_site(L, &sleep_site)) ?
		       0 : too_many(L);
}

static int l_finish_wait(lua_State *L)
{
	struct wait_queue_head *wq = check_wq(L);

	k_finish_wait(wq, lb_site(L, &finish_site));
	return 0;
}

static int l_wake_up(lua_State *L)
{
	struct wait_queue_head *wq = check_wq(L);

	k_wake_up(wq, lb_site(L, &wake_site));
	return 0;
}

static int l_waitqueue_active(lua_State *L)
{
	struct wait_queue_head *wq = check_wq(L);

	lua_pushboolean(L, lb_event(L, &active_site, &wq->waiting, 8, 0, 0) != 0);
	return 1;
}

#define W "local wq = waitqueue(\"wq\")\nthread(\"t\", function() "

static const struct lb_func wait_funcs[] = {
	{ "waitqueue", l_waitqueue, "(name) -> waitqueue", "Makes a wait queue, with nobody on it",
	  "local wq = waitqueue(\"wq\")" },
	{ "prepare_to_wait", l_prepare_to_wait, "(wq)",
	  "Gets on the queue: every wake_up() from here on ends the next schedule_wait(), even one "
	  "that comes before it. Then the condition is tested",
	  W "prepare_to_wait(wq); finish_wait(wq) end)" },
	{ "schedule_wait", l_schedule_wait, "(wq)",
	  "Sleeps until the queue is woken. Without prepare_to_wait() before it, a wake_up() that "
	  "came before it is lost", W "prepare_to_wait(wq); schedule_wait(wq); finish_wait(wq) end)\n"
	  "thread(\"u\", function() wake_up(wq) end)" },
	{ "finish_wait", l_finish_wait, "(wq)", "Gets off the queue",
	  W "prepare_to_wait(wq); finish_wait(wq) end)" },
	{ "wake_up", l_wake_up, "(wq)",
	  "Wakes all that are on the queue; where nobody is, nothing happens", W "wake_up(wq) end)" },
	{ "waitqueue_active", l_waitqueue_active, "(wq) -> boolean",
	  "Is anybody on the queue? Orders nothing: a full barrier belongs before it",
	  W "smp_mb(); if waitqueue_active(wq) then wake_up(wq) end end)" },
	{ 0 }
};
static const struct lb_section wait_section = {
	"wait", "Wait queues",
	"The order is prepare_to_wait(), test of the condition, schedule_wait() if it does not hold, "
	"and so on until it does, then finish_wait(). Whoever makes the condition true calls "
	"wake_up() after that.",
	wait_funcs
};

/* --- reader-writer semaphores --- */

static const struct site read_site = LB_SITE(OP_LOCK_READ, ORD_ACQUIRE, SITE_SLEEPS, "down_read");
static const struct site up_read_site = LB_SITE(OP_UNLOCK_READ, ORD_RELEASE, 0, "up_read");
static const struct site try_site =
	LB_SITE(OP_TRYLOCK, ORD_ACQUIRE, SITE_WRITE | SITE_SLEEPS, "down_write");
static const struct site queue_site =
	LB_SITE(OP_LOCK_QUEUE, ORD_NONE, SITE_WRITE, "down_write");
static const struct site write_site =
	LB_SITE(OP_LOCK, ORD_ACQUIRE, SITE_WRITE | SITE_SLEEPS, "down_write");
static const struct site up_write_site = LB_SITE(OP_UNLOCK, ORD_RELEASE, SITE_WRITE, "up_write");

static int l_rwsem(lua_State *L)
{
	return lb_make_lock(L, &rwsem_objtype);
}

static struct rw_semaphore *check_rwsem(lua_State *L)
{
	lb_task(L);
	return lb_check_object(L, 1, &rwsem_objtype)->base;
}

static int l_down_read(lua_State *L)
{
	lb_event(L, &read_site, check_rwsem(L), 8, 0, 0);
	return 0;
}

static int l_up_read(lua_State *L)
{
	lb_event(L, &up_read_site, check_rwsem(L), 8, 0, 0);
	return 0;
}

static int l_down_write(lua_State *L)
{
	struct rw_semaphore *sem = check_rwsem(L);

	k_down_write(sem, lb_site(L, &try_site), lb_site(L, &queue_site), lb_site(L, &write_site));
	return 0;
}

static int l_up_write(lua_State *L)
{
	lb_event(L, &up_write_site, check_rwsem(L), 8, 0, 0);
	return 0;
}

#define R "local s = rwsem(\"s\")\nthread(\"t\", function() "

static const struct lb_func rwsem_funcs[] = {
	{ "rwsem", l_rwsem, "(name [, opts]) -> rwsem",
	  "Makes a reader-writer semaphore that nobody holds; opts are as for mutex()",
	  "local s = rwsem(\"mmap_lock\")" },
	{ "down_read", l_down_read, "(sem)",
	  "Takes it for reading; blocks while a writer holds it or waits for it",
	  R "down_read(s); up_read(s) end)" },
	{ "up_read", l_up_read, "(sem)", "Ends down_read(), in the same thread",
	  R "down_read(s); up_read(s) end)" },
	{ "down_write", l_down_write, "(sem)",
	  "Takes it for writing; blocks while anybody holds it. One step where it is free; else one "
	  "more with which the writer begins to wait, so that no new reader gets in",
	  R "down_write(s); up_write(s) end)" },
	{ "up_write", l_up_write, "(sem)", "Ends down_write(), in the same thread",
	  R "down_write(s); up_write(s) end)" },
	{ 0 }
};
static const struct lb_section rwsem_section = {
	"rwsem", "Reader-writer semaphores",
	"Readers share it, a writer has it alone. A writer that waits keeps new readers out, one "
	"that reads already included: writers do not starve, and a reader that takes it again may "
	"deadlock, as in the kernel. Which of several waiting writers is next is left open.",
	rwsem_funcs
};

void lb_open_wait(lua_State *L)
{
	lb_new_kind(L, &rwsem_objtype);
	lb_register(L, &rwsem_section);
	lb_new_kind(L, &waitqueue_objtype);
	lb_register(L, &wait_section);
}
