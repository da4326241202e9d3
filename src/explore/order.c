/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a graph to an interleaving.  Under sequential consistency a graph is
 * consistent if and only if its steps can be put into one order in which each read
 * comes directly behind the write that it reads from, as far as writes of that
 * location go.  Events are emitted as soon as they may be, task by task; that never
 * runs into a dead end unless CPUs that may not be preempted are involved, for which
 * there is a search.
 */
#include <config.h>

#include "explore/graph.h"

#include <stdlib.h>
#include <string.h>

/* How a class stands while the order is made. */
struct oclass {
	uint16_t last;		/* write emitted last, GNONE: none */
	uint16_t next;		/* rank of the one that comes next */
	uint16_t readers;	/* of `last`, still to be emitted */
};

/* How far a task is, and what it owns of a CPU. */
struct otask {
	uint16_t at;		/* position in `lists` of the next event */
	uint16_t end;
	uint8_t owns;		/* level, of `cpu` */
	uint16_t cpu;
};

struct search {
	const struct graph *g;
	struct order *o;
	struct oclass *cls;
	struct otask *task;
	uint16_t *lists;	/* events of each task, in program order */
	uint16_t *readers;	/* of each write */
	uint16_t *unlock;	/* of each lock: its end, or GNONE */
	uint16_t *write;	/* of each G_RMW: its write part, or GNONE */
	uint8_t *done;
	unsigned ntasks, nclasses;
	bool owned;		/* some event leaves its CPU owned */
	const uint8_t *loose;	/* by class, or NULL */
};

static bool scratch(struct order *o, size_t size)
{
	void *p;

	if (size <= o->mem_size)
		return true;
	p = realloc(o->mem, size);
	if (!p)
		return false;
	o->mem = p;
	o->mem_size = size;
	return true;
}

static bool prepare(struct search *s, unsigned ntasks, unsigned nclasses)
{
	const struct graph *g = s->g;
	size_t n = g->n + 1;
	char *p;

	if (!scratch(s->o, nclasses * sizeof(*s->cls) + ntasks * sizeof(*s->task) + 5 * n * sizeof(uint16_t)))
		return false;
	if (s->o->cap < n) {
		uint16_t *v = realloc(s->o->v, 2 * n * sizeof(*v));

		if (!v)
			return false;
		s->o->v = v;
		s->o->cap = (uint32_t)(2 * n);
	}
	p = s->o->mem;
	s->cls = (void *)p;
	p += nclasses * sizeof(*s->cls);
	s->task = (void *)p;
	p += ntasks * sizeof(*s->task);
	s->lists = (void *)p;
	s->readers = s->lists + n;
	s->unlock = s->readers + n;
	s->write = s->unlock + n;
	s->done = (void *)(s->write + n);
	s->ntasks = ntasks;
	s->nclasses = nclasses;
	for (unsigned i = 0; i < nclasses; i++)
		s->cls[i] = (struct oclass){ .last = GNONE };
	memset(s->task, 0, ntasks * sizeof(*s->task));
	memset(s->readers, 0, n * sizeof(uint16_t));
	memset(s->unlock, 0xff, 2 * n * sizeof(uint16_t));
	memset(s->done, 0, n);
	return true;
}

static void index_events(struct search *s)
{
	const struct graph *g = s->g;
	uint16_t at = 0;

	for (uint32_t i = 0; i < g->n; i++)
		if (g_steps(&g->ev[i]))
			s->task[g->ev[i].task].end++;
	for (unsigned t = 0; t < s->ntasks; t++) {
		uint16_t n = s->task[t].end;

		s->task[t].at = s->task[t].end = at;
		at = (uint16_t)(at + n);
	}
	for (uint32_t i = 0; i < g->n; i++) {
		const struct gevent *e = &g->ev[i];

		if (e->own)
			s->owned = true;
		if (e->kind == G_RMW_WRITE)
			s->write[e->rf] = (uint16_t)i;
		else if (g_steps(e))
			s->lists[s->task[e->task].end++] = (uint16_t)i;
		if (e->kind == G_UNLOCK)
			s->unlock[e->rf] = (uint16_t)i;
		if (!g_reads(e))
			continue;
		if (e->rf == GNONE)
			s->cls[e->cls].readers++;
		else
			s->readers[e->rf]++;
	}
}

