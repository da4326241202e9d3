/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Signals.  Ctrl-C stops what runs (Lua code through a hook on the Lua thread
 * that runs, a loop of steps through world_interrupted()) and abandons a line
 * that is being typed; it never ends the shell.  SIGTERM ends everything at
 * once, but leaves a terminal behind that works.
 */
#ifndef SRCUSH_REPL_INTERRUPT_H
#define SRCUSH_REPL_INTERRUPT_H

#include <stdbool.h>
#include <sys/select.h>
#include <lua.h>

/*
 * Installs the handlers for the session of L.  In a script a second Ctrl-C
 * kills, for code that catches every error; the shell (`shell`) survives any
 * number of them, and a broken pipe too.
 */
void interrupt_install(lua_State *L, bool shell);
/* Forgets the session, before it is closed. */
void interrupt_release(void);

/* Has Ctrl-C been typed since the last interrupt_clear()? */
bool interrupt_pending(void);
/* It has done its work: what runs from now on is not stopped.  Then forgets it. */
void interrupt_unhook(void);
void interrupt_clear(void);

/* Between the two a line is read, with the terminal in another mode: signals set
 * flags only, which interrupt_wait() answers. */
void interrupt_reading(bool on);

enum interrupt_wait {
	WAIT_READY,	/* fd can be read */
	WAIT_INTERRUPT,	/* Ctrl-C: the flag is still set */
	WAIT_SUSPEND,	/* Ctrl-Z: see interrupt_suspend() */
	WAIT_OTHER,	/* another signal (the window changed size ...): look again */
	WAIT_ERROR,
};
/*
 * Waits until fd can be read or a signal arrives, without a gap in which one
 * could be missed.  If it is SIGTERM or SIGHUP, `restore` puts the terminal
 * into order and the process ends by that signal.
 */
enum interrupt_wait interrupt_wait(int fd, void (*restore)(void));
/* Stops the process as Ctrl-Z does; returns when it is continued. */
void interrupt_suspend(void);

#endif
