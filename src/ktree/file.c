/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Small things for making images: messages, lists of strings, whole files.
 */
#include <config.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ktree/build.h"

/* No source file is larger; one that is would be read for ever. */
#define MAX_FILE ((off_t)64 << 20)

bool ktree_fail(char **why, const char *fmt, ...)
{
	va_list ap;

	if (*why)
		return false;
	va_start(ap, fmt);
	if (vasprintf(why, fmt, ap) < 0)
		*why = NULL;
	va_end(ap);
	return false;
}

char *ktree_print(char **why, const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		s = NULL;
	va_end(ap);
	if (!s)
		ktree_fail(why, "out of memory");
	return s;
}

static bool add_owned(struct ktree_strings *l, char *s, char **why)
{
	char **p = s ? realloc(l->s, (l->n + 2) * sizeof(*p)) : NULL;

	if (!p) {
		free(s);
		return ktree_fail(why, "out of memory");
	}
	l->s = p;
	l->s[l->n++] = s;
	l->s[l->n] = NULL;
	return true;
}

bool ktree_strings_add(struct ktree_strings *l, const char *s, char **why)
{
	return add_owned(l, strdup(s), why);
}

bool ktree_strings_addf(struct ktree_strings *l, char **why, const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		s = NULL;
	va_end(ap);
	return add_owned(l, s, why);
}

bool ktree_strings_have(const struct ktree_strings *l, const char *s)
{
	for (size_t i = 0; i < l->n; i++)
		if (!strcmp(l->s[i], s))
			return true;
	return false;
}

void ktree_strings_free(struct ktree_strings *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->s[i]);
	free(l->s);
	memset(l, 0, sizeof(*l));
}

static char *read_all(int fd, size_t size, size_t *len)
{
	char *p = malloc(size + 1);
	size_t n = 0;

	while (p && n < size) {
		ssize_t r = read(fd, p + n, size - n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0) {
			free(p);
			return NULL;
		}
		if (!r)
			break;
		n += (size_t)r;
	}
	if (p) {
		p[n] = '\0';
		*len = n;
	}
	return p;
}

char *ktree_read_file(const char *path, size_t *len)
{
	/* not to be kept waiting by a pipe of that name */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	char *p = NULL;
	int err;

	if (fd < 0)
		return NULL;
	if (!fstat(fd, &st)) {
		if (S_ISDIR(st.st_mode))
			errno = EISDIR;
		else if (!S_ISREG(st.st_mode))
			errno = EINVAL;
		else if (st.st_size > MAX_FILE)
			errno = EFBIG;
		else
			p = read_all(fd, (size_t)st.st_size, len);
	}
	err = errno;
	close(fd);
	errno = err;
	return p;
}

bool ktree_mkdirs(const char *path)
{
	char *copy, *p;
	bool ok = false;

	if (!mkdir(path, 0700) || errno == EEXIST)
		return true;
	if (errno != ENOENT || !(copy = strdup(path)))
		return false;
	p = strrchr(copy, '/');
	if (p && p != copy) {
		*p = '\0';
		ok = ktree_mkdirs(copy) && (!mkdir(path, 0700) || errno == EEXIST);
	}
	free(copy);
	return ok;
}

static int open_new(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	char *dir, *slash;

	if (fd >= 0 || errno != ENOENT || !(dir = strdup(path)))
		return fd;
	slash = strrchr(dir, '/');
	if (slash) {
		*slash = '\0';
		if (ktree_mkdirs(dir))
			fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	}
	free(dir);
	return fd;
}

bool ktree_write_file(const char *path, const void *data, size_t len)
{
	int fd = open_new(path), err;
	const char *p = data;

	if (fd < 0)
		return false;
	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break;
		p += n;
		len -= (size_t)n;
	}
	err = errno;
	if (close(fd) && !len)
		return false;
	errno = err;
	return !len;
}

static void remove_at(int at, const char *name)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;

	if (fd >= 0 && !d)
		close(fd);
	while (d && (e = readdir(d)))
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			remove_at(dirfd(d), e->d_name);
	if (d)
		closedir(d);
	unlinkat(at, name, d ? AT_REMOVEDIR : 0);
}

void ktree_remove_all(const char *path)
{
	remove_at(AT_FDCWD, path);
}
