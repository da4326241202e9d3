/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ideal SRCU: the guarantee and nothing else.  A wait is one blocking step, which is
 * enabled when no section is open any more that had begun before the wait did; readers
 * never wait.  What holds here follows from the rules of SRCU alone, and not from how
 * some implementation keeps them.  Under weak memory a section begins with a full barrier
 * and ends with a release: with less, no order of steps could keep the guarantee.  Plain RCU is one such domain, too (rcu.c).
 *
 * A section begins and ends with a step on a counter of open sections, that of the CPU on
 * which it began.  Which section it is stands behind that, in a list that is changed
 * together with the counter: a task may go on when the list says so, and the list is
 * changed by nothing but steps on the counters.
 */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include <k/kernel.h>

#include "engine/peek.h"
#include "engine/world.h"
#include "srcu/ideal.h"
#include "srcu/srcu.h"
#include "srcu/wait.h"

/* A section, open or over.  Used again by the task that made it. */
struct ideal_section {
	struct ideal_section *prev, *next;	/* among the open ones, in order of id */
	struct ideal_section *older;		/* of the same task */
	u64 id;
	u32 task;
	u32 cpu;
	int idx;
	bool open;
	bool lost;	/* ended by another task: its place is never used again,
			 * because whether it can be would depend on when */
};

/* What a task has to do with the domain. */
struct ideal_task {
	struct ideal_task *next;	/* in its bucket */
	struct ideal_section *sections;	/* the latest made first */
	u32 task;
	u32 depth;			/* sections of srcu_read_lock() */
};
#define BUCKETS 64

struct ideal_cpu {
	u64 sections;
	char label[8];		/* "cpu0" */
};

struct ideal {
	u64 begun;		/* sections so far: the id of the last */
	u64 handed;		/* open sections of srcu_down_read(): anybody may end
				 * them, so which one is ended is nowhere said */
	u64 handed_since;	/* the id of the first since none was open */
	u64 called, invoked;	/* callbacks */
	u64 gps;		/* grace periods that somebody has seen the end of */
	struct ideal_section *oldest, *newest; /* open */
	struct ideal_task *tasks[BUCKETS];
	struct rcu_head *cb_head, **cb_tail;
	struct work_struct work;
	struct srcu *ss;
	bool one_index;		/* plain RCU: unlocks do not say which */
	_Alignas(64) struct ideal_cpu cpu[];
};

#define NAMED(member, ...) FIELD(struct ideal, member, ##__VA_ARGS__)
static const struct field ideal_fields[] = {
	NAMED(begun),
	NAMED(handed),
	NAMED(called),
	NAMED(invoked),
	NAMED(gps, .flags = FIELD_STAT),
	{ .name = "work", .offset = offsetof(struct ideal, work.state), .size = 8 },
	{ 0 }
};

static const struct field cpu_fields[] = {
	FIELD(struct ideal_cpu, sections),
	{ 0 }
};

/* --- sections --- */

static void *alloc(struct ideal *d, size_t size)
{
	struct world *w = d->ss->obj->w;
	void *p = arena_alloc(w, size);

	if (!p) {
		world_violate(w, "error", strdup(world_error(w)), task_current(), NULL);
		task_fail();
	}
	return p;
}

static struct ideal_task *ideal_me(struct ideal *d)
{
	u32 id = task_id(task_current());
	struct ideal_task **bucket = &d->tasks[id % BUCKETS], *t = *bucket;

	while (t && t->task != id)
		t = t->next;
	if (t)
		return t;
	t = alloc(d, sizeof(*t));
	*t = (struct ideal_task){ .next = *bucket, .task = id };
	return *bucket = t;
}

static struct ideal_section *section_get(struct ideal *d, struct ideal_task *me)
{
	struct ideal_section *s = me->sections;

	while (s && (s->open || s->lost))
		s = s->older;
	if (s)
		return s;
	s = alloc(d, sizeof(*s));
	s->older = me->sections;
	return me->sections = s;
}