/* Has all come that has to come before it for reasons of its CPU? */
static bool has_cpu(const struct search *s, const struct gevent *e)
{
	const struct order *o = s->o;
	const uint64_t *row = o->behind ? o->behind + (size_t)(e - s->g->ev) * o->words : NULL;

	for (size_t k = 0; row && k < o->words; k++)
		for (uint64_t b = row[k]; b; b &= b - 1)
			if (!s->done[64 * k + (unsigned)__builtin_ctzll(b)])
				return false;
	return true;
}

/* May e, the next event of its task, come now? */
static bool ready(const struct search *s, const struct gevent *e)
{
	const struct oclass *c = &s->cls[e->cls];

	if (!has_cpu(s, e))
		return false;
	if (e->maker != GNONE && !s->done[e->maker])
		return false;
	if (s->loose && s->loose[e->cls] && (g_reads(e) || e->kind == G_WRITE))
		return !g_reads(e) || e->rf == GNONE || s->done[e->rf];
	switch (e->kind) {
	case G_READ:
		return c->last == e->rf;
	case G_RMW:
		/* what it writes comes directly behind, so it is the last reader;
		 * without its write part (it has just been revisited) it is the
		 * only one */
		return c->last == e->rf && c->readers == 1;
	case G_WRITE:
		return c->next == e->rank && !c->readers;
	case G_LOCK:
		return c->next == e->rank &&
		       (e->rf == GNONE || (s->unlock[e->rf] != GNONE && s->done[s->unlock[e->rf]]));
	default:
		return true;
	}
}

/* Does a CPU that somebody owns let it run? */
static bool cpu_lets(const struct search *s, const struct gevent *e)
{
	unsigned level = e->flags & GF_STROKE ? (e->own == 3 ? 2 : 1) : 0;

	/* whoever owns it may be struck by something higher, and then waits himself */
	if (s->task[e->task].owns)
		level = s->task[e->task].owns;
	for (unsigned t = 0; t < s->ntasks && s->owned; t++)
		if (t != e->task && s->task[t].owns > level && s->task[t].cpu == e->cpu)
			return false;
	return true;
}

static void emit(struct search *s, uint16_t i)
{
	const struct gevent *e = &s->g->ev[i];
	struct oclass *c = &s->cls[e->cls];
	uint16_t w = i;

	s->o->v[s->o->n++] = i;
	s->done[i] = 1;
	s->task[e->task].at++;
	if (!(e->flags & GF_WAITING)) {
		s->task[e->task].owns = e->own;
		s->task[e->task].cpu = e->cpu;
	}
	if (g_reads(e))
		c->readers--;
	if (e->kind == G_RMW)
		w = s->write[i];
	if (w != GNONE)
		s->done[w] = 1;
	if ((e->kind == G_WRITE || e->kind == G_RMW) && w != GNONE) {
		c->last = w;
		c->next++;
		c->readers = s->readers[w];
	} else if (e->kind == G_LOCK) {
		c->next++;
	}
}

static const struct gevent *next_of(const struct search *s, unsigned t, uint16_t *i)
{
	if (s->task[t].at == s->task[t].end)
		return NULL;
	*i = s->lists[s->task[t].at];
	return &s->g->ev[*i];
}

/* Emits whatever can be, staying with a task as long as it goes on. */
static void emit_all(struct search *s)
{
	bool moved = true;

	while (moved) {
		moved = false;
		for (unsigned t = 0; t < s->ntasks; t++) {
			const struct gevent *e;
			uint16_t i;

			while ((e = next_of(s, t, &i)) && ready(s, e)) {
				emit(s, i);
				moved = true;
			}
		}
	}
}

/* Is what is left only what waits for locks that nobody releases? */
static bool only_waiting_left(const struct search *s)
{
	for (unsigned t = 0; t < s->ntasks; t++) {
		const struct gevent *e;
		uint16_t i;

		e = next_of(s, t, &i);
		if (!e)
			continue;
		/* a waiting lock is the last event of its task */
		if (e->kind != G_LOCK || e->rf == GNONE || s->task[t].at + 1 != s->task[t].end)
			return false;
		if (s->unlock[e->rf] != GNONE && s->done[s->unlock[e->rf]])
			return false;
	}
	return true;
}

/* --- with CPUs that are owned: a search over who goes next --- */

#define SEARCH_SLOTS 4096	/* failed states remembered; more are tried again */
#define SEARCH_TRIES 200000
#define SEARCH_DEPTH 20000

/* How far each task is says everything about a state: the slot where its failure is
 * remembered, and whether it is. */
