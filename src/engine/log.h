/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The log: every performed step as a 32-byte record, every begin and end of an
 * API call as a mark, in chunks that never move.  Texts are made only here,
 * when somebody reads them.
 */
#ifndef SRCUSH_ENGINE_LOG_H
#define SRCUSH_ENGINE_LOG_H

#include "engine/world.h"

const struct record *log_record(struct world *w, uint64_t step);	/* 1..world_steps() */
size_t log_mark_count(struct world *w);
const struct mark *log_mark(struct world *w, size_t i);			/* from 0 */
const struct kapi *kapi_by_id(unsigned id);

/* A record in words.  Pointers in it live until the next call or rebuild. */
struct event_view {
	uint64_t n;			/* step number */
	struct task *task;		/* NULL: an advance() from outside */
	const char *thread;		/* its name, or "clock" */
	unsigned cpu;
	const char *op;			/* "load", "store", "add", "fence", "lock" ... */
	const char *prim;		/* "READ_ONCE", "spin_lock" ... */
	char object[96];		/* the location's name, or "" */
	char value[64];			/* what the task got, in words, or "" */
	char stored[64];		/* what the location holds afterwards, or "" */
	bool changed;			/* the location's value changed */
	const char *order;		/* "" where none */
	const char *call;		/* enclosing API call, or "" */
	char call_obj[64];		/* what that was called on, or "" */
	const char *file, *func;
	int line;
	const char *label;		/* barrier letter, or "" */
	char text[256];			/* the line as shown: "ss.cpu0.lock_count[0]: 0 -> 1" */
	char note[128];			/* what the memory model made of it, or "" */
	uint64_t raw_value, raw_stored;
};
bool event_view(struct world *w, uint64_t step, struct event_view *v);
/* The same for what t has announced (n = the number it would get). */
bool pending_view(struct world *w, struct task *t, struct event_view *v);

/*
 * Under a memory model in which a load may return an older store and a store may be an older
 * one: which it was.  A choice counts from the newest, 1.
 */
struct log_access {
	uint32_t step;
	uint32_t choice;
	uint32_t source;	/* reads: the step of the store that was read; 0: what was there first */
};
/* A condition that came true in that step read the store of another one, 0 as above. */
struct log_seen {
	uint32_t step, loc, source;
};
/* Of that step; NULL: it is no access, or there was no choice. */
const struct log_access *log_access(struct world *w, uint64_t step);
/* The number that a schedule has for that step: choose()'s or the model's; 0: the first. */
unsigned log_choice(struct world *w, uint64_t step);

#endif
