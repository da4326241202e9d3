/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Running compilers: without a shell, several side by side, with what they say caught
 * and a limit to their patience.  Each has a process group of its own, so that a driver
 * that hangs is ended with all that it has started; a Ctrl-C is therefore looked for
 * here, and passed on.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ktree/build.h"

#define MAX_OUTPUT ((size_t)4 << 20)	/* what is said beyond is not kept */

unsigned ktree_time_limit = 60;

extern char **environ;

struct child {
	pid_t pid;		/* 0: none */
	int fd;			/* what it says; -1: nothing more */
};

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Is it a variable that changes what a compiler does, or the language it speaks? */
static bool env_dropped(const char *e)
{
	static const char *const names[] = {
		"CPATH", "C_INCLUDE_PATH", "COMPILER_PATH", "DEPENDENCIES_OUTPUT",
		"SUNPRO_DEPENDENCIES", "GCC_COMPARE_DEBUG", "GCC_COLORS", "TMPDIR",
		"LC_ALL", "LANGUAGE",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		size_t n = strlen(names[i]);

		if (!strncmp(e, names[i], n) && e[n] == '=')
			return true;
	}
	return false;
}

static bool make_env(struct ktree_strings *env, const char *tmp, char **why)
{
	for (char **e = environ; e && *e; e++)
		if (!env_dropped(*e) && !ktree_strings_add(env, *e, why))
			return false;
	if (tmp && !ktree_strings_addf(env, why, "TMPDIR=%s", tmp))
		return false;
	return ktree_strings_add(env, "LC_ALL=C", why);
}

/* Signals are as they are for a program that was just started. */
static int set_attr(posix_spawnattr_t *attr)
{
	static const int sigs[] = { SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGPIPE, SIGCHLD, SIGTSTP,
				    SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGALRM };
	sigset_t def, none;
	int rc;

	sigemptyset(&none);
	sigemptyset(&def);
	for (size_t i = 0; i < sizeof(sigs) / sizeof(*sigs); i++)
		sigaddset(&def, sigs[i]);
	rc = posix_spawnattr_setsigdefault(attr, &def);
	if (!rc)
		rc = posix_spawnattr_setsigmask(attr, &none);
	if (!rc)
		rc = posix_spawnattr_setpgroup(attr, 0);
	if (!rc)
		rc = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK |
					      POSIX_SPAWN_SETPGROUP);
	return rc;
}

static int set_files(posix_spawn_file_actions_t *fa, int out, const char *cwd)
{
	int rc = posix_spawn_file_actions_addopen(fa, 0, "/dev/null", O_RDONLY, 0);

	if (!rc)
		rc = posix_spawn_file_actions_adddup2(fa, out, 1);
	if (!rc)
		rc = posix_spawn_file_actions_adddup2(fa, out, 2);
	if (!rc && cwd)
		rc = posix_spawn_file_actions_addchdir_np(fa, cwd);
	return rc;
}

static int spawn(struct child *c, char *const *argv, char *const *env, int out, const char *cwd)
{
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t attr;
	int rc = posix_spawn_file_actions_init(&fa);

	if (rc)
		return rc;
	rc = posix_spawnattr_init(&attr);
	if (!rc) {
		rc = set_files(&fa, out, cwd);
		if (!rc)
			rc = set_attr(&attr);
		if (!rc)
			rc = posix_spawn(&c->pid, argv[0], &fa, &attr, argv, env);
		posix_spawnattr_destroy(&attr);
	}
	posix_spawn_file_actions_destroy(&fa);
	return rc;
}

static void start(struct ktree_run *r, struct child *c, char *const *env, const char *cwd)
{
	int p[2], rc;

	if (pipe2(p, O_CLOEXEC)) {
		r->end = KTREE_NOT_RUN;
		r->code = errno;
		return;
	}
	rc = spawn(c, r->argv, env, p[1], cwd);
	close(p[1]);
	if (rc) {
		close(p[0]);
		c->pid = 0;
		r->end = KTREE_NOT_RUN;
		r->code = rc;
		return;
	}
	c->fd = p[0];
}

