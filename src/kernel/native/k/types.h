/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Integer types and small macros under the kernel's names. */
#ifndef K_TYPES_H
#define K_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "k/names.h"

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t s64;

/* Beginnings of lines that CPUs do not share, and of structures whose neighbours' lines
 * the hardware must not fetch along with them. */
#define ____cacheline_aligned_in_smp __attribute__((aligned(64)))
#define ____cacheline_internodealigned_in_smp __attribute__((aligned(128)))

#define container_of(ptr, type, member) \
	((type *)((char *)(ptr) - offsetof(type, member)))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)

/* Counters that wrap: is a at or after / before b? */
#define ULONG_CMP_GE(a, b) (~0ul / 2 >= (unsigned long)((a) - (b)))
#define ULONG_CMP_LT(a, b) (~0ul / 2 < (unsigned long)((a) - (b)))

#endif
