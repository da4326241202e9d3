/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a directory to an image (ktree/build.c and what it uses), with the toy tree: the
 * cache, what becomes of it when sources, compilers and disks do not do as one would like,
 * and each message that comes of it.
 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/stat.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "ktree/build.h"

#include "t1-ktree-toy.h"

/* --- directories --- */

static void directories(void **state)
{
	char *file = path_of("plain"), *fifo = path_of("fifo"), *toy;

	(void)state;
	fails(toy_opts(NULL), "", "empty name");
	fails(toy_opts(NULL), "/no/such", "cannot find the kernel tree '/no/such': No such file or directory");
	write_text("plain", "x");
	fails(toy_opts(NULL), file, "not even a directory");
	fails(toy_opts(NULL), home, "is not a kernel tree: it has no Makefile with VERSION");
	toy = copy_toy("dirs");
	write_text("dirs/Makefile", "VERSION = 6\nPATCHLEVEL = 1\n");
	fails(toy_opts(NULL), toy, "is not a kernel tree");
	write_text("dirs/Makefile", "VERSION = 6\nPATCHLEVEL = x\nSUBLEVEL = 1\n");
	fails(toy_opts(NULL), toy, "is not a kernel tree");
	write_text("dirs/Makefile", "VERSION = 4\nPATCHLEVEL = 9\nSUBLEVEL = 1\n");
	remove_file("dirs/kernel/rcu/srcutree.c");
	fails(toy_opts(NULL), toy, "Linux 4.9.1, has no kernel/rcu/srcutree.c");
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(rename(fifo, path_of("dirs/kernel/rcu/srcutree.c")), 0);
	fails(toy_opts(NULL), toy, "srcutree.c': it is not a regular file");
	remove_file("dirs/kernel/rcu/srcutree.c");
	assert_int_equal(mkdir(path_of("dirs/kernel/rcu/srcutree.c"), 0700), 0);
	fails(toy_opts(NULL), toy, "srcutree.c': Is a directory");
	fails(&(struct ktree_opts){ .tiny = true }, toy, "has no kernel/rcu/srcutiny.c");
}

static void options(void **state)
{
	static const char *const bad1[] = { "1X", NULL }, *const bad2[] = { "A B", NULL },
			  *const bad3[] = { "", NULL }, *const bad4[] = { "OK=1", "-DX", NULL };

	(void)state;
	fails(&(struct ktree_opts){ .nr_cpus = 4097 }, toytree, "nr_cpus is to be 1..4096, not 4097");
	fails(&(struct ktree_opts){ .fanout = 1 }, toytree, "fanout is to be 2..64, not 1");
	fails(&(struct ktree_opts){ .fanout_leaf = 65 }, toytree, "fanout_leaf is to be 2..64, not 65");
	fails(&(struct ktree_opts){ .defines = bad1 }, toytree, "'1X' defines no name");
	fails(&(struct ktree_opts){ .defines = bad2 }, toytree, "'A B' defines no name");
	fails(&(struct ktree_opts){ .defines = bad3 }, toytree, "'' defines no name");
	fails(&(struct ktree_opts){ .defines = bad4 }, toytree, "'-DX' defines no name");
}

/* --- compilers --- */

static void no_compiler(void **state)
{
	char *old = strdup(getenv("PATH"));

	(void)state;
	fails(toy_opts("no-such-cc -x"), toytree, "there is no C compiler 'no-such-cc'");
	fails(toy_opts("/no/such/cc"), toytree, "there is no C compiler '/no/such/cc'");
	fails(toy_opts(""), toytree, "name of the C compiler is empty");
	fails(toy_opts(" \t"), toytree, "name of the C compiler is empty");
	write_text("plain", "x");
	fails(toy_opts(path_of("plain")), toytree, "is not a program");
	fails(toy_opts(home), toytree, "is not a program");
	unsetenv("CC");
	setenv("PATH", "/no/such:", 1);
	fails(toy_opts(NULL), toytree, "there is no C compiler 'cc' on this machine");
	fails(toy_opts(NULL), toytree, "Debian: apt-get install gcc");
	setenv("PATH", old, 1);
	setenv("CC", "cc-of-the-environment", 1);
	fails(toy_opts(NULL), toytree, "there is no C compiler 'cc-of-the-environment'");
	unsetenv("CC");
	free(old);
}

static void strange_compilers(void **state)
{
	(void)state;
	fails(toy_opts("false"), toytree, "'false' is no C compiler that is known here");
	fails(toy_opts("true"), toytree, "does not say where its own headers are");
	write_script("no-loader", "#!/no/such/loader\n");
	fails(toy_opts(path_of("no-loader")), toytree, "cannot be run: No such file or directory");
	fails(toy_opts(fake_cc("crashes", "case $* in *-std=*) kill -SEGV $$;; esac")), toytree,
	      "was ended by signal 11");
	fails(toy_opts(fake_cc("silent", "case $* in *-std=*) exit 3;; esac")), toytree,
	      "failed (status 3) without a word");
	fails(toy_opts(fake_cc("chatty", "case $* in *-std=*) echo out of cheese; exit 1;; esac")), toytree,
	      "does not compile: out of cheese");
}

