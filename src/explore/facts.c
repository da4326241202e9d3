/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process has learnt something on which everything rests (two locations are one, a
 * lock is more than a lock, invariants read more ...): what it knows, for the others.
 * All these facts only ever come to hold, so that those of several are simply joined.
 */
#include <config.h>

#include "explore/dpor.h"

#include <string.h>

static void put_classes(const struct dpor *d, struct wire *to)
{
	wire_put_number(to, d->nclasses);
	wire_put(to, d->cls, d->nclasses * sizeof(*d->cls));
	wire_put(to, d->locs->parent, d->nclasses * sizeof(*d->locs->parent));
}

/* All locations; of interest are ghosts that have turned out to be everybody's. */
static void put_users(const struct dpor *d, struct wire *to)
{
	wire_put_number(to, d->locs->n);
	for (size_t i = 0; i < d->locs->cap; i++)
		if (d->locs->v[i].loc)
			wire_put(to, &d->locs->v[i], sizeof(d->locs->v[i]));
}

static void put_watched(const struct dpor *d, struct wire *to)
{
	const struct explore_source *src = &d->x->src;
	size_t n = src->watched_at ? src->nwatched(src->arg) : 0;

	wire_put_number(to, n);
	for (size_t i = 0; i < n; i++)
		wire_put_number(to, src->watched_at(src->arg, i));
}

bool facts_put(struct dpor *d, struct wire *to)
{
	wire_put_number(to, d->x->lean);
	wire_put(to, d->stuck, sizeof(d->stuck));
	put_classes(d, to);
	put_users(d, to);
	put_watched(d, to);
	return !to->bad || visit_oom(d);
}

/* The tables have been brought up to date with the journal: they have all that is in the
 * message, with the same numbers. */
static void get_classes(struct dpor *d, struct wire *from)
{
	size_t n = wire_get_number(from);
	const struct dclass *cls = wire_get(from, n * sizeof(*cls));
	const unsigned char *parent = wire_get(from, n * sizeof(uint16_t));

	for (size_t i = 0; parent && i < n && i < d->nclasses; i++) {
		struct dclass c;
		uint16_t p;

		memcpy(&c, (const unsigned char *)cls + i * sizeof(c), sizeof(c));
		memcpy(&p, parent + i * sizeof(p), sizeof(p));
		d->cls[i].chain |= c.chain;
		d->cls[i].lock &= c.lock;
		d->cls[i].shared_wait |= c.shared_wait;
		d->cls[i].strong |= c.strong;
		d->cls[i].freed |= c.freed;
		d->cls[i].timer |= c.timer;
		d->cls[i].disarmed |= c.disarmed;
		if (p != i)
			place_join(d, class_root(d, (uint16_t)i), class_root(d, p));
	}
}

static void get_users(struct dpor *d, struct wire *from)
{
	size_t n = wire_get_number(from);

	for (size_t i = 0; i < n && !from->bad; i++) {
		const void *p = wire_get(from, sizeof(struct loc_entry));
		struct loc_entry e;

		if (!p)
			return;
		memcpy(&e, p, sizeof(e));
		if (!e.user)
			place_share(d, e.loc);
	}
}

bool facts_get(struct dpor *d, struct wire *from)
{
	const struct explore_source *src = &d->x->src;
	const unsigned char *stuck;
	size_t n;

	d->x->lean &= wire_get_number(from) != 0;
	stuck = wire_get(from, sizeof(d->stuck));
	for (size_t i = 0; stuck && i < sizeof(d->stuck); i++)
		d->stuck[i] = d->stuck[i] > stuck[i] ? d->stuck[i] : stuck[i];
	get_classes(d, from);
	get_users(d, from);
	places_join_freed(d);
	n = wire_get_number(from);
	for (size_t i = 0; i < n && !from->bad; i++) {
		uint32_t loc = (uint32_t)wire_get_number(from);

		if (src->watch)
			src->watch(src->arg, loc);
	}
	places_watch(d);
	d->anew = true;
	return !from->bad || visit_oom(d);
}
