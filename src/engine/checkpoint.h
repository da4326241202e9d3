/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Many executions of one world: going back to its start without building it
 * again, and steps that leave no log.
 */
#ifndef SRCUSH_ENGINE_CHECKPOINT_H
#define SRCUSH_ENGINE_CHECKPOINT_H

#include "engine/driver.h"

/* Remembers the world as it stands: built, no step made.  False: world_error(). */
bool world_checkpoint(struct world *w);
bool world_has_checkpoint(const struct world *w);
/* Back to the checkpoint: memory, clock, objects and tasks as they were; each task
 * is fresh and begins its body anew, on a fresh Lua thread.  What was made since is
 * gone.  False: world_error(). */
bool world_restore(struct world *w);

/* A lean world keeps no records and no marks: world_steps() counts on, schedules and
 * traces are not to be had. */
void world_set_lean(struct world *w, bool lean);
bool world_is_lean(const struct world *w);

#endif
