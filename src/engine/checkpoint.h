/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Many executions of one world: going back to its start without building it
 * again, and steps that leave no log.
 */
#ifndef SRCUSH_ENGINE_CHECKPOINT_H
#define SRCUSH_ENGINE_CHECKPOINT_H

#include "engine/driver.h"

/* Remembers the world as it stands: built, no step made, nobody primed (world_rebuild()).
 * It is forgotten when the world is built again.  False: world_error(). */
bool world_checkpoint(struct world *w);
bool world_has_checkpoint(const struct world *w);
/* Back to the checkpoint: memory, clock, objects and tasks as they were; each task
 * is fresh and begins its body anew, on a fresh Lua thread.  What was made since is
 * gone.  False: world_error(). */
bool world_restore(struct world *w);

/*
 * Back to the checkpoint, but for the tasks, which stay where they stand.  False: not
 * possible, because more than memory and what is on the tasks' stacks has changed since;
 * then nothing was done.  Only of lean worlds.
 */
bool world_restore_memory(struct world *w);
/* After that: one task begins anew, and goes on past what it announces as if that had been
 * performed, as long as tell() knows the answer (task.h). */
bool task_begin_again(struct task *t, bool (*tell)(void *arg, struct task *t), void *arg);
/* A lean world keeps no records and no marks: world_steps() counts on, schedules and
 * traces are not to be had, sites may have no line.  To be changed only between two
 * executions. */
void world_set_lean(struct world *w, bool lean);
bool world_is_lean(const struct world *w);
/* world_step() in a lean world, of a task that is known to be enabled, with a choice that
 * it has; nobody is fresh.  What would have been its record's value, stored and
 * REC_REFUSED is put there. */
enum step_result world_step_lean(struct world *w, struct task *t, unsigned choice, struct record *r);

#endif
