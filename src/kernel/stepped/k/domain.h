/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an SRCU domain and a callback are to the algorithm's files: stepped.  The domain is
 * the world's object, and its faults are chosen when it is made.
 */
#ifndef K_DOMAIN_H
#define K_DOMAIN_H

#include "srcu/srcu.h"

#define K_FAULTS(ssp) ((ssp)->faults)
/* Readers beside those that the algorithm's own counters know of: there are none. */
#define k_more_readers_gone(ssp, idx) true
#define k_more_readers_active(ssp) false

#endif
