/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Locations: a var, a ptr, or a field of a heap object.  o.f accesses a field
 * plainly; o'f' is what C writes as &o->f, and is taken by every primitive that
 * takes a var or a ptr.
 */
#include <config.h>

#include "binding/binding.h"
#include "check/check.h"
#include "engine/peek.h"
#include "k/objtypes.h"

#include <string.h>

/* --- references to fields --- */

/* A field of an object.  User value 1: the object's handle. */
struct locref {
	const void *magic;
	uint32_t field;		/* index in own_fields */
	uint32_t index;		/* element */
	bool whole;		/* an array that is not indexed yet */
	bool view;		/* o.f rather than o'f': an element is a value */
};
static const char locref_magic;
#define LOCATION "location"
#define ARRAY_VIEW "array of fields"

static struct locref *to_locref(lua_State *L, int idx)
{
	struct locref *r = lua_touserdata(L, idx);

	/* of light userdata the length is 0 */
	return r && lua_rawlen(L, idx) == sizeof(*r) && r->magic == &locref_magic ? r : NULL;
}

/* Pushes a reference to a field of the object whose handle is at `handle`. */
static void push_locref(lua_State *L, int handle, struct locref ref)
{
	struct locref *r = lua_newuserdatauv(L, sizeof(*r), 1);

	ref.magic = &locref_magic;
	*r = ref;
	lua_pushvalue(L, handle);
	lua_setiuservalue(L, -2, 1);
	luaL_setmetatable(L, r->view ? ARRAY_VIEW : LOCATION);
}

/* The object and field of the reference at `idx`, which is argument `idx`. */
static const struct field *locref_field(lua_State *L, int idx, const struct locref *r,
					struct object **obj)
{
	const struct field *f;
	uint32_t i = 0;

	lua_getiuservalue(L, idx, 1);
	*obj = lb_resolve(L, idx, -1);
	lua_pop(L, 1);
	/* another execution may have made the object with other fields */
	for (f = (*obj)->own_fields; f && f->name && i < r->field; f++)
		i++;
	if (!f || !f->name || r->index >= (f->count ? f->count : 1) || (r->whole && !f->count))
		lb_arg_error(L, idx, "%s \"%s\" has no such field now", (*obj)->type->kind,
			     (*obj)->name);
	return f;
}

static struct lb_loc field_loc(struct object *o, const struct field *f, uint32_t index)
{
	return (struct lb_loc){
		.addr = (char *)o->base + f->offset + 8 * (size_t)index,
		.obj = o,
		.kind = f->flags & FIELD_PTR ? LB_PTR_FIELD : LB_INT_FIELD,
	};
}

static void check_field_loc(lua_State *L, int idx, const struct locref *r, struct lb_loc *loc)
{
	struct object *o;
	const struct field *f = locref_field(L, idx, r, &o);

	if (r->whole)
		lb_arg_error(L, idx, "%s.%s is an array: say which element", o->name, f->name);
	*loc = field_loc(o, f, r->index);
}

void lb_check_loc(lua_State *L, int idx, struct lb_loc *loc)
{
	struct object *o = lb_test_object(L, idx);	/* first: the usual case */
	struct locref *r;

	if (o && (o->type == &var_objtype || o->type == &ptr_objtype)) {
		*loc = (struct lb_loc){ .addr = o->base, .obj = o,
					.kind = o->type == &var_objtype ? LB_VAR : LB_PTR };
		return;
	}
	r = to_locref(L, idx);
	if (!r || r->view)
		lb_type_error(L, idx, "var, ptr or location of a field (o'f')");
	check_field_loc(L, idx, r, loc);
}

