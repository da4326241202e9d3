/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An srcu_struct as a table: where its grace period stands, who counts in which
 * bank, what waits.  All of it comes through struct srcu_ops, so that every
 * implementation is shown alike.
 */
#include <config.h>

#include "view/object.h"
#include "check/check.h"
#include "srcu/seq.h"
#include "srcu/rcu.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NARROW 48
#define ALL_CPUS 8	/* with more, only those that have something to show ... */
#define ROWS_MAX 16	/* ... and not more of them than this */

static const char *const gp_states[] = { "IDLE", "SCAN1", "SCAN2", "?" };

struct counts { uint64_t lock[2], unlock[2]; };

struct srcu *object_srcu(struct object *obj)
{
	return obj && (obj->type == &srcu_objtype || obj->type == &rcu_objtype) &&
	       obj->state != OBJECT_DESTROYED ?
		       obj->impl : NULL;
}

static const char *gp_state_name(const struct srcu_view *v)
{
	return gp_states[v->gp_state & 3];
}

/* The counters of one CPU; false: it has none, or all are 0. */
static bool cpu_counts(struct srcu *ss, unsigned cpu, struct counts *c)
{
	*c = (struct counts){0};
	for (unsigned idx = 0; idx < 2; idx++)
		if (!ss->ops->counts(ss, cpu, idx, &c->lock[idx], &c->unlock[idx]))
			return false;
	return c->lock[0] || c->lock[1] || c->unlock[0] || c->unlock[1];
}

/* Locks less unlocks of one bank, modulo what the counters can hold. */
static uint64_t bank_readers(struct srcu *ss, const struct counts *sum, unsigned idx)
{
	unsigned bits = ss->opts.counter_bits;
	uint64_t n = sum->lock[idx] - sum->unlock[idx];

	return bits && bits < 64 ? n & ((UINT64_C(1) << bits) - 1) : n;
}

static void sum_counts(struct srcu *ss, unsigned ncpus, struct counts *sum)
{
	struct counts c;

	*sum = (struct counts){0};
	for (unsigned cpu = 0; cpu < ncpus; cpu++) {
		cpu_counts(ss, cpu, &c);
		for (unsigned idx = 0; idx < 2; idx++) {
			sum->lock[idx] += c.lock[idx];
			sum->unlock[idx] += c.unlock[idx];
		}
	}
}

/* Below a list: how much of it is left out, and how much had nothing to show. */
static void view_rest(const struct view_opts *o, struct sbuf *out, unsigned more, unsigned zero)
{
	if (more && zero)
		view_line(out, o, "  ... and %u more, and %u all zero", more, zero);
	else if (more)
		view_line(out, o, "  ... and %u more", more);
	else if (zero)
		view_line(out, o, "  ... and %u more, all zero", zero);
}

static void counts_row(struct table *t, const struct counts *c)
{
	for (unsigned idx = 0; idx < 2; idx++) {
		table_cell(t, TINT_PLAIN, "%" PRIu64, c->lock[idx]);
		table_cell(t, TINT_PLAIN, "%" PRIu64, c->unlock[idx]);
	}
}

static void view_counts(struct srcu *ss, const struct srcu_view *v,
			const struct view_opts *o, struct sbuf *out)
{
	static const char *const wide[] = { "cpu", "lock[0]", "unlock[0]", "lock[1]", "unlock[1]" };
	static const char *const narrow[] = { "cpu", "lock0", "unlock0", "lock1", "unlock1" };
	struct counts c, sum;
	unsigned cpu, rows = 0, zero = 0;
	struct table t;

	table_init(&t, 5, 0x1f);
	for (unsigned i = 0; i < 5; i++)
		table_cell(&t, TINT_HEAD, "%s", (view_columns(o) < NARROW ? narrow : wide)[i]);
	for (cpu = 0; cpu < v->ncpus; cpu++) {
		if (!cpu_counts(ss, cpu, &c) && v->ncpus > ALL_CPUS) {
			zero++;
			continue;
		}
		if (rows++ >= ROWS_MAX)
			continue;
		table_cell(&t, TINT_PLAIN, "%u", cpu);
		counts_row(&t, &c);
	}
	sum_counts(ss, v->ncpus, &sum);
	table_cell(&t, TINT_HEAD, "sum");
	counts_row(&t, &sum);
	sbuf_add(out, "\n");
	table_print(&t, o, 2, out);
	view_rest(o, out, rows > ROWS_MAX ? rows - ROWS_MAX : 0, zero);
	view_pair(out, o, "readers", "%" PRIu64 " in bank 0, %" PRIu64 " in bank 1 (locks less unlocks)",
		  bank_readers(ss, &sum, 0), bank_readers(ss, &sum, 1));
	sbuf_add(out, "\n");
}

