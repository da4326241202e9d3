/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Builds the graph of waits from what the engine says of each task and from the
 * open sections, and searches it for a cycle without recursion: a chain of waits
 * may be as long as there are tasks.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "check/waitgraph.h"
#include "srcu/srcu.h"

/* Calls that come back only when a grace period or a callback has. */
static bool waits_for_gp(const struct kcall *call)
{
	return call->obj && (call->api->kind == KAPI_SYNCHRONIZE ||
			     call->api->kind == KAPI_BARRIER ||
			     call->api->kind == KAPI_DRAIN ||
			     call->api->kind == KAPI_CLEANUP);
}

/* Which index the grace period scans: the one that new readers do not take. */
int scanned_index(struct graph *g, struct srcu *ss, tick_t start)
{
	struct srcu_view v = { 0 };
	int idx;

	if (!ss->ops || !ss->ops->view)
		return -1;
	ss->ops->view(ss, &v);
	/* tiny: bit 1 of srcu_idx says which one the work item sleeps for */
	if (v.has_nesting && v.gp_waiting)
		return (v.srcu_idx & 2) >> 1;
	/* while something moves, the grace period may still get to another index */
	if (!g->quiet)
		return -1;
	if (!v.has_gp_seq || v.gp_state == SRCU_GP_IDLE)
		return -1;
	idx = !(v.srcu_idx & 1);
	for (size_t i = 0; i < g->c->gp.nsections; i++)
		if (section_holds_up(g, &g->c->gp.sections[i], ss, start, idx))
			return idx;
	return -1;
}

bool section_holds_up(const struct graph *g, const struct open_section *s,
		      const struct srcu *ss, tick_t start, int scanned)
{
	if (s->dead || s->pub.ss != ss)
		return false;
	/* whoever may still move, or might have, may end such a section for its owner */
	if ((!g->quiet || g->may_come) && s->pub.any_task)
		return false;
	return scanned >= 0 ? s->pub.idx == scanned : !start || s->begun < start;
}

static bool is_ideal(struct srcu *ss)
{
	struct srcu_view v = { 0 };

	ss->ops->view(ss, &v);
	return v.has_open;
}

static void fill_node(struct graph *g, struct node *n)
{
	const struct open_wait *x;

	n->scanned = -1;
	if (n->b.why != BLOCK_WAIT && n->b.why != BLOCK_COND)
		return;
	if (!n->t->ncalls || !waits_for_gp(&n->t->calls[n->t->ncalls - 1]))
		return;
	n->call = &n->t->calls[n->t->ncalls - 1];
	n->gp = n->call->obj;
	if (n->call->api->kind == KAPI_DRAIN)
		x = gp_callback_of(g->c, n->gp, (void *)(uintptr_t)n->call->arg);
	else
		x = gp_wait_of(g->c, n->t, n->gp);
	n->start = x ? x->start : 0;
	if (n->call->api->kind == KAPI_BARRIER && is_ideal(n->gp))
		n->start = 1;	/* it waits for the worker, and for no section itself */
	n->scanned = scanned_index(g, n->gp, n->start);
}

bool node_waits(const struct node *n)
{
	switch (n->b.why) {
	case BLOCK_LOCK:
	case BLOCK_SELF:
	case BLOCK_WAIT:
	case BLOCK_COND:
	case BLOCK_CPU:
	case BLOCK_IRQ_OFF:
	case BLOCK_READERS:
	case BLOCK_QUEUE:
	case BLOCK_SLEEP:
		return true;
	default:
		return false;
	}
}

bool graph_build(struct graph *g, struct check *c)
{
	*g = (struct graph){ .c = c, .n = world_task_count(c->w), .quiet = true };
	gp_tidy(c);
	g->nodes = calloc(g->n + 1, sizeof(*g->nodes));
	g->workers = calloc(g->n + 1, sizeof(struct task *));
	if (!g->nodes || !g->workers)
		return world_fail(c->w, "out of memory");
	for (size_t i = 0; i < g->n; i++) {
		struct node *n = &g->nodes[i];

		n->t = world_task(c->w, i);
		n->b = task_blocked(n->t);
		g->quiet &= n->b.why != BLOCK_NONE;
		g->may_come |= n->b.why == BLOCK_ASSUME || n->b.why == BLOCK_CALL;
		g->failed |= n->t->state == TASK_FAILED;
		if (n->t->kind != TASK_THREAD && node_waits(n))
			g->workers[g->nworkers++] = n->t;
	}
	for (size_t i = 0; i < g->n; i++)
		fill_node(g, &g->nodes[i]);
	return true;
}

void graph_release(struct graph *g)
{
	free(g->nodes);
	free(g->workers);
}

