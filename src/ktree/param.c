/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Module parameters: integers in an image's static data.  Each world begins with a copy
 * of that data as it was loaded, so that is where they are read and set; a world that is
 * there already keeps what it began with.
 */
#include <config.h>

#include <limits.h>
#include <string.h>

#include "ktree/ktree.h"

static const struct ktree_param *find(const struct ktree *k, const char *name)
{
	for (const struct ktree_param *p = k->image->params; p < k->image->params_end; p++)
		if (!strcmp(p->name, name))
			return p;
	return NULL;
}

/* In the copy, if it is of what is copied. */
static void *place(const struct ktree *k, const struct ktree_param *p)
{
	const char *data = k->image->data, *var = p->var;

	if (k->pristine && var >= data && var + p->size <= (const char *)k->image->data_end)
		return (char *)k->pristine + (var - data);
	return p->var;
}

static bool is_unsigned(const struct ktree_param *p)
{
	return *p->type == 'u' || !strcmp(p->type, "byte") || !strcmp(p->type, "hexint");
}

static bool is_bool(const struct ktree_param *p)
{
	return strstr(p->type, "ool") != NULL;	/* _Bool, too */
}

/* Strings and functions are no integers. */
static bool is_integer(const struct ktree_param *p)
{
	static const char *const types[] = {
		"_Bool", "bool", "invbool", "byte", "hexint", "int", "long", "short", "uint", "ulong", "ushort",
		"ullong",
	};

	if (p->size != 1 && p->size != 2 && p->size != 4 && p->size != 8)
		return false;
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (!strcmp(p->type, types[i]))
			return true;
	return false;
}

bool ktree_param_get(struct ktree *k, const char *name, long *value)
{
	const struct ktree_param *p = find(k, name);
	unsigned shift;
	uint64_t v = 0;

	if (!p || !is_integer(p))
		return false;
	shift = 64 - 8 * p->size;
	if (p->size == 1)
		v = *(uint8_t *)place(k, p);
	else if (p->size == 2)
		v = *(uint16_t *)place(k, p);
	else if (p->size == 4)
		v = *(uint32_t *)place(k, p);
	else
		v = *(uint64_t *)place(k, p);
	*value = is_unsigned(p) || is_bool(p) ? (long)v : (long)(v << shift) >> shift;
	return true;
}

static bool in_range(const struct ktree_param *p, long value)
{
	unsigned bits = 8 * p->size;

	if (is_bool(p))
		return value == 0 || value == 1;
	if (is_unsigned(p))
		return value >= 0 && (bits == 64 || value < 1l << bits);
	return bits == 64 || (value >= -(1l << (bits - 1)) && value < 1l << (bits - 1));
}

bool ktree_param_set(struct ktree *k, const char *name, long value)
{
	const struct ktree_param *p = find(k, name);
	void *at;

	if (!p || !is_integer(p) || !in_range(p, value))
		return false;
	at = place(k, p);
	if (p->size == 1)
		*(uint8_t *)at = (uint8_t)value;
	else if (p->size == 2)
		*(uint16_t *)at = (uint16_t)value;
	else if (p->size == 4)
		*(uint32_t *)at = (uint32_t)value;
	else
		*(uint64_t *)at = (uint64_t)value;
	return true;
}
