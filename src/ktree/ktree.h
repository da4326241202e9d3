/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A kernel tree of one's own (api.md section 8): its SRCU, compiled from its sources as
 * they stand, is one more implementation of struct srcu_ops.
 *
 *	build.c		a directory becomes a .so, by these (build.h):
 *	  source.c	  which of the tree's files go into it; their hash (sha256.c)
 *	  cache.c	  where images are kept
 *	  compiler.c	  the compiler and its flags; run.c runs it, explain.c says what it said
 *	  probe.c	  which of the candidate expressions of the adaptor this tree knows
 *	  lines.c	  the compiler's assembly: where in the sources each plain access is
 *	  file.c	  files and texts
 *	load.c		the .so becomes a struct ktree; param.c: its module parameters
 *	place.c		addresses in its code become sites; letters.c: letters of its barriers
 *	host.c		what an image calls (abi.h); domain.c: what that makes for a domain
 *	instance.c	a world's own copy of the image's static data
 *	ops.c		struct srcu_ops over an image
 *	view.c		inspection
 *	shim/		what the image is compiled with beside the tree's own files
 */
#ifndef SRCUSH_KTREE_KTREE_H
#define SRCUSH_KTREE_KTREE_H

#include "ktree/abi.h"
#include "srcu/srcu.h"

/* How an image is made.  NULL or 0: the default of each. */
struct ktree_opts {
	bool tiny;			/* srcutiny.c; else srcutree.c */
	const char *cc;			/* the C compiler, words of a command; default $CC, else cc */
	unsigned nr_cpus;		/* CONFIG_NR_CPUS, 1..4096; default 4096 */
	unsigned fanout, fanout_leaf;	/* CONFIG_RCU_FANOUT 2..64, CONFIG_RCU_FANOUT_LEAF 2..64 */
	const char *const *defines;	/* "NAME" or "NAME=VALUE", ends with NULL */
	bool no_plain;			/* plain accesses are not watched */
};

/* An image in the process.  Never unloaded: sites point into it. */
struct ktree {
	struct srcu_ops ops;		/* of domains made of it: container_of() */
	const struct ktree_image *image;
	struct ktree_host *host;	/* its own: the image holds on to it */
	char *dir;			/* as it was given, and */
	char *path;			/* absolute */
	char *version;			/* "6.12.117", from the tree's Makefile */
	char *so;			/* the file that was loaded */
	struct ktree_opts opts;		/* copies */
	struct world *owner;		/* whose static data lies in the image now, or NULL */
	void *pristine;			/* the static data as it was loaded, parameters included */
	bool seen_version;		/* false: a version that nobody has tried (a warning) */
	struct objtype instance_type;	/* instance.c: of what holds a world's copy, and */
	char instance_name[32];		/* its name in each world */
	struct ktree *next;		/* all that are loaded */
};

/*
 * Builds (or takes from the cache) and loads the tree in `dir`.  The same image is loaded
 * once.  NULL: *why is one message, malloced, without "srcush: ".  *warning is NULL or a
 * malloced message, too.  Runs the compiler; takes about a second cold.
 */
struct ktree *ktree_load(const char *dir, const struct ktree_opts *o, char **why, char **warning);
/* The sources have changed, or not: an image of them as they are now. */
struct ktree *ktree_reload(const struct ktree *k, char **why, char **warning);

/*
 * build.c: the path of the .so for these sources, shim, compiler and flags, built if it is
 * not in the cache ($SRCUSH_CACHE, else $XDG_CACHE_HOME/srcush, else ~/.cache/srcush; a
 * directory of the process's own where that cannot be written).  NULL: *why.
 */
char *ktree_build(const char *dir, const struct ktree_opts *o, char **version, char **why);

/* lines.c: adds the table of struct ktree_line to a file of assembly.  Refuses assembly that
 * the tree brings itself. */
bool ktree_add_lines(const char *s_in, const char *s_out, char **why);

/* Module parameters.  Values are integers; false: no such one, or out of range. */
bool ktree_param_get(struct ktree *k, const char *name, long *value);
bool ktree_param_set(struct ktree *k, const char *name, long value);

/* host.c: the table that an image is given (abi.h), before it is asked for its own. */
void ktree_host_fill(struct ktree_host *h);
/* ops.c: k->ops, of an image that is loaded; the last thing to be done to a new k, after
 * image, host, version, opts and pristine are there. */
void ktree_ops_fill(struct ktree *k);
/* instance.c: the world's static data is in the image from now on; called on each way in.
 * False with world_error() set. */
bool ktree_enter(struct ktree *k, struct world *w);

/* For `K.fields`: the names of what the inspector found, in order; ends with NULL. */
const char *const *ktree_fields(const struct ktree *k);

#endif
