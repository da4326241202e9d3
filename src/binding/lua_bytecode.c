/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads the binary form of Lua 5.4 functions.  A dump of any other form, or with an
 * instruction that is not known, is nothing to guess about: such a function may do
 * anything.
 */
#include <config.h>

#include "binding/lua_opcode.h"

#include <stdlib.h>
#include <string.h>

/* --- the pieces of a dump --- */

struct reader {
	struct bytecode *b;
	const uint8_t *at, *end;
	bool bad;
	size_t cap_uses, cap_protos;
	unsigned depth;
};
#define DEPTH_MAX 200	/* Lua itself nests functions no deeper */

static const uint8_t *take(struct reader *r, size_t n)
{
	const uint8_t *p = r->at;

	if (r->bad || (size_t)(r->end - r->at) < n) {
		r->bad = true;
		return NULL;
	}
	r->at += n;
	return p;
}

static unsigned take_byte(struct reader *r)
{
	const uint8_t *p = take(r, 1);

	return p ? *p : 0;
}

/* Seven bits a byte, the highest first; the last has its top bit set. */
static size_t take_size(struct reader *r)
{
	size_t x = 0;
	unsigned b;

	do {
		b = take_byte(r);
		if (x >> (sizeof(x) * 8 - 7))
			r->bad = true;
		x = x << 7 | (b & 0x7f);
	} while (!r->bad && !(b & 0x80));
	return x;
}

/* A number of things, each of which takes a byte at least. */
static size_t take_count(struct reader *r)
{
	size_t n = take_size(r);

	if (n > (size_t)(r->end - r->at))
		r->bad = true;
	return r->bad ? 0 : n;
}

static struct lua_constant take_string(struct reader *r)
{
	size_t n = take_size(r);
	struct lua_constant s = { NULL, n ? n - 1 : 0 };

	if (n)
		s.s = (const char *)take(r, n - 1);
	return s;
}

static void *new_array(struct reader *r, size_t n, size_t size)
{
	void *p = r->bad ? NULL : calloc(n ? n : 1, size);

	if (!p)
		r->bad = true;
	return p;
}

/* Makes room for one more. */
static bool room(struct reader *r, void *arrayp, size_t n, size_t *cap, size_t size)
{
	void **array = arrayp, *p;

	if (n < *cap)
		return true;
	p = realloc(*array, (*cap * 2 + 16) * size);
	if (!p) {
		r->bad = true;
		return false;
	}
	*array = p;
	*cap = *cap * 2 + 16;
	return true;
}

static void take_constants(struct reader *r, struct lua_code *f)
{
	f->nk = take_count(r);
	f->k = new_array(r, f->nk, sizeof(*f->k));
	for (size_t i = 0; i < f->nk && !r->bad; i++) {
		switch (take_byte(r)) {
		case 0: case 1: case 17:	/* nil, false, true */
			break;
		case 3: case 19:		/* integer, float */
			take(r, 8);
			break;
		case 4: case 20:		/* short and long strings */
			f->k[i] = take_string(r);
			break;
		default:
			r->bad = true;
		}
	}
}

static void take_debug(struct reader *r, struct lua_code *f)
{
	f->nlines = take_count(r);
	f->lines = (const int8_t *)take(r, f->nlines);
	f->nabs = take_count(r);
	f->abs = new_array(r, f->nabs, sizeof(*f->abs));
	for (size_t i = 0; i < f->nabs && !r->bad; i++) {
		f->abs[i].pc = (uint32_t)take_size(r);
		f->abs[i].line = (int)take_size(r);
	}
	for (size_t n = take_count(r); n && !r->bad; n--) {	/* names of locals */
		take_string(r);
		take_size(r);
		take_size(r);
	}
	for (size_t n = take_count(r); n && !r->bad; n--)	/* names of upvalues */
		take_string(r);
}

uint32_t code_at(const struct lua_code *f, size_t pc)
{
	uint32_t i;

	memcpy(&i, f->code + 4 * pc, 4);
	return i;
}

bool code_key(const struct lua_code *f, unsigned k, struct bc_key *key)
{
	if (k >= f->nk || !f->k[k].s)
		return false;
	*key = (struct bc_key){ f->k[k].s, f->k[k].len, 0 };
	return true;
}

/* The line of an instruction: differences, from the last absolute one before it. */
static int line_of(const struct lua_code *f, size_t pc)
{
	int line = f->line;
	size_t at = 0;

	if (pc >= f->nlines)
		return 0;
	for (size_t i = 0; i < f->nabs && f->abs[i].pc <= pc; i++) {
		line = f->abs[i].line;
		at = (size_t)f->abs[i].pc + 1;
	}
	for (; at <= pc; at++)
		line += f->lines[at];
	return line;
}

