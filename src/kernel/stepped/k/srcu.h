/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A domain as those see it who use SRCU and do not implement it: stepped. */
#ifndef K_SRCU_H
#define K_SRCU_H

#include "k/access.h"
#include "srcu/srcu.h"

typedef struct srcu k_srcu;

#define smp_mb__after_srcu_read_unlock() \
	K_FENCE(ORD_MB_AFTER_SRCU_UNLOCK, "smp_mb__after_srcu_read_unlock", NULL)

#endif
