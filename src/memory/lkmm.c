/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Linux-kernel memory model (Alglave, Maranget, McKenney, Parri, Stern, "Frightening
 * Small Children and Disconcerting Grown-ups: Concurrency in the Linux Kernel", ASPLOS
 * 2018; the relations' names are those of the kernel's tools/memory-model, as of Linux
 * 6.12).  Three axioms beside coherence and atomicity: hb has no circle (what happens
 * before, as far as the model promises), pb has none (in which order stores propagate).
 * Grace periods are what the implementation makes of them, by its own accesses and fences.
 */
#include <config.h>

#include "engine/site.h"
#include "memory/lkmm.h"

static bool is_rmw(const struct mm_event *e)
{
	return e->pair != MM_NONE && !(e->flags & (MM_LOCK | MM_SEQUENCE | MM_MEMBARRIER));
}

static bool locks(const struct mm_event *e) { return e->flags & MM_LOCK && e->kind == MM_WRITE; }

/* What gives nothing back is not ordered by smp_rmb(). */
static bool read_for_rmb(const struct mm_event *e)
{
	return e->kind == MM_READ && e->order != ORD_NORETURN && !(is_rmw(e) && e->order == ORD_NONE);
}

/* What stands between an access and those behind it in program order. */
struct between {
	bool mb, wmb, rmb, acquired;
	bool before_atomic, rmw, lock, unlocked;	/* half of a fence so far */
	bool unlock_lock;	/* an unlock, and a lock behind it */
	bool unlock_then_lock;	/* the same for smp_mb__after_unlock_lock() */
};

static void pass_fence(struct between *b, const struct mm_fence *f)
{
	switch (f->order) {
	case ORD_MB: case ORD_MB_AFTER_SRCU_UNLOCK: case ORD_GRACE_PERIOD:
		b->mb = true;
		break;
	case ORD_WMB:
		b->wmb = true;
		break;
	case ORD_RMB:
		b->rmb = true;
		break;
	case ORD_MB_BEFORE_ATOMIC:
		b->before_atomic = true;
		break;
	case ORD_MB_AFTER_ATOMIC:
		b->mb |= b->rmw;
		break;
	case ORD_MB_AFTER_SPINLOCK:
		b->mb |= b->lock;
		break;
	case ORD_MB_AFTER_UNLOCK_LOCK:
		b->mb |= b->unlock_then_lock;
		break;
	default:
		break;
	}
	b->mb |= (f->flags & MM_SWITCH) != 0;
}

/* e is come to: does a fence that belongs to it stand before it? */
static void come_to(struct between *b, const struct mm_event *e)
{
	if (is_rmw(e) && e->kind == MM_READ && e->order == ORD_FULL)
		b->mb = true;
	if (is_rmw(e) && b->before_atomic)
		b->mb = true;
	if (e->flags & MM_SWITCH)
		b->mb = true;
}

/* e is left behind. */
static void go_past(struct between *b, const struct mm_event *e)
{
	if (is_rmw(e)) {
		b->rmw = true;
		if (e->kind == MM_WRITE && e->order == ORD_FULL)
			b->mb = true;
	}
	if (e->flags & MM_UNLOCK)
		b->unlocked = true;
	if (locks(e))
		b->lock = true;
	if (b->unlocked && e->flags & MM_LOCK)
		b->unlock_lock = b->unlock_then_lock = true;
	if (e->flags & MM_SWITCH)
		b->mb = true;
}

static void relate(struct lkmm *k, size_t i, size_t j, const struct between *b)
{
	const struct mm_event *x = &k->m->ev[i], *y = &k->m->ev[j];
	bool preserved = false;

	if (k->plain) {
		bool nonrw = b->mb || b->acquired || (y->kind == MM_WRITE && y->order == ORD_RELEASE);

		if (nonrw)
			rel_set(&k->s, k->r[NONRW], i, j);
		if (b->rmb)
			rel_set(&k->s, k->r[RMB], i, j);
		if (nonrw || (b->wmb && x->kind == MM_WRITE && y->kind == MM_WRITE) ||
		    (b->rmb && read_for_rmb(x) && read_for_rmb(y)))
			rel_set(&k->s, k->r[FENCE], i, j);
	}

	if (b->mb) {
		rel_set(&k->s, k->r[STRONG], i, j);
		preserved = true;
	}
	if (y->kind == MM_WRITE && y->order == ORD_RELEASE) {
		rel_set(&k->s, k->r[PO_REL], i, j);
		preserved = true;
	}
	if (b->acquired)
		preserved = true;
	if (b->wmb && x->kind == MM_WRITE && y->kind == MM_WRITE) {
		rel_set(&k->s, k->r[WMB], i, j);
		preserved = true;
	}
	if (b->rmb && read_for_rmb(x) && read_for_rmb(y))
		preserved = true;
	if (b->unlock_lock) {
		rel_set(&k->s, k->r[UNLOCK_LOCK], i, j);
		preserved = true;
	}
	if (preserved)
		rel_set(&k->s, k->r[PPO], i, j);
}