/* --- what the code does --- */

/* A function while its uses of the outermost's upvalues are collected. */
struct scan {
	struct reader *r;
	struct lua_code *f;
	const int *map;		/* its upvalue -> the outermost function's, or -1 */
	size_t nmap;
	uint32_t proto;
	int up;
	size_t found;
};

struct depth { bool deep, written; };

static bool note_depth(void *arg, size_t pc, enum bc_kind kind, const struct bc_key *key)
{
	struct depth *d = arg;

	(void)pc;
	(void)key;
	d->deep |= kind != BC_LOOK;
	d->written |= kind != BC_LOOK && kind != BC_GET && kind != BC_GET_ANY;
	return true;
}

/* What becomes of the value that the instruction puts into its register? */
static struct depth depth_of(struct scan *s, size_t pc)
{
	uint32_t i = code_at(s->f, pc);
	struct depth d = { false, false };

	if (ins_op(i) == L_LEN)
		return d;
	if (!regflow(s->f, ins_a(i), pc + 1, note_depth, &d))
		d.deep = d.written = true;
	return d;
}

static bool add_use(struct scan *s, int up, size_t pc, enum bc_kind kind, const struct bc_key *key)
{
	struct bytecode *b = s->r->b;
	struct depth d = { true, true };

	if (kind == BC_GET || kind == BC_GET_ANY)
		d = depth_of(s, pc);
	if (!room(s->r, &b->uses, b->nuses, &s->r->cap_uses, sizeof(*b->uses)))
		return false;
	b->uses[b->nuses++] = (struct bc_use){
		.shallow = !d.deep, .only_read = !d.written,
		.up = (uint8_t)up, .kind = (uint8_t)kind, .proto = s->proto,
		.line = line_of(s->f, pc), .key = key ? *key : (struct bc_key){ 0 },
	};
	s->found++;
	return true;
}

static bool on_use(void *arg, size_t pc, enum bc_kind kind, const struct bc_key *key)
{
	struct scan *s = arg;

	return add_use(s, s->up, pc, kind, key);
}

/* The outermost function's number for an upvalue; -1: it is a local on the way. */
static int outer(const struct scan *s, unsigned up)
{
	if (up >= s->nmap) {
		s->r->bad = true;
		return -1;
	}
	return s->map[up];
}

static void scan_get(struct scan *s, size_t pc, uint32_t i)
{
	size_t found = s->found;

	s->up = outer(s, ins_b(i));
	if (s->up < 0)
		return;
	if (!regflow(s->f, ins_a(i), pc + 1, on_use, s))
		s->r->bad = true;
	else if (s->found == found)
		add_use(s, s->up, pc, BC_LOOK, NULL);
}

/* Inner functions that keep one of its upvalues are looked at by themselves. */
static void scan_instruction(struct scan *s, size_t pc)
{
	uint32_t i = code_at(s->f, pc);
	struct bc_key key = { 0 };
	int up;

	switch (ins_op(i)) {
	case L_GETUPVAL:
		scan_get(s, pc, i);
		break;
	case L_SETUPVAL:
		up = outer(s, ins_b(i));
		if (up >= 0)
			add_use(s, up, pc, BC_ASSIGN, NULL);
		break;
	case L_GETTABUP:
		up = outer(s, ins_b(i));
		if (up >= 0)
			add_use(s, up, pc, code_key(s->f, ins_c(i), &key) ? BC_GET : BC_VALUE, &key);
		break;
	case L_SETTABUP:
		up = outer(s, ins_a(i));
		if (up >= 0)
			add_use(s, up, pc, code_key(s->f, ins_b(i), &key) ? BC_SET : BC_VALUE, &key);
		break;
	default:
		if (ins_op(i) >= L_OP_COUNT)
			s->r->bad = true;
	}
}

static void take_function(struct reader *r, const struct scan *around, struct lua_inner *self);

static void take_inner(struct reader *r, struct scan *s)
{
	struct lua_code *f = s->f;

	f->ninner = take_count(r);
	f->inner = new_array(r, f->ninner, sizeof(*f->inner));
	for (size_t i = 0; i < f->ninner && !r->bad; i++)
		take_function(r, s, &f->inner[i]);
}

/* The function's upvalues: where they come from, and what that is in the outermost. */
static int *take_upvalues(struct reader *r, const struct scan *around, struct lua_inner *self)
{
	int *map;

	self->nups = take_count(r);
	self->ups = take(r, 3 * self->nups);
	map = new_array(r, self->nups, sizeof(*map));
	for (size_t i = 0; i < self->nups && !r->bad; i++) {
		if (!around)
			map[i] = (int)i;
		else
			map[i] = self->ups[3 * i] ? -1 : outer(around, self->ups[3 * i + 1]);
	}
	return map;
}