/* The domain as a whole, of which each section is a part: see struct event. */
#define also(d) ((uintptr_t)&(d)->begun)

static int ideal_read_lock(struct srcu *ss)
{
	struct ideal *d = ss->impl;
	struct ideal_task *me = ideal_me(d);
	struct ideal_section *s = section_get(d, me);

	(void)K_RMW(&d->cpu[raw_cpu()].sections, OP_ADD, ORD_FULL, "section_begin", 1,
		    also(d));
	/* two values, so that an index that is mixed up is found out */
	s->idx = d->one_index ? 0 : (int)(me->depth & 1);
	s->task = me->task;
	s->cpu = raw_cpu();
	s->open = true;
	s->id = ++d->begun;
	s->next = NULL;
	s->prev = d->newest;
	*(d->newest ? &d->newest->next : &d->oldest) = s;
	d->newest = s;
	me->depth++;
	return s->idx;
}

static int ideal_down_read(struct srcu *ss)
{
	struct ideal *d = ss->impl;
	u64 before = K_RMW(&d->handed, OP_ADD, ORD_FULL, "section_begin", 1, also(d));

	d->begun++;
	if (!before)
		d->handed_since = d->begun;
	return 0;
}

static void ideal_up_read(struct srcu *ss, int idx)
{
	struct ideal *d = ss->impl;

	(void)idx;
	if (!K_RMW(&d->handed, OP_ADD, ORD_RELEASE, "section_end", -1, also(d)))
		d->handed = 0;	/* none was open: reported; nothing ends */
}

/* What an unlock ends: the latest of the task's own.  Without one it is an unlock that
 * an oracle reports, and ends what looks like it. */
static struct ideal_section *section_for(struct ideal *d, int idx)
{
	struct ideal_section *best = NULL;

	for (struct ideal_section *s = ideal_me(d)->sections; s; s = s->older)
		if (s->open && s->idx == idx && (!best || s->id > best->id))
			best = s;
	for (struct ideal_section *s = d->newest; s && !best; s = s->prev)
		if (s->idx == idx)
			best = s;
	return best;
}

static void ideal_read_unlock(struct srcu *ss, int idx)
{
	struct ideal *d = ss->impl;
	struct ideal_section *s = section_for(d, idx);

	if (!s) {
		(void)READ_ONCE(d->cpu[raw_cpu()].sections); /* reported; nothing ends */
		return;
	}
	(void)K_RMW(&d->cpu[s->cpu].sections, OP_ADD, ORD_RELEASE, "section_end", -1,
		    also(d));
	if (!s->open)
		return;	/* two who had no right to it ended it at once */
	s->open = false;
	*(s->prev ? &s->prev->next : &d->oldest) = s->next;
	*(s->next ? &s->next->prev : &d->newest) = s->prev;
	if (s->task == task_id(task_current()))
		ideal_me(d)->depth--;
	else
		s->lost = true;
}

/* --- waiting --- */

/* A step that is enabled when fn(arg) holds, which from then on it does, and that looks at
 * `seen`: with `begun` at all of the domain. */
static void cond_event(u64 *seen, struct site *s, bool (*fn)(void *), void *arg)
{
	struct task *t = task_current();

	t->predicate = fn;
	t->predicate_arg = arg;
	(void)K_EV(s, seen, 8, 0, 0);
	t->predicate = NULL;
}

/* Tells that the counters are read, which no step says: they stand for the list. */
static void look(const struct ideal *d)
{
	struct world *w = d->ss->obj->w;

	for (unsigned i = 0; i < world_cpus(w); i++)
		world_peeked(w, &d->cpu[i].sections);
	world_peeked(w, &d->handed);
}

/* For a step that looks, and waits for nothing. */
static bool always(void *arg)
{
	look(arg);
	return true;
}

/* The last section that begins before this step. */
#define snapshot(d) \
	(cond_event(&(d)->begun, K_SITE(OP_COND, ORD_FULL, 0, "snapshot", "", NULL), \
		    always, (void *)(d)), (d)->begun)