/* One that hangs is ended, with what it has started. */
static void hanging_compiler(void **state)
{
	char *pid_file = path_of("hang.pid"), *text;
	char script[4400];
	size_t len;
	pid_t pid;

	(void)state;
	snprintf(script, sizeof(script),
		 "case $* in *-std=*) sleep 1000 & echo $! >'%s'; wait;; esac", pid_file);
	ktree_time_limit = 1;
	fails(toy_opts(fake_cc("hangs", script)), toytree, "took more than 1 seconds and was ended");
	ktree_time_limit = 60;
	text = ktree_read_file(pid_file, &len);
	assert_non_null(text);
	pid = atoi(text);
	assert_true(pid > 1);
	/* a zombie is as good as gone: whose child it is now, is not for us to say */
	for (int i = 0; i < 100 && is_running(pid); i++)
		usleep(20000);
	assert_false(is_running(pid));
	free(text);
}

static volatile sig_atomic_t interrupts;

static void on_interrupt(int sig)
{
	(void)sig;
	interrupts++;
}

static void interrupted(void **state)
{
	struct sigaction sa = { .sa_handler = on_interrupt }, old;
	char script[100];

	(void)state;
	sigaction(SIGINT, &sa, &old);
	snprintf(script, sizeof(script), "case $* in *-std=*) kill -INT %ld; sleep 1000;; esac",
		 (long)getpid());
	fails(toy_opts(fake_cc("interrupts", script)), toytree, "interrupted");
	sigaction(SIGINT, &old, NULL);
	assert_true(interrupts > 0);
}

/* --- trees that do not compile --- */

static void broken(const char *cc, const char *code, const char *message, const char *more)
{
	char *toy = copy_toy("broken"), *why;

	append_text("broken/kernel/rcu/srcutree.c", code);
	why = fails(toy_opts(cc), toy, message);
	if (more && !strstr(why, more))
		fail_msg("'%s' is not in '%s'", more, why);
	/* neither our directories nor columns */
	assert_null(strstr(why, "/build-"));
	assert_null(strchr(why, '\n'));
}

static void broken_trees(void **state)
{
	static const char *const ccs[] = { "gcc", "clang" };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		const char *cc = ccs[i];

		if (!have_program(cc))
			continue;
		broken(cc, "#line 700\nint f(void) { return 1 +; }\n",
		       "broken' does not compile: kernel/rcu/srcutree.c:700: error: expected expression",
		       NULL);
		broken(cc, "#line 700\nint f(void) { return frobnicate_rcu(); }\n",
		       "kernel/rcu/srcutree.c:700: error:",
		       "(a primitive is missing in srcush: frobnicate_rcu; unless it is misspelt)");
		broken(cc, "int f(void) { return CONFIG_FROBS; }\n", "does not compile: kernel/rcu",
		       "is missing in srcush: CONFIG_FROBS;");
		broken(cc, "int frobs(void), more_frobs(void);\nint f(void) { return frobs() + more_frobs() + frobs(); }\n",
		       "broken' does not link", "does not compile: frobs, more_frobs");
		/* what both say in the same words */
		if (i)
			continue;
		broken(cc, "frob_t f;\n", "does not compile: kernel/rcu",
		       "is missing in srcush: frob_t;");
		broken(cc, "struct frob f;\n int g(void) { return f.x; }\n",
		       "does not compile: kernel/rcu", "error:");
		broken(cc, "#line 700\n#include \"frob.h\"\n",
		       "kernel/rcu/srcutree.c:700: error:", "frob.h");
		broken(cc, "#line 700\n#error \"No \\303\\251 here\"\n",
		       "kernel/rcu/srcutree.c:700: error:", "here");
	}
}

/* Names that would lie elsewhere are nobody's to make: the compiler is asked for them. */
static void wild_includes(void **state)
{
	(void)state;
	broken(NULL, "#include <../../../wild.h>\n", "error:", "wild.h");
	assert_int_equal(access(path_of("wild.h"), F_OK), -1);
	broken(NULL, "#include </no/such/wild.h>\n", "error:", "wild.h");
	broken(NULL, "#include <\n#include\n#include \"\n#  include FROB\n", "error:", NULL);
}

/* --- the cache --- */

