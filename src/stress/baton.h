/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The run time of stress runs, without Lua: the baton, which a thread holds while it runs
 * Lua and gives away around each primitive; the delays that make primitives meet; and the
 * end of a round that does not end by itself.
 */
#ifndef SRCUSH_STRESS_BATON_H
#define SRCUSH_STRESS_BATON_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Waits until a time that setting the clock does not move, where the system has that. */
#if defined(HAVE_SEM_CLOCKWAIT) && defined(HAVE_PTHREAD_MUTEX_CLOCKLOCK)
#define STRESS_CLOCK CLOCK_MONOTONIC
#define stress_sem_wait(sem, until) sem_clockwait(sem, STRESS_CLOCK, until)
#define stress_mutex_lock(m, until) pthread_mutex_clocklock(m, STRESS_CLOCK, until)
#else
#define STRESS_CLOCK CLOCK_REALTIME
#define stress_sem_wait(sem, until) sem_timedwait(sem, until)
#define stress_mutex_lock(m, until) pthread_mutex_timedlock(m, until)
#endif

struct stress_baton {
	pthread_mutex_t lock;	/* whose holder runs Lua */
	sem_t ended;		/* posted once by each thread that has come to its end */
	_Atomic(void *) holder;	/* what the holder named itself, for whom it keeps waiting */
	atomic_bool abort;	/* the round is to end: who waits gives up */
};

/* What a thread draws its delays from; per thread. */
struct stress_dice {
	uint64_t state;
};

/* False: no memory for it. */
bool stress_baton_init(struct stress_baton *b);
void stress_baton_release(struct stress_baton *b);

void stress_take(struct stress_baton *b, void *who);
void stress_give(struct stress_baton *b);
/* Like stress_take(), but not for longer: false. */
bool stress_take_within(struct stress_baton *b, void *who, double seconds);

void stress_dice_init(struct stress_dice *d, uint64_t seed, uint64_t round, uint64_t thread);
uint64_t stress_draw(struct stress_dice *d);
/* Without the baton: often nothing, sometimes a yield or some microseconds. */
void stress_delay(struct stress_dice *d);
/* Without the baton, between two looks at what is waited for: the `tries`-th. */
void stress_pause(unsigned tries);

#endif