static void fences_behind(struct lkmm *k, size_t i)
{
	const struct mm_event *x = &k->m->ev[i];
	struct between b = { .acquired = x->kind == MM_READ && x->order == ORD_ACQUIRE };

	size_t f = 0;

	while (f < k->m->nfences && k->m->fences[f].at <= i)
		f++;
	go_past(&b, x);
	/* an unlock orders what is before it, not itself */
	b.unlocked = b.unlock_lock = b.unlock_then_lock = false;
	for (size_t j = i + 1; j < k->m->n; j++) {
		const struct mm_event *y = &k->m->ev[j];

		if (y->task != x->task)
			continue;
		for (; f < k->m->nfences && k->m->fences[f].at <= j; f++)
			if (k->m->fences[f].task == x->task)
				pass_fence(&b, &k->m->fences[f]);
		come_to(&b, y);
		relate(k, i, j, &b);
		go_past(&b, y);
	}
}

/* --- from one task's unlock to another's lock --- */

/* Is there such a fence behind the lock and before the access? */
static bool fence_after(const struct mm *m, size_t lock, size_t access)
{
	for (size_t f = 0; f < m->nfences; f++)
		if (m->fences[f].task == m->ev[lock].task && m->fences[f].at > lock &&
		    m->fences[f].at <= access && m->fences[f].order == ORD_MB_AFTER_UNLOCK_LOCK)
			return true;
	return false;
}

/* All before the unlock, to all behind the read of the lock whose write is `l`. */
static void hand_over(struct lkmm *k, size_t unlock, size_t l)
{
	const struct mm *m = k->m;

	for (size_t j = l; j < m->n; j++) {
		bool strong;

		if (m->ev[j].task != m->ev[l].task)
			continue;
		strong = fence_after(m, l, j);
		for (size_t i = 0; i < unlock; i++) {
			if (m->ev[i].task != m->ev[unlock].task)
				continue;
			if (strong)
				rel_set(&k->s, k->r[STRONG], i, j);
			rel_set(&k->s, k->r[UNLOCK_LOCK], i, j);
		}
	}
}

/* From one holder to the next: over several the releases order what is to be ordered. */
static void hand_overs(struct lkmm *k)
{
	const struct mm *m = k->m;

	for (size_t l = 0; l < m->n; l++) {
		const struct mm_event *e = &m->ev[l];
		uint16_t u = locks(e) ? m->ev[e->pair].rf : MM_NONE;

		if (u != MM_NONE && m->ev[u].flags & MM_UNLOCK && mm_ext(m, u, l))
			hand_over(k, u, l);
	}
}

/* --- between sequences and membarriers --- */

/* The struck task goes through a full fence: all up to the end of what came first, to all
 * since the beginning of what came then. */
static void strike(struct lkmm *k, size_t end, size_t begin)
{
	const struct mm *m = k->m;

	for (size_t i = 0; i < end; i++) {
		if (m->ev[i].task != m->ev[end].task)
			continue;
		for (size_t j = begin; j < m->n; j++)
			if (m->ev[j].task == m->ev[begin].task)
				rel_set(&k->s, k->r[STRONG], i, j);
	}
}

/* Of each CPU the sequences and the membarriers that pass have an order, and where one kind
 * comes before the other, however many of them are in between, it is struck before it. */
static void strikes(struct lkmm *k)
{
	const struct mm *m = k->m;
	const uint8_t kinds = MM_SEQUENCE | MM_MEMBARRIER;

	for (size_t u = 0; u < m->n; u++) {
		const struct mm_event *end = &m->ev[u];

		if (end->kind != MM_WRITE || end->pair != MM_NONE || !(end->flags & kinds))
			continue;
		for (size_t l = 0; l < m->n; l++) {
			const struct mm_event *begin = &m->ev[l];

			if (begin->kind == MM_WRITE && begin->pair != MM_NONE && begin->loc == end->loc &&
			    (begin->flags & kinds) == (kinds & ~end->flags) && begin->rank > end->rank &&
			    mm_ext(m, u, l))
				strike(k, u, begin->pair);
		}
	}
}

