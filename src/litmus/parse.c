/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The frame of a litmus test: its name, the initial values, the heads of its processes.
 * Their bodies are body.c's, expressions expr.c's, what it asks condition.c's.
 */
#include <config.h>

#include "litmus/litmus.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define ELEMENTS_MAX 1024
#define PROCS_MAX 64
#define FILE_MAX (1 << 20)
#define VARS_MAX 1000

/* --- memory, errors, tokens --- */

void *litmus_alloc(struct litmus *t, size_t size)
{
	void *p = calloc(1, size ? size : 1);

	if (p && t->nblocks == t->blocks_cap) {
		size_t cap = t->blocks_cap ? 2 * t->blocks_cap : 64;
		void **v = realloc(t->blocks, cap * sizeof(*v));

		if (!v) {
			free(p);
			p = NULL;
		} else {
			t->blocks = v;
			t->blocks_cap = cap;
		}
	}
	if (!p)
		litmus_fail(t, 0, 0, "out of memory");
	t->blocks[t->nblocks++] = p;
	return p;
}

/* Arrays that have grown stay among the blocks: they are small. */
void *litmus_grow(struct litmus *t, void *v, size_t *cap, size_t n, size_t size)
{
	size_t more = *cap ? *cap : 8;
	void *p;

	if (n <= *cap)
		return v;
	while (more < n)
		more *= 2;
	p = litmus_alloc(t, more * size);
	if (*cap)
		memcpy(p, v, *cap * size);
	*cap = more;
	return p;
}

static void set_error(struct litmus *t, int line, int column, const char *fmt, va_list ap)
{
	size_t n = 0;

	if (line)
		n = (size_t)snprintf(t->error, sizeof(t->error), "%s:%d:%d: ", t->file, line, column);
	else
		n = (size_t)snprintf(t->error, sizeof(t->error), "%s: ", t->file);
	if (n < sizeof(t->error))
		vsnprintf(t->error + n, sizeof(t->error) - n, fmt, ap);
}

void litmus_fail(struct litmus *t, int line, int column, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set_error(t, line, column, fmt, ap);
	va_end(ap);
	t->skipped = false;
	longjmp(t->failed, 1);
}

void litmus_unsupported(struct litmus *t, int line, int column, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set_error(t, line, column, fmt, ap);
	va_end(ap);
	t->skipped = true;
	longjmp(t->failed, 1);
}

bool token_is(const struct token *k, const char *text)
{
	return k->kind != TOK_END && k->kind != TOK_NUMBER && !strcmp(k->text, text);
}

bool accept_token(struct litmus *t, const char *text)
{
	if (!token_is(peek_token(t), text))
		return false;
	t->at++;
	return true;
}

void expected(struct litmus *t, const char *what)
{
	const struct token *k = peek_token(t);

	if (k->kind == TOK_END)
		litmus_fail(t, k->line, k->column, "%s is expected, but the file ends here", what);
	litmus_fail(t, k->line, k->column, "%s is expected, got '%s'", what, k->text);
}

void expect_token(struct litmus *t, const char *text, const char *where)
{
	char what[80];

	if (accept_token(t, text))
		return;
	snprintf(what, sizeof(what), "'%s'%s%s", text, *where ? " " : "", where);
	expected(t, what);
}

const char *expect_name(struct litmus *t, const char *what)
{
	const struct token *k = peek_token(t);

	if (k->kind != TOK_NAME)
		expected(t, what);
	t->at++;
	return k->text;
}

int64_t expect_number(struct litmus *t)
{
	bool minus = accept_token(t, "-");
	const struct token *k = peek_token(t);

	if (k->kind != TOK_NUMBER)
		expected(t, "a number");
	t->at++;
	return minus ? (int64_t)(0 - (uint64_t)k->number) : k->number;
}

/* --- names --- */

int find_global(const struct litmus *t, const char *name)
{
	for (size_t i = 0; i < t->nglobals; i++)
		if (!strcmp(t->globals[i].name, name))
			return (int)i;
	return -1;
}

