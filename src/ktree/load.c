/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A shared object becomes a struct ktree: loaded once for each tree and never unloaded,
 * since sites and names in it are referred to by all that was ever recorded of it.
 */
#include <config.h>

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/guest.h"
#include "engine/site.h"
#include "ktree/build.h"
#include "ktree/internal.h"
#include "ktree/place.h"

/* What is kept of one beside what others see. */
struct loaded {
	struct ktree k;
	char key[SHA256_HEX];
	void *handle;
	struct guest guest;
};
static struct ktree *all;

static struct loaded *loaded_of(struct ktree *k)
{
	return (struct loaded *)((char *)k - offsetof(struct loaded, k));
}

/* The same files of the same tree. */
static struct ktree *find_loaded(const struct ktree_built *b)
{
	for (struct ktree *k = all; k; k = k->next)
		if (!strcmp(loaded_of(k)->key, b->key) && !strcmp(k->path, b->path) &&
		    !strcmp(k->version, b->version))
			return k;
	return NULL;
}

static bool have_loaded(const struct ktree_built *b)
{
	return find_loaded(b) != NULL;
}

/* That of another tree, equal in all that counts: an image is one tree's only, because
 * its static data and parameters are. */
static bool is_taken(const struct ktree_built *b)
{
	for (struct ktree *k = all; k; k = k->next)
		if (!strcmp(loaded_of(k)->key, b->key))
			return true;
	return false;
}

static void free_ktree(struct loaded *l)
{
	char **defines = (char **)(uintptr_t)l->k.opts.defines;

	for (size_t i = 0; defines && defines[i]; i++)
		free(defines[i]);
	free(defines);
	free((char *)(uintptr_t)l->k.opts.cc);
	free(l->k.host);
	free(l->k.dir);
	free(l->k.path);
	free(l->k.version);
	free(l->k.so);
	free(l->k.pristine);
	free(l);
}

static bool copy_opts(struct ktree_opts *to, const struct ktree_opts *from)
{
	char *why = NULL;
	struct ktree_strings l = {0};
	bool ok = true;

	*to = *from;
	to->cc = NULL;
	to->defines = NULL;
	if (from->cc && !(to->cc = strdup(from->cc)))
		return false;
	for (const char *const *d = from->defines; ok && d && *d; d++)
		ok = ktree_strings_add(&l, *d, &why);
	if (!ok)
		ktree_strings_free(&l);
	free(why);
	to->defines = (const char *const *)l.s;
	return ok;
}

static struct loaded *new_ktree(const struct ktree_built *b, const char *dir,
				const struct ktree_opts *o, char **why)
{
	struct loaded *l = calloc(1, sizeof(*l));
	struct ktree *k = l ? &l->k : NULL;

	if (l && copy_opts(&k->opts, o) && (k->host = calloc(1, sizeof(*k->host))) &&
	    (k->dir = strdup(dir)) && (k->path = strdup(b->path)) &&
	    (k->version = strdup(b->version))) {
		k->seen_version = b->seen_version;
		memcpy(l->key, b->key, sizeof(l->key));
		return l;
	}
	if (l)
		free_ktree(l);
	ktree_fail(why, "out of memory");
	return NULL;
}

/* dlopen() fails where programs may not be run; its own words do not say so clearly. */
static bool cannot_open(const char *so, char **why)
{
	const char *said = dlerror();

	if (said && (strstr(said, "failed to map segment") || strstr(said, "not permitted")))
		return ktree_fail(why, "the directory of '%s' does not let programs run (noexec): set "
				  "SRCUSH_CACHE to one that does", so);
	return ktree_fail(why, "cannot load the image '%s': %s", so, said ? said : "no reason given");
}

static bool is_sound(const struct ktree_image *im)
{
	return im->variant && im->text <= im->text_end && im->data <= im->data_end &&
	       im->lines <= im->lines_end && im->params <= im->params_end && im->ssp_size;
}