/* --- dependencies --- */

static void depends(struct lkmm *k, size_t r, size_t j, bool addr, bool dep, bool ctrl)
{
	const struct mm_event *y = &k->m->ev[j];

	if ((y->kind == MM_WRITE && (dep || ctrl)) || (y->kind == MM_READ && addr))
		rel_set(&k->s, k->r[PPO], r, j);
	if (addr)
		rel_set(&k->s, k->r[ADDR], r, j);
	if (y->kind != MM_WRITE || !dep)
		return;
	/* where a plain store goes is known before it is ordered */
	if (addr && !mm_marked(y))
		rel_join_row(&k->s, rel_row(&k->s, k->r[PPO], r), rel_row(&k->s, k->r[WMB], j));
	/* what reads it from the same task */
	for (size_t i = j + 1; mm_marked(y) && i < k->m->n; i++)
		if (k->m->ev[i].kind == MM_READ && k->m->ev[i].rf == j && k->m->ev[i].task == y->task)
			rel_set(&k->s, k->r[PPO], r, i);
}

static void dependencies(struct lkmm *k, size_t j)
{
	const struct mm_event *y = &k->m->ev[j];
	uint64_t bits = y->addr | y->data | y->ctrl;

	for (size_t i = 0; bits && i < j; i++) {
		uint64_t self = k->m->ev[i].self;

		if (k->m->ev[i].task == y->task && self & bits)
			depends(k, i, j, y->addr & self, (y->addr | y->data) & self, y->ctrl & self);
	}
}

/* What a task stores and loads again is still made of the same. */
static void carry_dependencies(struct mm *m)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct mm_event *e = &m->ev[i];
		uint64_t data;

		if (e->kind != MM_READ || e->rf == MM_NONE || e->rf > i || m->ev[e->rf].task != e->task)
			continue;
		data = m->ev[e->rf].data;
		for (size_t a = 0; data && a < m->naddrs; a++)
			if (m->addrs[a].read == i)
				m->ev[m->addrs[a].access].addr |= data;
		for (size_t j = i + 1; data && j < m->n; j++) {
			struct mm_event *y = &m->ev[j];

			if (y->task != e->task)
				continue;
			y->addr |= y->addr & e->self ? data : 0;
			y->data |= y->data & e->self ? data : 0;
			y->ctrl |= y->ctrl & e->self ? data : 0;
		}
	}
}

/* --- the axioms --- */

/* Takes the accesses that are not marked out of a relation. */
static void only_marked(struct lkmm *k, struct rel r)
{
	if (!k->plain)
		return;
	for (size_t i = 0; i < k->s.n; i++) {
		uint64_t *row = rel_row(&k->s, r, i);

		if (!mm_marked(&k->m->ev[i])) {
			memset(row, 0, k->s.words * sizeof(*row));
			continue;
		}
		for (size_t j = 0; j < k->s.n; j++)
			if (!mm_marked(&k->m->ev[j]))
				row[j / 64] &= ~((uint64_t)1 << (j % 64));
	}
}

static void communicate(struct lkmm *k)
{
	const struct mm *m = k->m;

	mm_communicate(m, &k->s, k->r[OVERWRITE], k->r[OVERWRITE]);
	for (size_t i = 0; i < m->n; i++) {
		if (m->ev[i].kind == MM_READ && m->ev[i].rf != MM_NONE && mm_ext(m, m->ev[i].rf, i))
			rel_set(&k->s, k->r[RFE], m->ev[i].rf, i);
		rel_each(&k->s, k->r[OVERWRITE], i, j)
			if (!mm_ext(m, i, j))
				rel_set(&k->s, k->r[PPO], i, j);
	}
	only_marked(k, k->r[RFE]);
}

/* to = from?; r */
static void maybe_then(struct lkmm *k, struct rel to, struct rel from, struct rel r)
{
	rel_compose(&k->s, to, from, r);
	rel_join(&k->s, to, r);
}

