/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Included before each file of libsrcu, for a library that is broken on purpose: variables
 * that say how, and functions that linger where it matters.  See t6-torture-faults.c.
 */
#ifndef TORTURE_BROKEN_H
#define TORTURE_BROKEN_H

extern unsigned int broken_faults, broken_fast_faults;
void broken_window(void);
void broken_window_at(const unsigned int *index, unsigned int idx);
void broken_buffer(unsigned long *counter);
void broken_drain(void);

#define SRCU_FAULT_VARIABLE broken_faults
#define SRCU_FAULT_WINDOW() broken_window()
#define SRCU_FAULT_BUFFER(counter) broken_buffer(counter)
#define SRCU_FAULT_DRAIN() broken_drain()
#define SRCU_FAST_FAULTS broken_fast_faults
#define SRCU_FAST_WINDOW() broken_window_at(index, idx)	/* the reader's variables */
#define SRCU_FAST_BUFFER(counter) broken_buffer(counter)
#define SRCU_FAST_DRAIN() broken_drain()

/* Readers go through the library, and not past it. */
#define SRCU_NO_INLINE

#endif
