/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Crashes and endless loops of code that is not ours.  The signal's handler lets the code
 * go on in a function of ours, on its own stack, as if it had called it: there the
 * violation is made and the task ended.  x86-64 and AArch64; elsewhere a crash is one of
 * the program.
 */
#include <config.h>

#include "engine/carrier.h"
#include "engine/guest.h"
#include "engine/internal.h"

#include <inttypes.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

/* Accesses through NULL stay below that. */
#define NULL_END 65536u
/* How often it is looked at who has the CPU, in its own time. */
#define TICK_NS 100000000
/* A guest that has had it for so many ticks without a step never makes one ... */
#define LOOP_TICKS 50
/* ... and one that is caught where one has looped before need not be waited for so long:
 * an exploration repeats an execution many times. */
#define LOOP_AGAIN_TICKS 2
#define LOOP_BYTES 64
#define LOOP_SIGNAL SIGVTALRM

static struct guest *guests;

/* What was found wrong: one at a time, of whoever has the baton. */
static struct {
	int sig, code;
	uintptr_t addr;
	const void *pc;
	const struct guest *g;
	bool overflow;
} crash;

static const struct guest *guest_of(const void *pc)
{
	for (const struct guest *g = guests; g; g = g->next)
		if ((uintptr_t)pc >= (uintptr_t)g->text && (uintptr_t)pc < (uintptr_t)g->text_end)
			return g;
	return NULL;
}

/* --- in words --- */

static const char *reason(void)
{
	if (crash.overflow)
		return "its calls went deeper than its stack, as where a function calls itself for ever";
	switch (crash.sig) {
	case SIGFPE:
		return "it divided by zero";
	case SIGILL:
	case SIGTRAP:
		return "it came to an instruction that traps, as compilers put where the code must not come";
	case SIGBUS:
		return "it went beyond the end of some memory, or to an address that is not aligned";
	default:
		/* an address that no processor knows is not told */
		if ((crash.code == SEGV_MAPERR || crash.code == SEGV_ACCERR) && crash.addr < NULL_END)
			return "it followed a NULL pointer";
		return "it followed a pointer to where there is no memory, or none to be written";
	}
}

static void put_place(FILE *f, const struct task *t)
{
	const struct site *s = crash.g->near_pc ? crash.g->near_pc(crash.pc) : NULL;

	if (!s && t && t->ev.site && t->steps) {
		s = t->ev.site;
		fprintf(f, " after its last step, %s", s->prim ? s->prim : "");
	}
	if (!s || !s->file)
		return;
	if (s->func && *s->func)
		fprintf(f, " in %s()", s->func);
	fprintf(f, " (%s:%d)", site_file(s), s->line);
}

/* "crashed in f() (x.c:12): it followed a NULL pointer"; malloced, or NULL. */
static char *describe(const struct task *t)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	fputs(crash.sig == LOOP_SIGNAL ? "loops" : "crashed", f);
	put_place(f, t);
	if (crash.sig == LOOP_SIGNAL)
		fputs(": it has run for seconds without a step", f);
	else
		fprintf(f, ": %s", reason());
	return fclose(f) ? NULL : text;
}

/* --- the way out --- */

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "srcush: code that is not srcush's own %s\n", what ? what : "crashed");
	abort();
}

/* Runs on the stack of what crashed. */
static __attribute__((used)) void crashed(void)
{
	struct task *t = task_current();
	char *what = describe(t), *text = NULL;

	if (crash.g->crashed)
		crash.g->crashed(what ? what : "crashed");
	if (!t)
		die(what);
	if (asprintf(&text, "%s %s.", task_name(t), what ? what : "crashed") < 0)
		text = NULL;
	free(what);
	world_violate(t->w, "error", text, t, NULL);
	task_fail();
}

#if defined(__x86_64__)
#define PC(uc) ((uc)->uc_mcontext.gregs[REG_RIP])
#define SP(uc) ((uc)->uc_mcontext.gregs[REG_RSP])
#define CALLER(uc) (*(const uintptr_t *)(uintptr_t)SP(uc))
#define RED_ZONE 128u
#define DIRECTION_FLAG 0x400
#elif defined(__aarch64__)
#define PC(uc) ((uc)->uc_mcontext.pc)
#define SP(uc) ((uc)->uc_mcontext.sp)
#define CALLER(uc) ((uintptr_t)(uc)->uc_mcontext.regs[30])
#define RED_ZONE 0u
#endif

#ifdef PC
/* Has the stack pointer been left alone? */
static bool stack_is_whole(const struct task *t, uintptr_t sp)
{
	const struct stack *s = t ? t->stack : NULL;

	if (!s)
		return true;	/* the driver's, of which we do not know where it lies */
	return (sp > (uintptr_t)s->low + RED_ZONE && sp < (uintptr_t)s->low + STACK_SIZE) ||
	       arena_contains(t->w, (const void *)sp);
}

