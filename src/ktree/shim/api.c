/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The calls that a tree offers, as functions of one shape.  Compiled as the tree's own
 * files are, because much of what they call is inline.
 */
#line 7 "src/ktree/shim/api.c"
#include "tree.h"
#include "adaptor.h"

static void static_init(void *ssp, void *sup, void *sda)
{
#ifdef KTREE_HAS_static_init
	ktree_static_init(ssp, sup, sda);
#endif
#ifdef KTREE_HAS_static_work
	ktree_static_work(ssp, sup, sda);
#endif
	(void)ssp, (void)sup, (void)sda;
}

void ktree_api(struct ktree_image *im)
{
#ifdef KTREE_HAS_init
	im->init = ktree_init;
#endif
#ifdef KTREE_HAS_static_init
	im->init_static = static_init;
#endif
#ifdef KTREE_HAS_cleanup
	im->cleanup = ktree_cleanup;
#endif
#ifdef KTREE_HAS_read_lock
	im->read_lock = ktree_read_lock;
#endif
#ifdef KTREE_HAS_read_unlock
	im->read_unlock = ktree_read_unlock;
#endif
#ifdef KTREE_HAS_read_lock_nmisafe
	im->read_lock_nmisafe = ktree_read_lock_nmisafe;
#endif
#ifdef KTREE_HAS_read_unlock_nmisafe
	im->read_unlock_nmisafe = ktree_read_unlock_nmisafe;
#endif
#ifdef KTREE_HAS_down_read
	im->down_read = ktree_down_read;
#endif
#ifdef KTREE_HAS_up_read
	im->up_read = ktree_up_read;
#endif
#ifdef KTREE_HAS_synchronize
	im->synchronize = ktree_synchronize;
#endif
#ifdef KTREE_HAS_synchronize_expedited
	im->synchronize_expedited = ktree_synchronize_expedited;
#endif
#ifdef KTREE_HAS_call
	im->call = ktree_call;
#endif
#ifdef KTREE_HAS_barrier
	im->barrier = ktree_barrier;
#endif
#ifdef KTREE_HAS_get_state
	im->get_state = ktree_get_state;
#endif
#ifdef KTREE_HAS_start_poll
	im->start_poll = ktree_start_poll;
#endif
#ifdef KTREE_HAS_poll_state
	im->poll_state = ktree_poll_state;
#endif
#ifdef KTREE_HAS_batches_completed
	im->batches_completed = ktree_batches_completed;
#endif
}
