/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What stress runs need of libsrcu: see native.c.  The functions are those of
 * srcu/srcu.h, one each; an index or a counter pointer is a number here.
 */
#ifndef SRCUSH_STRESS_NATIVE_H
#define SRCUSH_STRESS_NATIVE_H

#include <stdbool.h>
#include <stdint.h>

struct stress_domain;

/* NULL: out of memory. */
struct stress_domain *stress_domain_new(void);
/* Releases a domain to which no callback is pending; `cleaned`: stress_domain_cleanup() was
 * its last use.  One with an open section is given up: its memory stays. */
void stress_domain_free(struct stress_domain *sd, bool cleaned);
/* False: in use. */
bool stress_domain_cleanup(struct stress_domain *sd);
/* Again, after cleanup; false: out of memory. */
bool stress_domain_init(struct stress_domain *sd);

uint64_t stress_lock(struct stress_domain *sd);
void stress_unlock(struct stress_domain *sd, uint64_t idx);
uint64_t stress_lock_fast(struct stress_domain *sd);
void stress_unlock_fast(struct stress_domain *sd, uint64_t ctr, bool other_thread);
void stress_synchronize(struct stress_domain *sd, bool expedited);
/* 0 or an errno value; fn(arg) is called by libsrcu's worker. */
int stress_call(struct stress_domain *sd, void (*fn)(void *), void *arg);
int stress_barrier(struct stress_domain *sd);
uint64_t stress_get_state(struct stress_domain *sd);
uint64_t stress_start_poll(struct stress_domain *sd);
bool stress_poll(struct stress_domain *sd, uint64_t cookie);

#endif