static void set_elements(struct litmus *t, struct global *g, unsigned n)
{
	g->elements = n;
	g->init = litmus_alloc(t, n * sizeof(*g->init));
	g->init_address = litmus_alloc(t, n * sizeof(*g->init_address));
	for (unsigned i = 0; i < n; i++)
		g->init_address[i] = -1;
}

/* The global of that name, made where there is none. */
unsigned need_global(struct litmus *t, const char *name)
{
	const struct token *k = peek_token(t);
	int i = find_global(t, name);
	struct global *g;

	if (i >= 0)
		return (unsigned)i;
	if (t->nglobals == VARS_MAX)
		litmus_fail(t, k->line, k->column, "there are more than %d shared variables", VARS_MAX);
	t->globals = litmus_grow(t, t->globals, &t->globals_cap, t->nglobals + 1, sizeof(*t->globals));
	g = &t->globals[t->nglobals++];
	*g = (struct global){ .name = name, .type = { .base = BT_INT } };
	set_elements(t, g, 1);
	return (unsigned)t->nglobals - 1;
}

int find_local(const struct proc *p, const char *name)
{
	for (size_t i = p->nlocals; i--;)
		if (!p->locals[i].hidden && !strcmp(p->locals[i].name, name))
			return (int)i;
	return -1;
}

unsigned add_local(struct litmus *t, struct proc *p, const char *name, struct type type)
{
	const struct token *k = peek_token(t);

	if (p->nlocals == VARS_MAX)
		litmus_fail(t, k->line, k->column, "a process has more than %d local variables", VARS_MAX);
	p->locals = litmus_grow(t, p->locals, &p->locals_cap, p->nlocals + 1, sizeof(*p->locals));
	p->locals[p->nlocals] = (struct local){ .name = name, .type = type, .init_address = -1 };
	return (unsigned)p->nlocals++;
}

static struct proc *need_proc(struct litmus *t, int64_t n)
{
	const struct token *k = peek_token(t);

	if (n < 0 || n >= PROCS_MAX)
		litmus_fail(t, k->line, k->column, "a process has a number from 0 to %d", PROCS_MAX - 1);
	t->procs = litmus_grow(t, t->procs, &t->procs_cap, (size_t)n + 1, sizeof(*t->procs));
	if (t->nprocs <= (size_t)n)
		t->nprocs = (size_t)n + 1;
	return &t->procs[n];
}

/* --- types --- */

static const struct { const char *name; enum base_type base; } type_names[] = {
	{ "int", BT_INT }, { "long", BT_LONG }, { "short", BT_SHORT }, { "char", BT_CHAR }, { "bool", BT_BOOL },
	{ "_Bool", BT_BOOL }, { "unsigned", BT_UINT }, { "signed", BT_INT }, { "void", BT_VOID },
	{ "intptr_t", BT_LONG }, { "uintptr_t", BT_ULONG }, { "size_t", BT_ULONG }, { "ssize_t", BT_LONG },
	{ "s8", BT_CHAR }, { "u8", BT_UCHAR }, { "s16", BT_SHORT }, { "u16", BT_USHORT },
	{ "s32", BT_INT }, { "u32", BT_UINT }, { "s64", BT_LONG }, { "u64", BT_ULONG },
	{ "int8_t", BT_CHAR }, { "uint8_t", BT_UCHAR }, { "int16_t", BT_SHORT }, { "uint16_t", BT_USHORT },
	{ "int32_t", BT_INT }, { "uint32_t", BT_UINT }, { "int64_t", BT_LONG }, { "uint64_t", BT_ULONG },
	{ "atomic_t", BT_ATOMIC }, { "atomic64_t", BT_LONG }, { "atomic_long_t", BT_LONG },
	{ "atomic_int", BT_ATOMIC },
	{ "spinlock_t", BT_SPINLOCK }, { "raw_spinlock_t", BT_SPINLOCK },
};

