/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Everything of the kernel vocabulary that the algorithms of srcu/ and kvm/ use, at once. */
#ifndef K_KERNEL_H
#define K_KERNEL_H

#include "k/types.h"
#include "k/access.h"
#include "k/bitops.h"
#include "k/lock.h"
#include "k/mem.h"
#include "k/rcu.h"
#include "k/work.h"

#endif
