/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * liburcu, bp: as memb, and threads need not be registered.
 */
#include <config.h>

#ifdef HAVE_LIBURCU
#ifndef __SANITIZE_ADDRESS__	/* it has objections to what is in the headers */
#define _LGPL_SOURCE		/* readers inline, as libsrcu's are */
#endif
#include <urcu/urcu-bp.h>

#define FLAVOUR bp
#include "bench/peer_urcu.h"
#else
typedef int peer_not_here;	/* a file is not empty */
#endif
