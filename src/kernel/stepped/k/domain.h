/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an SRCU domain and a callback are to the algorithm's files: stepped.  The domain is
 * the world's object, and its faults are chosen when it is made.
 */
#ifndef K_DOMAIN_H
#define K_DOMAIN_H

#include "srcu/srcu.h"
#include "srcu/tree_fast.h"

#define K_FAULTS(ssp) ((ssp)->faults)
/* Readers beside those that the algorithm's own counters know of. */
#define k_more_readers_gone(ssp, idx) tree_fast_gone(ssp, idx)
#define k_more_readers_active(ssp) tree_fast_active(ssp)

/* A callback that is about to be called: the head may be posted again. */
#define k_unqueue(head) WRITE_ONCE(head->queued, 0)

#endif
