/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The oracles: each knows one rule of what may not happen, listens to the
 * engine's events and API calls, and reports a violation in words that a
 * reviewer understands without having seen the script.
 */
#ifndef SRCUSH_CHECK_CHECK_H
#define SRCUSH_CHECK_CHECK_H

#include "engine/world.h"

struct srcu;

/* Plugs all oracles into a new world.  False: out of memory. */
bool check_attach(struct world *w);

/*
 * Nothing is enabled, or one task is stuck: is that a deadlock or a stall?  While
 * something is still enabled only circles are reported, which nobody can undo.
 * Reports a violation ("deadlock" with its cycle in words, else "stall") and
 * returns true, or false when everything that waits is legal (idle workers,
 * threads waiting for a call, assume(false)).  A circle, and a state of the world,
 * is reported once: true then comes without a new violation.
 */
bool check_stuck(struct world *w);

/*
 * After a step that left t unable to go on: has it run into itself (a lock that
 * it holds already)?  Reports "self-deadlock" at once, and only once for each
 * task, and returns true.  Cheap: meant for each time a task is found blocked.
 */
bool check_blocked(struct world *w, struct task *t);

/* As which version's lockdep does the order of locks see SRCU?  Linux 6.1's does not. */
enum check_lockdep { LOCKDEP_6_12, LOCKDEP_6_1 };
void check_set_lockdep(struct world *w, enum check_lockdep version);

/* Reports from the places that find them (binding, primitives).  printf-like; the
 * text is the message's first sentence, who and where is added. */
void check_report(struct world *w, const char *kind, struct task *t, struct task *other,
		  const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* --- what the oracles know, for views and deadlock texts --- */

/* An SRCU read section: begun at the end of read_lock, open until read_unlock. */
struct section {
	struct srcu *ss;
	uint32_t task;		/* identity of the task that began it */
	int idx;
	uint64_t since;		/* step number at which it began */
	bool any_task;		/* srcu_down_read: another task may end it */
};
/* The open sections, in order of beginning. */
size_t check_section_count(struct world *w);
const struct section *check_section(struct world *w, size_t i);
/* Does t hold a section of ss? (srcu_read_lock_held; ss NULL: of any) */
bool check_holds_section(struct world *w, struct task *t, struct srcu *ss);
/* Waits of synchronize/call/barrier that have begun and not ended. */
struct gp_wait { struct srcu *ss; uint32_t task; uint64_t since; const char *api; };
size_t check_gp_wait_count(struct world *w);
const struct gp_wait *check_gp_wait(struct world *w, size_t i);

/* Does the location lie in memory that has been freed? */
bool check_freed(struct world *w, const void *loc);

/* The violation in words, as it is printed below its kind: the message, and what
 * the kind means where the message does not say it.  The last steps and the
 * schedule come from view/.  Malloced; NULL: out of memory. */
char *violation_headline(struct world *w, const struct violation *v);

#endif
