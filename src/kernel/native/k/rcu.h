/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Accessors of RCU-protected pointers: native.  See the stepped header of this name. */
#ifndef K_RCU_H
#define K_RCU_H

#include "k/access.h"

#define srcu_dereference(p, ss)		((void)(ss), rcu_dereference_raw(p))
#define rcu_dereference_protected(p, c)	((void)(c), (p))
/* A load and a store, no exchange: the caller is alone with the pointer. */
#define rcu_replace_pointer(p, v, c) ({						\
		__typeof__(p) k_old = rcu_dereference_protected(p, c);		\
		rcu_assign_pointer(p, v);					\
		k_old; })

#endif
