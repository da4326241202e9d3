/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sequential consistency (Lamport 1979): all events stand in one order, a load
 * returns the latest store, a store is seen by everybody at once.  The arena
 * holds the latest values, which is what the driver takes where a model has
 * nothing else to say.
 */
#include <config.h>

#include "memory/model.h"

const struct memory_model memory_sc = { .name = "sc" };
