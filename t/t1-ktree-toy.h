/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests of how kernel trees become images: copies of the toy tree (t/lib/toytree),
 * compilers that misbehave, and a cache, all in the test's own directory.
 */
#ifndef T1_KTREE_TOY_H
#define T1_KTREE_TOY_H

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ktree/build.h"

#pragma GCC diagnostic ignored "-Wunused-function"

static const char *home;		/* the test's directory: absolute */
static char *cache, *toytree;

/* Strings that live until the end. */
static struct ktree_strings kept;

static char *keep(char *s)
{
	char *why = NULL;

	assert_non_null(s);
	assert_true(ktree_strings_add(&kept, s, &why));
	free(s);
	return kept.s[kept.n - 1];
}

static char *path_of(const char *name)
{
	char *why = NULL;

	return keep(ktree_print(&why, "%s/%s", home, name));
}

static void write_text(const char *name, const char *text)
{
	assert_true(ktree_write_file(path_of(name), text, strlen(text)));
}

static void append_text(const char *name, const char *text)
{
	FILE *f = fopen(path_of(name), "ae");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void remove_file(const char *name)
{
	assert_int_equal(unlink(path_of(name)), 0);
}

static char *write_script(const char *name, const char *text)
{
	write_text(name, text);
	assert_int_equal(chmod(path_of(name), 0700), 0);
	return path_of(name);
}

/* A compiler that notes in NAME.log that it runs, does what `script` says, and is cc. */
static char *fake_cc(const char *name, const char *script)
{
	char *why = NULL, *text = ktree_print(&why, "#!/bin/sh\necho run >>'%s/%s.log'\n%s\nexec cc \"$@\"\n",
					      home, name, script);

	write_script(name, keep(text));
	return path_of(name);
}

static unsigned runs_of(const char *name)
{
	char *why = NULL, *log = keep(ktree_print(&why, "%s/%s.log", home, name));
	size_t len = 0;
	char *text = ktree_read_file(log, &len);

	free(text);
	return (unsigned)(len / strlen("run\n"));
}

static void copy_dir(const char *from, const char *to)
{
	DIR *d = opendir(from);
	struct dirent *e;

	assert_non_null(d);
	assert_true(ktree_mkdirs(to));
	while ((e = readdir(d))) {
		char *why = NULL, *a, *b, *text;
		struct stat st;
		size_t len;

		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		a = keep(ktree_print(&why, "%s/%s", from, e->d_name));
		b = keep(ktree_print(&why, "%s/%s", to, e->d_name));
		assert_int_equal(stat(a, &st), 0);
		if (S_ISDIR(st.st_mode)) {
			copy_dir(a, b);
			continue;
		}
		text = ktree_read_file(a, &len);
		assert_non_null(text);
		assert_true(ktree_write_file(b, text, len));
		free(text);
	}
	closedir(d);
}

/* A fresh copy of the toy. */
static char *copy_toy(const char *name)
{
	char *to = path_of(name);

	ktree_remove_all(to);
	copy_dir(toytree, to);
	return to;
}

static unsigned count_in(const char *dir, const char *prefix)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	unsigned n = 0;

	assert_non_null(d);
	while ((e = readdir(d)))
		n += *e->d_name != '.' && !strncmp(e->d_name, prefix, strlen(prefix));
	closedir(d);
	return n;
}

static unsigned images_in(const char *dir)
{
	return count_in(dir, "ktree-");
}

static unsigned leftovers_in(const char *dir)
{
	return count_in(dir, "build-");
}

static bool have_program(const char *name)
{
	const char *path = getenv("PATH");
	bool yes = false;

	for (const char *p = path, *end; p && *p && !yes; p = *end ? end + 1 : end) {
		char *why = NULL, *full;

		end = p + strcspn(p, ":");
		full = ktree_print(&why, "%.*s/%s", (int)(end - p), p, name);
		yes = !access(full, X_OK);
		free(full);
	}
	return yes;
}

/* Running, and not a zombie. */
static bool is_running(pid_t pid)
{
	char name[64], text[512];
	const char *p;
	bool yes;
	FILE *f;

	snprintf(name, sizeof(name), "/proc/%ld/stat", (long)pid);
	f = fopen(name, "re");
	if (!f)
		return !kill(pid, 0) && access("/proc/self", F_OK);
	p = fgets(text, sizeof(text), f) ? strrchr(text, ')') : NULL;
	yes = p && p[1] == ' ' && p[2] != 'Z' && p[2] != 'X';
	fclose(f);
	return yes;
}

static const struct ktree_opts *toy_opts(const char *cc)
{
	static struct ktree_opts o;

	o = (struct ktree_opts){ .cc = cc };
	return &o;
}

static char *builds(const struct ktree_opts *o, const char *dir)
{
	char *why = NULL, *version = NULL, *so = ktree_build(dir, o, &version, &why);

	if (!so)
		fail_msg("%s", why);
	assert_string_equal(version, "6.9.42-toy");
	free(version);
	return keep(so);
}

static char *fails(const struct ktree_opts *o, const char *dir, const char *message)
{
	char *why = NULL, *version = NULL, *so = ktree_build(dir, o, &version, &why);

	assert_null(so);
	assert_non_null(why);
	if (!strstr(why, message))
		fail_msg("'%s' is not in '%s'", message, why);
	return keep(why);
}

static int toy_begin(void **state)
{
	const char *top = getenv("top_srcdir");
	char *why = NULL;

	(void)state;
	home = getenv("HOME");
	if (!home || *home != '/' || !ktree_mkdirs(home))
		return -1;
	unsetenv("CC");
	unsetenv("XDG_CACHE_HOME");
	cache = path_of("cache");
	toytree = keep(ktree_print(&why, "%s/t/lib/toytree", top ? top : "."));
	setenv("SRCUSH_CACHE", cache, 1);
	setenv("TMPDIR", path_of("tmp"), 1);
	return ktree_mkdirs(path_of("tmp")) ? 0 : -1;
}

static int toy_end(void **state)
{
	(void)state;
	ktree_strings_free(&kept);
	return 0;
}

#endif
