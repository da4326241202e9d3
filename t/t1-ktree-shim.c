/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an image is compiled with, by a tree that is no kernel (t/faketree) and uses all
 * of it once; the host is a stand-in that performs each step at once.
 */
#include <config.h>

#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/field.h"
#include "engine/site.h"
#include "k/work.h"
#include "ktree/ktree.h"

/* --- a host --- */

static _Alignas(4096) char memory[64 * 1024];
static struct {
	const struct ktree_image *image;
	size_t used;
	unsigned ncpus, events, queued, timers, reads, writes, warned;
	bool stepping;
	jmp_buf dead;
	char said[256];
	const struct ktree_line *line;	/* of the last plain access */
} host;

static bool simulated(const void *p)
{
	return (const char *)p >= memory && (const char *)p < memory + sizeof(memory);
}

static uint64_t host_event(struct site *s, const void *loc, unsigned size, uint64_t a, uint64_t b)
{
	uint64_t old = 0, v;

	host.events++;
	assert_true(!loc || simulated(loc));
	if (loc)
		memcpy(&old, loc, size);
	v = old;
	switch (s->op) {
	case OP_STORE: case OP_XCHG: v = a; break;
	case OP_ADD: case OP_CPU_ADD: case OP_COMPLETE: v = old + a; break;
	case OP_AND: v = old & a; break;
	case OP_OR: v = old | a; break;
	case OP_CMPXCHG: v = old == (size < 8 ? a & ((1ull << size * 8) - 1) : a) ? b : old; break;
	case OP_LOCK: assert_true(!old); v = 1; break;
	case OP_UNLOCK: assert_true(old); v = 0; break;
	case OP_WAIT: assert_true(old); v = old - 1; break;
	default: break;
	}
	if (loc)
		memcpy((void *)(uintptr_t)loc, &v, size);
	return old;
}

static void host_plain(const void *p, unsigned size, bool write, const void *pc)
{
	assert_true(simulated(p) && size && size <= 8);
	host.line = NULL;
	for (const struct ktree_line *l = host.image->lines; l < host.image->lines_end; l++)
		if (l->pc == pc)
			host.line = l;
	assert_non_null(host.line);
	assert_true(pc >= host.image->text && pc < host.image->text_end);
	write ? host.writes++ : host.reads++;
}

static bool host_queue(struct work_struct *w, int cpu, struct site *s)
{
	(void)w, (void)cpu;
	assert_string_equal(s->file, "kernel/rcu/srcutree.c");
	host.queued++;
	return true;
}

static bool host_queue_delayed(struct delayed_work *d, unsigned long delay, struct site *s)
{
	assert_int_equal(delay, 1);
	return host_queue(&d->work, -1, s);
}

static bool host_timer(struct timer_list *t, unsigned long expires, struct site *s)
{
	(void)t, (void)s;
	assert_int_equal(expires, 1001);
	host.timers++;
	return false;
}

static void host_ctx(struct site *s, int delta) { (void)s, (void)delta; }
static uint64_t host_ktime(struct site *s) { (void)s; return 1000 * NSEC_PER_JIFFY; }
static bool host_yes(void) { return true; }
static bool host_stepping(void) { return host.stepping; }
static unsigned host_cpu(void) { return 0; }
static unsigned host_nr_cpus(void) { return host.ncpus; }
static bool host_held(const uint64_t *owner) { return *owner; }

static bool host_warn(bool cond, const char *text, const char *func, const char *file, int line)
{
	snprintf(host.said, sizeof(host.said), "%s in %s (%s:%d)", text, func, file, line > 0);
	host.warned++;
	return cond;
}

static void host_die(const char *text, const char *func, const char *file, int line)
{
	snprintf(host.said, sizeof(host.said), "%s in %s (%s:%d)", text, func, file, line > 0);
	longjmp(host.dead, 1);
}

