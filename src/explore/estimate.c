/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The number of executions that are still to come, from the sizes of what is over.
 */
#include <config.h>

#include "explore/estimate.h"

#include "engine/internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SAY_FROM 50	/* executions: before, there is nothing to say */

static void learn(struct estimate_level *l, double size)
{
	double off = size - l->mean;

	l->n++;
	l->mean += off / l->n;
	l->squares += off * (size - l->mean);
}

/* Those of whom nothing is left on a stack of n are over. */
static void close_to(struct estimate *e, size_t n, uint64_t executions)
{
	while (e->nopen && e->open[e->nopen - 1].at >= n) {
		const struct estimate_open *o = &e->open[--e->nopen];

		if (!o->partial)
			learn(&e->level[o->level], (double)(executions - o->before));
	}
	if (e->nbase > n)
		e->nbase = n;
}

uint16_t estimate_level(const struct estimate *e, size_t at)
{
	uint16_t level = 0;

	if (at < e->nbase)
		return e->base[at];
	for (size_t i = e->nopen; i--;)
		if (e->open[i].at <= at) {
			level = (uint16_t)(e->open[i].level + 1);
			break;
		}
	return level < ESTIMATE_LEVELS ? level : ESTIMATE_LEVELS - 1;
}

bool estimate_take(struct estimate *e, size_t n, uint64_t executions)
{
	uint16_t level;

	close_to(e, n, executions);
	level = estimate_level(e, n - 1);
	if (e->nopen == e->cap && !grow(&e->open, &e->cap, e->nopen + 1, sizeof(*e->open)))
		return false;
	e->open[e->nopen++] = (struct estimate_open){ .at = n - 1, .before = executions, .level = level };
	if (e->nbase >= n)
		e->nbase = n - 1;
	return true;
}

/* The sum of what is expected, its variance, and for each level what its open sub-tree
 * comes to: the large ones are over last, so it is one of the samples. */
struct sum { double rest, variance, guess[ESTIMATE_LEVELS]; };

static void add(const struct estimate *e, struct sum *s, uint16_t level, double count)
{
	struct estimate_level l = e->level[level];
	double v;

	if (count <= 0)
		return;
	if (s->guess[level] > l.mean)
		learn(&l, s->guess[level]);
	v = l.n > 1 ? l.squares / (l.n - 1) : l.mean * l.mean;
	s->rest += count * l.mean;
	s->variance += count * v + count * count * v / (l.n > 1 ? l.n : 1);
}

void estimate_rest(const struct estimate *e, size_t n, uint64_t executions, double *low, double *high)
{
	struct sum s = { 0 };
	double spread;
	size_t above = n;

	*low = *high = -1;
	if (executions < SAY_FROM)
		return;
	for (size_t i = e->nopen; i--;) {
		const struct estimate_open *o = &e->open[i];
		uint16_t child = (uint16_t)(o->level + 1 < ESTIMATE_LEVELS ? o->level + 1 : o->level);

		if (o->at > n)
			continue;
		if (above > o->at)
			add(e, &s, child, (double)(above - o->at));
		above = above < o->at ? above : o->at;
		s.guess[o->level] = (double)(executions - o->before) + s.rest;
	}
	for (size_t i = 0; i < above && i < e->nbase; i++)
		add(e, &s, e->base[i], 1);
	spread = sqrt(s.variance);
	*low = s.rest > spread ? s.rest - spread : 0;
	*high = s.rest + spread;
}

void estimate_give(struct estimate *e, size_t k)
{
	for (size_t i = 0; i < e->nopen; i++) {
		e->open[i].partial |= e->open[i].at < k;
		e->open[i].at = e->open[i].at > k ? e->open[i].at - k : 0;
	}
	if (k >= e->nbase) {
		e->nbase = 0;
		return;
	}
	memmove(e->base, e->base + k, (e->nbase - k) * sizeof(*e->base));
	e->nbase -= k;
}

void estimate_clear(struct estimate *e)
{
	e->nopen = e->nbase = 0;
	memset(e->level, 0, sizeof(e->level));
}

bool estimate_begin(struct estimate *e, const uint16_t *levels, size_t n)
{
	e->nopen = 0;
	e->nbase = n;
	if (n && !grow(&e->base, &e->base_cap, n, sizeof(*e->base))) {
		e->nbase = 0;
		return false;
	}
	if (n)
		memcpy(e->base, levels, n * sizeof(*levels));
	return true;
}

void estimate_release(struct estimate *e)
{
	free(e->open);
	free(e->base);
	e->open = NULL;
	e->base = NULL;
}
