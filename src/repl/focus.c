/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The focused thread: what is typed runs there as a call, which is stepped until
 * it returns or blocks.  A blocked call stays; its results are printed when
 * somebody's steps have let it return.
 */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "binding/binding.h"
#include "check/check.h"
#include "engine/log.h"
#include "repl/chunk.h"
#include "repl/interrupt.h"
#include "repl/shell.h"
#include "srcu/srcu.h"

void focus_set(struct shell *sh, struct task *t)
{
	sh->focus = t ? task_id(t) : 0;
	sh->session->focus = t;
}

static void forget_call(struct shell *sh, size_t i)
{
	memmove(&sh->calls[i], &sh->calls[i + 1], (--sh->ncalls - i) * sizeof(*sh->calls));
}

static bool is_calling(struct shell *sh, struct task *t)
{
	for (size_t i = 0; i < sh->ncalls; i++)
		if (sh->calls[i].task == task_id(t))
			return true;
	return false;
}

void focus_refresh(struct shell *sh)
{
	struct session *s = sh->session;

	if (sh->seen != s->generation) {	/* another world */
		sh->seen = s->generation;
		sh->focus = 0;
		sh->ncalls = 0;
	}
	s->focus = sh->focus ? task_by_id(s->w, sh->focus) : NULL;
	if (!s->focus)
		sh->focus = 0;
	/* calls from after the point in time that one has gone back to are gone */
	for (size_t i = 0; i < sh->ncalls;)
		if (sh->calls[i].at > world_steps(s->w))
			forget_call(sh, i);
		else
			i++;
}

static bool remember_call(struct shell *sh, struct task *t, uint64_t at)
{
	struct typed_call *more = realloc(sh->calls, (sh->ncalls + 1) * sizeof(*more));

	if (!more)
		return false;
	sh->calls = more;
	more[sh->ncalls++] = (struct typed_call){ .task = task_id(t), .at = at };
	return true;
}

/* lb_thread_call() on the function and the task given. */
static int start_call(lua_State *L)
{
	lb_thread_call(L, lua_touserdata(L, 2), 1);
	return 0;
}

static int push_result(lua_State *L)
{
	lua_settop(L, 1);
	int n = lb_thread_result(L, lua_touserdata(L, 1));

	if (n == -1) {
		chunk_shorten(L);
		lua_error(L);
	}
	if (n == -2)
		return 0;
	lua_pushboolean(L, true);
	lua_insert(L, 2);
	return n + 1;
}

/* Prints the results of t's call, if it has returned: *ended says so. */
static enum eval print_result(struct shell *sh, struct task *t, bool *ended)
{
	lua_State *L = sh->L;
	int base = lua_gettop(L);

	*ended = true;
	lua_pushcfunction(L, push_result);
	lua_pushlightuserdata(L, t);
	if (lua_pcall(L, 1, LUA_MULTRET, 0) != LUA_OK)
		return eval_report(sh, interrupt_pending() ? STATUS_INTERRUPTED : STATUS_ERROR);
	int n = lua_gettop(L) - base;
	*ended = n > 0;
	if (n)
		lua_remove(L, base + 1);
	return eval_print(sh, n ? n - 1 : 0);
}

enum eval focus_finished(struct shell *sh)
{
	enum eval e = EVAL_OK;

	for (size_t i = 0; i < sh->ncalls;) {
		struct task *t = task_by_id(sh->session->w, sh->calls[i].task);
		bool ended = true;

		if (t && task_blocked(t).why == BLOCK_CALL) {
			printf("%s: the call has returned\n", task_name(t));
			e = print_result(sh, t, &ended);
		} else if (t && t->state != TASK_DONE && t->state != TASK_FAILED) {
			ended = false;
		}
		if (ended)
			forget_call(sh, i);
		else
			i++;
	}
	return e;
}

static const char *helper_state(struct task *t)
{
	switch (task_blocked(t).why) {
	case BLOCK_NONE:
		return "ready";
	case BLOCK_OVER:
		return "at its end";
	case BLOCK_CALL:
		return "waits for a call";
	default:
		return "blocked itself";
	}
}