static void cache_hits(void **state)
{
	static const char *const frob[] = { "FROB=1", NULL };
	char *cc = fake_cc("logs", ""), *first, *second;
	unsigned runs;

	(void)state;
	first = builds(toy_opts(cc), toytree);
	runs = runs_of("logs");
	assert_true(runs > 4);
	second = builds(toy_opts(cc), toytree);
	assert_string_equal(first, second);
	assert_int_equal(runs_of("logs"), runs);
	assert_string_equal(builds(&(struct ktree_opts){ .cc = cc, .no_plain = false }, toytree), first);
	assert_int_equal(runs_of("logs"), runs);
	/* other flags, another image */
	second = builds(&(struct ktree_opts){ .cc = cc, .defines = frob }, toytree);
	assert_string_not_equal(first, second);
	assert_true(runs_of("logs") > runs);
	/* and another compiler, although it says the same of itself */
	assert_string_not_equal(builds(toy_opts(fake_cc("logs3", "")), toytree), first);
	assert_int_equal(leftovers_in(cache), 0);
}

static void changed_sources(void **state)
{
	char *toy = copy_toy("changes"), *cc = fake_cc("logs2", ""), *first, *second;
	unsigned runs;

	(void)state;
	first = builds(toy_opts(cc), toy);
	runs = runs_of("logs2");
	/* what does not go in does not matter */
	write_text("changes/kernel/rcu/tree.c", "x");
	write_text("changes/include/linux/slab.h", "#error this one is ours");
	append_text("changes/Makefile", "x = 1\n");
	assert_string_equal(builds(toy_opts(cc), toy), first);
	assert_int_equal(runs_of("logs2"), runs);
	append_text("changes/include/linux/srcutree.h", "#include \"toy.h\"\n");
	write_text("changes/include/linux/toy.h", "#define TOY 1\n");
	second = builds(toy_opts(cc), toy);
	assert_string_not_equal(first, second);
	write_text("changes/include/linux/toy.h", "#define TOY 2\n");
	assert_string_not_equal(builds(toy_opts(cc), toy), second);
	/* and back */
	copy_toy("changes");
	runs = runs_of("logs2");
	assert_string_equal(builds(toy_opts(cc), toy), first);
	assert_int_equal(runs_of("logs2"), runs);
}

/* An image is of the sources that were compiled, not of those that were there first. */
static void sources_change_meanwhile(void **state)
{
	char *toy = copy_toy("moving"), script[9000], *cc, *first;
	unsigned runs;

	(void)state;
	snprintf(script, sizeof(script), "case $* in *-shared*) test -f '%s/once' || "
		 "{ touch '%s/once'; echo '/* later */' >>'%s/kernel/rcu/srcutree.c'; };; esac",
		 home, home, toy);
	cc = fake_cc("edits", script);
	first = builds(toy_opts(cc), toy);
	runs = runs_of("edits");
	assert_string_equal(builds(toy_opts(cc), toy), first);
	assert_int_equal(runs_of("edits"), runs);
	snprintf(script, sizeof(script), "case $* in *-shared*) "
		 "echo '/* later */' >>'%s/kernel/rcu/srcutree.c';; esac", toy);
	fails(toy_opts(fake_cc("edits", script)), toy, "change while they are compiled");
	assert_int_equal(leftovers_in(cache), 0);
}

static void is_not_taken(const char *so)
{
	char key[SHA256_HEX], *found;

	assert_int_equal(sscanf(strrchr(so, '/'), "/ktree-%64[0-9a-f].so", key), 1);
	found = ktree_cache_find(key);
	assert_null(found);
}

static void damaged_image(void **state)
{
	char *so = builds(toy_opts(NULL), toytree), *data, *again;
	size_t len, len2;

	(void)state;
	data = ktree_read_file(so, &len);
	assert_true(data && len > 1000);
	/* cut short, as by a machine that stopped; empty; one byte of it another */
	assert_true(ktree_write_file(so, data, len / 2));
	is_not_taken(so);
	assert_true(ktree_write_file(so, "", 0));
	is_not_taken(so);
	data[len / 2] ^= 1;
	assert_true(ktree_write_file(so, data, len));
	is_not_taken(so);
	assert_string_equal(builds(toy_opts(NULL), toytree), so);
	again = ktree_read_file(so, &len2);
	assert_true(again && len == len2 && again[len / 2] != data[len / 2]);
	free(again);
	free(data);
}

static void two_at_once(void **state)
{
	char *other = path_of("cache2");
	pid_t pid[2];

	(void)state;
	setenv("SRCUSH_CACHE", other, 1);
	for (int i = 0; i < 2; i++) {
		pid[i] = fork();
		assert_true(pid[i] >= 0);
		if (!pid[i]) {
			char *why = NULL, *version;

			_exit(!ktree_build(toytree, toy_opts(NULL), &version, &why));
		}
	}
	for (int i = 0; i < 2; i++) {
		int status;

		assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
		assert_int_equal(status, 0);
	}
	assert_int_equal(images_in(other), 1);
	assert_int_equal(leftovers_in(other), 0);
	setenv("SRCUSH_CACHE", cache, 1);
}

