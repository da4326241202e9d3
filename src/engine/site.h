/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sites and operations: what a step does and where in the source it stands.
 *
 * Every primitive of the stepped backend owns one static `struct site` for
 * each place that uses it.  A step refers to its site; everything that a
 * person reads about the step (operation, order, expression, function, file,
 * line, barrier letter) is looked up there, only when it is printed.
 */
#ifndef SRCUSH_ENGINE_SITE_H
#define SRCUSH_ENGINE_SITE_H

#include <stdint.h>

/* What an event does to its location.  The driver performs it (driver.c). */
enum ev_op {
	OP_NONE = 0,
	OP_LOAD,	  /* marked load: value = *loc */
	OP_STORE,	  /* marked store: *loc = operand */
	OP_PLAIN_LOAD,	  /* as OP_LOAD, watched for data races */
	OP_PLAIN_STORE,	  /* as OP_STORE, watched for data races */
	OP_ADD,		  /* atomic: value = old; *loc += operand */
	OP_CPU_ADD,	  /* as OP_ADD, atomic on its own CPU only (this_cpu_inc) */
	OP_AND,		  /* atomic: value = old; *loc &= operand */
	OP_OR,		  /* atomic: value = old; *loc |= operand */
	OP_XOR,		  /* atomic: value = old; *loc ^= operand */
	OP_XCHG,	  /* atomic: value = old; *loc = operand */
	OP_CMPXCHG,	  /* atomic: value = old; if old == operand, *loc = operand2 */
	OP_MIN_ARM,	  /* timer: value = old; arm if 0 or later than operand */
	OP_MAX,		  /* atomic: value = old; *loc = max(*loc, operand) */
	OP_FENCE,	  /* no location; `order` says which */
	OP_LOCK,	  /* blocking: enabled while *loc == 0; *loc = task id + 1 */
	OP_TRYLOCK,	  /* value = 1 and taken, or 0 */
	OP_UNLOCK,	  /* *loc = 0 */
	OP_WAIT,	  /* blocking: enabled while *loc != 0; *loc -= 1 unless operand */
	OP_COMPLETE,	  /* *loc += operand (saturating), wakes OP_WAIT */
	OP_WORK_WAIT,	  /* blocking: a worker waits for its item to be queued; clears PENDING */
	OP_TIMER_WAIT,	  /* blocking: enabled while *loc != 0; fires: value = expiry, *loc = 0 */
	OP_COND,	  /* blocking: enabled while the task's predicate holds */
	OP_ASSUME,	  /* never enabled: assume(false) */
	OP_CALL_WAIT,	  /* blocking: a thread without a body waits for a call */
	OP_CHOOSE,	  /* value = 1..operand, the driver's choice */
	OP_YIELD,	  /* a pure scheduling point (also udelay: see SITE_DELAY) */
	OP_MIGRATE,	  /* the task moves to CPU `operand` */
	OP_FREE,	  /* kfree of the object at loc */
	OP_CPU_CTX,	  /* preemption / bottom halves / interrupts on or off */
	OP_LOCK_READ,	  /* rwsem: one reader more; blocking while a writer has it or waits */
	OP_UNLOCK_READ,	  /* rwsem: one reader less */
	OP_LOCK_QUEUE,	  /* rwsem: a writer that did not get it at once waits from now on */
	OP_WQ,		  /* wait queue: prepare, finish or wake, see k/wait.h */
	OP_WQ_WAIT,	  /* blocking: enabled once the queue was woken after wake-up `operand` */
	OP_IRQ,		  /* an interrupt strikes: enabled while its CPU lets it */
	OP_ADVANCE,	  /* an explicit advance(ns) from outside; only in records */
	OP_COUNT
};

/* Memory orders, in the kernel's names. */
enum ev_order {
	ORD_NONE = 0,	/* plain, or an operation to which no order applies */
	ORD_ONCE,	/* READ_ONCE / WRITE_ONCE, *_relaxed */
	ORD_ACQUIRE,
	ORD_RELEASE,
	ORD_FULL,	/* value-returning atomics without suffix */
	ORD_MB,		/* fences from here on */
	ORD_RMB,
	ORD_WMB,
	ORD_MB_BEFORE_ATOMIC,
	ORD_MB_AFTER_ATOMIC,
	ORD_MB_AFTER_SPINLOCK,
	ORD_MB_AFTER_UNLOCK_LOCK,
	ORD_MB_AFTER_SRCU_UNLOCK,
	ORD_DEREF,	/* rcu_dereference: a load that heads dependencies */
	ORD_NORETURN,	/* atomic_inc() and the like, which return nothing: as ORD_ONCE, but a
			 * read barrier does not order them */
	ORD_SECTION_BEGIN, /* of an ideal (S)RCU, which is nothing but what it guarantees: see */
	ORD_SECTION_END,   /* memory/rcu.c.  These are fences, and operand a is the domain */
	ORD_GRACE_PERIOD,  /* as a full fence, too */
	ORD_COUNT
};

/* Flags of a site. */
enum {
	SITE_DELAY    = 1u << 0, /* udelay(): delimits a polling check (semantics 5) */
	SITE_SPIN     = 1u << 1, /* a spinlock: disables preemption while held */
	SITE_IRQ      = 1u << 2, /* irqsave/irq variant: interrupts off while held */
	SITE_MUTEX    = 1u << 3, /* a sleeping lock */
	SITE_SLEEPS   = 1u << 4, /* may sleep: illegal in atomic context */
	SITE_CLOCK    = 1u << 5, /* reads or writes the clock */
	SITE_LUA      = 1u << 6, /* stands in a script: file and line are the script's */
	SITE_BH	      = 1u << 7, /* bottom halves off while held */
	SITE_DYNAMIC  = 1u << 8, /* allocated by site_intern(), freed with the process */
	SITE_WRITE    = 1u << 9, /* rwsem taken for writing */
	SITE_RACED    = 1u << 10, /* data_race(): a read that may race with plain writes */
	SITE_PROMISE  = 1u << 11, /* a store that another task is to make (memory/promise.c) */
	SITE_SEQUENCE = 1u << 12, /* OP_LOCK, OP_UNLOCK: a restartable sequence begins, ends (k/rseq.h) */
	SITE_MEMBARRIER = 1u << 13, /* the same: a membarrier passes a CPU */
};

struct site {
	uint8_t op;		/* enum ev_op */
	uint8_t order;		/* enum ev_order */
	uint16_t flags;
	uint32_t id;		/* 0 until site_id() gives one; never printed */
	const char *prim;	/* the primitive as written: "READ_ONCE" */
	const char *expr;	/* its operand as written: "ssp->srcu_idx" */
	const char *func;
	const char *file;
	int line;
	const char *letter;	/* barrier letter "A".."E", or NULL */
};

/* The site's number, given at first use; site_by_id() is its inverse.  Numbers
 * serve compact records only and differ between processes. */
uint32_t site_id(struct site *s);
struct site *site_by_id(uint32_t id);

/*
 * A site made at run time for a primitive called from a script: a copy of
 * `base` with another file and line.  Interned: equal arguments give the same
 * site.  `file` is copied.  NULL when memory runs out.
 */
struct site *site_intern(const struct site *base, const char *file, int line);

/* The file name for printing: from the last "src/" on for our own sources, so
 * that out-of-tree builds print the same; a script's name as it was given. */
const char *site_file(const struct site *s);

const char *op_name(enum ev_op op);	  /* "load", "store", "lock" ... */
const char *order_name(enum ev_order o);  /* "once", "acquire", "mb" ... or "" */

#endif
