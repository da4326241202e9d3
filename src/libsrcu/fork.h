/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fork(): what the worker says about itself, for the child's sake.  See fork.c. */
#ifndef LIBSRCU_FORK_H
#define LIBSRCU_FORK_H

#include <k/domain.h>

/* How many forks lie between the program's start and this process. */
unsigned long fork_count(void);
/* `rest`, linked by next, is what the worker will invoke after the function that it is
 * about to call. */
void fork_note_batch(struct srcu *ss, struct rcu_head *rest);

#endif
