/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * show and timeline: the views, printed where print() prints, or given as
 * strings.
 */
#include <config.h>

#include "binding/binding.h"
#include "view/view.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define COLUMNS_MAX 1000

/* --- texts that Lua's collector looks after --- */

static int sbuf_gc(lua_State *L)
{
	sbuf_release(lua_touserdata(L, 1));
	return 0;
}

struct sbuf *lb_new_sbuf(lua_State *L)
{
	struct sbuf *b = lua_newuserdatauv(L, sizeof(*b), 0);

	*b = (struct sbuf){0};
	if (luaL_newmetatable(L, "srcush.sbuf")) {
		lua_pushcfunction(L, sbuf_gc);
		lua_setfield(L, -2, "__gc");
	}
	lua_setmetatable(L, -2);
	return b;
}

/* --- options --- */

unsigned lb_columns(lua_State *L)
{
	struct winsize ws;
	unsigned columns = lb_session(L)->columns;

	if (!columns && !ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws))
		columns = ws.ws_col;
	return columns;
}

struct option {
	const char *name;
	int type;		/* LUA_TBOOLEAN, or LUA_TNUMBER: an integer .. */
	lua_Integer lo, hi;	/* .. in this range */
	size_t offset;		/* in struct lb_view_request */
	size_t size;
};
#define OPTION(n, t, l, h, member) \
	{ n, t, l, h, offsetof(struct lb_view_request, member), sizeof(((struct lb_view_request *)0)->member) }

static const struct option options[] = {
	OPTION("columns", LUA_TNUMBER, 40, COLUMNS_MAX, o.columns),
	OPTION("color", LUA_TBOOLEAN, 0, 1, o.color),
	OPTION("text", LUA_TBOOLEAN, 0, 1, text),
	/* from here on for timeline() */
	OPTION("from", LUA_TNUMBER, 1, LUA_MAXINTEGER, o.first),
	OPTION("to", LUA_TNUMBER, 1, LUA_MAXINTEGER, o.last),
	OPTION("last", LUA_TNUMBER, 1, LUA_MAXINTEGER, last_n),
	OPTION("max_lines", LUA_TNUMBER, 1, 1000000, o.max_lines),
};
#define SHOW_OPTIONS 3
#define TIMELINE_OPTIONS (sizeof(options) / sizeof(options[0]))

/* The option's value is on top of the stack. */
static void set_option(lua_State *L, int idx, struct lb_view_request *r, const struct option *opt)
{
	void *to = (char *)r + opt->offset;
	lua_Integer v;
	int isint = 0;

	if (opt->type == LUA_TBOOLEAN) {
		*(bool *)to = lua_toboolean(L, -1);
		return;
	}
	v = lua_type(L, -1) == LUA_TNUMBER ? lua_tointegerx(L, -1, &isint) : 0;
	if (!isint)
		lb_arg_error(L, idx, "%s: an integer is expected, got %s", opt->name,
			     luaL_tolstring(L, -1, NULL));
	if (v < opt->lo || v > opt->hi)
		lb_arg_error(L, idx, "%s: expected %I..%I, got %I", opt->name, (LUAI_UACINT)opt->lo,
			     (LUAI_UACINT)opt->hi, (LUAI_UACINT)v);
	if (opt->size == sizeof(unsigned))
		*(unsigned *)to = (unsigned)v;
	else
		*(uint64_t *)to = (uint64_t)v;
}

static void check_options(lua_State *L, int idx, struct lb_view_request *r, size_t n)
{
	struct session *s = lb_session(L);
	size_t i;

	*r = (struct lb_view_request){ .o = { .columns = lb_columns(L), .color = s->color } };
	if (lua_isnoneornil(L, idx))
		return;
	luaL_checktype(L, idx, LUA_TTABLE);
	for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) {
		if (lua_type(L, -2) != LUA_TSTRING)
			lb_arg_error(L, idx, "options have names: {columns=80}");
		for (i = 0; i < n && strcmp(options[i].name, lua_tostring(L, -2)); i++)
			;
		if (i == n)
			lb_arg_error(L, idx, "no option \"%s\"", lua_tostring(L, -2));
		set_option(L, idx, r, &options[i]);
	}
}

void lb_check_view(lua_State *L, int idx, struct lb_view_request *r)
{
	check_options(L, idx, r, SHOW_OPTIONS);
}

int lb_give_view(lua_State *L, struct sbuf *b, const struct lb_view_request *r)
{
	if (sbuf_failed(b))
		return luaL_error(L, "%s: out of memory", lb_func_name(L));
	if (r->text) {
		lua_pushlstring(L, b->s ? b->s : "", b->len);
		sbuf_release(b);
		return 1;
	}
	/* a world that is built again must not say twice what it said */
	if (b->len && !world_muted(lb_session(L)->w)) {
		fwrite(b->s, 1, b->len, stdout);
		fflush(stdout);
	}
	sbuf_release(b);
	return 0;
}

/* --- the functions --- */

static struct object *show_what(lua_State *L, struct world *w)
{
	struct object *obj;

	if (lua_isnoneornil(L, 1))
		return NULL;
	if (lua_type(L, 1) == LUA_TSTRING) {
		obj = object_by_name(w, lua_tostring(L, 1));
		if (!obj)
			lb_arg_error(L, 1, "nothing is called \"%s\"", lua_tostring(L, 1));
		return obj;
	}
	obj = lb_test_object(L, 1);
	if (!obj)
		luaL_typeerror(L, 1, "object or its name");
	return obj;
}

static int f_show(lua_State *L)
{
	struct session *s = lb_session(L);
	struct object *obj = show_what(L, s->w);
	struct lb_view_request r;
	struct sbuf *b;

	check_options(L, 2, &r, SHOW_OPTIONS);
	lb_prime(L);
	b = lb_new_sbuf(L);
	if (obj)
		view_object(s->w, obj, &r.o, b);
	else
		view_world(s->w, &r.o, b);
	return lb_give_view(L, b, &r);
}

static int f_timeline(lua_State *L)
{
	struct session *s = lb_session(L);
	struct lb_view_request r;
	struct sbuf *b;
	uint64_t last, steps = world_steps(s->w);

	check_options(L, 1, &r, TIMELINE_OPTIONS);
	last = r.o.last && r.o.last < steps ? r.o.last : steps;
	if (r.last_n && (uint64_t)r.last_n < last && last - (uint64_t)r.last_n >= r.o.first)
		r.o.first = last - (uint64_t)r.last_n + 1;
	b = lb_new_sbuf(L);
	view_timeline(s->w, &r.o, b);
	return lb_give_view(L, b, &r);
}

static const struct lb_func view_funcs[] = {
	{ "show", f_show, "([object [, {columns=, color=, text=}]])",
	  "Prints the state of an object, given by handle or name, or of the whole world; "
	  "with text=true gives it back as a string", "show(ss)\nshow()" },
	{ "timeline", f_timeline, "([{from=, to=, last=, max_lines=, columns=, color=, text=}])",
	  "Prints a lane for each thread and a line for each step: those numbered from..to, or the "
	  "last so many; with text=true gives it back as a string", "timeline()\ntimeline{last=20}" },
	{ 0 }
};
static const struct lb_section view_section = {
	"views", "Looking at the world", NULL, view_funcs
};

void lb_open_view(lua_State *L)
{
	lb_register(L, &view_section);
}
