/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The processes of an exploration and what goes to and fro between them: messages with
 * their length in front, over a pair of sockets for each; and, in memory that they
 * share, what is looked at between executions.
 */
#include <config.h>

#include "explore/jobs.h"

#include "explore/judge.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DRAIN_MS 2000	/* then who was asked to stop is killed */

static size_t shared_size(const struct jobs *j)
{
	return sizeof(struct jobs_shared) + j->n * sizeof(struct jobs_status);
}

/* --- bytes --- */

static bool send_all(int fd, const void *v, size_t n)
{
	const unsigned char *p = v;

	while (n) {
		ssize_t k = send(fd, p, n, MSG_NOSIGNAL);

		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return false;
		p += k;
		n -= (size_t)k;
	}
	return true;
}

static bool send_message(int fd, const struct wire *m)
{
	uint64_t n = m->n;

	return send_all(fd, &n, sizeof(n)) && send_all(fd, m->v, m->n);
}

/* Waits; false: the other side is gone. */
static bool read_message(int fd, struct wire *m)
{
	unsigned char part[16384];
	uint64_t n = 0;

	wire_clear(m);
	while (m->n < sizeof(n) || m->n < sizeof(n) + n) {
		size_t want = m->n < sizeof(n) ? sizeof(n) - m->n : sizeof(n) + n - m->n;
		ssize_t k = recv(fd, part, want < sizeof(part) ? want : sizeof(part), 0);

		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return false;
		wire_put(m, part, (size_t)k);
		if (m->bad)
			return false;
		if (m->n >= sizeof(n))
			memcpy(&n, m->v, sizeof(n));
	}
	m->at = sizeof(n);
	return true;
}

/* --- a worker --- */

void jobs_tell(struct jobs *j, const struct wire *m)
{
	/* before: who dies in between takes too many of the bound away, never too few */
	atomic_store(&j->me->taken, 0);
	atomic_store(&j->me->complete, 0);
	atomic_store(&j->me->blocked, 0);
	fflush(NULL);
	if (!send_message(j->fd, m))
		_exit(EXIT_FAILURE);	/* nobody to tell */
}

bool jobs_take(struct jobs *j)
{
	uint64_t max = j->x->opts.max_executions;

	if (!max)
		return true;
	/* in this order: who dies in between takes one too many away, never one too few */
	if (atomic_fetch_add(&j->shared->taken, 1) >= max) {
		atomic_fetch_sub(&j->shared->taken, 1);
		return false;
	}
	atomic_fetch_add(&j->me->taken, 1);
	return true;
}

void jobs_take_back(struct jobs *j)
{
	if (!j->x->opts.max_executions)
		return;
	atomic_fetch_sub(&j->me->taken, 1);
	atomic_fetch_sub(&j->shared->taken, 1);
}

void jobs_show(struct jobs *j, size_t pending)
{
	struct jobs_status *s = j->me;

	atomic_store_explicit(&s->complete, j->x->report.complete, memory_order_relaxed);
	atomic_store_explicit(&s->blocked, j->x->report.blocked, memory_order_relaxed);
	atomic_store_explicit(&s->deepest, j->x->report.deepest, memory_order_relaxed);
	atomic_store_explicit(&s->pending, pending, memory_order_relaxed);
}