/* Workers and timers of ss are called kworker/SS:x and timer/SS:x. */
static bool works_for(const struct task *t, struct srcu *ss)
{
	const char *name = strchr(task_name(t), '/');
	size_t n = strlen(ss->obj->name);

	return name && !strncmp(name + 1, ss->obj->name, n) && name[n + 1] == ':';
}

static struct edge gp_edge(struct graph *g, struct node *n)
{
	struct gp *gp = &g->c->gp;

	while (n->cursor < gp->nsections) {
		struct open_section *s = &gp->sections[n->cursor++];

		if (section_holds_up(g, s, n->gp, n->start, n->scanned))
			return (struct edge){ EDGE_SECTION, task_by_id(g->c->w, s->pub.task),
					      &s->pub, 0 };
	}
	while (n->cursor < gp->nsections + g->nworkers) {
		struct task *t = g->workers[n->cursor++ - gp->nsections];

		if (t != n->t && works_for(t, n->gp))
			return (struct edge){ EDGE_WORKER, t, NULL, 0 };
	}
	return (struct edge){ 0 };
}

/* Of an rwsem: its readers, or the writers that come first. */
static struct edge rwsem_edge(struct graph *g, struct node *n)
{
	const struct read_holds *reads = &g->c->reads;

	while (n->b.why == BLOCK_READERS && n->cursor < reads->n) {
		const struct read_hold *r = &reads->v[n->cursor++];

		if (r->sem == n->b.loc)
			return (struct edge){ EDGE_LOCK, task_by_id(g->c->w, r->task), NULL, r->since };
	}
	while (n->b.why == BLOCK_QUEUE && n->cursor < g->n) {
		struct task *t = g->nodes[n->cursor++].t;

		if (t->state == TASK_READY && t->ev.op == OP_LOCK && t->ev.loc == n->b.loc)
			return (struct edge){ EDGE_QUEUE, t, NULL, 0 };
	}
	return (struct edge){ 0 };
}

struct edge graph_next(struct graph *g, struct node *n)
{
	enum edge_kind kind;

	if (n->gp)
		return gp_edge(g, n);
	if (n->b.why == BLOCK_READERS || n->b.why == BLOCK_QUEUE)
		return rwsem_edge(g, n);
	if (n->cursor++ || !n->b.holder)
		return (struct edge){ 0 };
	switch (n->b.why) {
	case BLOCK_LOCK:
	case BLOCK_SELF:
		kind = EDGE_LOCK;
		break;
	case BLOCK_CPU:
	case BLOCK_IRQ_OFF:
		kind = EDGE_CPU;
		break;
	case BLOCK_WAIT:
	case BLOCK_COND:
		kind = EDGE_TASK;
		break;
	default:
		return (struct edge){ 0 };
	}
	return (struct edge){ kind, n->b.holder, NULL, n->b.since };
}

/* Copies the cycle that closes at path[from]. */
static struct node **copy_cycle(struct node **path, size_t from, size_t depth)
{
	struct node **cycle = calloc(depth - from + 1, sizeof(struct node *));

	if (cycle)
		memcpy(cycle, path + from, (depth - from) * sizeof(*cycle));
	return cycle;
}

enum { WHITE, ON_PATH, FINISHED };

/* Depth first from one node; the path's nodes remember the edge they took. */
static struct node **cycle_from(struct graph *g, struct node **path, struct node *first)
{
	size_t depth = 0;

	path[depth++] = first;
	first->colour = ON_PATH;
	while (depth) {
		struct node *n = path[depth - 1], *to;

		n->taken = graph_next(g, n);
		if (n->taken.kind == EDGE_NONE) {
			n->colour = FINISHED;
			depth--;
			continue;
		}
		if (!n->taken.to)
			continue;
		to = graph_node(g, n->taken.to);
		if (to->colour == ON_PATH) {
			size_t from = depth;

			while (path[--from] != to)
				;
			return copy_cycle(path, from, depth);
		}
		if (to->colour == WHITE) {
			to->colour = ON_PATH;
			path[depth++] = to;
		}
	}
	return NULL;
}

struct node **graph_cycle(struct graph *g)
{
	struct node **path = calloc(g->n + 1, sizeof(struct node *)), **cycle = NULL;

	if (!path) {
		world_fail(g->c->w, "out of memory");
		return NULL;
	}
	for (size_t i = 0; i < g->n && !cycle; i++)
		if (g->nodes[i].colour == WHITE)
			cycle = cycle_from(g, path, &g->nodes[i]);
	free(path);
	for (size_t i = 0; i < g->n; i++)
		g->nodes[i].cursor = 0;
	return cycle;
}