static uint16_t *slot_of(const struct search *s, bool *failed)
{
	uint32_t h = 2166136261u;
	uint16_t *slot;

	for (unsigned t = 0; t < s->ntasks; t++)
		h = (h ^ s->task[t].at) * 16777619u;
	slot = s->o->seen + (size_t)(h % SEARCH_SLOTS) * (s->ntasks + 1);
	*failed = slot[0];
	for (unsigned t = 0; t < s->ntasks && *failed; t++)
		*failed = slot[t + 1] == s->task[t].at;
	return slot;
}

static void remember(const struct search *s)
{
	bool failed;
	uint16_t *slot = slot_of(s, &failed);

	slot[0] = 1;
	for (unsigned t = 0; t < s->ntasks; t++)
		slot[t + 1] = s->task[t].at;
}

struct saved {
	struct oclass cls;
	struct otask task;
};

/* Depth first.  A state is remembered as failed by its full key, so that two are never
 * taken for one another. */
static bool search(struct search *s, unsigned *tries)
{
	bool left = false, failed;

	slot_of(s, &failed);
	if (failed || !*tries)
		return false;
	--*tries;
	/* whoever owns a CPU first: what it does is over sooner */
	for (int pass = 0; pass < 2; pass++)
		for (unsigned t = 0; t < s->ntasks; t++) {
			struct saved before;
			const struct gevent *e;
			uint16_t i;

			if ((s->task[t].owns != 0) != !pass)
				continue;
			e = next_of(s, t, &i);
			if (!e)
				continue;
			left = true;
			if (!ready(s, e) || !cpu_lets(s, e))
				continue;
			before.cls = s->cls[e->cls];
			before.task = s->task[t];
			emit(s, i);
			if (search(s, tries))
				return true;
			s->cls[e->cls] = before.cls;
			s->task[t] = before.task;
			s->done[i] = 0;
			if (e->kind == G_RMW && s->write[i] != GNONE)
				s->done[s->write[i]] = 0;
			s->o->n--;
		}
	if (!left || only_waiting_left(s))
		return true;
	if (*tries)
		remember(s);
	return false;
}

/* Is there an owned CPU on which another task has events too? */
static bool cpu_contended(const struct search *s)
{
	const struct graph *g = s->g;

	for (uint32_t i = 0; i < g->n; i++) {
		if (!g->ev[i].own)
			continue;
		for (uint32_t j = 0; j < g->n; j++)
			if (g->ev[j].task != g->ev[i].task && g->ev[j].cpu == g->ev[i].cpu)
				return true;
	}
	return false;
}

bool order_find(struct order *o, const struct graph *g, unsigned ntasks, unsigned nclasses,
		const uint8_t *loose, enum order_cpus cpus)
{
	struct search s = { .g = g, .o = o, .loose = loose };
	unsigned tries = SEARCH_TRIES;

	o->n = 0;
	o->oom = o->undecided = false;
	if (!prepare(&s, ntasks, nclasses)) {
		o->oom = true;
		return false;
	}
	index_events(&s);
	if (cpus == ORDER_NO_CPUS || !s.owned || !cpu_contended(&s)) {
		emit_all(&s);
		return only_waiting_left(&s);
	}
	if (o->seen_cap < ntasks + 1) {
		free(o->seen);
		o->seen_cap = ntasks + 9;
		o->seen = malloc(SEARCH_SLOTS * o->seen_cap * sizeof(*o->seen));
		if (!o->seen) {
			o->seen_cap = 0;
			o->oom = true;
			return false;
		}
	}
	memset(o->seen, 0, SEARCH_SLOTS * (ntasks + 1) * sizeof(*o->seen));
	if (cpus == ORDER_TRY_CPUS)
		tries = 2 * g->n;
	if (g->n > SEARCH_DEPTH)
		tries = 0;
	if (search(&s, &tries))
		return true;
	o->undecided = !tries;
	return false;
}

unsigned order_preemptions(const struct order *o, const struct graph *g)
{
	unsigned n = 0;

	for (uint32_t k = 1; k < o->n; k++) {
		unsigned before = g->ev[o->v[k - 1]].task;

		if (g->ev[o->v[k]].task == before)
			continue;
		/* a task that had something to do and did it later was preempted */
		for (uint32_t j = k + 1; j < o->n; j++)
			if (g->ev[o->v[j]].task == before) {
				n++;
				break;
			}
	}
	return n;
}

void order_release(struct order *o)
{
	free(o->v);
	free(o->mem);
	free(o->seen);
	*o = (struct order){ 0 };
}
