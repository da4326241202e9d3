/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The compiler: where it is, what it is, and with which flags it makes an image.  What it
 * says of its version is part of an image's key; that is noted beside the images, for the
 * file as it is, so that taking an image from the cache runs no compiler at all.
 */
#include <config.h>

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ktree/build.h"

static bool is_program(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISREG(st.st_mode) && !access(path, X_OK);
}

static char *absolute(const char *path)
{
	char *cwd, *why = NULL, *full;

	if (*path == '/')
		return strdup(path);
	cwd = getcwd(NULL, 0);
	full = cwd ? ktree_print(&why, "%s/%s", cwd, path) : NULL;
	free(cwd);
	free(why);
	return full;
}

/* As a shell finds it, but absolute: it runs elsewhere. */
static char *find_program(const char *name)
{
	const char *dirs = getenv("PATH"), *end;

	if (strchr(name, '/'))
		return is_program(name) ? absolute(name) : NULL;
	for (const char *p = dirs ? dirs : "/usr/bin:/bin"; p; p = *end ? end + 1 : NULL) {
		char *why = NULL, *path;
		int n;

		end = p + strcspn(p, ":");
		n = (int)(end - p);
		path = ktree_print(&why, "%.*s/%s", n ? n : 1, n ? p : ".", name);
		free(why);
		if (path && is_program(path)) {
			char *full = absolute(path);

			free(path);
			return full;
		}
		free(path);
	}
	return NULL;
}

static bool split(struct ktree_strings *words, const char *command, char **why)
{
	for (const char *p = command + strspn(command, " \t\n"); *p; p += strspn(p, " \t\n")) {
		size_t n = strcspn(p, " \t\n");

		if (!ktree_strings_addf(words, why, "%.*s", (int)n, p))
			return false;
		p += n;
	}
	return true;
}

/* What tells that a program is still the same: of each word that is one (ccache gcc). */
static void key_of(const struct ktree_cc *cc, char key[SHA256_HEX])
{
	struct sha256 s;

	sha256_begin(&s);
	for (size_t i = 0; i < cc->words.n; i++) {
		const char *word = cc->words.s[i];
		char *path = *word == '-' ? NULL : find_program(word);
		char *real = path ? realpath(path, NULL) : NULL;
		struct stat st;

		sha256_add_string(&s, word);
		if (real && !stat(real, &st)) {
			long long what[] = { st.st_size, st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
					     (long long)st.st_ino, (long long)st.st_dev };

			sha256_add_string(&s, real);
			sha256_add(&s, what, sizeof(what));
		}
		free(real);
		free(path);
	}
	sha256_end_hex(&s, key);
}

/* Runs it with one more argument; its output, or NULL. */
static char *ask(const struct ktree_cc *cc, const char *arg, char **why)
{
	struct ktree_strings argv = {0};
	struct ktree_run r = {0};
	bool ok = true;
	char *out;

	for (size_t i = 0; ok && i < cc->words.n; i++)
		ok = ktree_strings_add(&argv, cc->words.s[i], why);
	ok = ok && ktree_strings_add(&argv, arg, why);
	r.argv = argv.s;
	ok = ok && ktree_run(&r, 1, NULL, NULL, why);
	ktree_strings_free(&argv);
	if (ok && (r.end != KTREE_EXITED || r.code)) {
		ok = ktree_explain(&r, cc, NULL, NULL, why);
	} else if (ok) {
		out = r.out;
		r.out = NULL;
		return out;
	}
	ktree_run_free(&r, 1);
	return NULL;
}

static bool find_version(struct ktree_cc *cc, char **why)
{
	key_of(cc, cc->key);
	cc->version = ktree_cache_note(cc->key);
	if (!cc->version) {
		cc->version = ask(cc, "--version", why);
		if (!cc->version)
			return false;
		ktree_cache_set_note(cc->key, cc->version);
	}
	cc->clang = strstr(cc->version, "clang") != NULL;
	return true;
}

static bool no_compiler(const char *name, bool named, char **why)
{
	if (strchr(name, '/') && !access(name, F_OK))
		return ktree_fail(why, "'%s' is not a program: it should be a C compiler", name);
	return ktree_fail(why, "there is no C compiler '%s'%s: a kernel tree needs one (Debian: apt-get "
			  "install gcc; Fedora: dnf install gcc; or cc=\"...\" or $CC names another)",
			  name, named ? "" : " on this machine");
}

bool ktree_cc_find(struct ktree_cc *cc, const char *command, char **why)
{
	const char *env = getenv("CC");
	bool ok;

	memset(cc, 0, sizeof(*cc));
	if (!command)
		command = env && env[strspn(env, " \t\n")] ? env : "cc";
	ok = split(&cc->words, command, why);
	if (ok && !cc->words.n)
		ok = ktree_fail(why, "the name of the C compiler is empty");
	if (ok) {
		char *path = find_program(cc->words.s[0]);

		cc->shown = cc->words.s[0];
		cc->words.s[0] = path;
		if (!path)
			ok = no_compiler(cc->shown, command != env && strcmp(command, "cc"), why);
	}
	ok = ok && find_version(cc, why);
	if (!ok)
		ktree_cc_free(cc);
	return ok;
}

