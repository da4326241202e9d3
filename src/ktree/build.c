/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A directory becomes a shared object: what goes into it is read and hashed, and unless
 * the cache has an image of that hash, the shim's files are laid out and all is compiled.
 * The sources are read again afterwards, because somebody may have been editing: an image
 * must never be kept under the hash of other sources than its own.
 */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "ktree/build.h"
#include "ktree/embedded.h"

/* Changes when the same files make another image than they did. */
#define IMAGE_FORMAT "1"

/* The versions that the shim was tried with. */
enum { OLDEST = 5 << 16 | 10, NEWEST = 6 << 16 | 12 };

#define MAX_ROUNDS 3	/* sources that change whenever they are looked at */

/* One file that is compiled: the tree's own, or one of the shim's. */
struct unit {
	const char *name;	/* of the object file */
	const char *source;	/* NULL: there is none in this image */
	bool tree;		/* below the tree; else below the shim */
	bool watched;		/* its plain accesses are told of */
	bool late;		/* needs the adaptor */
};
enum { MAX_UNITS = 10 };

struct job {
	const char *what;	/* for messages */
	const char *work;
	const char *dir;
	struct ktree_cc *cc;
	const struct ktree_opts *opts;
	struct ktree_strings flags, watch_flags;
	struct unit unit[MAX_UNITS];
	size_t n;
	bool io;		/* it was the directory that failed us */
};

static void add_unit(struct job *j, struct unit u)
{
	j->unit[j->n++] = u;
}

/* The static data of the tree's own and of "kernel" is a world's: image.ld names them. */
static void list_units(struct job *j, const struct ktree_sources *s)
{
	for (size_t i = 0; i < s->compiled; i++)
		add_unit(j, (struct unit){ .name = i ? "segcblist" : "srcu", .tree = true,
					   .source = s->files[i].path, .watched = true });
	add_unit(j, (struct unit){ .name = "kernel", .source = "kernel.c" });
	add_unit(j, (struct unit){ .name = "api", .source = "api.c", .watched = true,
				   .late = true });
	add_unit(j, (struct unit){ .name = "glue", .source = "glue.c", .late = true });
	add_unit(j, (struct unit){ .name = "hooks", .source = "hooks.c" });
}

static bool no_memory(char **why)
{
	return ktree_fail(why, "out of memory");
}

static bool lay_out(struct job *j, const char *under, const char *name, const void *data,
		    size_t len, char **why)
{
	char *path = ktree_print(why, "%s/%s/%s", j->work, under, name);
	bool ok = path && ktree_write_file(path, data, len);

	if (path && !ok) {
		j->io = true;
		ktree_fail(why, "cannot write '%s': %s", path, strerror(errno));
	}
	free(path);
	return ok;
}

static bool lay_out_all(struct job *j, const struct ktree_sources *s, char **why)
{
	for (const struct ktree_embedded *e = ktree_embedded; e->name; e++)
		if (!lay_out(j, "shim", e->name, e->data, e->len, why))
			return false;
	for (size_t i = 0; i < s->empty.n; i++)
		if (!lay_out(j, "include", s->empty.s[i], "", 0, why))
			return false;
	for (size_t i = 0; i < s->forwards.n; i++) {
		char *line = ktree_print(why, "#include \"include/%s\"\n", s->forwards.s[i]);
		bool ok = line && lay_out(j, "include", s->forwards.s[i], line, strlen(line), why);

		free(line);
		if (!ok)
			return false;
	}
	return true;
}

static bool add_strings(struct ktree_strings *l, const struct ktree_strings *more, char **why)
{
	for (size_t i = 0; i < more->n; i++)
		if (!ktree_strings_add(l, more->s[i], why))
			return false;
	return true;
}

/* CC flags -S|-c source -o object */
static bool compile_argv(struct job *j, const struct unit *u, struct ktree_strings *argv, char **why)
{
	bool s = u->watched && !j->opts->no_plain;
	bool ok = add_strings(argv, &j->cc->words, why) && add_strings(argv, &j->flags, why);

	if (ok && u->watched)
		ok = add_strings(argv, &j->watch_flags, why);
	ok = ok && ktree_strings_add(argv, s ? "-S" : "-c", why);
	ok = ok && (u->tree ? ktree_strings_add(argv, u->source, why) :
			      ktree_strings_addf(argv, why, "%s/shim/%s", j->work, u->source));
	return ok && ktree_strings_add(argv, "-o", why) &&
	       ktree_strings_addf(argv, why, "%s/%s.%s", j->work, u->name, s ? "s" : "o");
}

