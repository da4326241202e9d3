/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * API calls as ghost events: where srcu_read_lock() begins and ends, and what
 * it was called on.  They cost no step and have no location; the oracles and
 * the views listen to them (check/, view/).  The stepped build's wrappers in
 * srcu/srcu.h and the binding emit them.
 */
#ifndef SRCUSH_ENGINE_KAPI_H
#define SRCUSH_ENGINE_KAPI_H

#include <stdint.h>

enum kapi_kind {
	KAPI_PLAIN = 0,		/* nothing an oracle cares for */
	KAPI_READ_LOCK,		/* result: idx; a section begins at the end of the call */
	KAPI_READ_UNLOCK,	/* arg: idx; the section ends at the begin of the call */
	KAPI_DOWN_READ, KAPI_UP_READ, /* the same, but any task may end it */
	KAPI_SYNCHRONIZE,	/* waits for a grace period from begin to end */
	KAPI_CALL,		/* arg: the rcu_head; grace period to KAPI_CALLBACK.
				 * Result: 0 if it was refused: no callback comes */
	KAPI_CALLBACK,		/* arg: the rcu_head; around the callback's invocation */
	KAPI_BARRIER,
	KAPI_GET_STATE,		/* result: a cookie */
	KAPI_POLL,		/* arg: the cookie, result: 1 if a grace period elapsed */
	KAPI_CLEANUP,
	KAPI_DRAIN,		/* a worker waits for readers; arg: for this rcu_head's
				 * grace period, or 0 */
};

struct kapi {
	const char *name;	/* "srcu_read_lock" */
	enum kapi_kind kind;
};

/* The current task enters and leaves an API call on `obj`: NULL, or a structure
 * whose FIRST member is its `struct object *` (struct srcu, struct kvm).  No-ops
 * on the driver's stack. */
void kapi_enter(const struct kapi *api, void *obj, uint64_t arg);
/* The identity of such a structure, 0 for NULL. */
uint32_t kapi_object_id(const void *obj);
void kapi_exit(uint64_t result);

#endif
