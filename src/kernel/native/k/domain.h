/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an SRCU domain and a callback are to the algorithm's files: native.  Faults are a
 * matter of compiling: SRCU_FAULT_MASK says which are built in, or SRCU_FAULT_VARIABLE names
 * a variable that does, of a program that must see a broken library fail.
 */
#ifndef K_DOMAIN_H
#define K_DOMAIN_H

#include <srcu/srcu.h>

#include "k/types.h"

#ifdef SRCU_FAULT_VARIABLE
extern unsigned int SRCU_FAULT_VARIABLE;
#define SRCU_FAULT_MASK SRCU_FAULT_VARIABLE
#endif
#ifndef SRCU_FAULT_MASK
#define SRCU_FAULT_MASK 0
#endif
#define K_FAULTS(ssp) ((void)(ssp), (u32)(SRCU_FAULT_MASK))

/* The only structure that there is one of for each CPU is struct srcu_data. */
#define K_PCP_NR(pcp) ((pcp)->ssp->ncpus)

#define rcu_head srcu_head
#define rcu_callback_t srcu_callback_t

/* A domain, as the algorithm's callers name it. */
struct srcu_struct;
struct srcu { struct srcu_struct *impl; };

/* Calls head->func(head), on the worker; from then on the head may be posted again.  (Only there,
 * where nothing of it is needed any more: other threads may be about to post it.) */
#define k_unqueue(head) ((void)(head))
void srcu_invoke_callback(struct srcu *ss, struct rcu_head *head);

/* Fast readers: see libsrcu/native.h. */
bool k_more_readers_gone(struct srcu_struct *ssp, int idx);
bool k_more_readers_active(struct srcu_struct *ssp);

#endif
