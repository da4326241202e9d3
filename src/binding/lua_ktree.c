/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * srcu.load_kernel(): a kernel tree of one's own becomes something that srcu.new can
 * make domains of.  Options are checked here; compiling and loading is ktree/'s matter.
 */
#include <config.h>

#include "binding/lua_ktree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* All that were loaded, the last one first. */
static struct lb_kernel *kernels;
/* Directories and options that were asked for, as text, the last one first. */
static struct name {
	struct name *next;
	struct lb_kernel *kn;
	char text[];
} *names;

/* --- images --- */

struct ktree *lb_kernel_newest(const struct lb_kernel *kn)
{
	return kn->images[kn->nimages - 1].k;
}

struct ktree *lb_kernel_of(const struct lb_kernel *kn, uint32_t generation)
{
	size_t i = kn->nimages - 1;

	while (i && kn->images[i].from > generation)
		i--;
	return kn->images[i].k;
}

static bool world_is_empty(struct world *w)
{
	return !world_steps(w) && !world_object_count(w) && !world_task_count(w);
}

uint32_t lb_kernel_from(const struct session *s)
{
	return world_is_empty(s->w) && !s->building ? s->generation : s->generations + 1;
}

static bool image_add(struct lb_kernel *kn, struct ktree *k, uint32_t from)
{
	struct lb_image *a = realloc(kn->images, (kn->nimages + 1) * sizeof(*a));

	if (!a)
		return false;
	kn->images = a;
	a[kn->nimages++] = (struct lb_image){ k, from };
	return true;
}

/* The domain's implementation has the tree's version, for headlines. */
static struct ktree *named(struct ktree *k)
{
	k->ops.version = k->version;
	return k;
}

/* --- loading --- */

/* Pushes what tells this directory with these options from others. */
static const char *push_name(lua_State *L, const char *dir, const struct ktree_opts *o)
{
	char *path = realpath(dir, NULL);

	/* where there is no memory for it, it is loaded, and found then */
	lua_pushfstring(L, "%s\n%s\n%s\n%d %d %d %d", path ? path : dir, o->tiny ? "tiny" : "tree", o->cc ? o->cc : "",
			(int)o->nr_cpus, (int)o->fanout, (int)o->fanout_leaf, (int)o->no_plain);
	free(path);
	for (const char *const *d = o->defines; d && *d; d++) {
		lua_pushfstring(L, "\n%s", *d);
		lua_concat(L, 2);
	}
	return lua_tostring(L, -1);
}

/* The last one that was asked for by that name. */
static struct lb_kernel *find_name(const struct session *s, const char *text)
{
	for (struct name *n = names; n; n = n->next)
		if (n->kn->s == s && !strcmp(n->text, text))
			return n->kn;
	return NULL;
}

static struct lb_kernel *find_image(const struct session *s, const struct ktree *k)
{
	for (struct lb_kernel *kn = kernels; kn; kn = kn->next)
		if (kn->s == s && lb_kernel_newest(kn) == k)
			return kn;
	return NULL;
}

static bool name_add(struct lb_kernel *kn, const char *text)
{
	struct name *n = malloc(sizeof(*n) + strlen(text) + 1);

	if (!n)
		return false;
	strcpy(n->text, text);
	n->kn = kn;
	n->next = names;
	names = n;
	return true;
}

/* Raises "FUNCTION: why"; frees why. */
static _Noreturn void refuse(lua_State *L, char *why)
{
	lua_pushfstring(L, "%s: %s", lb_func_running(L) ? lb_func_name(L) : "--kernel",
			why ? why : "out of memory");
	free(why);
	luaL_where(L, 1);
	lua_insert(L, -2);
	lua_concat(L, 2);
	lua_error(L);
	abort();
}

static void warn(char *warning)
{
	if (warning)
		fprintf(stderr, "srcush: warning: %s\n", warning);
	free(warning);
}