/* What the compiler read is in name.s; with the lines added it is name.lines.s. */
static bool assemble_argv(struct job *j, const struct unit *u, struct ktree_strings *argv, char **why)
{
	char *in = ktree_print(why, "%s/%s.s", j->work, u->name);
	char *out = ktree_print(why, "%s/%s.lines.s", j->work, u->name);
	bool ok = in && out && ktree_add_lines(in, out, why);

	ok = ok && add_strings(argv, &j->cc->words, why) && ktree_strings_add(argv, "-c", why) &&
	     ktree_strings_add(argv, out, why) && ktree_strings_add(argv, "-o", why) &&
	     ktree_strings_addf(argv, why, "%s/%s.o", j->work, u->name);
	free(in);
	free(out);
	return ok;
}

/* A compiler's words (LC_ALL=C) for a place where nothing more can be written. */
static bool is_full(const char *out)
{
	return out && (strstr(out, "No space left on device") || strstr(out, "Disk quota exceeded"));
}

static bool run_argvs(struct job *j, struct ktree_strings *argv, size_t n, char **why)
{
	struct ktree_run run[MAX_UNITS + 1];
	bool ok;

	memset(run, 0, sizeof(run));
	for (size_t i = 0; i < n; i++)
		run[i].argv = argv[i].s;
	ok = ktree_run(run, n, j->dir, j->work, why);
	for (size_t i = 0; ok && i < n; i++) {
		if (run[i].end == KTREE_EXITED && !run[i].code)
			continue;
		j->io = j->io || is_full(run[i].out);
		ok = ktree_explain(&run[i], j->cc, j->what, j->work, why);
	}
	ktree_run_free(run, n);
	return ok;
}

static void free_argvs(struct ktree_strings *argv, size_t n)
{
	for (size_t i = 0; i < n; i++)
		ktree_strings_free(&argv[i]);
}

/* Those that need the adaptor, or those that do not, side by side. */
static bool compile_units(struct job *j, bool late, char **why)
{
	struct ktree_strings argv[MAX_UNITS] = {0};
	bool ok = true;
	size_t n = 0;

	/* the tree's own first: of two errors, that is the one to hear of */
	for (int tree = 1; tree >= 0; tree--)
		for (size_t i = 0; ok && i < j->n; i++)
			if (j->unit[i].late == late && j->unit[i].tree == tree)
				ok = compile_argv(j, &j->unit[i], &argv[n++], why);
	ok = ok && run_argvs(j, argv, n, why);
	free_argvs(argv, n);
	return ok;
}

/* With the lines of their plain accesses. */
static bool assemble_units(struct job *j, char **why)
{
	struct ktree_strings argv[MAX_UNITS] = {0};
	bool ok = true;
	size_t n = 0;

	for (size_t i = 0; ok && i < j->n; i++)
		if (j->unit[i].watched && !j->opts->no_plain)
			ok = assemble_argv(j, &j->unit[i], &argv[n++], why);
	ok = ok && (!n || run_argvs(j, argv, n, why));
	free_argvs(argv, n);
	return ok;
}

static bool link_image(struct job *j, char **why)
{
	struct ktree_strings argv = {0};
	bool ok = add_strings(&argv, &j->cc->words, why) && ktree_cc_link_flags(j->work, &argv, why);

	for (size_t i = 0; ok && i < j->n; i++)
		ok = ktree_strings_addf(&argv, why, "%s/%s.o", j->work, j->unit[i].name);
	ok = ok && ktree_cc_libraries(&argv, why) && ktree_strings_add(&argv, "-o", why) &&
	     ktree_strings_addf(&argv, why, "%s/image.so", j->work) && run_argvs(j, &argv, 1, why);
	ktree_strings_free(&argv);
	return ok;
}

