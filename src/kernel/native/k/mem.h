/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Warnings, and what a kernel has around its threads: native.  There is one kind of
 * context, and nothing to turn off.
 */
#ifndef K_MEM_H
#define K_MEM_H

#include "k/access.h"

/* The condition is returned; what is wrong is said on stderr, once for each place. */
#define WARN_ON(cond) ({							\
		static bool k_said;						\
		bool k_wrong = !!(cond);					\
		if (unlikely(k_wrong))						\
			k_warn(&k_said, "WARN_ON(" #cond ")", __FILE__, __LINE__); \
		k_wrong; })
#define WARN_ON_ONCE(cond)	WARN_ON(cond)
void k_warn(bool *said, const char *text, const char *file, int line);

/* For what is put together at run time: said each time. */
#define k_warn_text(text, func, file, line) do {				\
		bool k_said = false;						\
		(void)(func);							\
		k_warn(&k_said, text, file, line); } while (0)

/* The heap of kvm/, below k/: kernel/native/kvm/heap.c.  Zeroed; NULL without memory. */
struct objtype;
void *native_k_kzalloc(const struct objtype *type, size_t size);
void native_k_kfree(void *p);
#define k_kzalloc(type, label, size) ((void)(label), native_k_kzalloc(type, size))
#define kfree(p) native_k_kfree((void *)(p))

#define preempt_disable()	((void)0)
#define preempt_enable()	((void)0)
#define local_bh_disable()	((void)0)
#define local_bh_enable()	((void)0)

#define get_boot_cpu_id() 0

#endif
