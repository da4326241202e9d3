/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The relations of the Linux-kernel memory model over the events of one execution, for its
 * own axioms (lkmm.c) and for those that whole executions are asked for (rcu.c, races.c).
 */
#ifndef SRCUSH_MEMORY_LKMM_H
#define SRCUSH_MEMORY_LKMM_H

#include "memory/internal.h"

enum {
	STRONG, PO_REL, WMB, UNLOCK_LOCK,	/* fences that are more than preserved program order */
	PPO, ADDR, RFE, OVERWRITE, CUMUL, PROP, HB, PB, TMP, TMP2,
	NRELS_MARKED,
	/* of races.c, where some access is plain */
	FENCE = NRELS_MARKED, NONRW, RMB, RCU_FENCE, XB, VIS, WWVIS, WRVIS, RWXB, W1, W2,
	NRELS
};

struct lkmm {
	const struct mm *m;
	struct rels s;
	struct rel r[NRELS];
	bool plain;		/* some access is */
};

static inline bool mm_marked(const struct mm_event *e)
{
	return !(e->flags & MM_PLAIN);
}

/* All up to PB; HB is then reflexive and transitive.  False: hb has a circle, or there is
 * no memory (m->oom). */
bool lkmm_relations(struct mm *m, struct lkmm *k);

/* Plain accesses of m, which is k->m: raises MM_DATA_RACE, with the pairs in m->races.  False:
 * the execution cannot be. */
bool lkmm_races(struct lkmm *k, struct mm *m, unsigned *flags);

#endif
