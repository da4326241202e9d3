/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SHA-256 (FIPS 180-4): an image in the cache is found by the hash of all that it was
 * made of, and taking one for another would be a wrong answer, so collisions must be
 * out of the question.
 */
#ifndef SRCUSH_KTREE_SHA256_H
#define SRCUSH_KTREE_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_BYTES 32
#define SHA256_HEX (2 * SHA256_BYTES + 1)	/* with its NUL */

struct sha256 {
	uint32_t h[8];
	uint64_t len;		/* bytes so far */
	unsigned char block[64];
};

void sha256_begin(struct sha256 *s);
void sha256_add(struct sha256 *s, const void *data, size_t len);
/* A string and its end: "ab", "c" is not "a", "bc". */
void sha256_add_string(struct sha256 *s, const char *str);
void sha256_end(struct sha256 *s, unsigned char out[SHA256_BYTES]);
/* The same in hexadecimal. */
void sha256_end_hex(struct sha256 *s, char out[SHA256_HEX]);

#endif