static const char *const qualifiers[] = { "volatile", "const", "static", "register", "__rcu", "extern",
					  "__maybe_unused", "__iomem" };

static bool qualifier(struct litmus *t)
{
	for (size_t i = 0; i < sizeof(qualifiers) / sizeof(*qualifiers); i++)
		if (accept_token(t, qualifiers[i]))
			return true;
	return false;
}

static bool base_name(struct litmus *t, struct type *type, bool *is_unsigned)
{
	const struct token *k = peek_token(t);

	if (k->kind != TOK_NAME)
		return false;
	if (token_is(k, "struct") || token_is(k, "union") || token_is(k, "enum")) {
		t->at++;
		if (!accept_token(t, "srcu_struct"))
			litmus_unsupported(t, k->line, k->column, "'%s %s' is not supported: only struct srcu_struct is",
					   k->text, peek_token(t)->text);
		type->base = BT_SRCU;
		return true;
	}
	for (size_t i = 0; i < sizeof(type_names) / sizeof(*type_names); i++)
		if (token_is(k, type_names[i].name)) {
			*is_unsigned |= token_is(k, "unsigned");
			t->at++;
			/* "long int", "unsigned long" */
			if (type_names[i].base != BT_INT && type_names[i].base != BT_UINT)
				type->base = type_names[i].base;
			else if (type->base == BT_VOID)
				type->base = type_names[i].base;
			return true;
		}
	return false;
}

bool parse_type(struct litmus *t, struct type *type)
{
	bool some = false, is_unsigned = false;

	*type = (struct type){ .base = BT_VOID };
	for (;;) {
		if (qualifier(t))
			some = true;
		else if (base_name(t, type, &is_unsigned))
			some = true;
		else
			break;
	}
	if (!some)
		return false;
	if (is_unsigned)
		type->base = type->base == BT_SHORT ? BT_USHORT : type->base == BT_CHAR ? BT_UCHAR :
			     type->base == BT_LONG ? BT_ULONG : BT_UINT;
	for (;;) {
		if (accept_token(t, "*"))
			type->pointers++;
		else if (!qualifier(t))
			return true;
	}
}

/* --- initial values --- */

static void init_value(struct litmus *t, int64_t *value, int *address)
{
	const struct token *k = peek_token(t);

	if (accept_token(t, "ATOMIC_INIT") || accept_token(t, "ATOMIC_LONG_INIT") || accept_token(t, "ATOMIC64_INIT")) {
		expect_token(t, "(", "behind ATOMIC_INIT");
		*value = expect_number(t);
		expect_token(t, ")", "behind the value");
		return;
	}
	if (accept_token(t, "&") || (k->kind == TOK_NAME && !token_is(k, "NULL"))) {
		*address = (int)need_global(t, expect_name(t, "the name of a variable"));
		return;
	}
	*value = accept_token(t, "NULL") ? 0 : expect_number(t);
}

static void init_array(struct litmus *t, unsigned index)
{
	struct global *g = &t->globals[index];
	unsigned n = 0;

	while (!token_is(peek_token(t), "}")) {
		int64_t value = 0;
		int address = -1;

		if (n == g->elements)
			expected(t, "no more values than there are elements, and then '}',");
		init_value(t, &value, &address);
		g = &t->globals[index];	/* it may have moved */
		g->init[n] = value;
		g->init_address[n++] = address;
		if (!accept_token(t, ","))
			break;
	}
	expect_token(t, "}", "behind the elements");
}

static void init_register(struct litmus *t, struct type type)
{
	int64_t n = expect_number(t), value = 0;
	struct proc *p = need_proc(t, n);
	const char *name;
	int address = -1;
	int i;

	expect_token(t, ":", "behind the number of the process");
	name = expect_name(t, "the name of a local variable");
	i = find_local(p, name);
	if (i < 0)
		i = (int)add_local(t, p, name, type);
	if (accept_token(t, "="))
		init_value(t, &value, &address);
	t->procs[n].locals[i].init = value;
	t->procs[n].locals[i].init_address = address;
}

