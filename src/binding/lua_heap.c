/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Heap objects: kmalloc() lays out the fields that a script names, kfree() ends
 * an object.  What is done with the fields stands in lua_field.c.
 */
#include <config.h>

#include "binding/binding.h"
#include "k/list.h"
#include "k/mem.h"
#include "k/objtypes.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define ARRAY_MAX 1000000

/* --- array(n): how a table of fields says that one is an array --- */

struct array_spec {
	lua_Integer n;
	uint64_t value;		/* of each element at first */
	bool pointers;
};

/* An initial value of a field, found in argument `arg`, says what kind of field it is. */
static bool check_initial(lua_State *L, int arg, int idx, uint64_t *value)
{
	*value = lb_tovalue_in(L, arg, idx);
	return lua_type(L, idx) != LUA_TNUMBER;
}

static int l_array(lua_State *L)
{
	lua_Integer n = lb_check_range(L, 1, 1, ARRAY_MAX);
	struct array_spec *a;
	uint64_t value = 0;
	bool pointers = !lua_isnone(L, 2) && check_initial(L, 2, 2, &value);

	a = lua_newuserdatauv(L, sizeof(*a), 0);
	*a = (struct array_spec){ .n = n, .value = value, .pointers = pointers };
	luaL_setmetatable(L, "array");
	return 1;
}

static int array_tostring(lua_State *L)
{
	struct array_spec *a = luaL_checkudata(L, 1, "array");

	lua_pushfstring(L, "array(%I)", (LUAI_UACINT)a->n);
	return 1;
}

/* --- the layout of an object --- */

/* A field as the script gave it; names are strings of the script's table. */
struct entry {
	const char *name;
	uint64_t value;
	uint32_t count;		/* 0: no array */
	bool pointers;
};

struct heap_recipe {
	struct lb_recipe head;
	struct field *fields;	/* one block with its names, ends with {0} */
	size_t block;		/* its size */
	uint64_t *initial;	/* of each field */
	size_t size;		/* of the object */
	bool is_static;
};

static bool is_identifier(const char *s, size_t len)
{
	if (!len || isdigit((unsigned char)*s))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)s[i]) && s[i] != '_')
			return false;
	return true;
}

/* Fills in the entry for the key at -2 and the value at -1. */
static void check_entry(lua_State *L, struct entry *e)
{
	struct array_spec *a;
	size_t len;

	if (lua_type(L, -2) != LUA_TSTRING)
		lb_arg_error(L, 2, "the names of fields are strings: {count = 0, next = null}");
	e->name = lua_tolstring(L, -2, &len);
	if (!is_identifier(e->name, len))
		lb_arg_error(L, 2, "\"%s\" is no name of a field", e->name);
	a = luaL_testudata(L, -1, "array");
	if (a) {
		e->count = (uint32_t)a->n;
		e->value = a->value;
		e->pointers = a->pointers;
	} else if (lua_isinteger(L, -1) || lb_is_null(L, -1) || lb_resolve(L, 2, -1)) {
		e->pointers = check_initial(L, 2, -1, &e->value);
	} else {
		lb_arg_error(L, 2, "field '%s' must be an integer, null, an object or array(n), "
			     "not a %s", e->name, luaL_typename(L, -1));
	}
}