static bool keep(struct ktree_run *r, const char *buf, size_t n)
{
	char *p;

	if (n > MAX_OUTPUT - r->len)
		n = MAX_OUTPUT - r->len;
	p = realloc(r->out, r->len + n + 1);
	if (!p)
		return false;
	memcpy(p + r->len, buf, n);
	r->out = p;
	r->len += n;
	r->out[r->len] = '\0';
	return true;
}

/* False: memory. */
static bool listen_to(struct ktree_run *r, struct child *c)
{
	char buf[8192];
	ssize_t n = read(c->fd, buf, sizeof(buf));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return true;
	if (n > 0)
		return keep(r, buf, (size_t)n);
	close(c->fd);
	c->fd = -1;
	return true;
}

static bool interrupt_pending(void)
{
	sigset_t s;

	return !sigpending(&s) && sigismember(&s, SIGINT) == 1;
}

/* Until all are silent, or it has to end: why then. */
static enum ktree_end attend(struct ktree_run *r, struct child *c, size_t n, double end, bool *memory)
{
	struct pollfd p[8];

	for (;;) {
		nfds_t open = 0;

		for (size_t i = 0; i < n; i++) {
			p[i] = (struct pollfd){ .fd = c[i].fd, .events = POLLIN };
			open += c[i].fd >= 0;
		}
		if (!open)
			return KTREE_EXITED;
		if (poll(p, n, 100) > 0)
			for (size_t i = 0; i < n; i++)
				if (c[i].fd >= 0 && p[i].revents && !listen_to(&r[i], &c[i])) {
					*memory = false;
					return KTREE_NOT_RUN;
				}
		if (interrupt_pending())
			return KTREE_INTERRUPTED;
		if (now() > end)
			return KTREE_TIMEOUT;
	}
}

/* One that says no more is about to exit, as a rule. */
static pid_t wait_until(pid_t pid, int *status, double end)
{
	static const struct timespec tick = { .tv_nsec = 2000000 };
	pid_t got;

	while (!(got = waitpid(pid, status, WNOHANG)) && now() < end)
		nanosleep(&tick, NULL);
	return got;
}

static void reap(struct ktree_run *r, struct child *c, enum ktree_end how, double end)
{
	bool over = c->fd < 0;
	int status = 0;
	pid_t got = 0;

	if (c->fd >= 0)
		close(c->fd);
	if (!c->pid)
		return;
	if (over)
		got = wait_until(c->pid, &status, end);
	if (!got) {
		r->end = over ? KTREE_TIMEOUT : how;
		kill(-c->pid, SIGKILL);
		while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
			;
	} else if (got < 0) {
		r->end = KTREE_NOT_RUN;
		r->code = errno;
	} else if (WIFSIGNALED(status)) {
		r->end = KTREE_KILLED;
		r->code = WTERMSIG(status);
	} else {
		r->end = KTREE_EXITED;
		r->code = WEXITSTATUS(status);
	}
}

static bool run_some(struct ktree_run *r, size_t n, char *const *env, const char *cwd, char **why)
{
	double end = now() + ktree_time_limit;
	struct child c[8];
	enum ktree_end how;
	bool memory = true;
	sigset_t block, old;

	sigemptyset(&block);
	sigaddset(&block, SIGINT);
	pthread_sigmask(SIG_BLOCK, &block, &old);
	for (size_t i = 0; i < n; i++) {
		c[i] = (struct child){ .fd = -1 };
		start(&r[i], &c[i], env, cwd);
	}
	how = attend(r, c, n, end, &memory);
	for (size_t i = 0; i < n; i++)
		reap(&r[i], &c[i], how, end);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return memory || ktree_fail(why, "out of memory");
}

bool ktree_run(struct ktree_run *r, size_t n, const char *cwd, const char *tmp, char **why)
{
	struct ktree_strings env = {0};
	bool ok;

	for (size_t i = 0; i < n; i++) {
		r[i].out = strdup("");
		r[i].len = 0;
		r[i].end = KTREE_EXITED;
		r[i].code = 0;
	}
	ok = make_env(&env, tmp, why);
	for (size_t i = 0; ok && i < n; i += 8)
		ok = run_some(r + i, n - i < 8 ? n - i : 8, env.s, cwd, why);
	ktree_strings_free(&env);
	return ok;
}

void ktree_run_free(struct ktree_run *r, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(r[i].out);
		r[i].out = NULL;
	}
}