/* "[3]" behind a name: how many elements a variable has, or which one is meant. */
static unsigned array_bracket(struct litmus *t, const struct token *k, unsigned index, bool typed)
{
	struct global *g = &t->globals[index];
	int64_t n = expect_number(t);

	if (typed ? n < 1 || n > ELEMENTS_MAX : g->is_array && (n < 0 || n >= (int64_t)g->elements))
		litmus_fail(t, k->line, k->column, typed ? "an array has 1 to %u elements" : "there are %u elements",
			    typed ? ELEMENTS_MAX : g->elements);
	expect_token(t, "]", "behind the number of elements");
	if (!typed && !g->is_array)
		litmus_unsupported(t, k->line, k->column, "how many elements '%s' has is to be said first: int %s[N];",
				   g->name, g->name);
	if (typed) {
		set_elements(t, g, (unsigned)n);
		g->is_array = true;
	}
	return typed ? 0 : (unsigned)n;
}

static void init_global(struct litmus *t, bool typed, struct type type)
{
	bool bracket = !typed && accept_token(t, "[");
	const struct token *k = peek_token(t);
	const char *name = expect_name(t, "a variable or a local one (0:r1)");
	unsigned i = need_global(t, name), element = 0;
	int64_t value = 0;
	int address = -1;

	if (bracket && !token_is(peek_token(t), "["))
		expect_token(t, "]", "behind the name");
	if (typed) {
		t->globals[i].type = type;
		t->globals[i].typed = true;
	}
	if (accept_token(t, "[")) {
		element = array_bracket(t, k, i, typed);
		if (bracket)
			expect_token(t, "]", "behind the name");
		if (is_a(type, BT_SRCU))
			litmus_unsupported(t, k->line, k->column, "an array of srcu_structs ('%s') is not supported", name);
	}
	if (!accept_token(t, "="))
		return;
	if (accept_token(t, "{")) {
		init_array(t, i);
		return;
	}
	init_value(t, &value, &address);
	t->globals[i].init[element] = value;
	t->globals[i].init_address[element] = address;
}

static void initial_values(struct litmus *t)
{
	expect_token(t, "{", "before the initial values");
	while (!accept_token(t, "}")) {
		struct type type = { .base = BT_INT };
		bool typed = parse_type(t, &type);

		for (;;) {
			if (peek_token(t)->kind == TOK_NUMBER)
				init_register(t, type);
			else
				init_global(t, typed, type);
			if (!accept_token(t, ","))
				break;
			type.pointers = 0;
			while (accept_token(t, "*"))
				type.pointers++;
		}
		if (!accept_token(t, ";") && !token_is(peek_token(t), "}"))
			expected(t, "';' or '}' behind an initial value");
		while (accept_token(t, ";"))
			;
	}
}

/* --- processes --- */

/* A parameter says what is at the variable that it points to, where nothing has before. */
static void use_as(struct litmus *t, const struct token *k, struct global *v, struct type type)
{
	if (!v->typed) {
		v->type = type;
		v->typed = true;
	} else if (v->type.base == BT_SRCU && type.base != BT_SPINLOCK) {
		v->type = type;	/* used as a number: that it is a domain means nothing then */
	} else if ((v->type.base == BT_SPINLOCK || type.base == BT_SPINLOCK) && v->type.base != type.base) {
		litmus_fail(t, k->line, k->column, "'%s' has another type elsewhere", v->name);
	}
}