static bool compile(struct job *j, const struct ktree_sources *s, char **why)
{
	struct ktree_probe probe = { .dir = j->dir, .work = j->work, .cc = j->cc, .flags = &j->flags };
	bool ok;

	list_units(j, s);
	ok = ktree_cc_flags(j->cc, j->opts, j->work, &j->flags, why) &&
	     ktree_cc_tree_flags(j->cc, j->opts, &j->watch_flags, why) &&
	     lay_out_all(j, s, why) && compile_units(j, false, why) && ktree_probe(&probe, why) &&
	     compile_units(j, true, why) && assemble_units(j, why) && link_image(j, why);
	ktree_strings_free(&j->flags);
	ktree_strings_free(&j->watch_flags);
	return ok;
}

/* The hash of all that an image is made of, wherever it is made. */
static bool make_key(const struct ktree_sources *s, const struct ktree_cc *cc,
		     const struct ktree_opts *o, char key[SHA256_HEX], char **why)
{
	struct ktree_strings l = {0};
	struct utsname u;
	struct sha256 h;

	sha256_begin(&h);
	sha256_add_string(&h, PACKAGE_VERSION " image " IMAGE_FORMAT);
	sha256_add_string(&h, uname(&u) ? "" : u.machine);
	for (const struct ktree_embedded *e = ktree_embedded; e->name; e++) {
		sha256_add_string(&h, e->name);
		sha256_add(&h, e->data, e->len + 1);
	}
	sha256_add_string(&h, "sources");
	for (size_t i = 0; i < s->n; i++) {
		uint64_t len = s->files[i].len;

		sha256_add_string(&h, s->files[i].path);
		sha256_add(&h, &len, sizeof(len));
		sha256_add(&h, s->files[i].text, s->files[i].len);
	}
	if (!add_strings(&l, &s->empty, why) || !add_strings(&l, &s->forwards, why) ||
	    !add_strings(&l, &cc->words, why) || !ktree_strings_add(&l, cc->version, why) ||
	    !ktree_strings_add(&l, cc->key, why) ||
	    !ktree_cc_flags(&(struct ktree_cc){ .clang = cc->clang }, o, "", &l, why) ||
	    !ktree_cc_tree_flags(cc, o, &l, why) || !ktree_cc_link_flags("", &l, why) ||
	    !ktree_cc_libraries(&l, why)) {
		ktree_strings_free(&l);
		return no_memory(why);
	}
	for (size_t i = 0; i < l.n; i++)
		sha256_add_string(&h, l.s[i]);
	ktree_strings_free(&l);
	sha256_end_hex(&h, key);
	return true;
}

/* Have the sources changed since?  Then s and key are the new ones'. */
static bool changed(struct ktree_sources *s, const struct ktree_cc *cc, const struct ktree_opts *o,
		    const char *dir, char key[SHA256_HEX], bool *yes, char **why)
{
	char again[SHA256_HEX];
	struct ktree_sources t;

	if (!ktree_sources_read(&t, dir, o->tiny, why))
		return false;
	if (!make_key(&t, cc, o, again, why)) {
		ktree_sources_free(&t);
		return false;
	}
	*yes = strcmp(key, again);
	ktree_sources_free(s);
	*s = t;
	memcpy(key, again, SHA256_HEX);
	return true;
}

/* In one directory: *io where that is what failed.  `so` NULL without *why: the sources
 * have changed meanwhile. */
static char *build_in(struct ktree_sources *s, struct ktree_cc *cc, const struct ktree_opts *o,
		      const char *dir, char key[SHA256_HEX], bool own, bool *io, char **why)
{
	struct job j = { .what = s->dir, .dir = s->dir, .cc = cc, .opts = o };
	char *work = ktree_cache_workdir(own, why), *file, *so = NULL, *shown;
	bool again = false, ok = work != NULL;

	if (!ok)
		return NULL;
	shown = ktree_print(why, "'%s'", s->dir);
	file = ktree_print(why, "%s/image.so", work);
	j.what = shown;
	j.work = work;
	ok = shown && file && compile(&j, s, why) && changed(s, cc, o, dir, key, &again, why);
	*io = j.io;
	if (ok && !again) {
		so = ktree_cache_put(key, work, file);
		if (!so) {
			*io = true;
			ktree_fail(why, "cannot put the image into the cache: %s", strerror(errno));
		}
	}
	ktree_remove_all(work);
	free(shown);
	free(file);
	free(work);
	return so;
}