/* What belongs to the coordinator: the terminal, the clock, what was found so far. */
static void become_worker(struct jobs *j, unsigned i, int fd, const struct itimerval *timer)
{
	struct explore *x = j->x;

	for (unsigned k = 0; k < j->n; k++)
		if (j->w[k].pid)
			close(j->w[k].fd);
	signal(SIGINT, SIG_IGN);	/* the coordinator sees to it */
	signal(SIGTERM, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	setitimer(ITIMER_VIRTUAL, timer, NULL);	/* it is not inherited */
	j->fd = fd;
	j->me = &j->shared->w[i];
	x->interrupted = NULL;
	x->progress = NULL;
	x->opts.seconds = 0;
	explore_forget(x);
	for (size_t k = 0; k < x->report.nviolations; k++)
		x->judge->runs[k].told = true;
}

static void be_worker(struct jobs *j)
{
	struct wire packet = { 0 };

	while (read_message(j->fd, &packet))
		j->work(j, &packet);
	_exit(EXIT_SUCCESS);
}

/* --- starting and ending --- */

static bool start_one(struct jobs *j, unsigned i)
{
	pid_t coordinator = getpid();
	struct itimerval timer;
	int fd[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd))
		return false;
	getitimer(ITIMER_VIRTUAL, &timer);
	fflush(NULL);
	j->w[i].pid = fork();
	if (!j->w[i].pid) {
		close(fd[0]);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != coordinator)
			_exit(EXIT_FAILURE);
		become_worker(j, i, fd[1], &timer);
		be_worker(j);
	}
	close(fd[1]);
	j->w[i].fd = fd[0];
	if (j->w[i].pid > 0)
		return true;
	close(fd[0]);
	j->w[i].pid = 0;
	return false;
}

static void nobody(const char *why)
{
	fprintf(stderr, "srcush: explore: no further process could be started (%s)\n", why);
}

bool jobs_start(struct jobs *j)
{
	j->n = j->x->opts.jobs;
	j->alive = 0;
	j->w = calloc(j->n, sizeof(*j->w));
	j->shared = mmap(NULL, shared_size(j), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (j->shared == MAP_FAILED)
		j->shared = NULL;
	if (j->w && j->shared) {
		atomic_store(&j->shared->taken, j->x->executions);
		while (j->alive < j->n && start_one(j, j->alive))
			j->alive++;
	}
	if (j->alive < j->n)
		nobody(strerror(errno));
	if (j->alive > 1)
		return true;
	jobs_end(j);
	return false;
}

static void forget_worker(struct jobs *j, unsigned i)
{
	struct worker *w = &j->w[i];

	close(w->fd);
	while (waitpid(w->pid, NULL, 0) < 0 && errno == EINTR)
		;
	w->pid = 0;
	w->busy = false;
	j->alive--;
}

void jobs_end(struct jobs *j)
{
	for (unsigned i = 0; j->w && i < j->n; i++) {
		struct worker *w = &j->w[i];

		if (w->pid) {
			kill(w->pid, SIGKILL);
			forget_worker(j, i);
		}
		wire_release(&w->in);
		wire_release(&w->base);
		wire_release(&w->end);
	}
	free(j->w);
	if (j->shared)
		munmap(j->shared, shared_size(j));
	j->w = NULL;
	j->shared = NULL;
	j->x->others = (struct explore_progress){ 0 };
}

/* --- the coordinator --- */

bool jobs_any_busy(const struct jobs *j)
{
	for (unsigned i = 0; i < j->n; i++)
		if (j->w[i].busy)
			return true;
	return false;
}

void jobs_want(struct jobs *j, unsigned i, unsigned what)
{
	atomic_fetch_or(&j->shared->w[i].want, what);
}

void jobs_want_all(struct jobs *j, unsigned what)
{
	for (unsigned i = 0; i < j->n; i++)
		if (j->w[i].busy)
			jobs_want(j, i, what);
}

bool jobs_give(struct jobs *j, unsigned i, const struct wire *packet)
{
	struct worker *w = &j->w[i];

	atomic_store(&j->shared->w[i].want, 0);
	wire_clear(&w->base);
	wire_put(&w->base, packet->v, packet->n);
	w->busy = true;
	return send_message(w->fd, packet);
}

/* A whole message of worker i, out of what came. */
static bool whole(struct worker *w, struct wire *m)
{
	uint64_t n;

	if (w->in.n < sizeof(n))
		return false;
	memcpy(&n, w->in.v, sizeof(n));
	if (w->in.n - sizeof(n) < n)
		return false;
	wire_clear(m);
	wire_put(m, w->in.v + sizeof(n), n);
	w->in.n -= sizeof(n) + n;
	memmove(w->in.v, w->in.v + sizeof(n) + n, w->in.n);
	return true;
}

/* False: it is dead. */
static bool receive(struct worker *w)
{
	unsigned char part[65536];
	ssize_t k;

	while ((k = recv(w->fd, part, sizeof(part), MSG_DONTWAIT)) > 0)
		wire_put(&w->in, part, (size_t)k);
	return k < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) && !w->in.bad;
}

