/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * liburcu, memb: readers without fences, which membarrier(2) makes up for.
 */
#include <config.h>

#ifdef HAVE_LIBURCU
#ifndef __SANITIZE_ADDRESS__	/* it has objections to what is in the headers */
#define _LGPL_SOURCE		/* readers inline, as libsrcu's are */
#endif
#include <urcu/urcu-memb.h>

#define FLAVOUR memb
#include "bench/peer_urcu.h"
#else
typedef int peer_not_here;	/* a file is not empty */
#endif
