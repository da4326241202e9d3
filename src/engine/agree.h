/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What processes that explore one scenario have to agree on: a journal in memory
 * that they share, to which each adds what it meets first.  All read the same records
 * in the same order, so that whatever is numbered in that order has the same number
 * everywhere.
 */
#ifndef SRCUSH_ENGINE_AGREE_H
#define SRCUSH_ENGINE_AGREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum agree_kind {
	AGREE_CHILD,	/* idspace: the nth thing that a creator makes */
	AGREE_NAME,	/* idspace: a thing known by its name */
	AGREE_CHUNK,	/* idspace: a creator's chunk of memory */
	AGREE_TASK,	/* explorer: a task's slot */
	AGREE_PLACE,	/* explorer: a location's class */
	AGREE_WAITER,	/* explorer: the only one who waits on a class */
	AGREE_USE,	/* explorer: who takes or wants a lock where */
	AGREE_NEST,	/* explorer: a lock that is wanted by the owner of another */
	AGREE_TIMER,	/* explorer: a class is a timer's, or is disarmed */
};

struct agree_record {
	uint16_t kind;
	uint16_t len;		/* of what follows, in bytes */
	uint32_t v[];
};

struct agree;
struct agree *agree_new(void);	/* NULL: no memory; inherited by the processes that are forked */
void agree_free(struct agree *a);
/* The record at *at, which moves on; NULL: there is no further one. */
const struct agree_record *agree_next(const struct agree *a, size_t *at);
/* To add something: take the lock, read on to the end, and add it if it still is not
 * there.  A process that dies meanwhile has added nothing. */
void agree_lock(struct agree *a);
void agree_unlock(struct agree *a);
bool agree_add(struct agree *a, enum agree_kind kind, const void *v, size_t len); /* false: full */

#endif