/* One line of the list; the head comes with the first. */
static void print_helper(bool *any, struct task *t)
{
	if (!*any)
		puts("  could unblock it:");
	*any = true;
	printf("    %s", task_name(t));
}

/* Who could end t's wait: who holds what it waits for; else the workers and
 * timers that can go on, and the readers that hold a grace period up. */
static void print_helpers(struct task *t, const struct block *b)
{
	struct world *w = t->w;
	void *ss = t->ncalls ? t->calls[0].obj : NULL;
	bool any = false;

	if (b->holder) {
		print_helper(&any, b->holder);
		printf(" (%s)\n", helper_state(b->holder));
		return;
	}
	for (size_t i = 0; i < world_task_count(w); i++) {
		struct task *o = world_task(w, i);

		if (o->kind == TASK_THREAD || o->kind == TASK_IRQ || !task_enabled(o))
			continue;
		print_helper(&any, o);
		puts(" (ready)");
	}
	for (size_t i = 0; i < check_section_count(w); i++) {
		const struct section *s = check_section(w, i);
		struct task *o = task_by_id(w, s->task);

		if (!o || o == t || (ss && (void *)s->ss != ss))
			continue;
		print_helper(&any, o);
		printf(" (in a read section of %s, index %d, since step %" PRIu64 ")\n",
		       s->ss->obj->name, s->idx, s->since);
	}
}

/* Says how the call stands that has not returned. */
static void tell_blocked(struct task *t)
{
	struct block b = task_blocked(t);
	char text[256];

	if (b.why == BLOCK_OVER) {
		printf("%s %s\n", task_name(t), t->state == TASK_FAILED ?
		       "has failed; .back undoes it" : "has ended");
		return;
	}
	if (b.why == BLOCK_NONE)
		return;
	block_text(t, &b, text, sizeof(text));
	printf("%s is blocked %s\n", task_name(t), text);
	print_helpers(t, &b);
}

/* Steps t until its call has returned, it blocks, or a violation is found. */
static bool run_call(struct shell *sh, struct task *t)
{
	struct world *w = sh->session->w;
	size_t violations = world_violation_count(w);
	enum step_result r = STEP_OK;

	sh->session->busy++;
	world_batch_begin(w);
	while (r == STEP_OK && !interrupt_pending() && world_violation_count(w) == violations) {
		if (sh->step_mode && t->ev.op != OP_CALL_WAIT)
			break;
		r = world_step(w, t, 0);
	}
	world_batch_end(w);
	sh->session->busy--;
	if (r == STEP_BLOCKED && task_blocked(t).why != BLOCK_CALL && !check_blocked(w, t))
		check_stuck(w);
	return r != STEP_ERROR;
}

static void tell_pending(struct task *t)
{
	struct event_view v;

	if (pending_view(t->w, t, &v))
		printf("%s stops before: %s\n", task_name(t), v.text);
}

enum eval focus_call(struct shell *sh)
{
	lua_State *L = sh->L;
	struct task *t = sh->session->focus;
	uint64_t at = world_steps(sh->session->w);
	bool ended;
	enum eval e;

	if (is_calling(sh, t)) {
		lua_pop(L, 1);
		lua_pushfstring(L, "%s is still in its last call (step the others, .step %s or .run; "
				"!LINE runs outside of it)", task_name(t), task_name(t));
		return eval_report(sh, STATUS_ERROR);
	}
	lua_pushlightuserdata(L, t);
	lua_pushcfunction(L, start_call);
	lua_insert(L, -3);
	if (lua_pcall(L, 2, 0, 0) != LUA_OK)
		return eval_report(sh, STATUS_ERROR);
	if (!run_call(sh, t)) {
		lua_pushstring(L, world_error(sh->session->w));
		return eval_report(sh, STATUS_ERROR);
	}
	e = print_result(sh, t, &ended);
	if (ended)
		return e;
	if (t->state != TASK_DONE && t->state != TASK_FAILED && !remember_call(sh, t, at)) {
		lua_pushliteral(L, "not enough memory");
		return eval_report(sh, STATUS_ERROR);
	}
	if (interrupt_pending())
		return EVAL_INTERRUPTED;
	if (sh->step_mode && task_enabled(t))
		tell_pending(t);
	else
		tell_blocked(t);
	return EVAL_OK;
}
