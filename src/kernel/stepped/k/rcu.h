/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Accessors of RCU-protected pointers: stepped.  What the C algorithms need
 * beside rcu_dereference_raw() and rcu_assign_pointer() of k/access.h.
 */
#ifndef K_RCU_H
#define K_RCU_H

#include "k/access.h"

/* For a reader inside a section of `ss`; the load heads its dependencies. */
#define srcu_dereference(p, ss)	((void)(ss), K_LOAD(&(p), ORD_DEREF, "srcu_dereference", OP_LOAD))
/* For an updater whom something (`c` says what) keeps alone with the pointer:
 * a plain load, in which a second updater would be a data race. */
#define rcu_dereference_protected(p, c)	\
	((void)(c), K_LOAD(&(p), ORD_NONE, "rcu_dereference_protected", OP_PLAIN_LOAD))
/* Two steps, a load and a store, as in the kernel: it is no exchange, and two
 * updaters without a lock may both get the same old pointer. */
#define rcu_replace_pointer(p, v, c) ({						\
		__typeof__(p) k_old = rcu_dereference_protected(p, c);		\
		rcu_assign_pointer(p, v);					\
		k_old; })

#endif
