/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The journal of what exploring processes agree on.  It only grows, and a record is
 * there as soon as the number of bytes says so: readers need no lock, and whoever is
 * killed while writing leaves nothing half done.
 */
#include <config.h>

#include "engine/agree.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#define AGREE_BYTES (64u << 20)	/* reserved; only what is written is used */

struct agree {
	pthread_mutex_t lock;
	_Atomic size_t n;
	unsigned char bytes[];
};

struct agree *agree_new(void)
{
	struct agree *a = mmap(NULL, AGREE_BYTES, PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	pthread_mutexattr_t attr;
	bool ok;

	if (a == MAP_FAILED)
		return NULL;
	if (pthread_mutexattr_init(&attr)) {
		munmap(a, AGREE_BYTES);
		return NULL;
	}
	ok = !pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED) &&
	     !pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST) &&
	     !pthread_mutex_init(&a->lock, &attr);
	pthread_mutexattr_destroy(&attr);
	if (ok)
		return a;
	munmap(a, AGREE_BYTES);
	return NULL;
}

void agree_free(struct agree *a)
{
	if (!a)
		return;
	/* one of those who were killed may have had the mutex: it goes with its memory */
	munmap(a, AGREE_BYTES);
}

void agree_lock(struct agree *a)
{
	if (pthread_mutex_lock(&a->lock) == EOWNERDEAD)
		pthread_mutex_consistent(&a->lock);
}

void agree_unlock(struct agree *a)
{
	pthread_mutex_unlock(&a->lock);
}

const struct agree_record *agree_next(const struct agree *a, size_t *at)
{
	const struct agree_record *r;

	if (*at >= atomic_load_explicit(&a->n, memory_order_acquire))
		return NULL;
	r = (const struct agree_record *)(const void *)(a->bytes + *at);
	*at += (sizeof(*r) + r->len + 7u) & ~(size_t)7;
	return r;
}

bool agree_add(struct agree *a, enum agree_kind kind, const void *v, size_t len)
{
	size_t at = atomic_load_explicit(&a->n, memory_order_relaxed);
	size_t size = (sizeof(struct agree_record) + len + 7u) & ~(size_t)7;
	struct agree_record *r = (struct agree_record *)(void *)(a->bytes + at);

	if (len > UINT16_MAX || offsetof(struct agree, bytes) + at + size > AGREE_BYTES)
		return false;
	r->kind = (uint16_t)kind;
	r->len = (uint16_t)len;
	memcpy(r->v, v, len);
	atomic_store_explicit(&a->n, at + size, memory_order_release);
	return true;
}
