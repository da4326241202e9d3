/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sources of an image: is the directory a kernel tree, of which version, and which of
 * its files go in.  Those are the files that are compiled and what they include with
 * quotes, and of the names in angle brackets the few headers that are SRCU's own; for all
 * others an empty file stands, since the shim has what they would define.
 */
#include <config.h>

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ktree/build.h"

#define MAX_FILES 1000	/* what SRCU includes is a dozen */

/* The names in angle brackets that are taken from the tree, if it has them. */
static const char *const own_headers[] = {
	"linux/rcu_node_tree.h", "linux/rcu_segcblist.h", "linux/srcu.h", "linux/srcutiny.h",
	"linux/srcutree.h",
};

static bool is_own_header(const char *name)
{
	for (size_t i = 0; i < sizeof(own_headers) / sizeof(*own_headers); i++)
		if (!strcmp(own_headers[i], name))
			return true;
	return false;
}

static char *below(const struct ktree_sources *s, const char *path, char **why)
{
	return ktree_print(why, "%s/%s", s->dir, path);
}

static bool is_there(const struct ktree_sources *s, const char *path)
{
	char *why = NULL, *full = below(s, path, &why);
	struct stat st;
	bool yes = full && !stat(full, &st);

	free(full);
	free(why);
	return yes;
}

static bool have(const struct ktree_sources *s, const char *path)
{
	for (size_t i = 0; i < s->n; i++)
		if (!strcmp(s->files[i].path, path))
			return true;
	return false;
}

static bool cannot_read(const char *path, char **why)
{
	return ktree_fail(why, "cannot read '%s': %s", path,
			  errno == EINVAL ? "it is not a regular file" : strerror(errno));
}

/* Each file once. */
static bool take(struct ktree_sources *s, const char *path, char **why)
{
	struct ktree_source *p, f = {0};
	char *full;

	if (have(s, path))
		return true;
	if (s->n == MAX_FILES)
		return ktree_fail(why, "'%s' includes more than %d files", s->dir, MAX_FILES);
	full = below(s, path, why);
	if (!full)
		return false;
	f.text = ktree_read_file(full, &f.len);
	if (!f.text)
		cannot_read(full, why);
	free(full);
	if (!f.text)
		return false;
	f.path = strdup(path);
	p = f.path ? realloc(s->files, (s->n + 1) * sizeof(*p)) : NULL;
	if (!p) {
		free(f.text);
		free(f.path);
		return ktree_fail(why, "out of memory");
	}
	s->files = p;
	s->files[s->n++] = f;
	return true;
}

/* Only names that stay below where they are looked for are made files of. */
static bool is_tame(const char *name)
{
	if (!*name || *name == '/' || strlen(name) > 200)
		return false;
	for (const char *p = name; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("_-+./", *p))
			return false;
	return !strstr(name, "..") && !strstr(name, "//") && name[strlen(name) - 1] != '/';
}

static bool found_angle(struct ktree_sources *s, const char *name, char **why)
{
	char *path;
	bool ok;

	if (!is_tame(name))
		return true;	/* the compiler will say that there is no such file */
	path = ktree_print(why, "include/%s", name);
	if (!path)
		return false;
	if (is_own_header(name) && is_there(s, path)) {
		ok = (ktree_strings_have(&s->forwards, name) ||
		      ktree_strings_add(&s->forwards, name, why)) && take(s, path, why);
	} else {
		ok = ktree_strings_have(&s->empty, name) || ktree_strings_add(&s->empty, name, why);
	}
	free(path);
	return ok;
}

/* With quotes: beside the file that includes it, else below the tree itself. */
static bool found_quoted(struct ktree_sources *s, const char *from, const char *name, char **why)
{
	const char *slash = strrchr(from, '/');
	char *path = ktree_print(why, "%.*s%s", slash ? (int)(slash - from + 1) : 0, from, name);
	bool ok = path != NULL;

	if (ok && is_there(s, path))
		ok = take(s, path, why);
	else if (ok && is_there(s, name))
		ok = take(s, name, why);
	free(path);
	return ok;
}

/* The name in `#include <name>` or `#include "name"`; the closing mark is put in *mark. */
static char *include_name(const char *line, const char *end, char *mark)
{
	const char *p = line, *close;

	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	if (p == end || *p++ != '#')
		return NULL;
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	if (end - p < 8 || strncmp(p, "include", 7))
		return NULL;
	for (p += 7; p < end && (*p == ' ' || *p == '\t'); p++)
		;
	if (p == end || (*p != '<' && *p != '"'))
		return NULL;
	*mark = *p == '<' ? '>' : '"';
	p++;
	close = memchr(p, *mark, (size_t)(end - p));
	return close ? strndup(p, (size_t)(close - p)) : NULL;
}

static bool scan(struct ktree_sources *s, size_t i, char **why)
{
	const char *p = s->files[i].text, *stop = p + s->files[i].len;
	bool ok = true;

	while (ok && p < stop) {
		const char *end = memchr(p, '\n', (size_t)(stop - p));
		char mark, *name;

		if (!end)
			end = stop;
		name = include_name(p, end, &mark);
		if (name)
			ok = mark == '>' ? found_angle(s, name, why) :
					   found_quoted(s, s->files[i].path, name, why);
		free(name);
		p = end + (end < stop);
	}
	return ok;
}

