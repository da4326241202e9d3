/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines of plain accesses out of assembly (ktree/lines.c): each way in which compilers
 * say where they are, and what must not be taken for a call of a hook.
 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ktree/build.h"

static char in[4096], out[4096];

static int begin(void **state)
{
	const char *home = getenv("HOME");

	(void)state;
	snprintf(in, sizeof(in), "%s/in.%ld.s", home, (long)getpid());
	snprintf(out, sizeof(out), "%s/out.%ld.s", home, (long)getpid());
	return 0;
}

static int end(void **state)
{
	(void)state;
	unlink(in);
	unlink(out);
	return 0;
}

/* What stands in the output as string number n. */
static void string_of(const char *text, unsigned n, char *to, size_t size)
{
	char label[64];
	const char *p;

	snprintf(label, sizeof(label), ".Lktree_str%u:\n\t.asciz \"", n);
	p = strstr(text, label);
	assert_non_null(p);
	p += strlen(label);
	snprintf(to, size, "%.*s", (int)strcspn(p, "\""), p);
}

/* The entries of the table, as "file:line func r|w", each behind a call: a blank between. */
static char *table(const char *s)
{
	char *why = NULL, *text, *list = calloc(1, 4096);
	size_t len, n = 0;
	unsigned count = 0;

	assert_true(ktree_write_file(in, s, strlen(s)));
	assert_true(ktree_add_lines(in, out, &why));
	text = ktree_read_file(out, &len);
	assert_non_null(text);
	for (const char *p = text; (p = strstr(p, "\t.quad .Lktree_pc")); p++) {
		unsigned pc, file, func, line, write;
		char f[256], g[256], label[64], *at;

		assert_int_equal(sscanf(p, "\t.quad .Lktree_pc%u, .Lktree_str%u, .Lktree_str%u\n"
					   "\t.long %u, %u\n", &pc, &file, &func, &line, &write), 5);
		assert_int_equal(pc, count++);
		/* the line before its label is the call's */
		snprintf(label, sizeof(label), ".Lktree_pc%u:\n", pc);
		at = strstr(text, label);
		assert_true(at && at > text);
		for (at--; at > text && at[-1] != '\n'; at--)
			;
		assert_true(strstr(at, "__tsan_") && strstr(at, "__tsan_") < strchr(at, '\n'));
		string_of(text, file, f, sizeof(f));
		string_of(text, func, g, sizeof(g));
		n += (size_t)snprintf(list + n, 4096 - n, "%s%s:%u %s %c", n ? "; " : "", f, line, g,
				      write ? 'w' : 'r');
	}
	free(text);
	return list;
}

#define CHECK(input, expected) do {			\
		char *t_ = table(input);		\
		assert_string_equal(t_, expected);	\
		free(t_);				\
	} while (0)

static void gcc_x86(void **state)
{
	(void)state;
	CHECK("\t.file\t\"srcutree.c\"\n"
	      "\t.text\n.Ltext0:\n"
	      "\t.type\tsrcu_gp_end, @function\n"
	      "srcu_gp_end:\n.LFB1:\n"
	      "\t.file 1 \"kernel/rcu/srcutree.c\"\n"
	      "\t.loc 1 42 1 view -0\n"
	      "\tcall\t__tsan_func_entry@PLT\n"
	      "\t.loc 1 43 9 is_stmt 0\n"
	      "\tcall\t__tsan_read8@PLT\n"
	      "\tcall\tcleanup@PLT\n"
	      "\t.file 2 \"./include/linux/srcu.h\"\n"
	      "\t.loc 2 7 1\n"
	      "\tcall\t__tsan_unaligned_write4@PLT\n"
	      "\tcall\t__tsan_func_exit@PLT\n"
	      "\tret\n"
	      "\t.section\t.note.GNU-stack,\"\",@progbits\n",
	      "kernel/rcu/srcutree.c:43 srcu_gp_end r; include/linux/srcu.h:7 srcu_gp_end w");
}

static void clang_dwarf5(void **state)
{
	(void)state;
	CHECK("\t.file\t\"srcutree.c\"\n"
	      "\t.file\t0 \"/home/me/linux\" \"kernel/rcu/srcutree.c\" md5 0x00112233445566778899aabbccddeeff\n"
	      "\t.type\tcheck_init,@function\n"
	      "check_init:                             # @check_init\n"
	      ".Lfunc_begin0:\n"
	      "\t.file\t1 \"./include/linux\" \"srcutree.h\" md5 0x00112233445566778899aabbccddeeff\n"
	      "\t.loc\t0 12 3 prologue_end              # kernel/rcu/srcutree.c:12:3\n"
	      "\tcallq\t__tsan_write1@PLT\n"
	      "\t.loc\t1 0 0\n"
	      "\tcallq\t__tsan_read2@PLT\n"
	      "\t.loc\t1 99 0\n"
	      "\tcallq\t__tsan_memcpy@PLT\n",
	      "kernel/rcu/srcutree.c:12 check_init w; kernel/rcu/srcutree.c:12 check_init r; "
	      "include/linux/srcutree.h:99 check_init w");
}

