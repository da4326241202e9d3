/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * liburcu, mb: readers with full fences.
 */
#include <config.h>

#ifdef HAVE_LIBURCU
#ifndef __SANITIZE_ADDRESS__	/* it has objections to what is in the headers */
#define _LGPL_SOURCE		/* readers inline, as libsrcu's are */
#endif
#include <urcu/urcu-mb.h>

#define FLAVOUR mb
#include "bench/peer_urcu.h"
#else
typedef int peer_not_here;	/* a file is not empty */
#endif