static char *build_somewhere(struct ktree_sources *s, struct ktree_cc *cc, const struct ktree_opts *o,
			     const char *dir, char key[SHA256_HEX], char **why)
{
	bool own = false, io;

	if (!cc->include && !ktree_cc_locate(cc, why))
		return NULL;
	for (int i = 0; i < MAX_ROUNDS; i++) {
		char *so, *first = NULL;

		io = false;
		so = build_in(s, cc, o, dir, key, own, &io, &first);
		if (!so && io && !own) {
			/* full, as a rule: there is another place */
			own = true;
			free(first);
			continue;
		}
		if (so || first) {
			free(*why);
			*why = first;
			return so;
		}
	}
	ktree_fail(why, "the files of '%s' change while they are compiled", s->dir);
	return NULL;
}

static bool valid_opts(const struct ktree_opts *o, char **why)
{
	if (o->nr_cpus > 4096)
		return ktree_fail(why, "nr_cpus is to be 1..4096, not %u", o->nr_cpus);
	if (o->fanout && (o->fanout < 2 || o->fanout > 64))
		return ktree_fail(why, "fanout is to be 2..64, not %u", o->fanout);
	if (o->fanout_leaf && (o->fanout_leaf < 2 || o->fanout_leaf > 64))
		return ktree_fail(why, "fanout_leaf is to be 2..64, not %u", o->fanout_leaf);
	for (const char *const *d = o->defines; d && *d; d++) {
		size_t n = strspn(*d, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789");

		if (!n || (**d >= '0' && **d <= '9') || ((*d)[n] && (*d)[n] != '='))
			return ktree_fail(why, "'%s' defines no name: \"NAME\" or \"NAME=VALUE\" does", *d);
	}
	return true;
}

static bool find_or_build(struct ktree_built *b, struct ktree_sources *s, struct ktree_cc *cc,
			  const struct ktree_opts *o, const char *dir, char **why)
{
	b->so = ktree_cache_find(b->key);
	if (!b->so)
		b->so = build_somewhere(s, cc, o, dir, b->key, why);
	return b->so || no_memory(why);	/* unless there is a better reason */
}

static bool name_it(struct ktree_built *b, const struct ktree_sources *s, char **why)
{
	unsigned v = s->major << 16 | s->minor;

	b->seen_version = v >= OLDEST && v <= NEWEST;
	b->path = strdup(s->dir);
	b->version = strdup(s->version);
	return (b->path && b->version) || no_memory(why);
}

bool ktree_build_image(struct ktree_built *b, const char *dir, const struct ktree_opts *o,
		       bool (*have)(const struct ktree_built *b), char **why)
{
	struct ktree_sources s = {0};
	struct ktree_cc cc = {0};
	bool ok;

	memset(b, 0, sizeof(*b));
	*why = NULL;
	ok = valid_opts(o, why) && ktree_sources_read(&s, dir, o->tiny, why) &&
	     name_it(b, &s, why) && ktree_cc_find(&cc, o->cc, why) &&
	     make_key(&s, &cc, o, b->key, why) &&
	     ((have && have(b)) || find_or_build(b, &s, &cc, o, dir, why));
	ktree_sources_free(&s);
	ktree_cc_free(&cc);
	if (!ok)
		ktree_built_free(b);
	return ok;
}

void ktree_built_free(struct ktree_built *b)
{
	free(b->so);
	free(b->path);
	free(b->version);
	memset(b, 0, sizeof(*b));
}

char *ktree_build(const char *dir, const struct ktree_opts *o, char **version, char **why)
{
	struct ktree_built b;
	char *so;

	if (!ktree_build_image(&b, dir, o, NULL, why))
		return NULL;
	so = b.so;
	*version = b.version;
	b.so = b.version = NULL;
	ktree_built_free(&b);
	return so;
}
