/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much memory Lua may take while a scenario is explored: its allocator counts, and
 * refuses where the machine would otherwise begin to kill.
 */
#include <config.h>

#include "binding/lua_determinism.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define LIMIT_MAX (256ull << 20)

struct lb_limit {
	struct session *s;
	lua_State *L;
	lua_Alloc alloc;	/* as it was */
	void *ud;
	int64_t taken, most;	/* bytes since the limit was set */
	bool refused;		/* this, the last time that somebody asked for more */
	const void *block;
	size_t size;
};

static int64_t least(uint64_t a, uint64_t b)
{
	return (int64_t)(a < b ? a : b);
}

/* Half of what there is at most: others live here too. */
static int64_t find_limit(void)
{
	uint64_t limit = LIMIT_MAX;
	long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
	struct rlimit r;

	if (pages > 0 && size > 0)
		limit = (uint64_t)least(limit, (uint64_t)pages * (uint64_t)size / 2);
	if (!getrlimit(RLIMIT_AS, &r) && r.rlim_cur != RLIM_INFINITY)
		limit = (uint64_t)least(limit, r.rlim_cur / 2);
	if (!getrlimit(RLIMIT_DATA, &r) && r.rlim_cur != RLIM_INFINITY)
		limit = (uint64_t)least(limit, r.rlim_cur / 2);
	return (int64_t)limit;
}

/* Somebody has gone without: "not enough memory" was raised. */
static void conclude(struct lb_limit *l)
{
	struct session *s = l->s;

	if (!s->unexplorable[0])
		snprintf(s->unexplorable, sizeof(s->unexplorable), "out of memory: the scenario fills "
			 "more than %lld MiB with Lua's tables and strings", (long long)(l->most >> 20));
}

/* Lua collects its garbage when it is refused, and asks for the same once more; some of its
 * library does not. */
static void *grow_block(struct lb_limit *l, void *p, size_t osize, size_t nsize, size_t more)
{
	bool again = l->refused && l->block == p && l->size == nsize;
	void *q = NULL;

	if (l->refused && !again)
		conclude(l);
	if (l->taken + (int64_t)more <= l->most)
		q = l->alloc(l->ud, p, osize, nsize);
	if (q) {
		l->taken += (int64_t)more;
	} else if (again) {
		conclude(l);
	}
	l->refused = !q && !again;
	l->block = p;
	l->size = nsize;
	return q;
}

static void *alloc(void *ud, void *p, size_t osize, size_t nsize)
{
	struct lb_limit *l = ud;
	size_t before = p ? osize : 0;	/* without a block it says what kind is wanted */
	void *q;

	if (nsize > before)
		return grow_block(l, p, osize, nsize, nsize - before);
	q = l->alloc(l->ud, p, osize, nsize);
	if (q || !nsize)
		l->taken -= (int64_t)(before - nsize);
	return q;
}

struct lb_limit *lb_limit_set(struct session *s)
{
	struct lb_limit *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->s = s;
	l->L = s->L;
	l->most = find_limit();
	l->alloc = lua_getallocf(s->L, &l->ud);
	lua_setallocf(s->L, alloc, l);
	return l;
}

void lb_limit_check(struct lb_limit *l)
{
	if (l && l->refused)
		conclude(l);
}

void lb_limit_free(struct lb_limit *l)
{
	if (!l)
		return;
	lua_setallocf(l->L, l->alloc, l->ud);
	free(l);
}
