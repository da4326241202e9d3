/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calling a function on other memory than the task's own stack, so that what it has on its
 * stack lies in simulated memory: others may get its address, and the address is the same
 * in every execution.  It may suspend as anywhere; it may be abandoned.
 */
#ifndef SRCUSH_ENGINE_HOP_H
#define SRCUSH_ENGINE_HOP_H

#include <stddef.h>

/* fn(arg) with its frames in [low, low + size), 16-byte aligned, at least 8 KiB. */
void stack_call(void *low, size_t size, void (*fn)(void *), void *arg);

#endif
