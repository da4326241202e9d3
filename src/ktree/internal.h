/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What host.c, instance.c, ops.c and view.c have in common: where the code of an image
 * runs and on whose behalf, and what the host keeps of a domain.
 */
#ifndef SRCUSH_KTREE_INTERNAL_H
#define SRCUSH_KTREE_INTERNAL_H

#include <setjmp.h>

#include "engine/world.h"
#include "ktree/ktree.h"

/*
 * On whose behalf the image's code runs that holds the baton.  Whatever comes back into
 * the image from where another task may have run (a step, a user's callback) puts its own
 * back: kt_back().
 */
struct kt_here {
	struct ktree *k;
	struct world *w;
	struct srcu *ss;
	jmp_buf *setup;		/* not NULL: no steps are taken, and errors go there */
	bool *warned;		/* set by a WARN_ON() that is hit; or NULL */
};
extern struct kt_here kt_here;
void kt_back(const struct kt_here *h);
/* In a task: the image's code runs for ss from now on.  Does not return when that fails. */
const struct ktree_image *kt_enter(struct srcu *ss);
/* Without steps: false with world_error() set. */
bool kt_setup(struct srcu *ss, void (*fn)(struct srcu *ss));
/* What is set up cannot be: `why` (printf-like) is the world's error.  In setups only. */
/* The image's code has crashed: fails the setup, if that is what it was in. */
void kt_crashed(const char *what);
_Noreturn void kt_setup_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* A work item or timer of the image's: the host's own functions run it. */
struct kt_item {
	struct kt_item *next;	/* of those that have no place of their own */
	const void *at;		/* the item; NULL: not seen yet */
	void *fn;		/* the kernel's */
	struct srcu *ss;
	char name[];		/* "ss:cb0": what the item's name points to */
};
struct kt_cpu_items { struct kt_item *work, *timer; };

/*
 * Behind the kernel's struct srcu_struct in the domain's memory, with an element of `cpu`
 * for each CPU behind it.
 */
struct kt_domain {
	const char *sync_label;	/* "ss:sync" */
	void *sup, *sda, *tree;	/* allocated last, or NULL */
	struct kt_item *gp;	/* the delayed work, or the tiny flavor's only one */
	struct kt_item *others;
	struct kt_cpu_items cpu[];
};
static inline struct ktree *kt_of(const struct srcu *ss)
{
	return (struct ktree *)((char *)(uintptr_t)ss->ops - offsetof(struct ktree, ops));
}
static inline size_t kt_domain_offset(const struct ktree *k)
{
	return (k->image->ssp_size + 15) & ~(size_t)15;
}
static inline struct kt_domain *kt_domain(const struct srcu *ss)
{
	return (struct kt_domain *)((char *)ss->impl + kt_domain_offset(kt_of(ss)));
}
static inline bool kt_is_tiny(const struct ktree *k)
{
	return k->image->variant[1] == 'i';
}

/* domain.c */
/* The names and items of a new domain.  False with world_error() set. */
bool kt_items_init(struct srcu *ss);
/* Whose per-CPU data it lies in; false: in none. */
bool kt_cpu_of(const struct srcu *ss, const void *p, unsigned *cpu);
/* The item at that place, with the name of `own` if that has no other place, or with one
 * after `fmt`.  NULL: world_error(). */
struct kt_item *kt_item_at(struct srcu *ss, struct kt_item *own, const void *at, const char *fmt,
			   unsigned cpu);
/* Memory of the domain for n elements, an object of its own.  NULL: world_error(). */
void *kt_memory(struct srcu *ss, size_t n, size_t size);
void *kt_memory_percpu(struct srcu *ss, size_t size);
extern const struct objtype kt_memory_type;

/* host.c */
/* call_srcu() of an image gets this; head->ticket is the user's function. */
void kt_callback(void *rhp);
/* The object in which synchronize_srcu() has its stack. */
extern const struct objtype kt_stack_type;

/* instance.c */
/* Can a domain with these options be made in this world, as it is?  False: world_error(). */
bool kt_check_settings(struct ktree *k, struct world *w, const struct srcu_opts *o);
/* Before the first domain: parameters, geometry.  For later ones nothing is left to do. */
bool kt_boot(struct srcu *ss, const struct srcu_opts *o);
/* What was set up is the world's from its start: seen by checkpoints. */
void kt_keep(struct ktree *k, struct world *w);

/* view.c */
void kt_view(struct srcu *ss, struct srcu_view *v);
bool kt_counts(struct srcu *ss, unsigned cpu, unsigned idx, uint64_t *lock_count,
	       uint64_t *unlock_count);
bool kt_cblist(struct srcu *ss, unsigned cpu, struct srcu_cblist_view *v);
bool kt_node(struct srcu *ss, unsigned i, struct srcu_node_view *v);

#endif