static bool ask_image(struct loaded *l, const char *so, char **why)
{
	ktree_entry_fn *entry = (ktree_entry_fn *)(uintptr_t)dlsym(l->handle, KTREE_ENTRY);
	struct ktree *k = &l->k;

	if (!entry)
		return ktree_fail(why, "'%s' is not an image of a kernel tree", so);
	ktree_host_fill(k->host);
	k->image = entry(k->host);
	if (!k->image || k->image->abi != KTREE_ABI || k->image->site_size != sizeof(struct site))
		return ktree_fail(why, "the image '%s' was made for another srcush", so);
	if (!is_sound(k->image))
		return ktree_fail(why, "the image '%s' is damaged", so);
	return true;
}

static bool keep_pristine(struct ktree *k, char **why)
{
	size_t n = (size_t)((char *)k->image->data_end - (char *)k->image->data);

	k->pristine = malloc(n + 1);
	if (!k->pristine)
		return ktree_fail(why, "out of memory");
	memcpy(k->pristine, k->image->data, n);
	return true;
}

static bool open_image(struct loaded *l, const char *so, char **why)
{
	l->handle = dlopen(so, RTLD_NOW | RTLD_LOCAL);
	if (!l->handle)
		return cannot_open(so, why);
	/* one that fails from here on stays open: no harm, and nothing refers to it */
	if (!ask_image(l, so, why) || !keep_pristine(&l->k, why) ||
	    !ktree_places_add(l->k.image->lines, l->k.image->lines_end, l->k.image->text,
			      l->k.image->text_end, why))
		return false;
	l->guest = (struct guest){ .text = l->k.image->text, .text_end = l->k.image->text_end,
				   .near_pc = ktree_place_near, .crashed = kt_crashed };
	guest_add(&l->guest);
	return true;
}

static struct ktree *load_built(struct ktree_built *b, const char *dir, const struct ktree_opts *o,
				char **why)
{
	struct loaded *l = new_ktree(b, dir, o, why);
	char *so;

	if (!l)
		return NULL;
	so = is_taken(b) ? ktree_cache_copy(b->so, why) : strdup(b->so);
	l->k.so = so;
	if (!so || !open_image(l, so, why)) {
		ktree_fail(why, "out of memory");
		free_ktree(l);
		return NULL;
	}
	ktree_cache_loaded(so);
	ktree_cache_loaded(b->so);
	ktree_ops_fill(&l->k);
	l->k.next = all;
	all = &l->k;
	return &l->k;
}

/* `shown` is what the user calls `dir`. */
static struct ktree *load(const char *dir, const char *shown, const struct ktree_opts *o, char **why,
			  char **warning)
{
	struct ktree_built b;
	struct ktree *k;

	*why = *warning = NULL;
	if (!ktree_build_image(&b, dir, o, have_loaded, why))
		return NULL;
	k = find_loaded(&b);
	if (!k)
		k = load_built(&b, shown, o, why);
	if (k && !k->seen_version)
		ktree_fail(warning, "nobody has tried Linux %s here yet (%s have been): what follows is an "
			   "honest try", k->version, KTREE_VERSIONS_TRIED);
	ktree_built_free(&b);
	return k;
}

struct ktree *ktree_load(const char *dir, const struct ktree_opts *o, char **why, char **warning)
{
	static const struct ktree_opts none;

	return load(dir, dir, o ? o : &none, why, warning);
}

struct ktree *ktree_reload(const struct ktree *k, char **why, char **warning)
{
	return load(k->path, k->dir, &k->opts, why, warning);
}

const char *const *ktree_fields(const struct ktree *k)
{
	/* as locations are named: "sup.srcu_gp_seq" */
	static const char *const part[KTREE_STRUCTS] = {
		[KTREE_SSP] = "", [KTREE_SUP] = "sup.", [KTREE_SDP] = "sda.", [KTREE_SNP] = "tree.",
	};
	static struct ktree_strings list;
	char *why = NULL;

	ktree_strings_free(&list);
	for (int i = 0; i < KTREE_STRUCTS; i++)
		for (const struct ktree_field *f = k->image->fields[i]; f && f->name; f++)
			if (!ktree_strings_addf(&list, &why, "%s%s", part[i], f->name))
				break;
	free(why);
	if (!list.s)
		list.s = calloc(1, sizeof(*list.s));
	return (const char *const *)list.s;
}