/* Callbacks of one CPU; false: none. */
static bool cpu_callbacks(struct srcu *ss, unsigned cpu, struct srcu_cblist_view *c)
{
	*c = (struct srcu_cblist_view){0};
	return ss->ops->cblist(ss, cpu, c) &&
	       (c->done || c->wait || c->next_ready || c->next);
}

static void view_callbacks(struct srcu *ss, const struct srcu_view *v,
			   const struct view_opts *o, struct sbuf *out)
{
	static const char *const heads[] = { "cpu", "done", "wait", "next_ready", "next" };
	struct srcu_cblist_view c;
	unsigned rows = 0;
	struct table t;

	table_init(&t, 5, 0x1f);
	for (unsigned i = 0; i < 5; i++)
		table_cell(&t, TINT_HEAD, "%s", heads[i]);
	for (unsigned cpu = 0; cpu < v->ncpus; cpu++) {
		if (!cpu_callbacks(ss, cpu, &c))
			continue;
		if (rows++ >= ROWS_MAX)
			continue;
		table_cell(&t, TINT_PLAIN, "%u", cpu);
		table_cell(&t, TINT_PLAIN, "%ld", c.done);
		table_cell(&t, TINT_PLAIN, "%ld", c.wait);
		table_cell(&t, TINT_PLAIN, "%ld", c.next_ready);
		table_cell(&t, TINT_PLAIN, "%ld", c.next);
	}
	view_pair(out, o, "callbacks", rows ? "by segment" : "none");
	if (rows)
		table_print(&t, o, 4, out);
	else
		sbuf_release(&t.cells);
	view_rest(o, out, rows > ROWS_MAX ? rows - ROWS_MAX : 0, 0);
}

/* What a node has been asked for and is not over: numbers, and whose callbacks. */
static bool node_requests(const struct srcu_node_view *n, char *numbers, char *masks, size_t size)
{
	size_t a = 0, b = 0;

	snprintf(numbers, size, "-");
	snprintf(masks, size, "-");
	for (unsigned k = 0; k < SRCU_VIEW_SLOTS; k++) {
		if (!n->has_cbs[k] || n->have_cbs[k] & RCU_SEQ_STATE_MASK)
			continue;
		a += (size_t)snprintf(numbers + a, size - a, "%s%" PRIu64, a ? " " : "",
				      n->have_cbs[k]);
		if (n->data_have_cbs[k])
			b += (size_t)snprintf(masks + b, size - b, "%s0x%" PRIx64, b ? " " : "",
					      n->data_have_cbs[k]);
	}
	return a;
}

/* The combining tree: nodes with a request that is not over, from the root. */
static void view_nodes(struct srcu *ss, const struct srcu_view *v, const struct view_opts *o,
		       struct sbuf *out)
{
	static const char *const heads[] = { "node", "CPUs", "asked for", "callbacks of" };
	char numbers[96], masks[96], cpus[32];
	struct srcu_node_view n;
	unsigned rows = 0;
	struct table t;

	table_init(&t, 4, 1);
	for (unsigned i = 0; i < 4; i++)
		table_cell(&t, TINT_HEAD, "%s", heads[i]);
	for (unsigned i = 0; ss->ops->node(ss, i, &n); i++) {
		if (!node_requests(&n, numbers, masks, sizeof(masks)) || rows++ >= ROWS_MAX)
			continue;
		snprintf(cpus, sizeof(cpus), "%d-%d", n.lo, n.hi);
		table_cell(&t, TINT_PLAIN, "%u", i);
		table_cell(&t, TINT_PLAIN, "%s", cpus);
		table_cell(&t, TINT_PLAIN, "%s", numbers);
		table_cell(&t, TINT_PLAIN, "%s", masks);
	}
	view_pair(out, o, "tree", "%u node%s in %u level%s%s", v->nnodes, v->nnodes == 1 ? "" : "s",
		  v->nlevels, v->nlevels == 1 ? "" : "s",
		  rows ? ", with requests:" : ", without requests");
	if (rows)
		table_print(&t, o, 4, out);
	else
		sbuf_release(&t.cells);
	view_rest(o, out, rows > ROWS_MAX ? rows - ROWS_MAX : 0, 0);
}

