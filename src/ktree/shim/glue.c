/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The image's side of ktree/abi.h: its one symbol, the tables of what the tree has, and
 * the look into its structures, all of which is made of what candidates.txt found.
 */
#line 7 "src/ktree/shim/glue.c"
#include "tree.h"
#include "adaptor.h"

struct ktree_host *ktree_host;

/* What a section of that name holds, in whichever of the image's files; none: NULL. */
#define SECTION(type, name)							\
	extern type __start_##name[] __attribute__((weak, visibility("hidden"))); \
	extern type __stop_##name[] __attribute__((weak, visibility("hidden")))
SECTION(const struct ktree_param, ktree_params);
SECTION(struct ktree_line, ktree_lines);
SECTION(struct site, ktree_sites);
SECTION(ktree_initcall *const, ktree_initcalls);

/* The linker's, and where its code begins and ends: see find_text(). */
extern const unsigned char __ehdr_start[] __attribute__((visibility("hidden")));

static struct ktree_image image;

/* --- fields --- */

#define ENTRY(text, ...) KTREE_FIELD(text, __VA_ARGS__),
static const struct ktree_field ssp_fields[] = { KTREE_LIST_ssp(ENTRY) { 0 } };
static const struct ktree_field sup_fields[] = { KTREE_LIST_sup(ENTRY) { 0 } };
static const struct ktree_field sdp_fields[] = { KTREE_LIST_sdp(ENTRY) { 0 } };
static const struct ktree_field snp_fields[] = { KTREE_LIST_snp(ENTRY) { 0 } };

/* --- where plain accesses stand --- */

/* By heap: neither a library nor much of a stack is at hand. */
static void sift(struct ktree_line *l, size_t i, size_t n)
{
	for (size_t child; (child = 2 * i + 1) < n; i = child) {
		struct ktree_line t = l[i];

		if (child + 1 < n && l[child + 1].pc > l[child].pc)
			child++;
		if (l[child].pc <= t.pc)
			return;
		l[i] = l[child];
		l[child] = t;
	}
}

static void sort_lines(struct ktree_line *l, size_t n)
{
	for (size_t i = n / 2; i--; )
		sift(l, i, n);
	while (n-- > 1) {
		struct ktree_line t = l[0];

		l[0] = l[n];
		l[n] = t;
		sift(l, 0, n);
	}
}

const struct ktree_line *ktree_line_at(const void *pc)
{
	const struct ktree_line *l = image.lines;
	size_t n = l ? (size_t)(image.lines_end - l) : 0;

	while (n) {
		size_t half = n / 2;

		if (l[half].pc == pc)
			return &l[half];
		if (l[half].pc < pc) {
			l += half + 1;
			n -= half + 1;
		} else {
			n = half;
		}
	}
	return NULL;
}

/* --- the state of a domain --- */

/* Is it simulated memory?  What a tree under repair has in its pointers may be anything. */
__attribute__((__unused__))
static bool sane(const void *p, size_t size)
{
	uintptr_t at = (uintptr_t)p - ktree_host->watch_base;

	return p && at < ktree_host->watch_size && size <= ktree_host->watch_size - at;
}

/* Are all the structures there that the candidates look into? */
static bool has_sup(struct srcu_struct *ssp)
{
#if defined(KTREE_HAS_sup) && defined(KTREE_HAS_sup_size)
	return sane(ktree_sup(ssp), ktree_sup_size());
#else
	return ssp;
#endif
}

static struct srcu_data *data_of(struct srcu_struct *ssp, unsigned cpu)
{
#if defined(KTREE_HAS_sda) && defined(KTREE_HAS_sdp_size)
	struct srcu_data *sda = ktree_sda(ssp);

	if (sane(sda, ktree_sdp_size()) && sane(per_cpu_ptr(sda, cpu), ktree_sdp_size()))
		return per_cpu_ptr(sda, cpu);
#endif
	(void)ssp, (void)cpu;
	return NULL;
}

/* The nodes, if the tree has been built. */
static struct srcu_node *nodes_of(struct srcu_struct *ssp)
{
#if defined(KTREE_HAS_nodes) && defined(KTREE_HAS_snp_size)
	struct srcu_node *node = has_sup(ssp) ? ktree_nodes(ssp) : NULL;

	if (sane(node, (size_t)rcu_num_nodes * ktree_snp_size()))
		return node;
#endif
	(void)ssp;
	return NULL;
}

static void see(struct ktree_view *v, enum ktree_seen what, uint64_t value)
{
	v->has |= 1ull << what;
	v->value[what] = value;
}

