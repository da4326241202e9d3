/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the parts that make an image (build.c) share: messages, files, the sources of a
 * tree, the cache, the compiler.  Nothing here knows of worlds.
 */
#ifndef SRCUSH_KTREE_BUILD_H
#define SRCUSH_KTREE_BUILD_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "ktree/ktree.h"
#include "ktree/sha256.h"

/* --- file.c --- */

/* *why becomes the message, malloced; a message that is there already stays.  Returns
 * false, so that a function can end with it. */
bool ktree_fail(char **why, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* asprintf() that gives NULL and *why when memory runs out. */
char *ktree_print(char **why, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Strings, in an array that ends with NULL. */
struct ktree_strings { char **s; size_t n; };
bool ktree_strings_add(struct ktree_strings *l, const char *s, char **why);
bool ktree_strings_addf(struct ktree_strings *l, char **why, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
bool ktree_strings_have(const struct ktree_strings *l, const char *s);
void ktree_strings_free(struct ktree_strings *l);

/* The text of a regular file, with a NUL behind it.  NULL: errno says why; EFBIG where it
 * is too large for a source file, EINVAL where it is no regular file. */
char *ktree_read_file(const char *path, size_t *len);
/* Directories that are missing are made.  False: errno. */
bool ktree_write_file(const char *path, const void *data, size_t len);
bool ktree_mkdirs(const char *path);
/* A directory and all that is in it; symbolic links are not followed. */
void ktree_remove_all(const char *path);

/* --- source.c --- */

struct ktree_source {
	char *path;		/* below the tree */
	char *text;
	size_t len;
};
struct ktree_sources {
	char *dir;		/* absolute */
	char *version;		/* "6.12.117" */
	unsigned major, minor;
	struct ktree_source *files; /* those compiled first, then what they include */
	size_t n, compiled;
	struct ktree_strings empty;	/* <linux/...> and the like that are left empty */
	struct ktree_strings forwards;	/* those that the tree's own are taken for */
};
/* Reads all that goes into an image of the tree. */
bool ktree_sources_read(struct ktree_sources *s, const char *dir, bool tiny, char **why);
void ktree_sources_free(struct ktree_sources *s);

/* --- cache.c --- */

/* A fresh directory to work in, where images are kept, or, where that cannot be written or
 * `own` says so, in a directory of the process's own, removed when it exits.  The caller
 * removes it. */
char *ktree_cache_workdir(bool own, char **why);
/* The path of the image of this key, if it is there and whole; else NULL. */
char *ktree_cache_find(const char *key);
/* Puts a finished file where `work` was made, at once or not at all; returns its path.
 * NULL: errno. */
char *ktree_cache_put(const char *key, const char *work, const char *file);
/* A copy of an image as a file of its own, so that it can be loaded a second time. */
char *ktree_cache_copy(const char *so, char **why);
/* The file is open and will stay so: one of the process's own needs no name any more, so
 * that nothing remains of it whatever becomes of the process. */
void ktree_cache_loaded(const char *so);
/* Small texts, kept or not as it comes: what a compiler said of its version. */
char *ktree_cache_note(const char *key);
void ktree_cache_set_note(const char *key, const char *text);

/* --- run.c --- */

enum ktree_end { KTREE_EXITED, KTREE_KILLED, KTREE_TIMEOUT, KTREE_INTERRUPTED, KTREE_NOT_RUN };
struct ktree_run {
	char *const *argv;	/* argv[0] is a path */
	char *out;		/* what it wrote, of both kinds; free it */
	size_t len;
	enum ktree_end end;
	int code;		/* exit status, signal or errno */
};
extern unsigned ktree_time_limit;	/* seconds that a compiler has */
/* Runs them side by side in directory `cwd`, temporary files in `tmp`.  False: memory. */
bool ktree_run(struct ktree_run *r, size_t n, const char *cwd, const char *tmp, char **why);
void ktree_run_free(struct ktree_run *r, size_t n);

/* --- compiler.c --- */

struct ktree_cc {
	struct ktree_strings words;	/* words.s[0] is absolute */
	char *shown;			/* as the user knows it */
	char *version;			/* what it says of itself */
	char key[SHA256_HEX];		/* of its files as they are */
	bool clang;
	char *include;			/* its own headers: set by ktree_cc_locate() */
};
/* Finds the compiler: `command`, else $CC, else cc. */
bool ktree_cc_find(struct ktree_cc *cc, const char *command, char **why);
bool ktree_cc_locate(struct ktree_cc *cc, char **why);
void ktree_cc_free(struct ktree_cc *cc);
/* Flags for all, and for the tree's own files beyond that.  They name `work`. */
bool ktree_cc_flags(const struct ktree_cc *cc, const struct ktree_opts *o, const char *work,
		    struct ktree_strings *flags, char **why);
bool ktree_cc_tree_flags(const struct ktree_cc *cc, const struct ktree_opts *o,
			 struct ktree_strings *flags, char **why);
bool ktree_cc_link_flags(const char *work, struct ktree_strings *flags, char **why);
bool ktree_cc_libraries(struct ktree_strings *flags, char **why);

/* --- explain.c --- */

/* What went wrong, of a run that did not end well.  `what` is its subject: "'linux'";
 * `work` is the directory whose names nobody should see. */
bool ktree_explain(const struct ktree_run *r, const struct ktree_cc *cc, const char *what,
		   const char *work, char **why);

/* --- probe.c --- */

/* The adaptor's header, of the candidates of the shim that the compiler takes. */
struct ktree_probe {
	const char *dir;		/* the tree's */
	const char *work;
	const struct ktree_cc *cc;
	const struct ktree_strings *flags;
};
bool ktree_probe(const struct ktree_probe *p, char **why);

/* --- build.c --- */

/* The versions that the shim was tried with, for people. */
#define KTREE_VERSIONS_TRIED "5.10 to 6.12"

struct ktree_built {
	char *so;
	char *path;		/* of the tree, absolute */
	char *version;
	bool seen_version;
	char key[SHA256_HEX];
};
/* Unless `have` says that what has this key, path and version need not be built: then
 * `so` is NULL. */
bool ktree_build_image(struct ktree_built *b, const char *dir, const struct ktree_opts *o,
		       bool (*have)(const struct ktree_built *b), char **why);
void ktree_built_free(struct ktree_built *b);

#endif