/* Where nothing can be kept, everything works nonetheless. */
static void no_cache(void **state)
{
	static const char *const frob[] = { "FROB=2", NULL };
	struct ktree_opts o = { .defines = frob };
	char *so, script[9000];

	(void)state;
	setenv("SRCUSH_CACHE", "/dev/null/cache", 1);
	so = builds(&o, toytree);
	assert_memory_equal(so, path_of("tmp/srcush-"), strlen(path_of("tmp/srcush-")));
	assert_string_equal(builds(&o, toytree), so);
	ktree_cache_loaded(so);
	assert_int_equal(count_in(path_of("tmp"), ""), 0);
	/* full */
	setenv("SRCUSH_CACHE", cache, 1);
	snprintf(script, sizeof(script), "case $* in *-std=*'%s'*) "
		 "echo 'as: No space left on device'; exit 1;; esac", cache);
	o.cc = fake_cc("full", script);
	so = builds(&o, toytree);
	assert_memory_equal(so, path_of("tmp/srcush-"), strlen(path_of("tmp/srcush-")));
	ktree_cache_loaded(so);
	assert_int_equal(count_in(path_of("tmp"), ""), 0);
	assert_int_equal(leftovers_in(cache), 0);
	/* nowhere at all */
	setenv("SRCUSH_CACHE", "/dev/null/cache", 1);
	setenv("TMPDIR", "/dev/null", 1);
	o.cc = NULL;
	fails(&o, toytree, "no directory to compile the kernel tree in");
	setenv("TMPDIR", path_of("tmp"), 1);
	setenv("SRCUSH_CACHE", cache, 1);
}

/* What is left by one that was killed goes away in time, and only that. */
static void old_leftovers(void **state)
{
	static const char *const frob[] = { "FROB=3", NULL };
	struct timespec old[2] = { { .tv_sec = 1000000 }, { .tv_sec = 1000000 } };
	char *stale = path_of("cache/build-000000"), *fresh = path_of("cache/build-000001");
	char *other = path_of("cache/other");

	(void)state;
	write_text("cache/build-000000/x/y", "x");
	write_text("cache/build-000001/x/y", "x");
	write_text("cache/other/x/y", "x");
	assert_int_equal(utimensat(AT_FDCWD, stale, old, 0), 0);
	assert_int_equal(utimensat(AT_FDCWD, other, old, 0), 0);
	builds(&(struct ktree_opts){ .defines = frob }, toytree);
	assert_int_equal(access(stale, F_OK), -1);
	assert_int_equal(access(fresh, F_OK), 0);
	assert_int_equal(access(other, F_OK), 0);
	ktree_remove_all(fresh);
	ktree_remove_all(other);
}

/* It is looked for in the right place: an image that is put there is taken. */
static void where_it_is(void **state)
{
	char *so = builds(toy_opts(NULL), toytree), *name = strrchr(so, '/') + 1, *why = NULL, *data;
	char *xdg = keep(ktree_print(&why, "%s/srcush/%s", cache, name));
	char *dot = keep(ktree_print(&why, "%s/.cache/srcush/%s", home, name));
	size_t len;

	(void)state;
	data = ktree_read_file(so, &len);
	assert_non_null(data);
	assert_true(ktree_mkdirs(keep(ktree_print(&why, "%s/srcush", cache))));
	assert_true(ktree_write_file(xdg, data, len));
	assert_true(ktree_write_file(dot, data, len));
	free(data);
	unsetenv("SRCUSH_CACHE");
	setenv("XDG_CACHE_HOME", cache, 1);
	assert_string_equal(builds(toy_opts(NULL), toytree), xdg);
	/* one that is not absolute is to be ignored, says its specification */
	setenv("XDG_CACHE_HOME", "cache", 1);
	assert_string_equal(builds(toy_opts(NULL), toytree), dot);
	unsetenv("XDG_CACHE_HOME");
	assert_string_equal(builds(toy_opts(NULL), toytree), dot);
	setenv("SRCUSH_CACHE", cache, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(directories), cmocka_unit_test(options),
		cmocka_unit_test(no_compiler), cmocka_unit_test(strange_compilers),
		cmocka_unit_test(hanging_compiler), cmocka_unit_test(interrupted),
		cmocka_unit_test(broken_trees), cmocka_unit_test(wild_includes),
		cmocka_unit_test(cache_hits), cmocka_unit_test(changed_sources),
		cmocka_unit_test(sources_change_meanwhile), cmocka_unit_test(damaged_image),
		cmocka_unit_test(two_at_once), cmocka_unit_test(no_cache),
		cmocka_unit_test(old_leftovers), cmocka_unit_test(where_it_is),
	};

	return cmocka_run_group_tests(tests, toy_begin, toy_end);
}
