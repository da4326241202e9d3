/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What stress runs need of libsrcu, as functions: its header and that of the stepped
 * SRCU have structures and functions of the same names, and no file can include both.
 */
#include <config.h>

#include <errno.h>
#include <stdlib.h>

#include <srcu/srcu.h>

#include "stress/native.h"

struct stress_domain {
	struct srcu_domain d;
};

struct stress_callback {
	struct srcu_head head;	/* first */
	void (*fn)(void *);
	void *arg;
};

struct stress_domain *stress_domain_new(void)
{
	struct stress_domain *sd = aligned_alloc(_Alignof(struct stress_domain), sizeof(*sd));

	if (sd && srcu_init(&sd->d)) {
		free(sd);
		return NULL;
	}
	return sd;
}

bool stress_domain_init(struct stress_domain *sd)
{
	return !srcu_init(&sd->d);
}

bool stress_domain_cleanup(struct stress_domain *sd)
{
	return !srcu_cleanup(&sd->d);
}

void stress_domain_free(struct stress_domain *sd, bool cleaned)
{
	if (cleaned || !srcu_cleanup(&sd->d))
		free(sd);
}

uint64_t stress_lock(struct stress_domain *sd)
{
	return (uint64_t)srcu_read_lock(&sd->d);
}

void stress_unlock(struct stress_domain *sd, uint64_t idx)
{
	srcu_read_unlock(&sd->d, (int)idx);
}

uint64_t stress_lock_fast(struct stress_domain *sd)
{
	return (uintptr_t)srcu_read_lock_fast(&sd->d);
}

void stress_unlock_fast(struct stress_domain *sd, uint64_t ctr, bool other_thread)
{
	if (other_thread)
		srcu_up_read_fast(&sd->d, (struct srcu_ctr *)(uintptr_t)ctr);
	else
		srcu_read_unlock_fast(&sd->d, (struct srcu_ctr *)(uintptr_t)ctr);
}

void stress_synchronize(struct stress_domain *sd, bool expedited)
{
	if (expedited)
		srcu_synchronize_expedited(&sd->d);
	else
		srcu_synchronize(&sd->d);
}

static void invoke(struct srcu_head *head)
{
	struct stress_callback *c = (struct stress_callback *)head;
	void (*fn)(void *) = c->fn;
	void *arg = c->arg;

	free(c);
	fn(arg);
}

int stress_call(struct stress_domain *sd, void (*fn)(void *), void *arg)
{
	struct stress_callback *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return ENOMEM;
	c->fn = fn;
	c->arg = arg;
	r = srcu_call(&sd->d, &c->head, invoke);
	if (r)
		free(c);
	return r;
}

int stress_barrier(struct stress_domain *sd)
{
	return srcu_barrier(&sd->d);
}

uint64_t stress_get_state(struct stress_domain *sd)
{
	return srcu_get_state(&sd->d);
}

uint64_t stress_start_poll(struct stress_domain *sd)
{
	return srcu_start_poll(&sd->d);
}

bool stress_poll(struct stress_domain *sd, uint64_t cookie)
{
	return srcu_poll_state(&sd->d, cookie);
}
