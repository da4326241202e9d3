/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a CPU is told in a loop that waits for another one. */
#ifndef K_PAUSE_H
#define K_PAUSE_H

static inline void k_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield" ::: "memory");
#else
	__asm__ volatile("" ::: "memory");
#endif
}

#endif