static void kernel_free(struct lb_kernel *kn)
{
	struct name **p = &names, *n;

	while ((n = *p) != NULL) {
		if (n->kn == kn) {
			*p = n->next;
			free(n);
		} else {
			p = &n->next;
		}
	}
	for (size_t i = 0; i < kn->nsettings; i++)
		free(kn->settings[i].name);
	free(kn->settings);
	free(kn->images);
	free(kn->dir);
	free(kn);
}

/* NULL: no memory. */
static struct lb_kernel *kernel_new(struct session *s, const char *dir, const char *name,
				    struct ktree *k)
{
	struct lb_kernel *kn = calloc(1, sizeof(*kn));

	if (!kn)
		return NULL;
	*kn = (struct lb_kernel){ .s = s, .dir = strdup(dir) };
	if (!kn->dir || !name_add(kn, name) || !image_add(kn, named(k), 0)) {
		kernel_free(kn);
		return NULL;
	}
	kn->next = kernels;
	kernels = kn;
	return kn;
}

/* A scenario that is built again gets what it got the first time; elsewhere the sources
 * are looked at, and others than before are another K. */
static struct lb_kernel *load(lua_State *L, const char *dir, const struct ktree_opts *o)
{
	struct session *s = lb_session(L);
	const char *name = push_name(L, dir, o);
	struct lb_kernel *kn = s->building ? find_name(s, name) : NULL;
	char *why = NULL, *warning = NULL;
	struct ktree *k;

	if (!kn) {
		lb_check_driver(L);
		k = ktree_load(dir, o, &why, &warning);
		if (!k)
			refuse(L, why);
		kn = find_image(s, k);
		if (!kn)
			warn(warning);
		else
			free(warning);	/* it was said the first time */
		if (!kn)
			kn = kernel_new(s, dir, name, k);
		else if (find_name(s, name) != kn && !name_add(kn, name))
			kn = NULL;
		if (!kn)
			luaL_error(L, "out of memory");
	}
	lua_pop(L, 1);
	return kn;
}

static int l_load_kernel(lua_State *L)
{
	struct ktree_opts o = { 0 };
	const char *dir;
	size_t len;

	lb_check_driver(L);
	lb_check_impure(L);
	lua_settop(L, 2);
	if (lua_type(L, 1) != LUA_TSTRING)
		lb_type_error(L, 1, "directory of a kernel tree");
	dir = lua_tolstring(L, 1, &len);
	if (!len || strlen(dir) != len)
		lb_arg_error(L, 1, "a directory has a name, without zero bytes");
	lua_newtable(L);			/* LB_KERNEL_KEPT */
	if (!lua_isnil(L, 2))
		lb_check_kernel_opts(L, &o);
	lb_push_kernel(L, load(L, dir, &o));
	return 1;
}

/* --- reloading --- */

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int l_reload(lua_State *L)
{
	struct lb_kernel *kn = lb_test_kernel(L, 1);
	struct session *s = lb_session(L);
	char *why = NULL, *warning = NULL;
	double begun = now();
	struct ktree *k;
	bool changed;

	if (!kn)
		return lb_type_error(L, 1, "kernel");
	lb_check_driver(L);
	lb_check_impure(L);
	if (s->building || s->busy)
		return luaL_error(L, "%s: cannot be called while a scenario builds its world or threads "
				  "are being stepped", lb_func_name(L));
	k = ktree_reload(lb_kernel_newest(kn), &why, &warning);
	if (!k)
		refuse(L, why);
	changed = k != lb_kernel_newest(kn);
	if (!changed) {
		free(warning);
	} else {
		warn(warning);
		if (!image_add(kn, named(k), lb_kernel_from(s)))
			return luaL_error(L, "%s: out of memory", lb_func_name(L));
		lb_kernel_world(s, s->w, s->generation);
	}
	lua_pushboolean(L, changed);
	lua_pushnumber(L, now() - begun);
	return 2;
}

void lb_kernels_settle(const struct world *w)
{
	for (struct lb_kernel *kn = kernels; kn; kn = kn->next)
		if (kn->nsettings && kn->s->w == w)
			lb_params_settle(kn);
}

