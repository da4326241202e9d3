/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A domain as those see it who use SRCU and do not implement it: libsrcu's. */
#ifndef K_SRCU_H
#define K_SRCU_H

#include <srcu/srcu.h>

#include "k/access.h"

typedef struct srcu_domain k_srcu;

#define synchronize_srcu(ss)		srcu_synchronize(ss)
#define synchronize_srcu_expedited(ss)	srcu_synchronize_expedited(ss)
#define smp_mb__after_srcu_read_unlock() srcu_smp_mb_after_read_unlock()

#endif