static void view_gp(struct srcu_struct *ssp, struct ktree_view *v)
{
#ifdef KTREE_HAS_gp_seq
	see(v, KTREE_GP_SEQ, ktree_gp_seq(ssp));
#endif
#ifdef KTREE_HAS_gp_seq_needed
	see(v, KTREE_GP_SEQ_NEEDED, ktree_gp_seq_needed(ssp));
#endif
#ifdef KTREE_HAS_gp_seq_needed_exp
	see(v, KTREE_GP_SEQ_NEEDED_EXP, ktree_gp_seq_needed_exp(ssp));
#endif
#ifdef KTREE_HAS_size_state
	see(v, KTREE_SIZE_STATE, ktree_size_state(ssp));
#endif
#ifdef KTREE_HAS_gp_mutex
	see(v, KTREE_GP_MUTEX, ktree_gp_mutex(ssp));
#endif
#ifdef KTREE_HAS_cb_mutex
	see(v, KTREE_CB_MUTEX, ktree_cb_mutex(ssp));
#endif
	(void)ssp, (void)v;
}

static void view_tiny(struct srcu_struct *ssp, struct ktree_view *v)
{
#if defined(KTREE_HAS_nesting0) && defined(KTREE_HAS_nesting1)
	see(v, KTREE_NESTING, 1);
	v->nesting[0] = (long)ktree_nesting0(ssp);
	v->nesting[1] = (long)ktree_nesting1(ssp);
#endif
#ifdef KTREE_HAS_idx_max
	see(v, KTREE_IDX_MAX, ktree_idx_max(ssp));
#endif
#ifdef KTREE_HAS_gp_running
	see(v, KTREE_GP_RUNNING, ktree_gp_running(ssp));
#endif
#ifdef KTREE_HAS_gp_waiting
	see(v, KTREE_GP_WAITING, ktree_gp_waiting(ssp));
#endif
	(void)ssp, (void)v;
}

static void view(void *p, struct ktree_view *v)
{
	struct srcu_struct *ssp = p;

	*v = (struct ktree_view){ 0 };
#ifdef KTREE_HAS_idx
	see(v, KTREE_IDX, ktree_idx(ssp));
#endif
	if (has_sup(ssp))
		view_gp(ssp, v);
	view_tiny(ssp, v);
	if (data_of(ssp, 0)) {
		see(v, KTREE_COUNTS, 1);
		see(v, KTREE_CBLIST, 1);
	}
	if (nodes_of(ssp)) {
		see(v, KTREE_NODES, 1);
		v->nnodes = (unsigned)rcu_num_nodes;
		v->nlevels = (unsigned)rcu_num_lvls;
	}
}

static bool counts(void *ssp, unsigned cpu, unsigned idx, uint64_t *lock, uint64_t *unlock)
{
#if defined(KTREE_HAS_locks) && defined(KTREE_HAS_unlocks)
	struct srcu_data *sdp = data_of(ssp, cpu);

	if (sdp && idx < 2) {
		*lock = ktree_locks(sdp, idx);
		*unlock = ktree_unlocks(sdp, idx);
		return true;
	}
#endif
	(void)ssp, (void)cpu, (void)idx, (void)lock, (void)unlock;
	return false;
}

/* Of one CPU's list, so many callbacks: before 5.12 the list does not count them. */
static bool segments(struct srcu_data *sdp, long n[4])
{
#if defined(KTREE_HAS_seglen)
	for (unsigned i = 0; i < 4; i++)
		n[i] = ktree_seglen(sdp, i);
	return true;
#elif defined(KTREE_HAS_cbhead) && defined(KTREE_HAS_cbtail)
	struct rcu_head **at = ktree_cbhead(sdp, 0);
	unsigned i = 0;

	n[0] = n[1] = n[2] = n[3] = 0;
	/* a segment ends where its tail points to; a torn list is cut short */
	for (unsigned steps = 0; steps < 65536; steps++) {
		while (i < 3 && at == ktree_cbtail(sdp, i))
			i++;
		if (!sane(*at, sizeof(**at)))
			break;
		n[i]++;
		at = &(*at)->next;
	}
	return true;
#else
	(void)sdp, (void)n;
	return false;
#endif
}

static bool cblist(void *ssp, unsigned cpu, struct ktree_cblist *l)
{
	struct srcu_data *sdp = data_of(ssp, cpu);
	long n[4];

	if (!sdp || !segments(sdp, n))
		return false;
	*l = (struct ktree_cblist){ .done = n[0], .wait = n[1], .next_ready = n[2], .next = n[3] };
	return true;
}

