/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest that runs until its CPU is interrupted: stepped.  Interrupts are counted in a
 * u64, and stay there until they are taken.  `prim` and `expr` name the step.
 */
#ifndef K_KICK_H
#define K_KICK_H

#include "k/access.h"

/* Until one was sent; it is not taken. */
#define k_guest_wait(kick, prim, expr)						\
	((void)K_EV(K_SITE(OP_WAIT, ORD_ACQUIRE, 0, prim, expr, NULL), kick, sizeof(*(kick)), 1, 0))
#define k_guest_kick(kick, prim, expr)						\
	((void)K_EV(K_SITE(OP_COMPLETE, ORD_RELEASE, 0, prim, expr, NULL), kick, sizeof(*(kick)), 1, 0))

#endif
