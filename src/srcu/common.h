/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an algorithm and those who use it both speak of, whatever it was compiled for:
 * pieces that can be left out, states of a grace period.
 */
#ifndef SRCUSH_SRCU_COMMON_H
#define SRCUSH_SRCU_COMMON_H

/* Faults: pieces of the algorithm that can be left out (api.md section 7). */
enum srcu_fault {
	SRCU_FAULT_NO_MB_A	 = 1u << 0,
	SRCU_FAULT_NO_MB_B	 = 1u << 1,
	SRCU_FAULT_NO_MB_C	 = 1u << 2,
	SRCU_FAULT_NO_MB_D	 = 1u << 3,
	SRCU_FAULT_NO_MB_E	 = 1u << 4,
	SRCU_FAULT_NO_FLIP	 = 1u << 5,
	SRCU_FAULT_BOTH_BANKS	 = 1u << 6,
	SRCU_FAULT_NO_SCAN1	 = 1u << 7,
	SRCU_FAULT_NO_SCAN2	 = 1u << 8,
	SRCU_FAULT_LOCK_BEFORE_UNLOCK = 1u << 9,
	SRCU_FAULT_SNAP_AFTER_ADVANCE = 1u << 10,
	SRCU_FAULT_NO_GP_MUTEX	 = 1u << 11,
	SRCU_FAULT_NO_CB_MUTEX	 = 1u << 12,
	SRCU_FAULT_REENTRANT_WORK = 1u << 13,
	SRCU_FAULT_PLAIN_GP_SEQ	 = 1u << 14,
	SRCU_FAULT_PLAIN_INC	 = 1u << 15,
	/* fast readers' alone */
	SRCU_FAULT_NO_RSEQ	 = 1u << 16,
	SRCU_FAULT_RECHECK	 = 1u << 17,
	SRCU_FAULT_NO_MEMBARRIER = 1u << 18,
};
/* As srcu_gp_seq has them in its low bits. */
enum srcu_gp_state { SRCU_GP_IDLE = 0, SRCU_GP_SCAN1 = 1, SRCU_GP_SCAN2 = 2 };

#endif
