/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the primitives meet what performs them, in an image: the host is asked, through
 * the table of ktree/abi.h.  Takes the place of the program's own k/event.h.
 */
#ifndef K_EVENT_H
#define K_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/site.h"

/* Sites lie apart from the other static data: they are the process's, not a world's. */
/* an array of them: with no more room between than their size says */
#define K_SITE_ATTR __attribute__((section("ktree_sites"), aligned(8)))
#define K_LINK list_head

/* One step; at once and no step where `loc` is not simulated memory (kernel.c). */
uint64_t ktree_event(struct site *s, const volatile void *loc, unsigned size, uint64_t a,
		     uint64_t b);

#define K_EV(site_, loc_, size_, a_, b_) \
	ktree_event(site_, loc_, size_, (uint64_t)(a_), (uint64_t)(b_))

#endif