/* cumul-fence*, with what read-modify-writes hand on */
static void cumul_fence(struct lkmm *k)
{
	const struct mm *m = k->m;
	struct rel fence = k->r[TMP], sequence = k->r[TMP2], cumul = k->r[CUMUL];

	rel_copy(&k->s, fence, k->r[STRONG]);
	rel_join(&k->s, fence, k->r[PO_REL]);
	maybe_then(k, cumul, k->r[RFE], fence);
	rel_join(&k->s, cumul, k->r[WMB]);
	rel_join(&k->s, cumul, k->r[UNLOCK_LOCK]);
	only_marked(k, cumul);
	rel_clear(&k->s, sequence);
	for (size_t i = 0; i < m->n; i++)
		if (m->ev[i].kind == MM_WRITE && m->ev[i].pair != MM_NONE && m->ev[m->ev[i].pair].rf != MM_NONE)
			rel_set(&k->s, sequence, m->ev[m->ev[i].pair].rf, i);
	rel_close(&k->s, sequence);
	rel_compose(&k->s, fence, cumul, sequence);
	rel_join(&k->s, cumul, fence);
	rel_close(&k->s, cumul);
	rel_reflexive(&k->s, cumul);
}

static void propagation(struct lkmm *k)
{
	struct rel prop = k->r[PROP], tmp = k->r[TMP], ext = k->r[TMP2];

	cumul_fence(k);
	rel_clear(&k->s, ext);
	for (size_t i = 0; i < k->s.n; i++)
		rel_each(&k->s, k->r[OVERWRITE], i, j)
			if (mm_ext(k->m, i, j))
				rel_set(&k->s, ext, i, j);
	only_marked(k, ext);
	maybe_then(k, tmp, ext, k->r[CUMUL]);
	/* tmp ; rfe? */
	rel_compose(&k->s, prop, tmp, k->r[RFE]);
	rel_join(&k->s, prop, tmp);
	only_marked(k, prop);
}

static void happens_before(struct lkmm *k)
{
	struct rel hb = k->r[HB];

	rel_copy(&k->s, hb, k->r[PPO]);
	rel_join(&k->s, hb, k->r[RFE]);
	for (size_t i = 0; i < k->s.n; i++)
		rel_each(&k->s, k->r[PROP], i, j)
			if (i != j && !mm_ext(k->m, i, j))
				rel_set(&k->s, hb, i, j);
	only_marked(k, hb);
	rel_close(&k->s, hb);
}

/* pb = prop ; strong-fence ; hb* */
static void propagates_before(struct lkmm *k)
{
	struct rel tmp = k->r[TMP];

	rel_compose(&k->s, tmp, k->r[PROP], k->r[STRONG]);
	rel_reflexive(&k->s, k->r[HB]);
	rel_compose(&k->s, k->r[PB], tmp, k->r[HB]);
	only_marked(k, k->r[PB]);
}

bool lkmm_relations(struct mm *m, struct lkmm *k)
{
	*k = (struct lkmm){ .m = m };
	for (size_t i = 0; i < m->n; i++)
		k->plain |= (m->ev[i].flags & MM_PLAIN) != 0;
	if (!mm_begin(m, &k->s, k->r, k->plain ? NRELS : NRELS_MARKED))
		return false;
	carry_dependencies(m);
	for (size_t i = 0; i < m->n; i++) {
		fences_behind(k, i);
		dependencies(k, i);
	}
	for (size_t a = 0; a < m->naddrs; a++)
		depends(k, m->addrs[a].read, m->addrs[a].access, true, true, false);
	hand_overs(k);
	strikes(k);
	mm_made(m, &k->s, k->r[STRONG]);
	mm_made(m, &k->s, k->r[PPO]);
	communicate(k);
	propagation(k);
	happens_before(k);
	if (!rel_is_irreflexive(&k->s, k->r[HB]))
		return false;
	propagates_before(k);
	return true;
}

bool mm_lkmm(struct mm *m)
{
	struct lkmm k;
	struct mm_places p;

	if (!mm_index(m, &p) || !mm_is_coherent(m, &p))
		return false;
	/* most are, and it is much cheaper to see; what x86 does the model allows */
	if (mm_is_sc(m, &p) || mm_is_tso(m, &p))
		return true;
	if (mm_is_no_lkmm(m, &p))
		return false;
	return lkmm_relations(m, &k) && mm_acyclic(m, &k.s, k.r[PB]);
}