static uint32_t new_proto(struct reader *r)
{
	struct bytecode *b = r->b;

	if (!room(r, &b->protos, b->nprotos, &r->cap_protos, sizeof(*b->protos)))
		return 0;
	b->protos[b->nprotos] = (struct bc_proto){ .line = (int)take_size(r) };
	b->protos[b->nprotos].last = (int)take_size(r);
	return (uint32_t)b->nprotos++;
}

/* A function that stands in `around`, NULL for the outermost one. */
static void take_function(struct reader *r, const struct scan *around, struct lua_inner *self)
{
	struct lua_code f = { 0 };
	struct scan s = { .r = r, .f = &f };
	int *map = NULL;

	if (++r->depth > DEPTH_MAX)
		r->bad = true;
	take_string(r);			/* where it comes from */
	s.proto = new_proto(r);
	take(r, 3);			/* parameters, varargs, registers */
	f.ncode = take_count(r);
	f.code = take(r, 4 * f.ncode);
	take_constants(r, &f);
	s.map = map = take_upvalues(r, around, self);
	s.nmap = self->nups;
	take_inner(r, &s);
	take_debug(r, &f);
	if (!r->bad) {
		f.line = r->b->protos[s.proto].line;
		r->b->protos[s.proto].end = (uint32_t)r->b->nprotos;
	}
	for (size_t pc = 0; pc < f.ncode && !r->bad; pc++)
		scan_instruction(&s, pc);
	r->depth--;
	free(map);
	free(f.k);
	free(f.inner);
	free(f.abs);
}

/* The head that string.dump() writes for this build of Lua 5.4, up to the number of
 * upvalues: signature, version, format, a check of conversions, sizes, two numbers. */
static bool take_head(struct reader *r)
{
	static const uint8_t head[] = "\x1bLua\x54\0\x19\x93\r\n\x1a\n\x04\x08\x08";
	const lua_Integer i = 0x5678;
	const lua_Number n = 370.5;
	const uint8_t *p = take(r, sizeof(head) - 1 + sizeof(i) + sizeof(n) + 1);

	return p && !memcmp(p, head, sizeof(head) - 1) &&
	       !memcmp(p + sizeof(head) - 1, &i, sizeof(i)) &&
	       !memcmp(p + sizeof(head) - 1 + sizeof(i), &n, sizeof(n));
}

static void parse(struct bytecode *b)
{
	struct reader r = { .b = b, .at = (const uint8_t *)b->dump };
	struct lua_inner self;

	r.end = r.at + b->len;
	if (!take_head(&r))
		return;
	take_function(&r, NULL, &self);
	b->known = !r.bad && r.at == r.end;
}

/* --- those read so far --- */

struct dump { char *s; size_t len, cap; };

static int dump_write(lua_State *L, const void *p, size_t n, void *arg)
{
	struct dump *d = arg;

	(void)L;
	if (d->len + n > d->cap) {
		size_t cap = (d->len + n) * 2;
		char *s = realloc(d->s, cap);

		if (!s)
			return 1;
		d->s = s;
		d->cap = cap;
	}
	memcpy(d->s + d->len, p, n);
	d->len += n;
	return 0;
}

const struct bytecode *bc_get(struct bc_cache *c, lua_State *L)
{
	struct dump d = { 0 };
	struct bytecode *b;

	if (lua_dump(L, dump_write, &d, 0)) {
		free(d.s);
		return NULL;
	}
	for (b = c->all; b; b = b->next) {
		if (b->len == d.len && !memcmp(b->dump, d.s, d.len)) {
			free(d.s);
			return b;
		}
	}
	b = calloc(1, sizeof(*b));
	if (!b) {
		free(d.s);
		return NULL;
	}
	*b = (struct bytecode){ .next = c->all, .dump = d.s, .len = d.len };
	parse(b);
	c->all = b;
	return b;
}

void bc_release(struct bc_cache *c)
{
	while (c->all) {
		struct bytecode *b = c->all;

		c->all = b->next;
		free(b->protos);
		free(b->uses);
		free(b->dump);
		free(b);
	}
}

bool bc_key_equal(const struct bc_key *a, const struct bc_key *b)
{
	if (!a->name || !b->name)
		return !a->name && !b->name && a->number == b->number;
	return a->len == b->len && !memcmp(a->name, b->name, a->len);
}

uint32_t bc_inner(const struct bytecode *b, int line, int last)
{
	uint32_t found = 0;

	for (size_t i = 1; i < b->nprotos; i++) {
		if (b->protos[i].line != line || b->protos[i].last != last)
			continue;
		if (found)
			return 0;
		found = (uint32_t)i;
	}
	return found;
}
