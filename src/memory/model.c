/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The models by their names.  Sequential consistency (Lamport 1979): all events stand in
 * one order, a load returns the latest store, a store is seen by everybody at once.  The
 * arena holds the latest values, which is what the driver takes where a model has
 * nothing else to say.
 */
#include <config.h>

#include "memory/model.h"

#include <string.h>

const struct memory_model memory_sc = { .name = "sc" };
const struct memory_model memory_sc_graphs = { .name = "sc", .consistent = mm_sc, .order = mm_order_sc };
const struct memory_model memory_tso = { .name = "tso", .consistent = mm_tso, .order = mm_order_tso,
					 .newest = mm_tso_newest, .buffers = true };
const struct memory_model memory_weak = { .name = "weak", .consistent = mm_promises, .newest = mm_lkmm_newest };

const struct memory_model *memory_model_by_name(const char *name)
{
	static const struct memory_model *const all[] = { &memory_sc, &memory_tso, &memory_weak };

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (!strcmp(all[i]->name, name))
			return all[i];
	return NULL;
}
