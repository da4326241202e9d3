/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The worker thread, for those who make it or do its work themselves.  See k/work.h.
 */
#ifndef K_RUNTIME_H
#define K_RUNTIME_H

#include "k/work.h"

/* Makes the worker if there is none.  False: it cannot be made. */
bool k_worker_ensure(void);
bool k_worker_exists(void);
/* Is the caller on it?  (In a callback, then.) */
bool k_on_worker(void);

/*
 * To drive an item: between begin and end the item is not given to the worker when the
 * calling thread queues it.  The caller takes w->running (k_drive_lock(), k_trylock()),
 * runs the function as often as it likes (k_drive_pass()), and gives w->running back by
 * k_work_release(), with k_drive_end() before or behind.
 */
void k_drive_begin(struct work_struct *w);
/* Waits for w->running until over(arg).  False: it is over, by somebody else's doing; then
 * the caller holds nothing and drives no more. */
bool k_drive_lock(struct work_struct *w, bool (*over)(void *arg), void *arg);
/* The holder: something is over, perhaps, and it goes on for longer.  Wakes all who wait. */
void k_drive_tell(struct work_struct *w);
void k_drive_pass(struct work_struct *w);
void k_work_release(struct work_struct *w);
void k_drive_end(void);

/*
 * The user's functions run without the gate; everything else that the worker does, it
 * does within, so that who holds the gate finds nothing half done.
 */
void k_gate_open(void);
void k_gate_close(void);

/* fork(): with the gate closed by the caller, what the worker has to do is whole between
 * before and after.  In the child the gate is open again, and there is no worker. */
void k_runtime_before_fork(void);
void k_runtime_after_fork(bool child);
/* In a child, while it inherits: items may be queued, but no worker is made for them. */
void k_runtime_spawn(bool allowed);
/* In the child of a fork() that was made by the worker, from a user's function: goes on as
 * the child's worker, leaving what it was doing. */
void k_worker_restart(void) __attribute__((noreturn));

#endif