static void bury(struct jobs *j, unsigned i)
{
	struct jobs_status *s = &j->shared->w[i];

	kill(j->w[i].pid, SIGKILL);	/* if it only cannot be understood any more */
	forget_worker(j, i);
	/* what it has not told is done again */
	atomic_fetch_sub(&j->shared->taken, atomic_load(&s->taken));
	memset(s, 0, sizeof(*s));
	wire_clear(&j->w[i].in);
}

int jobs_wait(struct jobs *j, int ms, struct wire *m)
{
	struct pollfd p[j->n];
	unsigned who[j->n], n = 0;

	for (unsigned i = 0; i < j->n; i++) {
		if (j->w[i].pid && whole(&j->w[i], m))
			return (int)i;
		if (!j->w[i].pid)
			continue;
		p[n] = (struct pollfd){ .fd = j->w[i].fd, .events = POLLIN };
		who[n++] = i;
	}
	if (poll(p, n, ms) <= 0)
		return -1;
	for (unsigned k = 0; k < n; k++) {
		struct worker *w = &j->w[who[k]];
		bool there = !p[k].revents || receive(w);

		if (whole(w, m))
			return (int)who[k];
		if (there)
			continue;
		bury(j, who[k]);
		wire_clear(m);
		return (int)who[k];
	}
	return -1;
}

void jobs_died(void)
{
	fprintf(stderr, "srcush: explore: one of the processes died; its work is done again\n");
}

/* What they have not told yet, for the line on the terminal. */
static void look(struct jobs *j)
{
	struct explore_progress *p = &j->x->others;

	*p = (struct explore_progress){ 0 };
	for (unsigned i = 0; i < j->n; i++) {
		struct jobs_status *s = &j->shared->w[i];
		int64_t low = atomic_load(&s->low), high = atomic_load(&s->high);
		uint64_t deepest = atomic_load(&s->deepest);

		p->complete += atomic_load(&s->complete);
		p->blocked += atomic_load(&s->blocked);
		p->pending += atomic_load(&s->pending);
		p->deepest = deepest > p->deepest ? deepest : p->deepest;
		if (!j->w[i].busy || p->low < 0)
			continue;
		p->low = low < 0 ? -1 : p->low + (double)low;
		p->high = low < 0 ? -1 : p->high + (double)high;
	}
}

bool jobs_go_on(struct jobs *j)
{
	struct explore *x = j->x;
	uint64_t max = x->opts.max_executions;
	bool ok;

	look(j);
	x->opts.max_executions = 0;
	ok = explore_go_on(x);
	x->opts.max_executions = max;
	return ok;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000) + ts.tv_nsec / 1000000;
}

void jobs_drain(struct jobs *j, void (*take)(void *arg, unsigned i, struct wire *m), void *arg)
{
	int64_t end = now_ms() + DRAIN_MS;
	struct wire m = { 0 };

	jobs_want_all(j, JOBS_STOP);
	while (jobs_any_busy(j)) {
		int64_t left = end - now_ms();
		int i;

		if (left <= 0) {
			for (unsigned k = 0; k < j->n; k++)
				if (j->w[k].busy)
					kill(j->w[k].pid, SIGKILL);
			left = 100;
		}
		wire_clear(&m);
		i = jobs_wait(j, (int)left, &m);
		if (i >= 0)
			take(arg, (unsigned)i, m.n ? &m : NULL);
	}
	wire_release(&m);
}