/* The code goes on as if it had called crashed(). */
static void divert(ucontext_t *uc)
{
	uintptr_t sp = ((uintptr_t)SP(uc) - RED_ZONE) & ~(uintptr_t)15;

#if defined(__x86_64__)
	/* as behind a call: its return address is none */
	sp -= 8;
	*(uintptr_t *)sp = 0;
	uc->uc_mcontext.gregs[REG_EFL] &= ~DIRECTION_FLAG;
#else
	uc->uc_mcontext.regs[29] = 0;
	uc->uc_mcontext.regs[30] = 0;
#endif
	memcpy(&SP(uc), &sp, sizeof(sp));
	sp = (uintptr_t)crashed;
	memcpy(&PC(uc), &sp, sizeof(sp));
}

static bool take(int sig, const siginfo_t *si, ucontext_t *uc)
{
	const void *pc = (const void *)(uintptr_t)PC(uc);
	const struct guest *g = guest_of(pc);

	if (!guests || !stack_is_whole(task_current(), (uintptr_t)SP(uc)))
		return false;
	/* a jump to where there is nothing: who made it? */
	if (!g && sig == SIGSEGV && si->si_addr == pc) {
		pc = (const void *)(CALLER(uc) - 1);
		g = guest_of(pc);
	}
	if (!g || (!task_current() && !g->crashed))
		return false;
	crash.sig = sig;
	crash.code = si->si_code;
	crash.addr = (uintptr_t)si->si_addr;
	crash.pc = pc;
	crash.g = g;
	crash.overflow = false;
	divert(uc);
	return true;
}
#else
static bool take(int sig, const siginfo_t *si, ucontext_t *uc)
{
	(void)sig;
	(void)si;
	(void)uc;
	return false;
}
#endif

bool guest_fault(int sig, void *si, void *uc)
{
	return take(sig, si, uc);
}

bool guest_overflow(int sig, void *si, void *context)
{
#ifdef PC
	ucontext_t *uc = context;
	const struct stack *s = task_current()->stack;
	uintptr_t middle = (uintptr_t)s->low + STACK_SIZE / 2;

	/* one that came here from other memory (hop.h) has spoiled what lies between */
	if (s->on != s->low || !guest_of((const void *)(uintptr_t)PC(uc)))
		return false;
	memcpy(&SP(uc), &middle, sizeof(middle));
	if (!take(sig, si, uc))
		return false;
	crash.overflow = true;
	return true;
#else
	(void)sig;
	(void)si;
	(void)context;
	return false;
#endif
}

/* --- loops --- */

static struct {
	pid_t pid;		/* the process whose timer runs */
	const struct task *task;
	uint64_t progress;
	unsigned ticks;		/* since both of these were others */
	uintptr_t known;	/* where one has looped */
} loop;

static bool is_known_loop(const ucontext_t *uc)
{
#ifdef PC
	return (uintptr_t)PC(uc) + LOOP_BYTES - loop.known < 2 * LOOP_BYTES;
#else
	(void)uc;
	return false;
#endif
}

static void on_tick(int sig, siginfo_t *si, void *uc)
{
	struct task *t = task_current();
	uint64_t now = t ? world_progress(t->w) : 0;

	/* on a carrier it runs where signals do not arrive by themselves */
	if (t && t->thread && os_thread_signal(t->thread, sig))
		return;
	if (loop.task != t || loop.progress != now) {
		loop.task = t;
		loop.progress = now;
		loop.ticks = 0;
		return;
	}
	if (t && ++loop.ticks >= (is_known_loop(uc) ? LOOP_AGAIN_TICKS : LOOP_TICKS) &&
	    take(sig, si, uc)) {
		loop.ticks = 0;
		loop.known = (uintptr_t)crash.pc;
	}
}

void guest_watch(void)
{
	struct sigaction sa = { .sa_sigaction = on_tick,
				.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART };
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = LOOP_SIGNAL };
	struct itimerspec each = { .it_value = { .tv_nsec = TICK_NS }, .it_interval = { .tv_nsec = TICK_NS } };
	timer_t timer;

	/* who forks has no timer in the child */
	if (!guests || loop.pid == getpid())
		return;
	loop.pid = getpid();
	sigemptyset(&sa.sa_mask);
	sigaction(LOOP_SIGNAL, &sa, NULL);
	/* without one only a Ctrl-C ends a loop */
	if (!timer_create(CLOCK_PROCESS_CPUTIME_ID, &ev, &timer))
		timer_settime(timer, 0, &each, NULL);
}

/* --- addresses that a guest has given --- */

static const struct site *touched_for;

static const struct site *touched_at(const void *pc)
{
	(void)pc;
	return touched_for;
}

/* Bounds of the section that holds nothing but touch(). */
extern const char __start_guest_text[] __attribute__((visibility("hidden")));
extern const char __stop_guest_text[] __attribute__((visibility("hidden")));

__attribute__((section("guest_text"), noinline, no_sanitize("address", "thread", "undefined")))
static void touch(const volatile char *p)
{
	(void)*p;
}

void guest_touch(const void *p, const struct site *s)
{
	touched_for = s;
	touch(p);
}

void guest_add(struct guest *g)
{
	static struct guest own = { .near_pc = touched_at };

	if (!own.text) {
		own.text = __start_guest_text;
		own.text_end = __stop_guest_text;
		own.next = guests;
		guests = &own;
	}
	if (!own.crashed)
		own.crashed = g->crashed;
	g->next = guests;
	guests = g;
	guest_watch();
}