bool lb_kernels_adopt(struct session *s)
{
	for (struct lb_kernel *kn = kernels; kn; kn = kn->next) {
		struct ktree *newest = lb_kernel_newest(kn);

		/* it is there twice, so that going back is taking the last one away */
		if (kn->s == s && !image_add(kn, newest, s->generation))
			return false;
	}
	lb_kernel_world(s, s->w, s->generation);
	return true;
}

void lb_kernels_abandon(struct session *s)
{
	for (struct lb_kernel *kn = kernels; kn; kn = kn->next)
		if (kn->s == s && kn->nimages > 1 &&
		    kn->images[kn->nimages - 1].k == kn->images[kn->nimages - 2].k)
			kn->nimages--;
	lb_kernel_world(s, s->w, s->generation);
}

/* --- --kernel --- */

void lb_kernel_world(struct session *s, struct world *w, uint32_t generation)
{
	struct lb_kernel *tree = s->kernel[0], *tiny = s->kernel[1];

	if (tree)
		srcu_use(w, &lb_kernel_of(tree, generation)->ops,
			 tiny ? &lb_kernel_of(tiny, generation)->ops : NULL);
}

void lb_kernel_default(lua_State *L, const char *dir)
{
	struct session *s = lb_session(L);

	s->kernel[0] = load(L, dir, &(struct ktree_opts){ 0 });
	lb_kernel_world(s, s->w, s->generation);
}

struct lb_kernel *lb_kernel_for(lua_State *L, const char *flavor)
{
	struct session *s = lb_session(L);

	if (!s->kernel[0] || (strcmp(flavor, "tree") && strcmp(flavor, "tiny")))
		return NULL;
	if (!strcmp(flavor, "tree"))
		return s->kernel[0];
	if (!s->kernel[1]) {
		s->kernel[1] = load(L, s->kernel[0]->dir, &(struct ktree_opts){ .tiny = true });
		lb_kernel_world(s, s->w, s->generation);
	}
	return s->kernel[1];
}

/* --- handles --- */

static const char kind[] = "kernel";

struct lb_kernel *lb_test_kernel(lua_State *L, int idx)
{
	struct lb_kernel **p = luaL_testudata(L, idx, kind);

	return p ? *p : NULL;
}

void lb_push_kernel(lua_State *L, struct lb_kernel *kn)
{
	struct lb_kernel **p;

	if (lua_rawgetp(L, LUA_REGISTRYINDEX, kn) == LUA_TUSERDATA)
		return;
	lua_pop(L, 1);
	p = lua_newuserdatauv(L, sizeof(*p), 0);
	*p = kn;
	luaL_setmetatable(L, kind);
	lua_pushvalue(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, kn);
}

int lb_push_kernels(lua_State *L)
{
	struct session *s = lb_session(L);
	lua_Integer n = 0;

	for (struct lb_kernel *kn = kernels; kn; kn = kn->next)
		n += kn->s == s;
	lua_createtable(L, (int)n, 0);
	for (struct lb_kernel *kn = kernels; kn; kn = kn->next) {
		if (kn->s != s)
			continue;
		lb_push_kernel(L, kn);
		lua_rawseti(L, -2, n--);
	}
	return 1;
}

static int kernel_tostring(lua_State *L)
{
	struct lb_kernel *kn = lb_test_kernel(L, 1);

	luaL_argexpected(L, kn, 1, kind);
	lua_pushfstring(L, "%s \"%s\"", kind, lb_kernel_newest(kn)->version);
	return 1;
}

static void push_fields(lua_State *L, const struct ktree *k)
{
	const char *const *f = ktree_fields(k);

	lua_newtable(L);
	for (lua_Integer i = 0; f && f[i]; i++) {
		lua_pushstring(L, f[i]);
		lua_rawseti(L, -2, i + 1);
	}
}

