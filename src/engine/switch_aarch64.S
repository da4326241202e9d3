/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * void fiber_switch(void **save, void *load) for AArch64: x19-x30 and the low
 * halves of v8-v15 are the callee's to keep.
 */
#if defined(__aarch64__)
	.text
	.globl	fiber_switch
	.hidden	fiber_switch
	.type	fiber_switch, %function
	.p2align 4
fiber_switch:
	.cfi_startproc
	sub	sp, sp, #160
	stp	x19, x20, [sp, #0]
	stp	x21, x22, [sp, #16]
	stp	x23, x24, [sp, #32]
	stp	x25, x26, [sp, #48]
	stp	x27, x28, [sp, #64]
	stp	x29, x30, [sp, #80]
	stp	d8, d9, [sp, #96]
	stp	d10, d11, [sp, #112]
	stp	d12, d13, [sp, #128]
	stp	d14, d15, [sp, #144]
	mov	x9, sp
	str	x9, [x0]
	mov	sp, x1
	ldp	x19, x20, [sp, #0]
	ldp	x21, x22, [sp, #16]
	ldp	x23, x24, [sp, #32]
	ldp	x25, x26, [sp, #48]
	ldp	x27, x28, [sp, #64]
	ldp	x29, x30, [sp, #80]
	ldp	d8, d9, [sp, #96]
	ldp	d10, d11, [sp, #112]
	ldp	d12, d13, [sp, #128]
	ldp	d14, d15, [sp, #144]
	add	sp, sp, #160
	br	x30
	.cfi_endproc
	.size	fiber_switch, .-fiber_switch

/*
 * void hop_switch(void *top, void (*fn)(void *), void *arg): fn(arg) with its frames
 * below `top`, 16-byte aligned.
 */
	.globl	hop_switch
	.hidden	hop_switch
	.type	hop_switch, %function
	.p2align 4
hop_switch:
	.cfi_startproc
	stp	x29, x30, [sp, #-16]!
	.cfi_def_cfa_offset 16
	.cfi_offset x29, -16
	.cfi_offset x30, -8
	mov	x29, sp
	.cfi_def_cfa_register x29
	mov	sp, x0
	mov	x0, x2
	blr	x1
	mov	sp, x29
	.cfi_def_cfa_register sp
	ldp	x29, x30, [sp], #16
	.cfi_restore x29
	.cfi_restore x30
	.cfi_def_cfa_offset 0
	ret
	.cfi_endproc
	.size	hop_switch, .-hop_switch

/* First code of a new stack: x19 = entry, x20 = argument. */
	.globl	fiber_start
	.hidden	fiber_start
	.type	fiber_start, %function
fiber_start:
	mov	x0, x20
	blr	x19
	brk	#1
	.size	fiber_start, .-fiber_start
#endif
	.section .note.GNU-stack,"",%progbits