/* The value of a line "NAME = value" of the Makefile, before any comment or space. */
static bool make_variable(const char *text, const char *name, char *value, size_t size)
{
	size_t n = strlen(name), len;

	for (const char *p = text; p && *p; p = strchr(p, '\n'), p += p != NULL) {
		const char *v = p + n;

		if (strncmp(p, name, n))
			continue;
		v += strspn(v, " \t");
		if (*v == ':')
			v++;
		if (*v++ != '=')
			continue;
		v += strspn(v, " \t");
		len = strcspn(v, " \t\r\n#");
		if (len >= size)
			return false;
		memcpy(value, v, len);
		value[len] = '\0';
		return true;
	}
	return false;
}

static bool is_number(const char *s)
{
	size_t n = strspn(s, "0123456789");

	return n && n < 6 && !s[n];
}

static bool read_version(struct ktree_sources *s, char **why)
{
	char v[3][24], extra[64], *path = below(s, "Makefile", why), *text;
	static const char *const names[] = { "VERSION", "PATCHLEVEL", "SUBLEVEL" };
	bool ok = true;
	size_t len;

	if (!path)
		return false;
	text = ktree_read_file(path, &len);
	ok = text || errno == ENOENT || cannot_read(path, why);
	free(path);
	if (!ok)
		return false;
	for (int i = 0; i < 3; i++)
		ok = ok && text && make_variable(text, names[i], v[i], sizeof(v[i])) && is_number(v[i]);
	if (!ok) {
		free(text);
		return ktree_fail(why, "'%s' is not a kernel tree: it has no Makefile with VERSION, "
				  "PATCHLEVEL and SUBLEVEL", s->dir);
	}
	if (!make_variable(text, "EXTRAVERSION", extra, sizeof(extra)))
		*extra = '\0';
	free(text);
	s->major = (unsigned)atoi(v[0]);
	s->minor = (unsigned)atoi(v[1]);
	s->version = ktree_print(why, "%s.%s.%s%s", v[0], v[1], v[2], extra);
	return s->version != NULL;
}

static bool check_dir(struct ktree_sources *s, const char *dir, char **why)
{
	struct stat st;

	if (!*dir)
		return ktree_fail(why, "the kernel tree's directory has an empty name");
	if (stat(dir, &st))
		return ktree_fail(why, "cannot find the kernel tree '%s': %s", dir, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return ktree_fail(why, "'%s' is not a kernel tree, not even a directory", dir);
	s->dir = realpath(dir, NULL);
	if (!s->dir)
		return ktree_fail(why, "cannot open the kernel tree '%s': %s", dir, strerror(errno));
	return true;
}

static bool take_main(struct ktree_sources *s, const char *path, char **why)
{
	if (!is_there(s, path))
		return ktree_fail(why, "'%s', Linux %s, has no %s", s->dir, s->version, path);
	return take(s, path, why);
}

/* What our own files include of the tree (shim/tree.h), whether its files do so or not;
 * one that it does not have is empty. */
static bool take_ours(struct ktree_sources *s, char **why)
{
	static const char *const angle[] = { "linux/rcu_node_tree.h", "linux/srcu.h" };
	static const char *const quoted[] = { "kernel/rcu/rcu.h", "kernel/rcu/rcu_segcblist.h" };
	bool ok = true;

	for (size_t i = 0; ok && i < sizeof(angle) / sizeof(*angle); i++)
		ok = found_angle(s, angle[i], why);
	for (size_t i = 0; ok && i < sizeof(quoted) / sizeof(*quoted); i++)
		ok = is_there(s, quoted[i]) ? take(s, quoted[i], why) :
					      ktree_strings_add(&s->empty, quoted[i], why);
	return ok;
}

bool ktree_sources_read(struct ktree_sources *s, const char *dir, bool tiny, char **why)
{
	bool ok;

	memset(s, 0, sizeof(*s));
	ok = check_dir(s, dir, why) && read_version(s, why);
	if (ok && tiny)
		ok = take_main(s, "kernel/rcu/srcutiny.c", why);
	else if (ok)
		ok = take_main(s, "kernel/rcu/srcutree.c", why) &&
		     take_main(s, "kernel/rcu/rcu_segcblist.c", why);
	s->compiled = s->n;
	ok = ok && take_ours(s, why);
	for (size_t i = 0; ok && i < s->n; i++)
		ok = scan(s, i, why);
	if (!ok)
		ktree_sources_free(s);
	return ok;
}

void ktree_sources_free(struct ktree_sources *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->files[i].path);
		free(s->files[i].text);
	}
	free(s->files);
	free(s->dir);
	free(s->version);
	ktree_strings_free(&s->empty);
	ktree_strings_free(&s->forwards);
	memset(s, 0, sizeof(*s));
}