static int cmp_entry(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

/* The entries of the table at 2, in order of name: that of a Lua table differs
 * from run to run.  They stand in a userdata that is pushed. */
static struct entry *check_entries(lua_State *L, size_t *n)
{
	struct entry *e;
	size_t i = 0;

	*n = 0;
	for (lua_pushnil(L); lua_next(L, 2); lua_pop(L, 1))
		++*n;
	e = lua_newuserdatauv(L, (*n + 1) * sizeof(*e), 0);
	memset(e, 0, (*n + 1) * sizeof(*e));
	for (lua_pushnil(L); lua_next(L, 2); lua_pop(L, 1))
		check_entry(L, &e[i++]);
	qsort(e, *n, sizeof(*e), cmp_entry);
	return e;
}

static void heap_release(struct lb_recipe *r)
{
	struct heap_recipe *h = (struct heap_recipe *)r;

	free(h->fields);
	free(h->initial);
}

/* Lays the fields out one after the other, 8 bytes each.  False: no memory. */
static bool heap_layout(struct heap_recipe *h, const struct entry *e, size_t n)
{
	size_t names = (n + 1) * sizeof(*h->fields);
	char *name;

	h->block = names;
	for (size_t i = 0; i < n; i++)
		h->block += strlen(e[i].name) + 1;
	h->fields = calloc(1, h->block);
	h->initial = calloc(n + 1, sizeof(*h->initial));
	if (!h->fields || !h->initial)
		return false;
	name = (char *)h->fields + names;
	for (size_t i = 0; i < n; i++) {
		h->fields[i] = (struct field){
			.name = strcpy(name, e[i].name),
			.offset = (uint32_t)h->size,
			.size = 8,
			.count = e[i].count,
			.flags = FIELD_DYNAMIC | (e[i].pointers ? FIELD_PTR : 0),
		};
		h->initial[i] = e[i].value;
		h->size += 8 * (e[i].count ? (size_t)e[i].count : 1);
		name += strlen(name) + 1;
	}
	if (!h->size)
		h->size = 8;	/* kmalloc(0) has an address, too */
	return true;
}

/* A copy of the fields for one object, which frees it. */
static struct field *fields_copy(const struct heap_recipe *h)
{
	struct field *f = malloc(h->block);

	if (!f)
		return NULL;
	memcpy(f, h->fields, h->block);
	for (struct field *i = f; i->name; i++)
		i->name = (char *)f + (i->name - (const char *)h->fields);
	return f;
}

static struct object *heap_make(struct world *w, struct lb_recipe *r)
{
	struct heap_recipe *h = (struct heap_recipe *)r;
	struct object *o = object_new(w, &heap_objtype, r->name,
				      h->size + sizeof(struct list_head));
	size_t n = 0;

	if (!o)
		return NULL;
	o->heap = true;
	o->is_static = h->is_static;
	o->own_fields = fields_copy(h);
	if (!o->own_fields) {
		world_fail(w, "out of memory");
		return NULL;
	}
	if (!object_describe(o, o->base, NULL, o->own_fields, h->size) ||
	    !list_describe_links(o, h->size))
		return NULL;
	for (const struct field *f = h->fields; f->name; f++, n++)
		/* 0 stands there already: a large array is not to be touched */
		for (uint32_t i = 0; h->initial[n] && i < (f->count ? f->count : 1); i++)
			((uint64_t *)((char *)o->base + f->offset))[i] = h->initial[n];
	return o;
}

/* --- kmalloc --- */

static bool check_flag(lua_State *L, int idx, const char *key)
{
	bool v;

	lua_getfield(L, idx, key);
	if (!lua_isnil(L, -1) && !lua_isboolean(L, -1))
		lb_arg_error(L, idx, "option '%s' is true or false, not a %s", key,
			     luaL_typename(L, -1));
	v = lua_toboolean(L, -1);
	lua_pop(L, 1);
	return v;
}

static void check_opts(lua_State *L, int idx, bool *may_fail, bool *is_static)
{
	lb_check_type(L, idx, LUA_TTABLE);
	for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) {
		const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";

		if (strcmp(key, "may_fail") && strcmp(key, "static"))
			lb_arg_error(L, idx, "no option is called '%s' (may_fail, static)", key);
	}
	*may_fail = check_flag(L, idx, "may_fail");
	*is_static = check_flag(L, idx, "static");
}

static const struct site may_fail_site = LB_SITE(OP_CHOOSE, ORD_NONE, 0, "kmalloc");

