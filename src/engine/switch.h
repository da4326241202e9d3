/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The switch onto a stack and back, inline: each call less is a return that the
 * processor's return predictor, which knows nothing of the switch, cannot get
 * wrong.  Annotated for the address and thread sanitizers.
 */
#ifndef SRCUSH_ENGINE_SWITCH_H
#define SRCUSH_ENGINE_SWITCH_H

#include "engine/carrier.h"

#if defined(__SANITIZE_ADDRESS__)
#define HAVE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAVE_ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define HAVE_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HAVE_TSAN 1
#endif
#endif

#ifdef HAVE_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef HAVE_TSAN
#include <sanitizer/tsan_interface.h>
#endif

#if (defined(__x86_64__) || defined(__aarch64__)) && !defined(FORCE_UCONTEXT)
#define HAND_SWITCH 1
void fiber_switch(void **save, void *load);	/* switch_*.S */
#define SWITCH_TO(s) fiber_switch(&(s)->resumer_sp, (s)->sp)
#define SWITCH_BACK(s) fiber_switch(&(s)->sp, (s)->resumer_sp)
#else
#include <ucontext.h>
#define SWITCH_TO(s) swapcontext((ucontext_t *)(s)->uc + 1, (s)->uc)
#define SWITCH_BACK(s) swapcontext((s)->uc, (ucontext_t *)(s)->uc + 1)
#endif

/* Runs s until its next stack_suspend(). */
static inline void stack_resume(struct stack *s)
{
#ifdef HAVE_ASAN
	__sanitizer_start_switch_fiber(&s->asan_back_fake, s->on, s->on_size);
#endif
#ifdef HAVE_TSAN
	s->tsan_back = __tsan_get_current_fiber();
	__tsan_switch_to_fiber(s->tsan_fiber, 0);
#endif
	SWITCH_TO(s);
#ifdef HAVE_ASAN
	__sanitizer_finish_switch_fiber(s->asan_back_fake, NULL, NULL);
#endif
}

/* On s: back to whoever resumed it. */
static inline void stack_suspend(struct stack *s)
{
#ifdef HAVE_ASAN
	__sanitizer_start_switch_fiber(&s->asan_fake, s->asan_back_low, s->asan_back_size);
#endif
#ifdef HAVE_TSAN
	__tsan_switch_to_fiber(s->tsan_back, 0);
#endif
	SWITCH_BACK(s);
#ifdef HAVE_ASAN
	/* who resumes it may be another OS thread than before */
	__sanitizer_finish_switch_fiber(s->asan_fake, &s->asan_back_low, &s->asan_back_size);
	s->asan_fake = NULL;	/* in use: not for stack_put() to free */
#endif
}

#endif
