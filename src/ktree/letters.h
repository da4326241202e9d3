/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Letters of barriers, from the comments of a kernel tree's files.
 */
#ifndef SRCUSH_KTREE_LETTERS_H
#define SRCUSH_KTREE_LETTERS_H

struct site;

/* Gives the fences among the sites [first, end) the letters that stand behind them in the
 * tree in `dir`: a capital alone in a comment, after the statement. */
void ktree_letters(const char *dir, struct site *first, struct site *end);

#endif
