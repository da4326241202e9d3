/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Many executions of one world: steps that leave no log.
 */
#include <config.h>

#include "engine/checkpoint.h"
#include "engine/internal.h"

bool world_checkpoint(struct world *w)
{
	return world_fail(w, "this world cannot be put back to its start");
}

bool world_has_checkpoint(const struct world *w)
{
	(void)w;
	return false;
}

bool world_restore(struct world *w)
{
	return world_fail(w, "there is no checkpoint");
}

void world_set_lean(struct world *w, bool lean) { w->lean = lean; }
bool world_is_lean(const struct world *w) { return w->lean; }
