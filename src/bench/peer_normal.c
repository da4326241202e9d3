/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libsrcu's normal readers, the kernel's: per-CPU counters, full fences.
 */
#include <config.h>

#include <srcu/srcu.h>

#include "bench/peer.h"

static SRCU_DEFINE(domain);

PEER_PAIRS(pairs, int idx = srcu_read_lock(&domain), srcu_read_unlock(&domain, idx))

#define PEER peer_normal
#define NAME "libsrcu normal"
#include "bench/peer_srcu.h"