uint64_t lb_loc_tovalue(lua_State *L, int idx, const struct lb_loc *loc)
{
	switch (loc->kind) {
	case LB_VAR:
		return (uint64_t)lb_check_int(L, idx);
	case LB_PTR:
		if (!lb_is_null(L, idx) && !lb_test_object(L, idx))
			lb_type_error(L, idx, "object or nil");
		break;
	case LB_INT_FIELD:
		if (lb_is_null(L, idx))
			lb_arg_error(L, idx, "the field was made with an integer: "
				      "make it with null to hold nil");
		break;
	case LB_PTR_FIELD:
		break;
	}
	return lb_tovalue(L, idx);
}

void lb_loc_pushvalue(lua_State *L, uint64_t v, const struct lb_loc *loc)
{
	if (loc->kind == LB_VAR)
		lua_pushinteger(L, (lua_Integer)v);
	else if (!v && loc->kind != LB_INT_FIELD)
		lua_pushnil(L);
	else
		lb_pushvalue(L, v);
}

void lb_loc_read(lua_State *L, const struct lb_loc *loc, const struct site *base)
{
	uint64_t v;

	if (lb_outside(L)) {
		/* the driver keeps memory at the latest value of each location */
		v = *(const uint64_t *)loc->addr;
		world_peeked(lb_session(L)->w, loc->addr);
		if (lb_session(L)->freed_read && check_freed(lb_session(L)->w, loc->addr))
			*lb_session(L)->freed_read = loc->addr;
	} else {
		v = lb_event(L, base, loc->addr, 8, 0, 0);
	}
	lb_loc_pushvalue(L, v, loc);
}

/* --- o.f, o.f = v, o'f', and the same with [i] --- */

static const struct site read_site = LB_SITE(OP_PLAIN_LOAD, ORD_NONE, 0, "plain read");
static const struct site write_site = LB_SITE(OP_PLAIN_STORE, ORD_NONE, 0, "plain write");

static const struct field *check_field(lua_State *L, const struct object *o)
{
	const struct field *f = o->own_fields;
	const char *key;

	if (lua_type(L, 2) == LUA_TSTRING) {
		key = lua_tostring(L, 2);
		for (; f && f->name; f++)
			if (!strcmp(f->name, key))
				return f;
	}
	luaL_error(L, "%s \"%s\" has no field '%s'", o->type->kind, o->name,
		   lb_describe(L, 2));
	return NULL;
}

static void push_field_ref(lua_State *L, const struct object *o, const struct field *f, bool view)
{
	push_locref(L, 1, (struct locref){ .field = (uint32_t)(f - o->own_fields),
					   .whole = f->count != 0, .view = view });
}

static int heap_index(lua_State *L)
{
	struct object *o = lb_check_object(L, 1, &heap_objtype);
	const struct field *f = check_field(L, o);
	struct lb_loc loc;

	if (f->count) {
		push_field_ref(L, o, f, true);
		return 1;
	}
	loc = field_loc(o, f, 0);
	lb_loc_read(L, &loc, &read_site);
	return 1;
}

static void plain_write(lua_State *L, const struct lb_loc *loc)
{
	uint64_t v;

	lb_task(L);
	v = lb_loc_tovalue(L, 3, loc);
	lb_event(L, &write_site, loc->addr, 8, v, 0);
}

static int heap_newindex(lua_State *L)
{
	struct object *o = lb_check_object(L, 1, &heap_objtype);
	const struct field *f = check_field(L, o);
	struct lb_loc loc;

	if (f->count)
		return luaL_error(L, "%s.%s is an array: set its elements", o->name, f->name);
	loc = field_loc(o, f, 0);
	plain_write(L, &loc);
	return 0;
}

static int heap_call(lua_State *L)
{
	struct object *o = lb_check_object(L, 1, &heap_objtype);

	push_field_ref(L, o, check_field(L, o), false);
	return 1;
}

/* The element that the key at 2 names of the array at 1. */
static struct lb_loc check_element(lua_State *L, uint32_t *index)
{
	struct locref *r = to_locref(L, 1);
	const struct field *f;
	struct object *o;
	lua_Integer i;