static const char *who(struct world *w, uint32_t task)
{
	struct object *obj = task ? object_by_id(w, task) : NULL;

	return obj ? obj->name : "?";
}

/* Who is inside, and who waits: the oracles know. */
static void view_parties(struct world *w, struct srcu *ss, const struct view_opts *o,
			 struct sbuf *out)
{
	size_t i, count;
	unsigned rows = 0;

	if (!world_check_data(w))
		return;
	count = check_section_count(w);
	for (i = 0; i < count; i++) {
		const struct section *s = check_section(w, i);

		if (s->ss != ss || rows++ >= ROWS_MAX)
			continue;
		if (srcu_is_rcu(ss))
			view_pair(out, o, "inside", "%s, since step %" PRIu64, who(w, s->task),
				  s->since);
		else
			view_pair(out, o, "inside", "%s, index %d, since step %" PRIu64 "%s",
				  who(w, s->task), s->idx, s->since,
				  s->any_task ? " (srcu_down_read)" : "");
	}
	view_rest(o, out, rows > ROWS_MAX ? rows - ROWS_MAX : 0, 0);
	rows = 0;
	count = check_gp_wait_count(w);
	for (i = 0; i < count; i++) {
		const struct gp_wait *g = check_gp_wait(w, i);

		if (g->ss == ss && rows++ < ROWS_MAX)
			view_pair(out, o, "waiting", "%s in %s() since step %" PRIu64,
				  who(w, g->task), g->api, g->since);
	}
	view_rest(o, out, rows > ROWS_MAX ? rows - ROWS_MAX : 0, 0);
}

/* A number of the kind of gp_seq that is waited for: "8 (not reached)". */
static void view_needed(struct srcu *ss, const struct srcu_view *v, const char *name,
			uint64_t needed, const struct view_opts *o, struct sbuf *out)
{
	bool reached = seq_ge(v->gp_seq, needed, seq_mask(ss->opts.seq_bits));

	view_pair(out, o, name, "%" PRId64 " (counter %" PRId64 ", %s)", (int64_t)needed, (int64_t)needed >> 2,
		  reached ? "reached" : "not reached");
}

/* Bit 0 of srcu_idx: a grace period is under way; bit 1: the index that it drains. */
static void view_tiny(const struct srcu_view *v, const struct view_opts *o, struct sbuf *out)
{
	view_pair(out, o, "srcu_idx", "%u: new readers count in index %u%s", v->srcu_idx,
		  ((v->srcu_idx + 1) & 2) >> 1,
		  v->srcu_idx & 1 ? ", a grace period is under way" : "");
	view_pair(out, o, "idx_max", "%" PRIu64 ": %s", v->srcu_idx_max,
		  v->srcu_idx_max == v->srcu_idx ? "reached" : "asked for");
	view_pair(out, o, "nesting", "%ld with index 0, %ld with index 1", v->nesting[0],
		  v->nesting[1]);
	view_pair(out, o, "gp", "%s", v->gp_waiting ? "waits for readers" :
		  v->gp_running ? "is being worked on" : "none");
}

static void view_gp(struct srcu *ss, const struct srcu_view *v, const struct view_opts *o,
		    struct sbuf *out)
{
	if (v->uninitialised) {
		view_pair(out, o, "gp_seq", "none yet: the domain is static and not used yet");
	} else if (v->has_gp_seq) {
		view_pair(out, o, "gp_seq", "%" PRId64 " (counter %" PRId64 ", state %s)",
			  (int64_t)v->gp_seq, (int64_t)v->gp_seq >> 2, gp_state_name(v));
		view_needed(ss, v, "needed", v->gp_seq_needed, o, out);
		view_needed(ss, v, "needed_exp", v->gp_seq_needed_exp, o, out);
	}
	if (v->has_counts)
		view_pair(out, o, "srcu_idx", "%u: new readers count in bank %u",
			  v->srcu_idx, v->srcu_idx & 1);
	if (v->has_nesting)
		view_tiny(v, o, out);
	if (v->has_open)
		view_pair(out, o, "sections", "%" PRIu64 " open", v->open);
	if (ss->opts.faults)
		for (const struct srcu_fault_info *f = srcu_fault_table; f->name; f++)
			if (ss->opts.faults & f->bit)
				view_pair(out, o, "fault", "%s: %s", f->name, f->text);
}