struct drain { struct ideal *d; u64 upto; };

static bool drained(void *arg)
{
	const struct drain *w = arg;
	const struct ideal *d = w->d;

	look(d);
	return (!d->oldest || d->oldest->id > w->upto) &&
	       (!d->handed || d->handed_since > w->upto);
}

/* Sleeps until all sections up to that one are over. */
static void wait_for_sections(struct ideal *d, u64 upto)
{
	struct drain w = { d, upto };

	cond_event(&d->begun, K_SITE(OP_COND, ORD_FULL, SITE_SLEEPS, "wait_for_readers", "", NULL),
		   drained, &w);
	d->gps++;
}

static void ideal_synchronize(struct srcu *ss)
{
	struct ideal *d = ss->impl;

	wait_for_sections(d, snapshot(d));
}

/* --- callbacks --- */

static bool ideal_call(struct srcu *ss, struct rcu_head *head, rcu_callback_t func)
{
	struct ideal *d = ss->impl;

	if (!srcu_head_post(head, func))
		return false;
	head->ticket = snapshot(d);
	head->next = NULL;
	(void)K_RMW(&d->called, OP_ADD, ORD_ONCE, "callback_add", 1, 0);
	*d->cb_tail = head;
	d->cb_tail = &head->next;
	queue_work(&d->work);
	return true;
}

static void ideal_invoke_first(struct ideal *d)
{
	static const struct kapi api = { "wait_for_readers", KAPI_DRAIN };
	struct rcu_head *head = d->cb_head;

	kapi_enter(&api, d->ss, (uintptr_t)head);
	wait_for_sections(d, head->ticket);
	kapi_exit(0);
	d->cb_head = head->next;
	if (!d->cb_head)
		d->cb_tail = &d->cb_head;
	WRITE_ONCE(head->queued, 0);	/* may be posted again from now on */
	local_bh_disable();
	srcu_invoke_callback(d->ss, head);
	local_bh_enable();
	WRITE_ONCE(d->invoked, d->invoked + 1);
}

/* The work item: callbacks in the order of their posting, each after its own wait. */
static void ideal_invoke(struct work_struct *work)
{
	struct ideal *d = container_of(work, struct ideal, work);

	while (READ_ONCE(d->called) != d->invoked)
		ideal_invoke_first(d);
}

struct invoked { struct ideal *d; u64 upto; };

static bool all_invoked(void *arg)
{
	const struct invoked *w = arg;

	return w->d->invoked >= w->upto;
}

static void ideal_barrier(struct srcu *ss)
{
	struct ideal *d = ss->impl;
	struct invoked w = { d, READ_ONCE(d->called) };

	cond_event(&d->invoked, K_SITE(OP_COND, ORD_FULL, SITE_SLEEPS, "wait_for_callbacks", "", NULL),
		   all_invoked, &w);
}

/* --- polling --- */

static unsigned long ideal_get_state(struct srcu *ss)
{
	return snapshot((struct ideal *)ss->impl);
}

/* It says yes as soon as it may. */
static bool ideal_poll_state(struct srcu *ss, unsigned long cookie)
{
	struct ideal *d = ss->impl;
	struct drain w = { d, cookie };

	cond_event(&d->begun, K_SITE(OP_COND, ORD_FULL, 0, "poll", "", NULL), always, (void *)(d));
	return drained(&w);
}

static unsigned long ideal_batches_completed(struct srcu *ss)
{
	struct ideal *d = ss->impl;

	cond_event(&d->begun, K_SITE(OP_COND, ORD_FULL, 0, "count", "", NULL), always, (void *)(d));
	return d->gps;
}

/* --- a domain's life --- */

static bool ideal_check_opts(struct world *w, const struct srcu_ops *ops,
			     const struct srcu_opts *o)
{
	(void)ops;
	return srcu_refuse_tree_opts(w, "ideal", o, false);
}

