/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the primitives meet what performs them.  This is the program's own: a step of
 * the current task.  What is compiled from a kernel tree takes the other headers of this
 * directory as they are, and has a header of this name of its own (ktree/shim/).
 */
#ifndef K_EVENT_H
#define K_EVENT_H

#include "engine/task.h"

/* What a site has beside `static`, and what the type of a work item's links is called. */
#define K_SITE_ATTR
#define K_LINK k_link

#define K_EV(site_, loc_, size_, a_, b_)					\
	task_event((struct event){ .site = (site_), .loc = (void *)(loc_),	\
		.size = (size_), .op = (site_)->op, .order = (site_)->order,	\
		.a = (uint64_t)(a_), .b = (uint64_t)(b_) })

#endif