void view_srcu(struct world *w, struct srcu *ss, const struct view_opts *o, struct sbuf *out)
{
	struct srcu_view v = {0};
	char text[160];

	ss->ops->view(ss, &v);
	view_paint(out, o, TINT_HEAD, srcu_is_rcu(ss) ? "RCU " : "srcu_struct ");
	view_paint(out, o, TINT_HEAD, ss->obj->name);
	sbuf_addf(out, " (%s%s%s", srcu_is_rcu(ss) ? "plain" : ss->ops->flavor,
		  v.has_size_state ? ", " : "", v.has_size_state ? v.size_state : "");
	if (ss->ops->version)
		sbuf_addf(out, ", of Linux %s", ss->ops->version);
	sbuf_addf(out, ")%s\n", ss->cleaned ? ", cleaned up" : "");
	view_gp(ss, &v, o, out);
	if (v.has_counts)
		view_counts(ss, &v, o, out);
	if (v.has_cblist)
		view_callbacks(ss, &v, o, out);
	if (v.nnodes && ss->ops->node)
		view_nodes(ss, &v, o, out);
	if (v.has_mutexes && v.gp_mutex_owner) {
		lock_brief(w, v.gp_mutex_owner, text, sizeof(text));
		view_pair(out, o, "gp_mutex", "%s", text);
	}
	if (v.has_mutexes && v.cb_mutex_owner) {
		lock_brief(w, v.cb_mutex_owner, text, sizeof(text));
		view_pair(out, o, "cb_mutex", "%s", text);
	}
	view_parties(w, ss, o, out);
}

void srcu_brief(struct srcu *ss, char *buf, size_t n)
{
	struct srcu_view v = {0};
	struct counts sum;
	struct srcu_cblist_view c;
	long callbacks = 0;
	char counts[96] = "", lists[48] = "";

	ss->ops->view(ss, &v);
	if (v.has_counts) {
		sum_counts(ss, v.ncpus, &sum);
		snprintf(counts, sizeof(counts), ", srcu_idx %u, readers %" PRIu64 " + %" PRIu64,
			 v.srcu_idx, bank_readers(ss, &sum, 0), bank_readers(ss, &sum, 1));
	}
	if (v.has_nesting)
		snprintf(counts, sizeof(counts), ", srcu_idx %u, readers %ld + %ld",
			 v.srcu_idx, v.nesting[0], v.nesting[1]);
	if (v.has_open)
		snprintf(counts, sizeof(counts), ", sections %" PRIu64, v.open);
	for (unsigned cpu = 0; v.has_cblist && cpu < v.ncpus; cpu++)
		if (cpu_callbacks(ss, cpu, &c))
			callbacks += c.done + c.wait + c.next_ready + c.next;
	if (callbacks)
		snprintf(lists, sizeof(lists), ", callbacks %ld", callbacks);
	if (v.has_gp_seq)
		snprintf(buf, n, "%s, gp_seq %" PRIu64 "%s%s%s", gp_state_name(&v), v.gp_seq,
			 counts, lists, ss->cleaned ? ", cleaned up" : "");
	else
		snprintf(buf, n, "%s%s%s%s", ss->ops->flavor, counts, lists,
			 ss->cleaned ? ", cleaned up" : "");
}

const char *view_gp_state(struct world *w)
{
	struct srcu *only = NULL, *ss;
	struct srcu_view v = {0};

	for (size_t i = 0; i < world_object_count(w); i++) {
		ss = object_srcu(world_object(w, i));
		if (!ss || ss->cleaned || srcu_is_rcu(ss))
			continue;
		if (only)
			return "";
		only = ss;
	}
	if (!only)
		return "";
	only->ops->view(only, &v);
	return v.has_gp_seq ? gp_state_name(&v) : "";
}