static bool init_cpu(struct srcu *ss, struct ideal *d, unsigned cpu)
{
	struct ideal_cpu *c = &d->cpu[cpu];

	snprintf(c->label, sizeof(c->label), "cpu%hu", (unsigned short)cpu);
	return object_describe(ss->obj, c, c->label, cpu_fields, sizeof(*c));
}

static bool ideal_init(struct srcu *ss, const struct srcu_opts *o)
{
	struct ideal *d = ss->impl;
	bool rcu = ss->ops == &srcu_rcu_ops;
	/* plain RCU's is made by whatever task comes first, whose memory must not
	 * be used for it: where things lie would tell who that was */
	const char *work = rcu ? "rcu_state:cb" : srcu_name_with(ss, ":cb", 0);

	(void)o;
	if (!work)
		return false;
	d->ss = ss;
	d->one_index = rcu;
	d->cb_tail = &d->cb_head;
	init_work(&d->work, ideal_invoke, work);
	for (unsigned cpu = 0; cpu < world_cpus(ss->obj->w); cpu++)
		if (!init_cpu(ss, d, cpu))
			return false;
	return true;
}

static bool ideal_cleanup(struct srcu *ss)
{
	struct ideal *d = ss->impl;
	bool readers_active, callbacks_left;

	cond_event(&d->begun, K_SITE(OP_COND, ORD_FULL, 0, "look_for_readers", "", NULL), always, (void *)(d));
	readers_active = d->oldest || d->handed;
	if (WARN_ON(readers_active))
		return false;
	callbacks_left = READ_ONCE(d->called) != READ_ONCE(d->invoked);
	if (WARN_ON(callbacks_left))
		return false;
	flush_work(&d->work);
	/* from here on the domain is a freed object, for all to see */
	ss->obj->heap = true;
	kfree(d);
	return true;
}

/* --- inspection --- */

static void ideal_view(struct srcu *ss, struct srcu_view *v)
{
	const struct ideal *d = ss->impl;

	*v = (struct srcu_view){ .ncpus = 1, .has_open = true, .has_cblist = true,
				.open = d->handed };
	for (const struct ideal_section *s = d->oldest; s; s = s->next)
		v->open++;
}

/* All callbacks stand in one list. */
static bool ideal_cblist(struct srcu *ss, unsigned cpu, struct srcu_cblist_view *v)
{
	const struct ideal *d = ss->impl;

	if (cpu)
		return false;
	*v = (struct srcu_cblist_view){ 0 };
	for (const struct rcu_head *h = d->cb_head; h; h = h->next)
		*(drained(&(struct drain){ (struct ideal *)d, h->ticket }) ? &v->done : &v->wait) += 1;
	return true;
}

#define IDEAL_OPS(flavor_) {					\
	.flavor = flavor_,					\
	.impl_size = sizeof(struct ideal),			\
	.percpu_size = sizeof(struct ideal_cpu),		\
	.fields = ideal_fields,					\
	.check_opts = ideal_check_opts,				\
	.init = ideal_init,					\
	.read_lock = ideal_read_lock,				\
	.read_unlock = ideal_read_unlock,			\
	.read_lock_nmisafe = ideal_read_lock,			\
	.read_unlock_nmisafe = ideal_read_unlock,		\
	.down_read = ideal_down_read,				\
	.up_read = ideal_up_read,				\
	.synchronize = ideal_synchronize,			\
	.synchronize_expedited = ideal_synchronize,		\
	.call = ideal_call,					\
	.barrier = ideal_barrier,				\
	.get_state = ideal_get_state,				\
	.start_poll = ideal_get_state,				\
	.poll_state = ideal_poll_state,				\
	.batches_completed = ideal_batches_completed,		\
	.cleanup = ideal_cleanup,				\
	.view = ideal_view,					\
	.cblist = ideal_cblist,					\
}
const struct srcu_ops srcu_ideal_ops = IDEAL_OPS("ideal");
const struct srcu_ops srcu_rcu_ops = IDEAL_OPS("rcu");
