/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ss:state(): what can be seen of an SRCU domain, as a table.
 */
#include <config.h>

#include "binding/binding.h"
#include "srcu/srcu.h"

#include <string.h>

static void set_number(lua_State *L, const char *key, uint64_t v)
{
	lua_pushinteger(L, (lua_Integer)v);
	lua_setfield(L, -2, key);
}

static void set_holder(lua_State *L, const char *key, struct world *w, const uint64_t *owner)
{
	struct task *t = owner && *owner ? task_by_id(w, (uint32_t)(*owner - 1)) : NULL;

	if (!t)
		return;
	lua_pushstring(L, task_name(t));
	lua_setfield(L, -2, key);
}

/* t[cpu] = {[0]=, [1]=} of one kind of counter, for all CPUs; t is on top. */
static void set_counts(lua_State *L, struct srcu *ss, unsigned cpu, bool unlocks)
{
	uint64_t n[2][2];

	lua_createtable(L, 1, 1);
	for (unsigned idx = 0; idx < 2; idx++) {
		if (!ss->ops->counts(ss, cpu, idx, &n[idx][0], &n[idx][1]))
			continue;
		lua_pushinteger(L, (lua_Integer)n[idx][unlocks]);
		lua_rawseti(L, -2, idx);
	}
	lua_rawseti(L, -2, cpu);
}

static void set_counters(lua_State *L, struct srcu *ss, const struct srcu_view *v)
{
	uint64_t locks, unlocks, readers[2] = { 0, 0 };

	for (int unlock = 0; unlock < 2; unlock++) {
		lua_createtable(L, (int)v->ncpus, 1);
		for (unsigned cpu = 0; cpu < v->ncpus; cpu++)
			set_counts(L, ss, cpu, unlock);
		lua_setfield(L, -2, unlock ? "unlock_count" : "lock_count");
	}
	lua_createtable(L, 1, 1);
	for (unsigned idx = 0; idx < 2; idx++) {
		for (unsigned cpu = 0; cpu < v->ncpus; cpu++)
			if (ss->ops->counts(ss, cpu, idx, &locks, &unlocks))
				readers[idx] += locks - unlocks;
		lua_pushinteger(L, (lua_Integer)readers[idx]);
		lua_rawseti(L, -2, idx);
	}
	lua_setfield(L, -2, "readers");
}

static void set_cblists(lua_State *L, struct srcu *ss, const struct srcu_view *v)
{
	struct srcu_cblist_view c;

	lua_createtable(L, (int)v->ncpus, 1);
	for (unsigned cpu = 0; cpu < v->ncpus; cpu++) {
		if (!ss->ops->cblist(ss, cpu, &c))
			continue;
		lua_createtable(L, 0, 4);
		set_number(L, "done", (uint64_t)c.done);
		set_number(L, "wait", (uint64_t)c.wait);
		set_number(L, "next_ready", (uint64_t)c.next_ready);
		set_number(L, "next", (uint64_t)c.next);
		lua_rawseti(L, -2, cpu);
	}
	lua_setfield(L, -2, "cblist");
}

static void set_tiny(lua_State *L, const struct srcu_view *v)
{
	lua_createtable(L, 1, 1);
	for (int idx = 0; idx < 2; idx++) {
		lua_pushinteger(L, v->nesting[idx]);
		lua_rawseti(L, -2, idx);
	}
	lua_setfield(L, -2, "readers");
	set_number(L, "srcu_idx_max", v->srcu_idx_max);
	lua_pushboolean(L, v->gp_running);
	lua_setfield(L, -2, "gp_running");
	lua_pushboolean(L, v->gp_waiting);
	lua_setfield(L, -2, "gp_waiting");
}

static void set_nodes(lua_State *L, struct srcu *ss, const struct srcu_view *v)
{
	struct srcu_node_view n;

	lua_createtable(L, (int)v->nnodes, 1);
	for (unsigned i = 0; ss->ops->node && ss->ops->node(ss, i, &n); i++) {
		lua_createtable(L, 0, 7);
		set_number(L, "level", n.level);
		set_number(L, "lo", (uint64_t)n.lo);
		set_number(L, "hi", (uint64_t)n.hi);
		if (n.parent >= 0)
			set_number(L, "parent", (uint64_t)n.parent);
		if (n.has_needed_exp)
			set_number(L, "gp_seq_needed_exp", n.needed_exp);
		lua_createtable(L, SRCU_VIEW_SLOTS - 1, 1);
		lua_createtable(L, SRCU_VIEW_SLOTS - 1, 1);
		for (int k = 0; k < SRCU_VIEW_SLOTS; k++) {
			lua_pushinteger(L, (lua_Integer)n.data_have_cbs[k]);
			lua_rawseti(L, -2, k);
			if (!n.has_cbs[k])
				continue;
			lua_pushinteger(L, (lua_Integer)n.have_cbs[k]);
			lua_rawseti(L, -3, k);
		}
		lua_setfield(L, -3, "data_have_cbs");
		lua_setfield(L, -2, "have_cbs");
		lua_rawseti(L, -2, i);
	}
	lua_setfield(L, -2, "nodes");
}

int lb_srcu_state(lua_State *L)
{
	static const char *const states[] = { "IDLE", "SCAN1", "SCAN2" };
	struct srcu *ss = lb_check_srcu(L, 1);
	struct srcu_view v;

	lb_look(L);
	memset(&v, 0, sizeof(v));
	ss->ops->view(ss, &v);
	lua_createtable(L, 0, 12);
	if (v.has_gp_seq) {
		set_number(L, "gp_seq", v.gp_seq);
		set_number(L, "gp_seq_needed", v.gp_seq_needed);
		set_number(L, "gp_seq_needed_exp", v.gp_seq_needed_exp);
		lua_pushstring(L, v.gp_state < 3 ? states[v.gp_state] : "?");
		lua_setfield(L, -2, "gp_state");
	}
	if (v.has_open)
		set_number(L, "open", v.open);
	else
		set_number(L, "srcu_idx", v.srcu_idx);
	if (v.has_nesting)
		set_tiny(L, &v);
	if (v.has_size_state) {
		lua_pushstring(L, v.size_state);
		lua_setfield(L, -2, "size_state");
	}
	if (v.has_counts)
		set_counters(L, ss, &v);
	if (v.has_cblist)
		set_cblists(L, ss, &v);
	if (v.nnodes)
		set_nodes(L, ss, &v);
	if (v.has_mutexes) {
		set_holder(L, "gp_mutex", ss->obj->w, v.gp_mutex_owner);
		set_holder(L, "cb_mutex", ss->obj->w, v.cb_mutex_owner);
	}
	return 1;
}
