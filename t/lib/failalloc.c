/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * To be preloaded: the FAIL_AT-th attempt to get memory (a block, a mapping, an OS
 * thread) fails, and with FAIL_ON set so do all later ones; from the
 * FAIL_THREADS-th on threads fail.  How many attempts there were is written to the
 * file FAIL_COUNT at the end.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);

static atomic_long attempts, threads;

static long number(const char *name)
{
	const char *s = getenv(name);

	return s ? atol(s) : 0;
}

static int fails(void)
{
	static long at = -1, on;
	long n = ++attempts;

	if (at < 0) {
		on = number("FAIL_ON");
		at = number("FAIL_AT");
	}
	if (!at || (n != at && !(on && n > at)))
		return 0;
	errno = ENOMEM;
	return 1;
}

void *malloc(size_t n)
{
	return fails() ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	return fails() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	return n && fails() ? NULL : __libc_realloc(p, n);
}

char *strdup(const char *s)
{
	size_t n = strlen(s) + 1;
	char *copy = malloc(n);

	return copy ? memcpy(copy, s, n) : NULL;
}

void *mmap(void *addr, size_t len, int prot, int flags, int fd, off_t offset)
{
	static void *(*real)(void *, size_t, int, int, int, off_t);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "mmap");
	return (flags & MAP_ANONYMOUS) && fails() ? MAP_FAILED :
		       real(addr, len, prot, flags, fd, offset);
}

int pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*fn)(void *), void *arg)
{
	static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
	long limit = number("FAIL_THREADS");

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
	if (fails() || (limit && ++threads >= limit))
		return EAGAIN;
	return real(t, attr, fn, arg);
}

__attribute__((destructor)) static void tell(void)
{
	const char *path = getenv("FAIL_COUNT");
	FILE *f = path ? fopen(path, "w") : NULL;

	if (!f)
		return;
	fprintf(f, "%ld\n", (long)attempts);
	fclose(f);
}
