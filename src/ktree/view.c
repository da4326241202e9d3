/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A kernel's domain from outside: what the image's inspector finds, in the terms of
 * srcu/srcu.h.  No steps, nothing is changed.
 */
#include <config.h>

#include "ktree/internal.h"

/* The image's inspector may look at its static data.  NULL: no memory for it. */
static const struct ktree_image *look(struct srcu *ss)
{
	struct ktree *k = kt_of(ss);

	return ktree_enter(k, ss->obj->w) ? k->image : NULL;
}

static bool has(const struct ktree_view *v, enum ktree_seen what)
{
	return v->has >> what & 1;
}

static const uint64_t *owner(const struct ktree_view *v, enum ktree_seen what)
{
	return has(v, what) ? (const uint64_t *)(uintptr_t)v->value[what] : NULL;
}

static void view_tree(const struct ktree_view *k, struct srcu_view *v)
{
	static const char *const sizes[] = {
		"SMALL", "ALLOC", "WAIT_BARRIER", "WAIT_CALL", "WAIT_CBS1", "WAIT_CBS2",
		"WAIT_CBS3", "WAIT_CBS4", "BIG"
	};
	uint64_t size = k->value[KTREE_SIZE_STATE];

	v->has_gp_seq = has(k, KTREE_GP_SEQ) && has(k, KTREE_GP_SEQ_NEEDED);
	v->has_counts = has(k, KTREE_COUNTS);
	v->has_mutexes = has(k, KTREE_GP_MUTEX) && has(k, KTREE_CB_MUTEX);
	v->has_size_state = has(k, KTREE_SIZE_STATE) && size < sizeof(sizes) / sizeof(*sizes);
	v->gp_seq = k->value[KTREE_GP_SEQ];
	v->gp_seq_needed = k->value[KTREE_GP_SEQ_NEEDED];
	v->gp_seq_needed_exp = k->value[KTREE_GP_SEQ_NEEDED_EXP];
	v->gp_state = (unsigned)(v->gp_seq & 3);
	/* a state in what is needed: nobody has used it yet */
	v->uninitialised = v->has_gp_seq && (v->gp_seq_needed & 3);
	if (v->has_size_state)
		v->size_state = sizes[size];
	if (has(k, KTREE_NODES)) {
		v->nnodes = k->nnodes;
		v->nlevels = k->nlevels;
	}
	if (v->has_mutexes) {
		v->gp_mutex_owner = owner(k, KTREE_GP_MUTEX);
		v->cb_mutex_owner = owner(k, KTREE_CB_MUTEX);
	}
}

static void view_tiny(const struct ktree_view *k, struct srcu_view *v)
{
	v->has_nesting = has(k, KTREE_NESTING);
	v->nesting[0] = k->nesting[0];
	v->nesting[1] = k->nesting[1];
	v->srcu_idx_max = k->value[KTREE_IDX_MAX];
	v->gp_running = k->value[KTREE_GP_RUNNING];
	v->gp_waiting = k->value[KTREE_GP_WAITING];
}

void kt_view(struct srcu *ss, struct srcu_view *v)
{
	const struct ktree_image *image = look(ss);
	struct ktree_view k = { 0 };

	*v = (struct srcu_view){ .ncpus = world_cpus(ss->obj->w) };
	if (!image)
		return;
	image->view(ss->impl, &k);
	v->srcu_idx = (unsigned)k.value[KTREE_IDX];
	v->has_cblist = has(&k, KTREE_CBLIST);
	if (kt_is_tiny(kt_of(ss)))
		view_tiny(&k, v);
	else
		view_tree(&k, v);
}

bool kt_counts(struct srcu *ss, unsigned cpu, unsigned idx, uint64_t *lock_count,
	       uint64_t *unlock_count)
{
	const struct ktree_image *image = look(ss);

	return image && image->counts && cpu < world_cpus(ss->obj->w) && idx < 2 &&
	       image->counts(ss->impl, cpu, idx, lock_count, unlock_count);
}

bool kt_cblist(struct srcu *ss, unsigned cpu, struct srcu_cblist_view *v)
{
	const struct ktree_image *image = look(ss);
	struct ktree_cblist l = { 0 };

	if (!image || !image->cblist || cpu >= world_cpus(ss->obj->w) ||
	    !image->cblist(ss->impl, cpu, &l))
		return false;
	*v = (struct srcu_cblist_view){ .done = l.done, .wait = l.wait,
					.next_ready = l.next_ready, .next = l.next };
	return true;
}

/* What a node has that nobody has used since it was made. */
bool kt_node(struct srcu *ss, unsigned i, struct srcu_node_view *v)
{
	const struct ktree_image *image = look(ss);
	struct ktree_node n = { 0 };

	if (!image || !image->node || !image->node(ss->impl, i, &n))
		return false;
	*v = (struct srcu_node_view){ .level = n.level, .lo = n.lo, .hi = n.hi, .parent = n.parent,
				      .has_needed_exp = n.needed_exp != n.invalid,
				      .needed_exp = n.needed_exp };
	for (unsigned k = 0; k < SRCU_VIEW_SLOTS; k++) {
		v->has_cbs[k] = n.have_cbs[k] != n.invalid;
		v->have_cbs[k] = n.have_cbs[k];
		v->data_have_cbs[k] = n.data_have_cbs[k];
	}
	return true;
}
