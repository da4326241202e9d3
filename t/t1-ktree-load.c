/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From an image to a struct ktree (ktree/load.c, param.c, place.c), with the toy tree:
 * what is loaded once and what is not, reloading, parameters, places of plain accesses,
 * and files that are no images.
 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "engine/plain.h"
#include "engine/site.h"
#include "ktree/build.h"

#include "t1-ktree-toy.h"

static struct ktree *loads(const char *dir, const struct ktree_opts *o)
{
	char *why = NULL, *warning = NULL;
	struct ktree *k = ktree_load(dir, o, &why, &warning);

	if (!k)
		fail_msg("%s", why);
	assert_null(warning);
	return k;
}

static char *does_not_load(const char *dir, const struct ktree_opts *o, const char *message)
{
	char *why = NULL, *warning = NULL;

	assert_null(ktree_load(dir, o, &why, &warning));
	assert_null(warning);
	assert_non_null(why);
	if (!strstr(why, message))
		fail_msg("'%s' is not in '%s'", message, why);
	return keep(why);
}

static void what_it_is(void **state)
{
	struct ktree *k = loads(toytree, NULL);

	(void)state;
	assert_string_equal(k->version, "6.9.42-toy");
	assert_string_equal(k->dir, toytree);
	assert_int_equal(*k->path, '/');
	assert_string_equal(k->image->variant, "tree");
	assert_string_equal(k->ops.flavor, "tree");
	assert_true(k->seen_version);
	assert_true(k->ops.read_lock && k->image->read_lock);
	assert_null(k->image->call);
	assert_true(k->image->ssp_size > 0);
	assert_int_equal(k->image->sdp_size, 0);
}

static bool has(const char *const *list, const char *name)
{
	for (; *list; list++)
		if (!strcmp(*list, name))
			return true;
	return false;
}

static void fields(void **state)
{
	const char *const *f = ktree_fields(loads(toytree, NULL));

	(void)state;
	assert_true(has(f, "srcu_idx"));
	assert_true(has(f, "srcu_gp_mutex"));
	assert_false(has(f, "srcu_gp_seq"));
	assert_false(has(f, "sup.srcu_gp_seq"));
}

static void once(void **state)
{
	struct ktree *k = loads(toytree, NULL), *other;
	char *copy = copy_toy("copy");

	(void)state;
	assert_ptr_equal(loads(toytree, NULL), k);
	/* equal, and yet another tree: what is set in one is not set in the other */
	other = loads(copy, NULL);
	assert_ptr_not_equal(other, k);
	assert_ptr_not_equal(other->image, k->image);
	assert_ptr_equal(loads(copy, NULL), other);
	assert_true(ktree_param_set(other, "toy_flips", 1));
}

static void parameters(void **state)
{
	struct ktree *k = loads(toytree, NULL);
	long v;

	(void)state;
	assert_true(ktree_param_get(k, "toy_flips", &v));
	assert_int_equal(v, 2);
	assert_true(ktree_param_get(k, "toy_depth", &v));
	assert_int_equal(v, -3);
	assert_true(ktree_param_get(k, "toy_wary", &v));
	assert_int_equal(v, 0);
	assert_false(ktree_param_get(k, "toy_name", &v));
	assert_false(ktree_param_get(k, "toy", &v));
	assert_false(ktree_param_set(k, "toy_name", 0));
	assert_false(ktree_param_set(k, "toy", 0));
	assert_false(ktree_param_set(k, "toy_flips", -1));
	assert_false(ktree_param_set(k, "toy_wary", 2));
	assert_false(ktree_param_set(k, "toy_wary", -1));
	assert_false(ktree_param_set(k, "toy_depth", 32768));
	assert_false(ktree_param_set(k, "toy_depth", -32769));
	assert_true(ktree_param_set(k, "toy_depth", -32768));
	assert_true(ktree_param_set(k, "toy_wary", 1));
	assert_true(ktree_param_set(k, "toy_flips", 3));
	assert_true(ktree_param_get(k, "toy_depth", &v));
	assert_int_equal(v, -32768);
	assert_true(ktree_param_get(k, "toy_wary", &v));
	assert_int_equal(v, 1);
	assert_true(ktree_param_get(k, "toy_flips", &v));
	assert_int_equal(v, 3);
}

