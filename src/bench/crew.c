/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads for benchmarks: see crew.h.
 */
#include <config.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include "bench/crew.h"
#include "repl/status.h"

/* Owned by the thread that runs benchmarks; members wait at `go` and say `done`. */
static struct {
	unsigned n;			/* threads that there are */
	struct member {
		pthread_t thread;
		sem_t go;
		bool pinned;
	} member[CREW_MAX];
	sem_t done;
	bool ready;			/* semaphores, the CPUs */
	cpu_set_t cpus;			/* of the process, at its start */
	/* the job; no function: the end */
	void (*job)(void *arg, unsigned i);
	void *arg;
	bool pin;
} crew;

static void ready(void)
{
	if (crew.ready)
		return;
	if (pthread_getaffinity_np(pthread_self(), sizeof(crew.cpus), &crew.cpus)) {
		CPU_ZERO(&crew.cpus);	/* more CPUs than the set has: nothing is pinned */
	}
	sem_init(&crew.done, 0, 0);
	crew.ready = true;
}

unsigned crew_cpus(void)
{
	unsigned n;

	ready();
	n = (unsigned)CPU_COUNT(&crew.cpus);
	return n ? n : 1;
}

static void set_affinity(struct member *m, bool pin)
{
	unsigned nth = (unsigned)(m - crew.member) % crew_cpus();
	cpu_set_t set;

	if (m->pinned == pin || !CPU_COUNT(&crew.cpus))
		return;
	set = crew.cpus;
	if (pin) {
		CPU_ZERO(&set);
		for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
			if (CPU_ISSET(cpu, &crew.cpus) && !nth--)
				CPU_SET(cpu, &set);
	}
	if (!pthread_setaffinity_np(pthread_self(), sizeof(set), &set))
		m->pinned = pin;
}

static void *member_main(void *arg)
{
	struct member *m = arg;

	for (;;) {
		while (sem_wait(&m->go))
			;	/* a signal */
		if (!crew.job)
			return NULL;
		set_affinity(m, crew.pin);
		crew.job(crew.arg, (unsigned)(m - crew.member));
		sem_post(&crew.done);
	}
}

/* Signals are the first thread's: Ctrl-C is looked for there. */
static bool grow(unsigned n)
{
	sigset_t all, before;
	int err = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (; crew.n < n && !err; crew.n += !err) {
		struct member *m = &crew.member[crew.n];

		sem_init(&m->go, 0, 0);
		err = pthread_create(&m->thread, NULL, member_main, m);
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err)
		complain("cannot make a thread: %s", strerror(err));
	return !err;
}

static void start(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		sem_post(&crew.member[i].go);
}

bool crew_run(unsigned n, bool pinned, void (*job)(void *arg, unsigned i), void *arg)
{
	ready();
	if (!grow(n))
		return false;
	crew.job = job;
	crew.arg = arg;
	crew.pin = pinned;
	start(n);
	while (n)
		n -= !sem_wait(&crew.done);
	return true;
}

void crew_release(void)
{
	crew.job = NULL;
	start(crew.n);
	for (unsigned i = 0; i < crew.n; i++)
		pthread_join(crew.member[i].thread, NULL);
	crew.n = 0;
}

/* Looks this often before another thread is let run: on idle CPUs all begin at once. */
#define SPINS 2000

void crew_meet(struct crew_meeting *m, unsigned n)
{
	unsigned long times = __atomic_load_n(&m->times, __ATOMIC_ACQUIRE);

	if (__atomic_add_fetch(&m->came, 1, __ATOMIC_ACQ_REL) == n) {
		__atomic_store_n(&m->came, 0, __ATOMIC_RELAXED);
		__atomic_store_n(&m->times, times + 1, __ATOMIC_RELEASE);
		return;
	}
	for (unsigned k = 0; __atomic_load_n(&m->times, __ATOMIC_ACQUIRE) == times; k++)
		if (k >= SPINS)
			sched_yield();
}

double crew_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

void crew_sleep_ns(double ns)
{
	struct timespec ts = { .tv_sec = (time_t)(ns / 1e9) };

	ts.tv_nsec = (long)(ns - (double)ts.tv_sec * 1e9);
	while (nanosleep(&ts, &ts) && errno == EINTR)
		;
}
