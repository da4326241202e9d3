/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a domain consists of beside what readers see: the part of struct srcu_domain that
 * the installed header calls private_.
 */
#ifndef LIBSRCU_DOMAIN_H
#define LIBSRCU_DOMAIN_H

#include "srcu/tree.h"
#include "native.h"

struct domain_part {
	struct srcu ss;
	struct srcu_usage sup;
	void *memory;			/* what was allocated, or NULL */
	struct srcu_domain *next, *prev; /* of all domains; under the list's lock */
	/* for a static domain that gets no memory at its first use: one CPU's */
	struct srcu_node spare_node;
	struct srcu_data spare_sda[1];
};

static inline struct domain_part *domain_part(struct srcu_domain *d)
{
	return (struct domain_part *)(void *)d->private_;
}

/* Every field of the algorithm's, as in a domain nobody has used; d's memory is there. */
void domain_reset(struct srcu_domain *d);

/* The list of all domains: locked by the first, which returns its head. */
struct srcu_domain *domains_lock(void);
void domains_unlock(void);
/* The head again, for who holds the lock. */
struct srcu_domain *domains_first(void);
/* In the child of a fork(), which has inherited the lock held. */
void domains_unlock_child(void);

/* fork.c: registers what fork() must call.  False: no memory. */
bool fork_prepared(void);

#endif