/* A line of the toy, by what stands in it. */
static int line_of(const char *text)
{
	char *why = NULL, *path = keep(ktree_print(&why, "%s/kernel/rcu/srcutree.c", toytree)), *file;
	const char *at;
	int line = 1;
	size_t len;

	file = ktree_read_file(path, &len);
	assert_non_null(file);
	at = strstr(file, text);
	assert_non_null(at);
	for (const char *p = file; p < at; p++)
		line += *p == '\n';
	free(file);
	return line;
}

/* Has the table a place of that kind there? */
static bool has_place(const struct ktree *k, int line, const char *func, enum ev_op op)
{
	bool yes = false;

	for (const struct ktree_line *l = k->image->lines; l < k->image->lines_end; l++) {
		const struct site *s = plain_site_of(l->pc);

		assert_non_null(s);
		assert_ptr_equal(plain_site_of(l->pc), s);
		assert_true(l == k->image->lines || l[-1].pc < l->pc);
		if (s->line == line && !strcmp(s->func, func) && s->op == op)
			yes = !strcmp(site_file(s), "kernel/rcu/srcutree.c");
	}
	return yes;
}

static void places(void **state)
{
	struct ktree_opts clang = { .cc = "clang" };
	int count = line_of("ssp->toy_count++"), idx = line_of("int idx = ssp->srcu_idx");

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct ktree *k;

		if (i && !have_program("clang"))
			break;
		k = loads(toytree, i ? &clang : NULL);
		assert_true(k->image->lines < k->image->lines_end);
		/* clang does not tell of a load that a store of the same follows */
		assert_true(i || has_place(k, count, "synchronize_srcu", OP_PLAIN_LOAD));
		assert_true(has_place(k, count, "synchronize_srcu", OP_PLAIN_STORE));
		assert_true(has_place(k, idx, "toy_flip", OP_PLAIN_LOAD));
		assert_false(has_place(k, idx, "toy_flip", OP_PLAIN_STORE));
		assert_null(plain_site_of((const char *)k->image->lines->pc + 1));
	}
	assert_null(plain_site_of(&clang));
	assert_null(plain_site_of(NULL));
}

static void not_watched(void **state)
{
	struct ktree *k = loads(toytree, &(struct ktree_opts){ .no_plain = true });

	(void)state;
	assert_ptr_equal(k->image->lines, k->image->lines_end);
}

static void reload(void **state)
{
	char *toy = copy_toy("reload"), *why = NULL, *warning = NULL;
	struct ktree *k = loads(toy, NULL), *next;

	(void)state;
	assert_ptr_equal(ktree_reload(k, &why, &warning), k);
	append_text("reload/kernel/rcu/srcutree.c", "static int toy_more = 5;\nmodule_param(toy_more, int, 0);\n");
	next = ktree_reload(k, &why, &warning);
	assert_non_null(next);
	assert_ptr_not_equal(next, k);
	assert_string_equal(next->dir, k->dir);
	assert_true(ktree_param_get(next, "toy_more", &(long){0}));
	assert_false(ktree_param_get(k, "toy_more", &(long){0}));
	append_text("reload/kernel/rcu/srcutree.c", "oops\n");
	assert_null(ktree_reload(next, &why, &warning));
	assert_non_null(strstr(why, "does not compile: kernel/rcu/srcutree.c"));
	free(why);
	/* undone: that of before, with what was set in it */
	assert_true(ktree_param_set(k, "toy_flips", 7));
	copy_toy("reload");
	assert_ptr_equal(ktree_reload(next, &why, &warning), k);
}

