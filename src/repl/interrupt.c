/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Signals: see interrupt.h.  The handlers do next to nothing, and what they do
 * is safe at any moment: they set flags and, as lua.c does, hooks.
 */
#include <config.h>

#include <errno.h>
#include <signal.h>
#include <stddef.h>

#include "binding/binding.h"
#include "repl/interrupt.h"

/* After so many instructions a body that makes no step is stopped.  One that
 * does reaches its next step first, and the loop that steps it stops there:
 * the world stays whole. */
#define BODY_GRACE 1000000

static struct session *session;	/* NULL: no Lua state to interrupt */
static bool for_shell;
static volatile sig_atomic_t interrupted;	/* Ctrl-C typed */
static volatile sig_atomic_t suspended;		/* Ctrl-Z typed while reading */
static volatile sig_atomic_t ended;		/* SIGTERM or SIGHUP while reading */
static volatile sig_atomic_t reading;		/* a line is read: only flags are set */

static bool interrupt_poll(void *arg)
{
	(void)arg;
	return interrupted != 0;
}

/* Stays set while the flag is: a pcall that catches the error is interrupted
 * again at its next instruction.  One left over from an earlier Ctrl-C removes
 * itself. */
static void interrupt_hook(lua_State *L, lua_Debug *ar)
{
	(void)ar;
	if (!interrupted) {
		lua_sethook(L, NULL, 0, 0);
		return;
	}
	lua_sethook(L, interrupt_hook, LUA_MASKCALL | LUA_MASKRET | LUA_MASKCOUNT, 1);
	lua_pushliteral(L, "interrupted");
	lua_error(L);
}

static void on_interrupt(int sig)
{
	bool again = interrupted != 0;
	lua_State *L;

	interrupted = 1;
	if (reading || !session)
		return;
	if (again && !for_shell) {
		signal(sig, SIG_DFL);
		raise(sig);
		return;
	}
	if (session->defers && !again)
		return;
	L = lb_running(session);
	if (L != session->L && task_current() && !again)
		lua_sethook(L, interrupt_hook, LUA_MASKCOUNT, BODY_GRACE);
	else if (L != session->L)
		lua_sethook(L, interrupt_hook, LUA_MASKCALL | LUA_MASKRET | LUA_MASKCOUNT, 1);
	lua_sethook(session->L, interrupt_hook, LUA_MASKCALL | LUA_MASKRET | LUA_MASKCOUNT, 1);
}

/* The terminal is in order except while a line is read, and the history is on
 * disk: so outside of that the signal may simply kill. */
static void on_end(int sig)
{
	if (reading) {
		ended = sig;
		return;
	}
	signal(sig, SIG_DFL);
	raise(sig);
}

static void on_suspend(int sig)
{
	(void)sig;
	suspended = 1;
}

static void on_pipe(int sig)
{
	(void)sig;	/* the write fails with EPIPE; an ignored signal would be inherited */
}

/* Without SA_RESTART: a read must be interrupted.  What the parent ignores
 * (nohup, a background job) stays ignored, except for SIGPIPE. */
static void handle(int sig, void (*fn)(int))
{
	struct sigaction sa = { .sa_handler = fn }, old;

	if (sig != SIGPIPE && sigaction(sig, NULL, &old) == 0 && old.sa_handler == SIG_IGN)
		return;
	sigemptyset(&sa.sa_mask);
	sigaction(sig, &sa, NULL);
}

void interrupt_install(lua_State *L, bool shell)
{
	session = lb_session(L);
	session->interrupt = interrupt_poll;
	world_set_interrupt(session->w, interrupt_poll, NULL);
	for_shell = shell;
	handle(SIGINT, on_interrupt);
	if (!shell) {
		handle(SIGPIPE, SIG_DFL);
		return;
	}
	handle(SIGPIPE, on_pipe);
	handle(SIGTERM, on_end);
	handle(SIGHUP, on_end);
}

void interrupt_release(void)
{
	session = NULL;
}

bool interrupt_pending(void)
{
	return interrupted != 0;
}

void interrupt_unhook(void)
{
	if (session)
		lua_sethook(session->L, NULL, 0, 0);
}

void interrupt_clear(void)
{
	interrupted = 0;
	interrupt_unhook();
}

/* As the signal's default does: the parent sees why the process ended. */
static void end_now(int sig)
{
	signal(sig, SIG_DFL);
	raise(sig);
}

void interrupt_reading(bool on)
{
	/* at other times the terminal is in order, and the default will do */
	handle(SIGTSTP, on ? on_suspend : SIG_DFL);
	reading = on;
	if (!on && ended)
		end_now(ended);
}

enum interrupt_wait interrupt_wait(int fd, void (*restore)(void))
{
	static const int sigs[] = { SIGINT, SIGTERM, SIGHUP, SIGTSTP, SIGWINCH };
	sigset_t block, old;
	fd_set set;
	int n = 0;

	/* Blocked except inside pselect(): a signal before it is seen in the
	 * flags, one after it in EINTR. */
	sigemptyset(&block);
	for (size_t i = 0; i < sizeof(sigs) / sizeof(*sigs); i++)
		sigaddset(&block, sigs[i]);
	pthread_sigmask(SIG_BLOCK, &block, &old);
	if (!interrupted && !suspended && !ended) {
		FD_ZERO(&set);
		FD_SET(fd, &set);
		n = pselect(fd + 1, &set, NULL, NULL, NULL, &old);
	}
	int err = errno;
	pthread_sigmask(SIG_SETMASK, &old, NULL);

	if (ended) {
		if (restore)
			restore();
		end_now(ended);
	}
	if (interrupted)
		return WAIT_INTERRUPT;
	if (suspended) {
		suspended = 0;
		return WAIT_SUSPEND;
	}
	if (n < 0)
		return err == EINTR ? WAIT_OTHER : WAIT_ERROR;
	return n > 0 ? WAIT_READY : WAIT_OTHER;
}

/* By the signal's default, which spares a process that nobody could continue. */
void interrupt_suspend(void)
{
	handle(SIGTSTP, SIG_DFL);
	raise(SIGTSTP);
	handle(SIGTSTP, on_suspend);
}
