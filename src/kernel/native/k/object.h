/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Named and described structures, and calls that are seen as such: native.  A name is all
 * that an object has, a kind's identity is its address, and nobody looks at calls.
 */
#ifndef K_OBJECT_H
#define K_OBJECT_H

#include "engine/field.h"
#include "k/types.h"
#include "kvm/names.h"

struct object { const char *name; };
struct field { const char *name; u32 offset, size, count, stride, flags; };
#define FIELD(type, member, ...) \
	{ .name = #member, .offset = offsetof(type, member), \
	  .size = sizeof(((type *)0)->member), ##__VA_ARGS__ }
struct objtype {
	const char *kind;
	const struct field *fields;
};

struct kapi { const char *name; };
#define kapi_enter(api, obj, arg)	((void)(api), (void)(obj), (void)(arg))
#define kapi_exit(result)		((void)(result))

#endif
