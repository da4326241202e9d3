/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Linux kernel's names for what libsrcu has, for code that is to be compiled in both
 * places: include this instead of <linux/srcu.h>.  Macros, so that no symbol of the
 * program's has such a name.  A program that uses another RCU library in the same file
 * defines SRCU_NO_RCU_HEAD first, and writes struct srcu_head itself.
 */
#ifndef SRCU_KERNEL_NAMES_H
#define SRCU_KERNEL_NAMES_H

#include <srcu/srcu.h>

#define srcu_struct srcu_domain
#ifndef SRCU_NO_RCU_HEAD
#define rcu_head srcu_head
#define rcu_callback_t srcu_callback_t
#endif

#define DEFINE_SRCU(name) SRCU_DEFINE(name)
#define DEFINE_STATIC_SRCU(name) static SRCU_DEFINE(name)
#define init_srcu_struct(ssp) (-srcu_init(ssp))
#define cleanup_srcu_struct(ssp) ((void)srcu_cleanup(ssp))
#define synchronize_srcu(ssp) srcu_synchronize(ssp)
#define synchronize_srcu_expedited(ssp) srcu_synchronize_expedited(ssp)
#define call_srcu(ssp, head, func) ((void)srcu_call(ssp, head, func))
#define get_state_synchronize_srcu(ssp) srcu_get_state(ssp)
#define start_poll_synchronize_srcu(ssp) srcu_start_poll(ssp)
#define poll_state_synchronize_srcu(ssp, cookie) srcu_poll_state(ssp, cookie)
#define srcu_read_lock_nmisafe(ssp) srcu_read_lock(ssp)
#define srcu_read_unlock_nmisafe(ssp, idx) srcu_read_unlock(ssp, idx)
#define smp_mb__after_srcu_read_unlock() srcu_smp_mb_after_read_unlock()
#define srcu_dereference(p, ssp) ((void)(ssp), __atomic_load_n(&(p), __ATOMIC_CONSUME))
/* srcu_read_lock(), srcu_read_unlock(), srcu_down_read(), srcu_up_read(), srcu_barrier()
 * and srcu_batches_completed() have the same names in both. */

#endif
