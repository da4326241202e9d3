/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libsrcu's fast readers: no fence, no locked instruction.
 */
#include <config.h>

#include <srcu/srcu.h>

#include "bench/peer.h"

static SRCU_DEFINE(domain);

PEER_PAIRS(pairs, struct srcu_ctr *ctr = srcu_read_lock_fast(&domain), srcu_read_unlock_fast(&domain, ctr))

#define PEER peer_fast
#define NAME "libsrcu fast"
#include "bench/peer_srcu.h"
