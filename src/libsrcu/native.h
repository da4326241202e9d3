/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libsrcu, what its files offer one another.  Nothing of this is installed, and every
 * symbol is hidden but those of <srcu/srcu.h>.
 *
 *	api.c		the exported functions, out-of-line readers
 *	debug.c		readers that are watched
 *	domain.c	making and ending domains, the list of all of them
 *	drive.c		srcu_synchronize(): a caller drives the grace period
 *	fork.c		what the child of a fork() has
 *	wait.c		callbacks: posting a head, calling the user's function
 *	fast*.c		fast readers, see fast.h
 *
 * Below them are the native primitives (kernel/native/), work items and timers on one
 * worker thread among them.
 *
 * The first bytes of a struct srcu_domain are the algorithm's struct srcu_struct
 * (srcu/tree.h); its updater's side and the per-CPU structures are allocated at init, or
 * at a static domain's first use.
 */
#ifndef LIBSRCU_NATIVE_H
#define LIBSRCU_NATIVE_H

#include <k/names.h>
#include <srcu/srcu.h>

struct srcu_struct;

/* What may fail, so that a test can have it fail: -D puts another function there. */
#ifdef LIBSRCU_ALLOC
void *LIBSRCU_ALLOC(size_t align, size_t size);
#else
#define LIBSRCU_ALLOC aligned_alloc
#endif
#ifdef LIBSRCU_ATFORK
int LIBSRCU_ATFORK(void (*before)(void), void (*parent)(void), void (*child)(void));
#else
#define LIBSRCU_ATFORK pthread_atfork
#endif

static inline struct srcu_struct *domain_ssp(struct srcu_domain *d)
{
	return (struct srcu_struct *)(void *)d;
}

static inline struct srcu_domain *ssp_domain(struct srcu_struct *ssp)
{
	return (struct srcu_domain *)(void *)ssp;
}

/*
 * Makes a static domain ready if this is its first use.  Never fails: without memory it
 * becomes a domain of one CPU, whose structures are in private_.
 */
void domain_ready(struct srcu_domain *d);

/*
 * Settles what readers the domain has, at the first of them (domain_ready() included).
 * Ends the program if it is settled otherwise; `call` names the caller's API function.
 */
void domain_settle(struct srcu_domain *d, enum srcu_readers kind, const char *call);

/* Says what is wrong on stderr, with the domain's address and what it was doing, and
 * aborts: for misuse that would leave a reader unprotected. */
void domain_misused(const struct srcu_domain *d, const char *what) __attribute__((noreturn));

/* --- another kind of readers: fast*.c --- */

/*
 * Fast readers beside the algorithm's own (which requests use in any domain): the first
 * one puts this into the domain by domain_add_readers(), before it counts and with a full
 * fence in between; so who drives a grace period has one before it looks whether there are
 * any.  Several threads may do so at once.  The grace
 * period is tree_gp.c's: SCAN1 of the bank not in use, flip, SCAN2 of the other.
 */
struct srcu_more_readers {
	/*
	 * Was there a moment in this call at which bank idx had no such reader that the
	 * grace period must wait for?  Called under srcu_gp_mutex, again and again until
	 * it says yes; `flipped`: in SCAN2.  Where one scan is enough SCAN1 is always yes.
	 */
	bool (*idx_check)(struct srcu_domain *d, int idx, bool flipped);
	/* Is there any reader?  A hint, for srcu_cleanup(). */
	bool (*active)(struct srcu_domain *d);
	/* In the child of a fork(), single-threaded: only its own sections are open. */
	void (*forked)(struct srcu_domain *d);
	/* srcu_cleanup() has succeeded: frees fast_ and what it holds. */
	void (*release)(struct srcu_domain *d);
};
void domain_add_readers(struct srcu_domain *d, const struct srcu_more_readers *r);

#endif