static void parameter(struct litmus *t, struct proc *p)
{
	const struct token *k = peek_token(t);
	struct type type;
	const char *name;
	int l;

	if (!parse_type(t, &type))
		expected(t, "the type of a parameter");
	k = peek_token(t);
	name = expect_name(t, "the name of a parameter");
	if (accept_token(t, "[")) {
		if (peek_token(t)->kind == TOK_NUMBER)
			t->at++;
		expect_token(t, "]", "");
		type.pointers++;
	}
	if (!type.pointers)
		litmus_unsupported(t, k->line, k->column, "parameter '%s' is no pointer: parameters are the addresses of "
				   "shared variables", name);
	l = find_local(p, name);
	if (l >= 0 && p->locals[l].parameter)
		litmus_fail(t, k->line, k->column, "there is a '%s' in this process already", name);
	if (l < 0) {
		l = (int)add_local(t, p, name, type);
		p->locals[l].init_address = (int)need_global(t, name);
	}
	/* else "0:x=y" above: the address of another variable */
	p->locals[l].type = type;
	p->locals[l].parameter = true;
	type.pointers--;
	if (p->locals[l].init_address >= 0)
		use_as(t, k, &t->globals[p->locals[l].init_address], type);
}

static bool process(struct litmus *t)
{
	const struct token *k = peek_token(t);
	char *end;
	unsigned long n;
	struct proc *p;

	if (k->kind != TOK_NAME || k->text[0] != 'P' || k->text[1] < '0' || k->text[1] > '9')
		return false;
	n = strtoul(k->text + 1, &end, 10);
	if (*end || n >= PROCS_MAX)
		litmus_fail(t, k->line, k->column, "a process is called P0 to P%d, not '%s'", PROCS_MAX - 1, k->text);
	t->at++;
	p = need_proc(t, (int64_t)n);
	if (p->body)
		litmus_fail(t, k->line, k->column, "there is a P%lu already", n);
	expect_token(t, "(", "behind the name of the process");
	if (!accept_token(t, ")")) {
		if (token_is(peek_token(t), "void") && token_is(peek_second(t), ")"))
			t->at++;
		else
			do
				parameter(t, p);
			while (accept_token(t, ","));
		expect_token(t, ")", "behind the parameters");
	}
	t->proc = p;
	parse_body(t, p);
	t->proc = NULL;
	return true;
}

static void processes(struct litmus *t)
{
	const struct token *k;

	if (!token_is(peek_token(t), "P0") && peek_token(t)->kind == TOK_NAME && peek_token(t)->text[0] != 'P')
		expected(t, "a process, 'P0(...) { ... }',");
	while (process(t))
		;
	k = peek_token(t);
	if (!t->nprocs)
		expected(t, "a process, 'P0(...) { ... }',");
	for (size_t i = 0; i < t->nprocs; i++)
		if (!t->procs[i].body)
			litmus_fail(t, k->line, k->column, "there is no P%zu", i);
}

/* --- files --- */

/* The name of standard input is "-". */
static void read_text(struct litmus *t)
{
	bool standard = !strcmp(t->file, "-");
	FILE *f = standard ? stdin : fopen(t->file, "r");
	bool more = false;
	int err = f ? 0 : errno;
	size_t n = 0;

	if (standard)
		t->file = "stdin";
	t->text = f ? calloc(1, FILE_MAX + 1) : NULL;
	if (t->text) {
		n = fread(t->text, 1, FILE_MAX, f);
		more = fgetc(f) != EOF;
		err = ferror(f) ? errno : 0;
	} else if (f) {
		err = ENOMEM;
	}
	if (f && !standard)
		fclose(f);
	if (err)
		litmus_fail(t, 0, 0, "%s", strerror(err));
	if (more)
		litmus_fail(t, 0, 0, "the file is larger than a megabyte: no litmus test");
	if (memchr(t->text, '\0', n))
		litmus_fail(t, 0, 0, "the file holds a byte 0: no litmus test");
}

bool litmus_read(struct litmus *t, const char *file)
{
	*t = (struct litmus){ .file = file };
	if (setjmp(t->failed))
		return false;
	read_text(t);
	lex(t);
	t->name = expect_name(t, "the name of the test");
	initial_values(t);
	processes(t);
	parse_conditions(t);
	t->uses_plain = t->plain;
	return true;
}

void litmus_release(struct litmus *t)
{
	for (size_t i = 0; i < t->nblocks; i++)
		free(t->blocks[i]);
	free(t->blocks);
	free(t->text);
	*t = (struct litmus){ 0 };
}