static bool node(void *ssp, unsigned i, struct ktree_node *n)
{
#if defined(KTREE_HAS_have_cbs) && defined(KTREE_HAS_data_have_cbs) && \
	defined(KTREE_HAS_needed_exp) && defined(KTREE_HAS_grplo) && \
	defined(KTREE_HAS_grphi) && defined(KTREE_HAS_parent)
	struct srcu_node *first = nodes_of(ssp), *snp, *up;
	unsigned end = 0;

	if (!first || i >= (unsigned)rcu_num_nodes)
		return false;
	snp = first + i;
	*n = (struct ktree_node){ .lo = ktree_grplo(snp), .hi = ktree_grphi(snp), .parent = -1 };
	for (end = (unsigned)num_rcu_lvl[0]; i >= end; end += (unsigned)num_rcu_lvl[n->level])
		n->level++;
	up = ktree_parent(snp);
	if (up >= first && up < first + rcu_num_nodes)
		n->parent = (int)(up - first);
	for (unsigned slot = 0; slot < 4; slot++) {
		n->have_cbs[slot] = ktree_have_cbs(snp, slot);
		n->data_have_cbs[slot] = ktree_data_have_cbs(snp, slot);
	}
	n->needed_exp = ktree_needed_exp(snp);
#ifdef KTREE_HAS_nodes_embedded
	n->invalid = ~0ull;	/* these begin with 0, as any number does */
#else
	n->invalid = 2;
#endif
	return true;
#else
	(void)ssp, (void)i, (void)n;
	return false;
#endif
}

/* --- the beginning --- */

void srcu_init(void) __attribute__((weak));

static bool boot(unsigned fanout, unsigned fanout_leaf)
{
	if (!ktree_geometry(ktree_host->nr_cpus(), fanout, fanout_leaf))
		return false;
	rcu_scheduler_active = RCU_SCHEDULER_RUNNING;
	if (srcu_init)
		srcu_init();
	for (ktree_initcall *const *f = __start_ktree_initcalls; f < __stop_ktree_initcalls; f++)
		(void)(*f)();
	return true;
}

/* The executable segment, from the image's own program headers: 64-bit ELF. */
static void find_text(void)
{
	const unsigned char *base = __ehdr_start;
	uint64_t off = *(const uint64_t *)(base + 32);
	unsigned size = *(const uint16_t *)(base + 54), n = *(const uint16_t *)(base + 56);

	for (unsigned i = 0; i < n; i++) {
		const unsigned char *ph = base + off + i * size;

		if (*(const uint32_t *)ph != 1 || !(*(const uint32_t *)(ph + 4) & 1))
			continue;
		image.text = base + *(const uint64_t *)(ph + 16);
		image.text_end = (const char *)image.text + *(const uint64_t *)(ph + 40);
	}
}

static struct ktree_image image = {
	.abi = KTREE_ABI,
	.site_size = sizeof(struct site),
#ifdef KTREE_TINY
	.variant = "tiny",
#else
	.variant = "tree",
#endif
	.nr_cpus = NR_CPUS,
	.ssp_size = sizeof(struct srcu_struct),
	.fields = { ssp_fields, sup_fields, sdp_fields, snp_fields },
	.boot = boot,
	.view = view,
	.counts = counts,
	.cblist = cblist,
	.node = node,
};

__attribute__((visibility("default")))
const struct ktree_image *srcush_ktree_image(struct ktree_host *host);

const struct ktree_image *srcush_ktree_image(struct ktree_host *host)
{
	if (host->abi != KTREE_ABI)
		return NULL;
	ktree_host = host;
	ktree_api(&image);
#ifdef KTREE_HAS_sup_size
	image.sup_size = ktree_sup_size();
#endif
#ifdef KTREE_HAS_sdp_size
	image.sdp_size = ktree_sdp_size();
#endif
#ifdef KTREE_HAS_snp_size
	image.snp_size = ktree_snp_size();
#endif
	image.data = &ktree_data_first;
	image.data_end = &ktree_data_last;
	image.params = __start_ktree_params;
	image.params_end = __stop_ktree_params;
	sort_lines(__start_ktree_lines, (size_t)(__stop_ktree_lines - __start_ktree_lines));
	image.lines = __start_ktree_lines;
	image.lines_end = __stop_ktree_lines;
	image.sites = __start_ktree_sites;
	image.sites_end = __stop_ktree_sites;
	find_text();
	return &image;
}
