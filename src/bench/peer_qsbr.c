/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * liburcu, qsbr: threads say when they have no section; here after each of them.
 */
#include <config.h>

#ifdef HAVE_LIBURCU
#ifndef __SANITIZE_ADDRESS__	/* it has objections to what is in the headers */
#define _LGPL_SOURCE		/* readers inline, as libsrcu's are */
#endif
#include <urcu/urcu-qsbr.h>

#define FLAVOUR qsbr
#define QUIESCENT urcu_qsbr_quiescent_state()
#define OFFLINE urcu_qsbr_thread_offline()
#define ONLINE urcu_qsbr_thread_online()
#include "bench/peer_urcu.h"
#else
typedef int peer_not_here;	/* a file is not empty */
#endif
