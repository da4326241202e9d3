/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The baton and the delays of stress runs: see baton.h.
 */
#include <config.h>

#include <errno.h>
#include <sched.h>
#include <time.h>

#include "stress/baton.h"

bool stress_baton_init(struct stress_baton *b)
{
	if (pthread_mutex_init(&b->lock, NULL))
		return false;
	if (sem_init(&b->ended, 0, 0)) {
		pthread_mutex_destroy(&b->lock);
		return false;
	}
	atomic_init(&b->holder, NULL);
	atomic_init(&b->abort, false);
	return true;
}

void stress_baton_release(struct stress_baton *b)
{
	sem_destroy(&b->ended);
	pthread_mutex_destroy(&b->lock);
}

void stress_take(struct stress_baton *b, void *who)
{
	pthread_mutex_lock(&b->lock);
	atomic_store_explicit(&b->holder, who, memory_order_relaxed);
}

void stress_give(struct stress_baton *b)
{
	atomic_store_explicit(&b->holder, NULL, memory_order_relaxed);
	pthread_mutex_unlock(&b->lock);
}

bool stress_take_within(struct stress_baton *b, void *who, double seconds)
{
	struct timespec until;

	clock_gettime(STRESS_CLOCK, &until);
	until.tv_nsec += (long)(seconds * 1e9) % 1000000000;
	until.tv_sec += (time_t)seconds + until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	if (stress_mutex_lock(&b->lock, &until))
		return false;
	atomic_store_explicit(&b->holder, who, memory_order_relaxed);
	return true;
}

/* --- delays --- */

/* splitmix64: every seed will do, neighbours too. */
uint64_t stress_draw(struct stress_dice *d)
{
	uint64_t z = d->state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

void stress_dice_init(struct stress_dice *d, uint64_t seed, uint64_t round, uint64_t thread)
{
	d->state = seed;
	d->state = stress_draw(d) + round;
	d->state = stress_draw(d) + thread;
}

static void nap(long us)
{
	nanosleep(&(struct timespec){ .tv_nsec = us * 1000 }, NULL);
}

void stress_delay(struct stress_dice *d)
{
	uint64_t r = stress_draw(d);
	unsigned spin = r >> 32 & 0xff;

	switch (r & 15) {
	case 0:
		nap(1 + (long)(r >> 8 & 63));
		break;
	case 1: case 2: case 3:
		sched_yield();
		break;
	case 4: case 5:
		while (spin--)
			atomic_signal_fence(memory_order_seq_cst);
		break;
	}
}

void stress_pause(unsigned tries)
{
	if (tries < 20)
		sched_yield();
	else
		nap(tries < 200 ? 20 : 500);
}
