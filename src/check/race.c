/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Data races: two tasks touch one location, one of them writes, one of them does so
 * plainly, and nothing but these accesses themselves says which comes first.  The
 * compiler may then do what it likes with the plain one, and so may the CPU.
 */
#include <config.h>

#include <inttypes.h>
#include <string.h>

#include "check/trace_internal.h"

/* The last access of each sort by one task at one location. */
enum sort { PLAIN_READ_, PLAIN_WRITE_, MARKED_READ_, MARKED_WRITE_ };

static enum sort sort_of(const struct tr_event *ev)
{
	return (ev->how & TR_PLAIN ? PLAIN_READ_ : MARKED_READ_) + !!(ev->how & TR_WRITE);
}

/* With which sorts of others does an access race? */
static const uint8_t races_with[] = {
	[PLAIN_READ_] = 1u << PLAIN_WRITE_ | 1u << MARKED_WRITE_,
	[PLAIN_WRITE_] = 1u << PLAIN_READ_ | 1u << PLAIN_WRITE_ |
			 1u << MARKED_READ_ | 1u << MARKED_WRITE_,
	[MARKED_READ_] = 1u << PLAIN_WRITE_,
	[MARKED_WRITE_] = 1u << PLAIN_READ_ | 1u << PLAIN_WRITE_,
};

static const char *verb(const struct tr_event *ev)
{
	bool plain = ev->how & TR_PLAIN;

	if ((ev->how & (TR_READ | TR_WRITE)) == (TR_READ | TR_WRITE))
		return "updated";
	if (ev->how & TR_WRITE)
		return plain ? "plainly wrote" : "wrote";
	return plain ? "plainly read" : "read";
}

static void add_party(struct trace *tr, struct msg *m, uint32_t event, const char *what)
{
	const struct tr_event *ev = &tr->ev[event];

	msg_addf(m, "%s %s %s at step %" PRIu32, task_name(tr->tasks[ev->task].t), verb(ev), what,
		 event);
	msg_site(m, ev->site);
}

/* a and b race, and a came first this time. */
static void report(struct trace *tr, uint32_t a, uint32_t b)
{
	const struct site *sa = tr->ev[a].site, *sb = tr->ev[b].site;
	uint64_t key = sa->id < sb->id ? (uint64_t)sa->id << 32 | sb->id :
					 (uint64_t)sb->id << 32 | sa->id;
	const struct tr_task *ta = &tr->tasks[tr->ev[a].task], *tb = &tr->tasks[tr->ev[b].task];
	char name[96];
	struct msg m;

	if (!ta->t || !tb->t || trace_told(tr, key))
		return;
	if (!location_name(tr->w, arena_addr(tr->w, tr->locs[tr->ev[a].loc].off), name,
			   sizeof(name), NULL))
		snprintf(name, sizeof(name), "a location");
	msg_begin(&m);
	add_party(tr, &m, b, name);
	msg_addf(&m, ", and ");
	add_party(tr, &m, a, "it");
	msg_addf(&m, ", with nothing that orders the two. What is shared without a lock is read "
		 "by READ_ONCE() and written by WRITE_ONCE(), or the like.");
	msg_end(&m, tr->w, "data-race", tb->t, ta->t);
	trace_at_step(tr, b);
}

/* What that task did at the location; made when it is not there.  NULL: no memory. */
static struct race_node *node_of(struct trace *tr, struct tr_loc *l, uint16_t task)
{
	uint32_t i = l->races;

	while (i && tr->race_nodes[i].task != task)
		i = tr->race_nodes[i].next;
	if (i)
		return &tr->race_nodes[i];
	if (!check_grow(tr->c, (void **)&tr->race_nodes, &tr->race_cap, tr->nrace_nodes + 2,
			sizeof(*tr->race_nodes)))
		return NULL;
	i = (uint32_t)++tr->nrace_nodes;
	tr->race_nodes[i] = (struct race_node){ .task = task, .next = l->races };
	l->races = i;
	return &tr->race_nodes[i];
}

/* What its task kept to itself when it made the access. */
static uint8_t kept(const struct trace *tr, const struct tr_event *ev)
{
	return ev->prev ? tr->ev[ev->prev].own : 0;
}

/* Can b come in the middle of a, on the CPU of both? */
static bool interrupts(const struct trace *tr, const struct tr_event *a, const struct tr_event *b)
{
	switch (tr->tasks[b->task].t ? tr->tasks[b->task].t->kind : TASK_THREAD) {
	case TASK_IRQ:
		return kept(tr, a) < 3;
	case TASK_TIMER:
		return kept(tr, a) < 2;
	default:
		return kept(tr, a) < 1;
	}
}

/* On one CPU those do not race of which neither can interrupt the other. */
static bool kept_apart(const struct trace *tr, const struct tr_event *a, const struct tr_event *b)
{
	return a->cpu == b->cpu && !interrupts(tr, a, b) && !interrupts(tr, b, a);
}

static void check_against(struct trace *tr, uint32_t event, const struct race_node *other,
			  enum sort sort)
{
	for (unsigned s = 0; s < 4; s++)
		if (races_with[sort] >> s & 1 && other->last[s] &&
		    !tr_before(tr, other->last[s], event) &&
		    !kept_apart(tr, &tr->ev[other->last[s]], &tr->ev[event]))
			report(tr, other->last[s], event);
}

static bool check_event(struct trace *tr, uint32_t event)
{
	const struct tr_event *ev = &tr->ev[event];
	struct tr_loc *l = &tr->locs[ev->loc];
	enum sort sort = sort_of(ev);
	struct race_node *own;

	for (uint32_t i = l->races; i; i = tr->race_nodes[i].next)
		if (tr->race_nodes[i].task != ev->task)
			check_against(tr, event, &tr->race_nodes[i], sort);
	own = node_of(tr, l, ev->task);
	if (own)
		own->last[sort] = event;
	return own;
}

bool race_judge(struct trace *tr)
{
	tr->nrace_nodes = 0;
	for (size_t i = 1; i <= tr->nlocs; i++)
		tr->locs[i].races = 0;
	for (uint32_t n = 1; n <= tr->n; n++)
		if (tr->ev[n].loc && tr->locs[tr->ev[n].loc].plain &&
		    tr->ev[n].how & (TR_READ | TR_WRITE) && !check_event(tr, n))
			return false;
	return true;
}

/* --- under other models than sequential consistency --- */

static void found(void *arg, uint32_t a, uint32_t b)
{
	struct trace *tr = arg;

	if (!kept_apart(tr, &tr->ev[a], &tr->ev[b]))
		report(tr, a, b);
}

bool race_model_judge(struct trace *tr)
{
	return !tr->may_race || execution_races(tr->w, tr->peeks, tr->npeeks, found, tr);
}
