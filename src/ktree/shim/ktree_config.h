/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel configuration that a tree's SRCU is compiled for: what Kconfig would write
 * for a 64-bit SMP kernel with preemption (or a uniprocessor's without, for the tiny
 * variant), without lockdep, which srcush's own oracles replace.
 */
#ifndef KTREE_CONFIG_H
#define KTREE_CONFIG_H

#define CONFIG_64BIT 1
#define CONFIG_SRCU 1
#define CONFIG_HZ 1000

#ifndef CONFIG_NR_CPUS
#define CONFIG_NR_CPUS 4096
#endif

#ifdef KTREE_TINY
#undef CONFIG_NR_CPUS
#define CONFIG_NR_CPUS 1
#define CONFIG_TINY_SRCU 1
#define CONFIG_TINY_RCU 1
#else
#define CONFIG_SMP 1
#define CONFIG_PREEMPTION 1
#define CONFIG_PREEMPT_RCU 1
#define CONFIG_TREE_SRCU 1
#define CONFIG_TREE_RCU 1
/* Readers for NMIs count with atomics, as on machines whose this_cpu_inc() an NMI can
 * tear: else srcu_read_lock_nmisafe() would be another name of srcu_read_lock(), and its
 * own code never run.  -DKTREE_NMI_SAFE_THIS_CPU_OPS for a machine like x86. */
#ifndef KTREE_NMI_SAFE_THIS_CPU_OPS
#define CONFIG_NEED_SRCU_NMI_SAFE 1
#endif
#endif

#define NR_CPUS CONFIG_NR_CPUS

/* IS_ENABLED(CONFIG_X): 1 if it is defined as 1, also in #if.  Pasted to a name that
 * stands for a comma, it shifts what follows by one place. */
#define KTREE_COMMA_IF_1 ,
#define KTREE_PICK_SECOND(first, second, ...) second
#define KTREE_PICK(...)	KTREE_PICK_SECOND(__VA_ARGS__)
#define KTREE_PASTE(x)	KTREE_PICK(KTREE_COMMA_IF_##x 1, 0, 0)
#define KTREE_IS_1(x)	KTREE_PASTE(x)
#define IS_ENABLED(option)	KTREE_IS_1(option)
#define IS_BUILTIN(option)	KTREE_IS_1(option)
#define IS_REACHABLE(option)	KTREE_IS_1(option)
#define IS_MODULE(option)	0

#endif
