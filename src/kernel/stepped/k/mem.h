/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Allocation and warnings: stepped.  C code that allocates makes heap objects
 * of the world, so that the heap oracle watches them.
 */
#ifndef K_MEM_H
#define K_MEM_H

#include "k/access.h"

struct objtype;
struct task;

/* A zeroed heap object named `label`, described by type->fields.  Not a step.
 * Never NULL: exhausted memory is reported as an error of the current task. */
void *k_kzalloc(const struct objtype *type, const char *label, size_t size);
/* A step for an allocation that is made by what follows: without one before it that
 * would happen as soon as the task is at this place, ahead of the others' steps. */
#define kzalloc_step(what) \
	((void)K_EV(K_SITE(OP_YIELD, ORD_NONE, 0, "kzalloc", what, NULL), NULL, 0, 0, 0))
/* kfree(): a step; NULL is allowed.  Double and invalid frees are violations. */
#define kfree(p)	k_kfree((void *)(p), K_SITE(OP_FREE, ORD_NONE, 0, "kfree", #p, NULL))
void k_kfree(void *p, struct site *s);

/* A WARN_ON of the algorithm: the condition is returned; true is a violation of
 * kind "warning" (the task goes on).  Evaluates `cond` once. */
#define WARN_ON(cond)		k_warn(!!(cond), "WARN_ON(" #cond ")", __func__, __FILE__, __LINE__)
#define WARN_ON_ONCE(cond)	WARN_ON(cond)
bool k_warn(bool cond, const char *text, const char *func, const char *file, int line);
#define k_warn_text(text, func, file, line) ((void)k_warn(true, text, func, file, line))

/* Preemption and interrupts of the current CPU; each is a step. */
#define preempt_disable()	k_ctx(K_SITE(OP_CPU_CTX, ORD_NONE, 0, "preempt_disable", "", NULL), 1)
#define preempt_enable()	k_ctx(K_SITE(OP_CPU_CTX, ORD_NONE, 0, "preempt_enable", "", NULL), -1)
#define local_irq_disable()	k_ctx(K_SITE(OP_CPU_CTX, ORD_NONE, SITE_IRQ, "local_irq_disable", "", NULL), 1)
#define local_irq_enable()	k_ctx(K_SITE(OP_CPU_CTX, ORD_NONE, SITE_IRQ, "local_irq_enable", "", NULL), -1)
#define local_bh_disable()	k_ctx(K_SITE(OP_CPU_CTX, ORD_NONE, SITE_BH, "local_bh_disable", "", NULL), 1)
#define local_bh_enable()	k_ctx(K_SITE(OP_CPU_CTX, ORD_NONE, SITE_BH, "local_bh_enable", "", NULL), -1)
/* Turning on what is not off is reported, and no step. */
void k_ctx(struct site *s, int delta);
/* How deeply t has nested what the site turns off and on. */
unsigned k_ctx_depth(const struct task *t, const struct site *s);

/* Does a thread or a work item run, and no interrupt or timer? */
bool in_task(void);

/* The number of virtual CPUs of the current world (kernel: nr_cpu_ids). */
unsigned k_nr_cpus(void);
/* The CPU that the system came up on: always online. */
#define get_boot_cpu_id() 0
#define for_each_possible_cpu(cpu) for ((cpu) = 0; (cpu) < (int)k_nr_cpus(); (cpu)++)

#endif
