/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The cache of images.  A file gets its name only when it is complete, so that two who
 * build the same at once are both right, and it ends with a hash of itself, so that one
 * that was damaged is made anew rather than believed.
 */
#include <config.h>

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ktree/build.h"

#define WORK_PREFIX "build-"
#define WORK_STALE 3600		/* seconds after which nobody works in such a directory */
#define SEAL "srcush-image "	/* and the hash; what follows an ELF file is nobody's */

static char *private_dir;	/* the process's own, where it was needed */
static pid_t private_owner;

static void remove_private(void)
{
	/* not by a child that was forked, and goes before us */
	if (private_dir && private_owner == getpid())
		ktree_remove_all(private_dir);
}

static const char *private_cache(char **why)
{
	static bool registered;
	const char *tmp = getenv("TMPDIR");
	char *dir;

	if (private_dir)
		return private_dir;
	dir = ktree_print(why, "%s/srcush-XXXXXX", tmp && *tmp == '/' ? tmp : "/tmp");
	if (!dir)
		return NULL;
	if (!mkdtemp(dir)) {
		ktree_fail(why, "no directory to compile the kernel tree in: %s: %s", dir,
			   strerror(errno));
		free(dir);
		return NULL;
	}
	private_owner = getpid();
	private_dir = dir;
	if (!registered)
		registered = !atexit(remove_private);
	return private_dir;
}

/* Where it should be; NULL: nowhere. */
static char *wanted_dir(char **why)
{
	const char *own = getenv("SRCUSH_CACHE"), *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	char *cwd, *dir;

	if (own && *own == '/')
		return ktree_print(why, "%s", own);
	if (own && *own) {
		cwd = getcwd(NULL, 0);
		dir = cwd ? ktree_print(why, "%s/%s", cwd, own) : NULL;
		free(cwd);
		return dir;
	}
	if (xdg && *xdg == '/')
		return ktree_print(why, "%s/srcush", xdg);
	if (home && *home == '/')
		return ktree_print(why, "%s/.cache/srcush", home);
	return NULL;
}

static bool is_private(const char *path)
{
	size_t n = private_dir ? strlen(private_dir) : 0;

	return n && !strncmp(path, private_dir, n) && path[n] == '/';
}

/* What was left by some that were killed. */
static void sweep(const char *dir)
{
	DIR *d = opendir(dir);
	time_t now = time(NULL);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		char *why = NULL, *path;
		struct stat st;

		if (strncmp(e->d_name, WORK_PREFIX, strlen(WORK_PREFIX)))
			continue;
		path = ktree_print(&why, "%s/%s", dir, e->d_name);
		if (path && !lstat(path, &st) && S_ISDIR(st.st_mode) && st.st_mtime < now - WORK_STALE)
			ktree_remove_all(path);
		free(path);
		free(why);
	}
	if (d)
		closedir(d);
}

static char *workdir_in(const char *dir, char **why)
{
	char *work = ktree_print(why, "%s/" WORK_PREFIX "XXXXXX", dir);

	if (work && !mkdtemp(work)) {
		free(work);
		work = NULL;
	}
	return work;
}

char *ktree_cache_workdir(bool own, char **why)
{
	char *dir = own ? NULL : wanted_dir(why), *work = NULL;
	const char *mine;

	if (dir && ktree_mkdirs(dir)) {
		sweep(dir);
		work = workdir_in(dir, why);
	}
	free(dir);
	if (work || *why)
		return work;
	mine = private_cache(why);
	work = mine ? workdir_in(mine, why) : NULL;
	if (!work)
		ktree_fail(why, "no directory to compile the kernel tree in: %s", strerror(errno));
	return work;
}

static void hash_of(const char *data, size_t len, char hex[SHA256_HEX])
{
	struct sha256 s;

	sha256_begin(&s);
	sha256_add(&s, data, len);
	sha256_end_hex(&s, hex);
}

static bool is_whole(const char *path)
{
	size_t len, seal = strlen(SEAL) + SHA256_HEX;	/* a newline for the NUL */
	char hex[SHA256_HEX], *data = ktree_read_file(path, &len);
	bool whole = false;

	if (data && len > seal) {
		hash_of(data, len - seal, hex);
		whole = !memcmp(data + len - seal, SEAL, strlen(SEAL)) &&
			!memcmp(data + len - SHA256_HEX, hex, SHA256_HEX - 1) && data[len - 1] == '\n';
	}
	free(data);
	return whole;
}

static char *find_in(const char *dir, const char *key)
{
	char *why = NULL, *path = ktree_print(&why, "%s/ktree-%s.so", dir, key);

	if (path && is_whole(path))
		return path;
	free(path);
	free(why);
	return NULL;
}

char *ktree_cache_find(const char *key)
{
	char *why = NULL, *dir = wanted_dir(&why), *so = dir ? find_in(dir, key) : NULL;

	if (!so && private_dir)
		so = find_in(private_dir, key);
	free(dir);
	free(why);
	return so;
}

static bool seal(const char *file)
{
	char hex[SHA256_HEX], *data;
	size_t len;
	FILE *f;
	bool ok;

	data = ktree_read_file(file, &len);
	if (!data)
		return false;
	hash_of(data, len, hex);
	free(data);
	f = fopen(file, "ae");
	if (!f)
		return false;
	ok = fprintf(f, SEAL "%s\n", hex) > 0;
	return !fclose(f) && ok;
}

char *ktree_cache_put(const char *key, const char *work, const char *file)
{
	char *why = NULL, *slash = strrchr(work, '/');
	char *so = ktree_print(&why, "%.*s/ktree-%s.so", (int)(slash - work), work, key);

	if (so && seal(file) && !rename(file, so))
		return so;
	free(so);
	free(why);
	return NULL;
}

char *ktree_cache_copy(const char *so, char **why)
{
	static unsigned copies;
	const char *dir = private_cache(why);
	char *copy = dir ? ktree_print(why, "%s/copy-%u.so", dir, ++copies) : NULL, *data;
	size_t len;

	if (!copy)
		return NULL;
	data = ktree_read_file(so, &len);
	if (data && ktree_write_file(copy, data, len)) {
		free(data);
		return copy;
	}
	ktree_fail(why, "cannot copy '%s' to '%s': %s", so, copy, strerror(errno));
	free(data);
	free(copy);
	return NULL;
}

void ktree_cache_loaded(const char *so)
{
	if (!is_private(so))
		return;
	unlink(so);
	if (!rmdir(private_dir)) {
		free(private_dir);
		private_dir = NULL;
	}
}

static char *note_path(const char *key)
{
	char *why = NULL, *dir = wanted_dir(&why);
	char *path = dir ? ktree_print(&why, "%s/cc-%s", dir, key) : NULL;

	free(dir);
	free(why);
	return path;
}

char *ktree_cache_note(const char *key)
{
	char *path = note_path(key), *text;
	size_t len;

	text = path ? ktree_read_file(path, &len) : NULL;
	free(path);
	return text;
}

void ktree_cache_set_note(const char *key, const char *text)
{
	char *path = note_path(key), *why = NULL, *tmp;

	tmp = path ? ktree_print(&why, "%s.%ld", path, (long)getpid()) : NULL;
	if (tmp && (!ktree_write_file(tmp, text, strlen(text)) || rename(tmp, path)))
		unlink(tmp);
	free(tmp);
	free(path);
	free(why);
}