static void host_work(struct work_struct *w, void (*fn)(struct work_struct *), const char *expr)
{
	assert_string_equal(expr, "&e->work");
	w->fn = fn;
}

static void host_delayed(struct delayed_work *d, void (*fn)(struct work_struct *), const char *expr)
{
	assert_string_equal(expr, "&e->delayed");
	d->work.fn = fn;
}

static void host_timer_setup(struct timer_list *t, void (*fn)(struct timer_list *), const char *expr)
{
	assert_string_equal(expr, "&e->timer");
	t->fn = fn;
}

static void host_completion(uint64_t *done, const char *expr)
{
	assert_string_equal(expr, "&e->done");
	*done = 0;
}

static void *host_percpu(size_t size, const char *expr, struct site *s)
{
	char *p = memory + sizeof(memory) / 2;

	(void)s;
	assert_string_equal(expr, "struct srcu_data");
	assert_int_equal(size, host.image->sdp_size);
	return p;
}

static void host_free(void *p, struct site *s)
{
	assert_true(simulated(p));
	assert_string_equal(s->prim, "free_percpu");
}

static struct ktree_host table = {
	.abi = KTREE_ABI, .event = host_event, .plain = host_plain,
	.watch_base = (uintptr_t)memory, .watch_size = sizeof(memory),
	.queue_work = host_queue, .queue_delayed_work = host_queue_delayed,
	.timer_reduce = host_timer, .ctx = host_ctx, .ktime = host_ktime, .in_task = host_yes,
	.stepping = host_stepping, .preemptible = host_yes, .cpu = host_cpu,
	.nr_cpus = host_nr_cpus, .lock_held = host_held, .warn = host_warn, .die = host_die,
	.init_work = host_work, .init_delayed_work = host_delayed,
	.timer_setup = host_timer_setup, .init_completion = host_completion,
	.alloc_percpu = host_percpu, .free_percpu = host_free,
};

static int load(void **state)
{
	const char *src = getenv("abs_top_srcdir");
	struct ktree_opts o = { .nr_cpus = 64 };
	char dir[4096], *version = NULL, *why = NULL, *so;
	ktree_entry_fn *entry;
	void *handle;

	(void)state;
	snprintf(dir, sizeof(dir), "%s/t/faketree", src ? src : ".");
	so = ktree_build(dir, &o, &version, &why);
	if (!so)
		fail_msg("%s", why);
	assert_string_equal(version, "6.12.0");
	handle = dlopen(so, RTLD_NOW | RTLD_LOCAL);
	if (!handle)
		fail_msg("%s", dlerror());
	entry = (ktree_entry_fn *)dlsym(handle, KTREE_ENTRY);
	assert_non_null(entry);
	assert_null(entry(&(struct ktree_host){ .abi = KTREE_ABI + 1 }));
	host.image = entry(&table);
	assert_non_null(host.image);
	host.ncpus = 4;
	free(so);
	free(version);
	return 0;
}

/* --- tests --- */

static void tables(void **state)
{
	const struct ktree_image *im = host.image;
	const struct ktree_field *f = im->fields[KTREE_SDP];

	(void)state;
	assert_int_equal(im->site_size, sizeof(struct site));
	assert_int_equal(im->nr_cpus, 64);
	assert_string_equal(im->variant, "tree");
	/* what this tree has not */
	assert_int_equal(im->sup_size, 0);
	assert_null(im->call);
	assert_null(im->fields[KTREE_SUP]->name);
	assert_string_equal(f[0].name, "srcu_lock_count");
	assert_int_equal(f[0].count, 2);
	assert_int_equal(f[0].stride, sizeof(long));
	assert_string_equal(f[2].name, "lock");
	assert_int_equal(f[2].flags, FIELD_OWNER);
	for (const struct ktree_line *l = im->lines; l + 1 < im->lines_end; l++)
		assert_true(l->pc < l[1].pc);
}