static int kernel_index(lua_State *L)
{
	struct lb_kernel *kn = lb_test_kernel(L, 1);
	const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";

	luaL_argexpected(L, kn, 1, kind);
	if (!strcmp(key, "version")) {
		lua_pushstring(L, lb_kernel_newest(kn)->version);
	} else if (!strcmp(key, "dir")) {
		lua_pushstring(L, kn->dir);
	} else if (!strcmp(key, "variant")) {
		lua_pushstring(L, lb_kernel_newest(kn)->image->variant);
	} else if (!strcmp(key, "fields")) {
		push_fields(L, lb_kernel_newest(kn));
	} else if (!strcmp(key, "params")) {
		lb_push_params(L, kn);
	} else {
		lua_pushvalue(L, 2);
		lua_rawget(L, lua_upvalueindex(1));	/* methods */
	}
	return 1;
}

static int kernel_newindex(lua_State *L)
{
	return luaL_error(L, "a kernel's '%s' cannot be set; K.params.NAME = VALUE sets a parameter",
			  lb_describe(L, 2));
}

void lb_kernels_close(struct session *s)
{
	struct lb_kernel **p = &kernels, *kn;

	while ((kn = *p) != NULL) {
		if (kn->s != s) {
			p = &kn->next;
			continue;
		}
		*p = kn->next;
		kernel_free(kn);
	}
}

static const struct lb_func ktree_funcs[] = {
	{ "srcu.load_kernel", l_load_kernel, "(dir [, opts]) -> kernel",
	  "Compiles kernel/rcu/srcutree.c and rcu_segcblist.c of the Linux source tree in dir, as they "
	  "stand there, with the C compiler of this machine, and loads the result: srcu.new(name, "
	  "{kernel=K}) makes a domain of it. opts: variant=\"tree\"|\"tiny\" (srcutiny.c), "
	  "cc=COMMAND ($CC, else cc), nr_cpus=1..4096, fanout=2..64 and fanout_leaf=2..64 (the "
	  "kernel's configuration), defines={\"NAME\", NAME=VALUE}, plain=false (plain accesses of its "
	  "code are not watched for data races). kernel.version is its version, kernel.dir the directory, "
	  "kernel.variant the variant, kernel.params.NAME a module parameter, which can be set for "
	  "the worlds that come, kernel.fields the list of what was found in its structures",
	  "local dir = os.getenv(\"SRCUSH_KERNEL_TREE\")\nif dir then\n  local K = srcu.load_kernel(dir)\n"
	  "  local ss = srcu.new(\"ss\", {kernel = K})\n  print(K.version, ss:state().gp_seq)\nend" },
	{ "kernel:reload", l_reload, "() -> boolean, seconds",
	  "Compiles the tree again if its sources have changed: was there something new? Worlds that "
	  "are built from then on are of the new image; one that does not compile is an error, "
	  "and all stays as it was",
	  "local dir = os.getenv(\"SRCUSH_KERNEL_TREE\")\nif dir then print(srcu.load_kernel(dir):reload()) end" },
	{ 0 }
};
static const struct lb_section ktree_section = {
	"kernel", "A kernel tree of one's own",
	"Settles what the kernel's own code does, of any version, changed or not. See srcush(1) for "
	"what is compiled, what that needs, and where it is kept.",
	ktree_funcs
};

void lb_open_ktree(lua_State *L)
{
	luaL_newmetatable(L, kind);
	lua_pushcfunction(L, kernel_tostring);
	lua_setfield(L, -2, "__tostring");
	lua_pushcfunction(L, kernel_newindex);
	lua_setfield(L, -2, "__newindex");
	lua_pushliteral(L, "object");
	lua_setfield(L, -2, "__metatable");
	lua_newtable(L);
	lua_pushvalue(L, -1);
	lua_setfield(L, -3, "__methods");
	lua_pushcclosure(L, kernel_index, 1);
	lua_setfield(L, -2, "__index");
	lua_pop(L, 1);
	lb_register(L, &ktree_section);
}
