/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the image's own files have from one another; the tree's files see none of it.
 */
#ifndef KTREE_IMAGE_H
#define KTREE_IMAGE_H

/* image.ld: around the static data of the tree's files and kernel.c */
extern char ktree_data_first, ktree_data_last;

/* kernel.c */
bool ktree_in_image(const volatile void *p);
/* Somebody writes static data: an error where that would have to be a step. */
void ktree_static_write(const char *what, const char *func, const char *file, int line);
bool ktree_geometry(unsigned ncpus, unsigned fanout, unsigned leaf);
extern int rcu_num_lvls, num_rcu_lvl[], rcu_num_nodes;

/* api.c: the calls that this tree has */
void ktree_api(struct ktree_image *im);

/* hooks.c: hands an access that it has seen to the host. */
void ktree_plain(const volatile void *p, unsigned size, bool write, const void *pc);
/* glue.c: where that is; NULL: nobody knows. */
const struct ktree_line *ktree_line_at(const void *pc);

#endif
