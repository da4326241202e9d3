/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A task that overruns its stack hits the guard page below it.  The fault is
 * reported with the task's name, from an alternate signal stack, and ends the
 * process: what stands on the stack cannot be trusted any more.  What code that is not
 * ours does wrong is guest.c's.
 */
#include <config.h>

#include "engine/carrier.h"
#include "engine/guest.h"
#include "engine/task.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ALT_SIZE (64 * 1024)

static void say(const char *s)
{
	ssize_t n = write(STDERR_FILENO, s, strlen(s));
	(void)n;
}

static void on_fault(int sig, siginfo_t *si, void *uc)
{
	struct task *t = task_current();
	struct stack *s = t ? t->stack : NULL;
	const char *addr = si->si_addr;

	if ((sig == SIGSEGV || sig == SIGBUS) && s && addr >= s->map && addr < s->low) {
		say("srcush: the C stack of thread \"");
		say(s->who ? s->who : "?");
		say("\" overflowed\n");
		_exit(1);
	}
	if (guest_fault(sig, si, uc))
		return;
	/* not ours: die of it as if nobody had looked */
	signal(sig, SIG_DFL);
}

void guard_thread(void)
{
	stack_t ss = { .ss_size = ALT_SIZE };

	/* Debian's sanitizers bring their own; then this one simply is not used */
	ss.ss_sp = mmap(NULL, ALT_SIZE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (ss.ss_sp != MAP_FAILED)
		sigaltstack(&ss, NULL);
}

void guard_install(void)
{
	static bool done;
	struct sigaction sa = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK };

	if (done)
		return;
	done = true;
	guard_thread();
	sigemptyset(&sa.sa_mask);
	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
	sigaction(SIGFPE, &sa, NULL);
	sigaction(SIGILL, &sa, NULL);
	sigaction(SIGTRAP, &sa, NULL);
}