bool ktree_cc_locate(struct ktree_cc *cc, char **why)
{
	cc->include = ask(cc, "-print-file-name=include", why);
	if (!cc->include)
		return false;
	cc->include[strcspn(cc->include, "\r\n")] = '\0';
	if (*cc->include != '/')
		return ktree_fail(why, "the C compiler '%s' does not say where its own headers are "
				  "(-print-file-name=include): gcc or clang is needed", cc->shown);
	return true;
}

void ktree_cc_free(struct ktree_cc *cc)
{
	if (cc->words.n && !cc->words.s[0])
		cc->words.s[0] = strdup("");	/* the list ends where it says */
	ktree_strings_free(&cc->words);
	free(cc->shown);
	free(cc->version);
	free(cc->include);
	memset(cc, 0, sizeof(*cc));
}

static bool add_all(struct ktree_strings *l, const char *const *s, char **why)
{
	for (; *s; s++)
		if (!ktree_strings_add(l, *s, why))
			return false;
	return true;
}

/*
 * As the head of shim/ktree_shim.h says: the language that the kernel is written in, and
 * what is an error rather than a guess, since a primitive that the shim does not have is a
 * function that nobody declared.
 */
static const char *const common_flags[] = {
	"-std=gnu11", "-O1", "-g1", "-fPIC", "-ffreestanding", "-fvisibility=hidden",
	"-fno-common", "-fno-strict-aliasing", "-fno-strict-overflow",
	"-fno-zero-initialized-in-bss", "-fno-stack-protector", "-fno-omit-frame-pointer",
	"-fno-optimize-sibling-calls", "-fno-diagnostics-color",
	"-Werror=implicit-function-declaration", "-Werror=implicit-int", "-Werror=int-conversion",
	"-Werror=incompatible-pointer-types", "-nostdinc",
	NULL
};

static bool add_defines(const struct ktree_opts *o, struct ktree_strings *l, char **why)
{
	bool ok = !o->nr_cpus || ktree_strings_addf(l, why, "-DCONFIG_NR_CPUS=%u", o->nr_cpus);

	if (ok && o->fanout)
		ok = ktree_strings_addf(l, why, "-DCONFIG_RCU_FANOUT=%u", o->fanout);
	if (ok && o->fanout_leaf)
		ok = ktree_strings_addf(l, why, "-DCONFIG_RCU_FANOUT_LEAF=%u", o->fanout_leaf);
	if (ok && o->tiny)
		ok = ktree_strings_add(l, "-DKTREE_TINY", why);
	for (const char *const *d = o->defines; ok && d && *d; d++)
		ok = ktree_strings_addf(l, why, "-D%s", *d);
	return ok;
}

bool ktree_cc_flags(const struct ktree_cc *cc, const struct ktree_opts *o, const char *work,
		    struct ktree_strings *l, char **why)
{
	return add_all(l, common_flags, why) &&
	       /* so that no name depends on where this is done */
	       ktree_strings_addf(l, why, "-ffile-prefix-map=%s/shim/=", work) &&
	       ktree_strings_add(l, "-ffile-prefix-map=./=", why) &&
	       ktree_strings_add(l, "-isystem", why) &&
	       ktree_strings_add(l, cc->include ? cc->include : "", why) &&
	       add_defines(o, l, why) &&
	       ktree_strings_add(l, "-iquote", why) && ktree_strings_add(l, ".", why) &&
	       ktree_strings_addf(l, why, "-I%s/include", work) &&
	       ktree_strings_addf(l, why, "-I%s/shim", work) &&
	       ktree_strings_add(l, "-include", why) &&
	       ktree_strings_addf(l, why, "%s/shim/ktree_shim.h", work);
}

/*
 * Each plain access is told of, under the name of the function that it stands in: nothing
 * is inlined.
 */
bool ktree_cc_tree_flags(const struct ktree_cc *cc, const struct ktree_opts *o,
			 struct ktree_strings *l, char **why)
{
	static const char *const plain[] = { "-fsanitize=thread", "-fno-inline", NULL };
	static const char *const gcc[] = { "--param", "tsan-instrument-func-entry-exit=0",
					   "-fno-ipa-icf", NULL };
	static const char *const clang[] = { "-mllvm", "-tsan-instrument-func-entry-exit=0", NULL };

	if (o->no_plain)
		return true;
	return add_all(l, plain, why) && add_all(l, cc->clang ? clang : gcc, why);
}

bool ktree_cc_link_flags(const char *work, struct ktree_strings *l, char **why)
{
	static const char *const flags[] = { "-shared", "-nostdlib", "-Wl,-z,now", "-Wl,-z,relro",
					     "-Wl,-z,noexecstack", "-Wl,-z,defs", "-Wl,-S", NULL };

	return add_all(l, flags, why) &&
	       ktree_strings_addf(l, why, "-Wl,--version-script=%s/shim/image.map", work) &&
	       ktree_strings_addf(l, why, "-Wl,-T,%s/shim/image.ld", work);
}

/* Behind the files: memcpy() and what else compilers call without being asked. */
bool ktree_cc_libraries(struct ktree_strings *l, char **why)
{
	static const char *const libraries[] = { "-lc", "-lgcc", NULL };

	return add_all(l, libraries, why);
}