static void unseen_version(void **state)
{
	char *toy = copy_toy("new"), *why = NULL, *warning = NULL;
	struct ktree *k;

	(void)state;
	write_text("new/Makefile", "VERSION = 99\nPATCHLEVEL = 0\nSUBLEVEL = 1\nEXTRAVERSION =\n");
	k = ktree_load(toy, NULL, &why, &warning);
	assert_non_null(k);
	assert_string_equal(k->version, "99.0.1");
	assert_false(k->seen_version);
	assert_non_null(strstr(warning, "nobody has tried Linux 99.0.1"));
	free(warning);
}

/* Nothing of it remains where nothing can be kept. */
static void no_cache(void **state)
{
	static const char *const frob[] = { "FROB=4", NULL };
	struct ktree_opts o = { .defines = frob };
	struct ktree *k;

	(void)state;
	setenv("SRCUSH_CACHE", "/dev/null/cache", 1);
	k = loads(toytree, &o);
	assert_int_equal(count_in(path_of("tmp"), ""), 0);
	assert_ptr_equal(loads(toytree, &o), k);
	assert_int_equal(count_in(path_of("tmp"), ""), 0);
	setenv("SRCUSH_CACHE", cache, 1);
}

/* Puts into the cache, for what toytree is with `cc`, the shared object of this source. */
static const struct ktree_opts *foist(const char *name, const char *source)
{
	static char command[16384];
	const struct ktree_opts *o = toy_opts(fake_cc(name, ""));
	char *so = builds(o, toytree), *why = NULL, *work = ktree_cache_workdir(false, &why), *image, *put;
	char key[SHA256_HEX];

	assert_int_equal(sscanf(strrchr(so, '/'), "/ktree-%64[0-9a-f].so", key), 1);
	image = keep(ktree_print(&why, "%s/image.so", work));
	write_text("foist.c", source ? source : "");
	if (source) {
		snprintf(command, sizeof(command), "cc -shared -fPIC -I'%s/../../../src' -o '%s' '%s'",
			 toytree, image, path_of("foist.c"));
		assert_int_equal(system(command), 0);
	} else {
		assert_true(ktree_write_file(image, "no ELF", 6));
	}
	put = ktree_cache_put(key, work, image);
	assert_string_equal(put, so);
	free(put);
	ktree_remove_all(work);
	free(work);
	return o;
}

static void no_images(void **state)
{
	(void)state;
	does_not_load(toytree, foist("no-elf", NULL), "cannot load the image");
	does_not_load(toytree, foist("no-entry", "int x;\n"), "is not an image of a kernel tree");
	does_not_load(toytree, foist("no-abi", "void *srcush_ktree_image(void *h) { (void)h; return 0; }\n"),
		      "was made for another srcush");
	does_not_load(toytree, foist("old-abi",
		"#include \"ktree/abi.h\"\n"
		"static struct ktree_image im = { .abi = KTREE_ABI + 1, .site_size = 1 };\n"
		"void *srcush_ktree_image(void *h) { (void)h; return &im; }\n"),
		      "was made for another srcush");
	does_not_load(toytree, foist("hollow",
		"#include \"engine/site.h\"\n#include \"ktree/abi.h\"\n"
		"static struct ktree_image im = { .abi = KTREE_ABI, .site_size = sizeof(struct site) };\n"
		"void *srcush_ktree_image(void *h) { (void)h; return &im; }\n"),
		      "is damaged");
	does_not_load(toytree, foist("undefined", "int f(void);\nint (*g)(void) = f;\n"),
		      "cannot load the image");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_it_is), cmocka_unit_test(fields), cmocka_unit_test(once),
		cmocka_unit_test(parameters), cmocka_unit_test(places), cmocka_unit_test(not_watched),
		cmocka_unit_test(reload), cmocka_unit_test(unseen_version), cmocka_unit_test(no_cache),
		cmocka_unit_test(no_images),
	};

	return cmocka_run_group_tests(tests, toy_begin, toy_end);
}
