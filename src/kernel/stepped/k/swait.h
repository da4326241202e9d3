/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A simple wait queue with one sleeper: stepped.  A sleeper prepares, looks at its
 * condition and sleeps; a wake-up that comes after it has prepared is not lost, one
 * that comes when nobody has prepared goes to nobody.
 */
#ifndef K_SWAIT_H
#define K_SWAIT_H

#include "k/access.h"

struct swait_queue_head { u64 woken; };

#define init_swait_queue_head(q) ((void)((q)->woken = 0))
/* `cond` is evaluated each time around; its accesses are steps. */
#define swait_event_exclusive(q, cond) do {					\
		for (;;) {							\
			K_STORE(&(q).woken, 0, ORD_ONCE, "prepare_to_swait", OP_STORE); \
			smp_mb(); /* to be seen preparing before looking, as a waker \
				   * changes things before it looks for sleepers */ \
			if (cond)						\
				break;						\
			(void)K_EV(K_SITE(OP_WAIT, ORD_ACQUIRE, SITE_SLEEPS, "schedule", #q, NULL), \
				   &(q).woken, 8, 0, 0);			\
		}								\
	} while (0)
#define swake_up_one(q)	((void)K_RMW(&(q)->woken, OP_XCHG, ORD_FULL, "swake_up_one", 1, 0))

#endif
