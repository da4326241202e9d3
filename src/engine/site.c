/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The process's table of sites, and the names of operations and orders.
 */
#include <config.h>

#include "engine/site.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

static struct site **sites;	/* by id - 1 */
static size_t nsites, cap;
static void *interned;		/* tsearch tree of sites made at run time */

uint32_t site_id(struct site *s)
{
	if (s->id)
		return s->id;
	if (nsites == cap) {
		size_t n = cap ? cap * 2 : 256;
		struct site **p = realloc(sites, n * sizeof(*p));

		if (!p)
			return 0;
		sites = p;
		cap = n;
	}
	sites[nsites++] = s;
	s->id = (uint32_t)nsites;
	return s->id;
}

struct site *site_by_id(uint32_t id)
{
	return id && id <= nsites ? sites[id - 1] : NULL;
}

static int cmp_str(const char *a, const char *b)
{
	return a == b ? 0 : strcmp(a ? a : "", b ? b : "");
}

static int cmp_site(const void *pa, const void *pb)
{
	const struct site *a = pa, *b = pb;
	int c;

	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	if (a->op != b->op)
		return a->op < b->op ? -1 : 1;
	if (a->order != b->order)
		return a->order < b->order ? -1 : 1;
	if (a->flags != b->flags)
		return a->flags < b->flags ? -1 : 1;
	c = cmp_str(a->prim, b->prim);
	if (!c)
		c = cmp_str(a->expr, b->expr);
	return c ? c : cmp_str(a->file, b->file);
}

struct site *site_intern(const struct site *base, const char *file, int line)
{
	struct site key = *base, *s;
	struct site **found;

	key.file = file;
	key.line = line;
	key.flags |= SITE_LUA | SITE_DYNAMIC;
	key.id = 0;
	found = tfind(&key, &interned, cmp_site);
	if (found)
		return *found;
	s = malloc(sizeof(*s));
	if (!s)
		return NULL;
	*s = key;
	s->file = strdup(file ? file : "");
	if (!s->file || !tsearch(s, &interned, cmp_site)) {
		free((char *)s->file);
		free(s);
		return NULL;
	}
	return s;
}

const char *site_file(const struct site *s)
{
	const char *p, *last = NULL;

	if (!s->file)
		return "";
	if (s->flags & SITE_LUA)
		return s->file;
	for (p = s->file; (p = strstr(p, "src/")); p++)
		last = p;
	return last ? last : s->file;
}

const char *op_name(enum ev_op op)
{
	static const char *const names[OP_COUNT] = {
		[OP_NONE] = "none", [OP_LOAD] = "load", [OP_STORE] = "store",
		[OP_PLAIN_LOAD] = "plain-load", [OP_PLAIN_STORE] = "plain-store",
		[OP_ADD] = "add", [OP_CPU_ADD] = "cpu-add", [OP_AND] = "and",
		[OP_OR] = "or", [OP_XOR] = "xor", [OP_XCHG] = "xchg", [OP_CMPXCHG] = "cmpxchg",
		[OP_MIN_ARM] = "arm", [OP_MAX] = "max", [OP_FENCE] = "fence",
		[OP_LOCK] = "lock", [OP_TRYLOCK] = "trylock", [OP_UNLOCK] = "unlock",
		[OP_WAIT] = "wait", [OP_COMPLETE] = "complete",
		[OP_WORK_WAIT] = "work", [OP_TIMER_WAIT] = "timer",
		[OP_COND] = "cond-wait", [OP_ASSUME] = "assume",
		[OP_CALL_WAIT] = "call-wait", [OP_CHOOSE] = "choose",
		[OP_YIELD] = "yield", [OP_MIGRATE] = "migrate", [OP_FREE] = "free",
		[OP_CPU_CTX] = "context", [OP_LOCK_READ] = "lock-read",
		[OP_UNLOCK_READ] = "unlock-read", [OP_ADVANCE] = "advance",
		[OP_LOCK_QUEUE] = "lock-queue", [OP_WQ] = "wait-queue",
		[OP_WQ_WAIT] = "sleep", [OP_IRQ] = "irq",
	};

	return (unsigned)op < OP_COUNT && names[op] ? names[op] : "?";
}

const char *order_name(enum ev_order o)
{
	static const char *const names[ORD_COUNT] = {
		[ORD_NONE] = "", [ORD_ONCE] = "once", [ORD_ACQUIRE] = "acquire",
		[ORD_RELEASE] = "release", [ORD_FULL] = "full", [ORD_MB] = "mb",
		[ORD_RMB] = "rmb", [ORD_WMB] = "wmb",
		[ORD_MB_BEFORE_ATOMIC] = "before-atomic",
		[ORD_MB_AFTER_ATOMIC] = "after-atomic",
		[ORD_MB_AFTER_SPINLOCK] = "after-spinlock",
		[ORD_MB_AFTER_UNLOCK_LOCK] = "after-unlock-lock",
		[ORD_MB_AFTER_SRCU_UNLOCK] = "after-srcu-unlock",
		[ORD_DEREF] = "deref", [ORD_NORETURN] = "once",
		[ORD_SECTION_BEGIN] = "section-begin", [ORD_SECTION_END] = "section-end",
		[ORD_GRACE_PERIOD] = "grace-period",
	};

	return (unsigned)o < ORD_COUNT && names[o] ? names[o] : "";
}