	if (!r)
		lb_type_error(L, 1, LOCATION);
	f = locref_field(L, 1, r, &o);
	if (!r->whole)
		luaL_error(L, "%s.%s is no array", o->name, f->name);
	if (!lua_isinteger(L, 2))
		luaL_error(L, "%s.%s is indexed by integers, not by a %s", o->name, f->name,
			   luaL_typename(L, 2));
	i = lua_tointeger(L, 2);
	if (i < 0 || i >= (lua_Integer)f->count)
		luaL_error(L, "%s.%s[%I] does not exist: the indexes are 0..%I", o->name, f->name,
			   (LUAI_UACINT)i, (LUAI_UACINT)f->count - 1);
	*index = (uint32_t)i;
	return field_loc(o, f, *index);
}

static int view_index(lua_State *L)
{
	uint32_t i;
	struct lb_loc loc = check_element(L, &i);

	lb_loc_read(L, &loc, &read_site);
	return 1;
}

static int view_newindex(lua_State *L)
{
	uint32_t i;
	struct lb_loc loc = check_element(L, &i);

	plain_write(L, &loc);
	return 0;
}

static int location_index(lua_State *L)
{
	struct locref ref;
	uint32_t i;

	check_element(L, &i);
	ref = *to_locref(L, 1);
	ref.whole = false;
	ref.index = i;
	lua_getiuservalue(L, 1, 1);
	push_locref(L, lua_gettop(L), ref);
	return 1;
}

static int locref_len(lua_State *L)
{
	struct locref *r = to_locref(L, 1);
	const struct field *f;
	struct object *o;

	luaL_argexpected(L, r, 1, LOCATION);
	f = locref_field(L, 1, r, &o);
	if (!r->whole)
		luaL_error(L, "%s.%s is no array", o->name, f->name);
	lua_pushinteger(L, f->count);
	return 1;
}

static int locref_tostring(lua_State *L)
{
	struct locref *r = to_locref(L, 1);
	const struct field *f;
	struct object *o;

	luaL_argexpected(L, r, 1, LOCATION);
	f = locref_field(L, 1, r, &o);
	lua_pushfstring(L, "%s \"%s.%s\"", r->view ? "array" : LOCATION, o->name, f->name);
	if (!r->whole && f->count) {
		lua_pop(L, 1);
		lua_pushfstring(L, LOCATION " \"%s.%s[%d]\"", o->name, f->name, (int)r->index);
	}
	return 1;
}

/* --- the metamethods --- */

/* In the order that lb_open_field() counts on. */
static const struct lb_func heap_meta[] = {
	{ "o.f", heap_index, NULL, NULL, NULL },
	{ "o.f = v", heap_newindex, NULL, NULL, NULL },
	{ "o'f'", heap_call, NULL, NULL, NULL },
	{ "o.f[i]", view_index, NULL, NULL, NULL },
	{ "o.f[i] = v", view_newindex, NULL, NULL, NULL },
	{ "o'f'[i]", location_index, NULL, NULL, NULL },
	{ "#o.f", locref_len, NULL, NULL, NULL },
	{ "tostring", locref_tostring, NULL, NULL, NULL },
};

static void set_meta(lua_State *L, const char *event, size_t i)
{
	lb_push_func(L, &heap_meta[i]);
	lua_setfield(L, -2, event);
}

void lb_open_field(lua_State *L)
{
	lua_rawgetp(L, LUA_REGISTRYINDEX, &heap_objtype);
	set_meta(L, "__index", 0);
	set_meta(L, "__newindex", 1);
	set_meta(L, "__call", 2);
	luaL_newmetatable(L, ARRAY_VIEW);
	set_meta(L, "__index", 3);
	set_meta(L, "__newindex", 4);
	set_meta(L, "__len", 6);
	set_meta(L, "__tostring", 7);
	luaL_newmetatable(L, LOCATION);
	set_meta(L, "__index", 5);
	set_meta(L, "__len", 6);
	set_meta(L, "__tostring", 7);
	lua_pop(L, 3);
}