static int l_kmalloc(lua_State *L)
{
	bool may_fail = false, is_static = false;
	struct heap_recipe *h;
	struct entry *e;
	size_t n;

	lb_check_name(L, 1);
	lua_settop(L, 3);
	if (lua_isnil(L, 2)) {
		lua_newtable(L);
		lua_replace(L, 2);
	}
	lb_check_type(L, 2, LUA_TTABLE);
	if (!lua_isnil(L, 3))
		check_opts(L, 3, &may_fail, &is_static);
	e = check_entries(L, &n);
	/* outside of threads there is nobody whose choice it could be */
	if (may_fail && !lb_outside(L) && lb_event(L, &may_fail_site, NULL, 0, 2, 0) == 2) {
		lua_pushnil(L);
		return 1;
	}
	h = lb_recipe_new(L, 1, sizeof(*h), heap_make);
	h->head.release = heap_release;
	h->is_static = is_static;
	if (!heap_layout(h, e, n)) {
		lb_recipe_free(&h->head);
		return luaL_error(L, "kmalloc: out of memory");
	}
	lb_make(L, &h->head);
	return 1;
}

/* --- kfree --- */

static const struct site kfree_site = LB_SITE(OP_FREE, ORD_NONE, 0, "kfree");

static int l_kfree(lua_State *L)
{
	struct object *o = NULL;

	lb_task(L);
	if (lua_isnone(L, 1))
		lb_type_error(L, 1, "object or nil");
	if (!lb_is_null(L, 1)) {
		/* of any kind: that it may not be freed is an oracle's to say */
		o = lb_check_object(L, 1, NULL);
		if (!o->base)
			lb_arg_error(L, 1, "%s \"%s\" has no address", o->type->kind, o->name);
	}
	k_kfree(o ? o->base : NULL, lb_site(L, &kfree_site));
	return 0;
}

/* --- the section --- */

static const struct lb_func heap_funcs[] = {
	{ "kmalloc", l_kmalloc, "(name [, fields [, opts]]) -> object or nil",
	  "Makes a heap object. A field is an integer, null or an object (a pointer), or array(n); "
	  "o.f and o.f[i] read and write it plainly. opts: may_fail=true gives nil in some "
	  "executions, static=true says that it is never to be freed",
	  "local o = kmalloc(\"new\", {count = 0, next = null, dev = array(4)})\n"
	  "thread(\"t\", function() o.count = o.count + 1; o.dev[0] = 7 end)" },
	{ "array", l_array, "(n [, value]) -> array",
	  "For kmalloc: a field of n elements, with indexes from 0, each 0 unless a value is given",
	  "local table = kmalloc(\"table\", {slot = array(16, null)})" },
	{ "null", NULL, "",
	  "NULL where a Lua table cannot hold nil: a field that is a pointer to nothing yet",
	  "local o = kmalloc(\"o\", {next = null})" },
	{ "kfree", l_kfree, "(object or nil)",
	  "Frees a heap object; kfree(nil) does nothing. Freeing twice, or using the object "
	  "afterwards, is a violation",
	  "thread(\"t\", function() kfree(kmalloc(\"tmp\")) end)" },
	{ 0 }
};
static const struct lb_section heap_section = {
	"heap", "Heap objects and their fields",
	"For an object o with a field f, o.f and o.f = v are plain accesses, one step each in a "
	"thread and none when read outside of threads. o'f' is the field's location, what C writes "
	"as &o->f: every primitive that takes a var or a ptr takes it, as in READ_ONCE(o'f') or "
	"cmpxchg(o'slot'[3], nil, new). A field made with an integer holds integers (and objects, "
	"as addresses); one made with null or an object holds pointers, and 0 in it reads as nil.",
	heap_funcs
};

void lb_open_heap(lua_State *L)
{
	lb_new_kind(L, &heap_objtype);
	lb_open_field(L);
	luaL_newmetatable(L, "array");
	lua_pushcfunction(L, array_tostring);
	lua_setfield(L, -2, "__tostring");
	lua_pop(L, 1);
	lb_push_null(L);
	lua_setglobal(L, "null");
	lb_register(L, &heap_section);
}