static void aarch64(void **state)
{
	(void)state;
	CHECK("\t.file 1 \"kernel/rcu/srcutree.c\"\n"
	      "\t.type\tf, %function\n"
	      "f:\n"
	      "\t.loc 1 5 1\n"
	      "\tbl\t__tsan_read4\n"
	      "\tblr\tx1\n"
	      "\tb\t__tsan_read4\n",
	      "kernel/rcu/srcutree.c:5 f r");
}

/* Parts and copies of a function have its name; a label that is no function has not. */
static void names(void **state)
{
	(void)state;
	CHECK("\t.file 1 \"a.c\"\n"
	      "\t.type\tf.constprop.0, @function\n"
	      "\t.type\tf.cold, @function\n"
	      "\t.type\tdata, @object\n"
	      "f.constprop.0:\n\t.loc 1 1\n\tcall\t__tsan_read1\n"
	      "data:\n\tcall\t__tsan_read1\n"
	      "f.cold:\n\t.loc 1 2\n\tcall *__tsan_write8@GOTPCREL(%rip)\n",
	      "a.c:1 f r; a.c:1 f r; a.c:2 f w");
}

/* Names that are no plain ones come through, and end neither a string nor a line. */
static void odd_files(void **state)
{
	(void)state;
	CHECK("\t.file 3 \"a \\\"b\\\\ \\303\\251.c\"\n\t.loc 3 8\n\tcall __tsan_read1\n",
	      "a \\042b\\134 \\303\\251.c:8  r");
}

static void nothing_known(void **state)
{
	(void)state;
	CHECK("", "");
	CHECK("\tcall __tsan_read1\n", "");
	CHECK("\t.loc 7 9\n\tcall __tsan_read1\n", "");
	CHECK("# call __tsan_read1\n\t.loc\n\t.file\n\t.file 1\n\t.file 1 \"open\n\t.type\n\"\n", "");
}

/* Assembly of the tree's own: refused, unless it has no instructions. */
static void own_assembly(void **state)
{
	static const struct { const char *text, *why; } bad[] = {
		{ "\t.file 1 \"a.c\"\n\t.loc 1 8\n#APP\n# 8 \"a.c\" 1\n\tincq (%rax)\n# 0 \"\" 2\n#NO_APP\n",
		  "a.c:8: inline assembly" },
		{ "\t.file 1 \"a.c\"\n\t.loc 1 9\n\t#APP\n\n\tldr w0, [x1]\n\n\t#NO_APP\n",
		  "a.c:9: inline assembly" },
		{ "#APP\n\tlock; addl $0, (%rsp)\n", "?:0: inline assembly" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		char *why = NULL;

		assert_true(ktree_write_file(in, bad[i].text, strlen(bad[i].text)));
		assert_false(ktree_add_lines(in, out, &why));
		assert_non_null(strstr(why, bad[i].why));
		free(why);
	}
	CHECK("\t.file 1 \"a.c\"\n\t.loc 1 8\n#APP\n# 8 \"a.c\" 1\n\t\n# 0 \"\" 2\n#NO_APP\n"
	      "\tcall __tsan_read1\n\t#APP\n\t#NO_APP\n\t// comment\n", "a.c:8  r");
}

static void unreadable(void **state)
{
	char *why = NULL;

	(void)state;
	unlink(in);
	assert_false(ktree_add_lines(in, out, &why));
	assert_non_null(strstr(why, "No such file or directory"));
	free(why);
	why = NULL;
	assert_true(ktree_write_file(in, "\n", 1));
	assert_false(ktree_add_lines(in, "/dev/null/x", &why));
	assert_non_null(strstr(why, "cannot write '/dev/null/x'"));
	free(why);
}

/* FIPS 180-4's examples, and lengths around those of a block. */
static void hashes(void **state)
{
	static const struct { const char *text, *hex; } known[] = {
		{ "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
		{ "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
		{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
	};
	char hex[SHA256_HEX], again[SHA256_HEX], text[300];
	struct sha256 s;

	(void)state;
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		sha256_begin(&s);
		sha256_add(&s, known[i].text, strlen(known[i].text));
		sha256_end_hex(&s, hex);
		assert_string_equal(hex, known[i].hex);
	}
	memset(text, 'x', sizeof(text));
	for (size_t len = 0; len <= sizeof(text); len++) {
		sha256_begin(&s);
		sha256_add(&s, text, len);
		sha256_end_hex(&s, hex);
		sha256_begin(&s);
		for (size_t i = 0; i < len; i += 7)
			sha256_add(&s, text, len - i < 7 ? len - i : 7);
		sha256_end_hex(&s, again);
		assert_string_equal(hex, again);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gcc_x86), cmocka_unit_test(clang_dwarf5), cmocka_unit_test(aarch64),
		cmocka_unit_test(names), cmocka_unit_test(odd_files), cmocka_unit_test(nothing_known),
		cmocka_unit_test(unreadable), cmocka_unit_test(own_assembly),
		cmocka_unit_test(hashes),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