static void params(void **state)
{
	const struct ktree_image *im = host.image;
	const struct ktree_param *p = im->params, *q = p + 1;

	(void)state;
	assert_int_equal(im->params_end - p, 2);
	if (strcmp(p->name, "holdoff")) {
		p++;
		q--;
	}
	assert_string_equal(p->name, "holdoff");
	assert_string_equal(p->type, "ulong");
	assert_int_equal(*(unsigned long *)p->var, 5);
	assert_string_equal(q->name, "other_name");
	assert_int_equal(q->size, sizeof(int));
	/* initialised or not: a world's */
	assert_true((char *)p->var >= (char *)im->data && (char *)p->var < (char *)im->data_end);
	assert_true((char *)q->var >= (char *)im->data && (char *)q->var < (char *)im->data_end);
}

static void boots(void **state)
{
	(void)state;
	host.ncpus = 64;
	assert_false(host.image->boot(2, 2));	/* six levels, three are there */
	host.ncpus = 65;
	assert_false(host.image->boot(64, 64));	/* built for 64 */
	host.ncpus = 4;
	assert_true(host.image->boot(0, 0));
	/* it writes static data, which only a set-up may */
	assert_int_equal(host.image->init(memory), 0);
	host.stepping = true;
}

static void everything(void **state)
{
	(void)state;
	host.queued = host.timers = host.warned = 0;
	if (!host.image->poll_state(memory, 0)) {
		struct ktree_view v;

		host.image->view(memory, &v);
		fail_msg("checks that failed, as bits: %llx",
			 (unsigned long long)v.value[KTREE_GP_SEQ]);
	}
	assert_int_equal(host.queued, 2);
	assert_int_equal(host.timers, 1);
	assert_int_equal(host.warned, 0);
}

static void counters(void **state)
{
	uint64_t lock = 0, unlock = 0;

	(void)state;
	assert_true(host.image->counts(memory, 0, 0, &lock, &unlock));
	assert_int_equal(lock, 1);
	assert_int_equal(unlock, 1);
	host.image->read_unlock(memory, host.image->read_lock(memory));
	assert_true(host.image->counts(memory, 0, 0, &lock, &unlock));
	assert_int_equal(lock, 2);
	assert_int_equal(unlock, 2);
}

static void plain_accesses(void **state)
{
	(void)state;
	host.reads = host.writes = host.events = 0;
	(void)host.image->batches_completed(memory);
	assert_int_equal(host.reads, 1);	/* not those of data_race() */
	assert_int_equal(host.writes, 1);
	assert_int_equal(host.events, 0);
	assert_string_equal(host.line->file, "kernel/rcu/srcutree.c");
	assert_string_equal(host.line->func, "srcu_batches_completed");
}

static void warnings(void **state)
{
	(void)state;
	host.warned = 0;
	host.image->cleanup(memory);
	assert_int_equal(host.warned, 1);
	assert_string_equal(host.said, "lockdep_assert_held(&ssp->e.mutex) in cleanup_srcu_struct "
				       "(kernel/rcu/srcutree.c:1)");
}

static void written(void)
{
	if (!setjmp(host.dead)) {
		host.image->synchronize(memory);
		fail_msg("a write to static data went unseen");
	}
	assert_non_null(strstr(host.said, "static data"));
	assert_non_null(strstr(host.said, "synchronize_srcu (kernel/rcu/srcutree.c:1)"));
}

static void static_data(void **state)
{
	(void)state;
	*(unsigned *)memory = 0;
	written();
	*(unsigned *)memory = 1;
	written();
	/* nobody else is about */
	host.stepping = false;
	host.image->synchronize(memory);
	host.stepping = true;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables),
		cmocka_unit_test(params),
		cmocka_unit_test(boots),
		cmocka_unit_test(everything),
		cmocka_unit_test(counters),
		cmocka_unit_test(plain_accesses),
		cmocka_unit_test(warnings),
		cmocka_unit_test(static_data),
	};

	return cmocka_run_group_tests(tests, load, NULL);
}
