/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * void fiber_switch(void **save, void *load)
 *
 * Saves the callee-saved registers on the current stack and its pointer in
 * *save, then continues on the stack `load`.  Ends in pop/jmp rather than ret:
 * the return predictor would mispredict every switch.
 */
#if defined(__x86_64__)
	.text
	.globl	fiber_switch
	.hidden	fiber_switch
	.type	fiber_switch, @function
	.p2align 4
fiber_switch:
	.cfi_startproc
	pushq	%rbp
	pushq	%rbx
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	movq	%rsp, (%rdi)
	movq	%rsi, %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbx
	popq	%rbp
	popq	%rcx
	jmp	*%rcx
	.cfi_endproc
	.size	fiber_switch, .-fiber_switch

/*
 * void hop_switch(void *top, void (*fn)(void *), void *arg): fn(arg) with its frames
 * below `top`, 16-byte aligned.
 */
	.globl	hop_switch
	.hidden	hop_switch
	.type	hop_switch, @function
	.p2align 4
hop_switch:
	.cfi_startproc
	pushq	%rbp
	.cfi_def_cfa_offset 16
	.cfi_offset rbp, -16
	movq	%rsp, %rbp
	.cfi_def_cfa_register rbp
	movq	%rdi, %rsp
	movq	%rdx, %rdi
	call	*%rsi
	movq	%rbp, %rsp
	popq	%rbp
	.cfi_def_cfa rsp, 8
	ret
	.cfi_endproc
	.size	hop_switch, .-hop_switch

/* First code of a new stack: r12 = entry, r13 = argument. */
	.globl	fiber_start
	.hidden	fiber_start
	.type	fiber_start, @function
fiber_start:
	.cfi_startproc
	.cfi_undefined rip
	movq	%r13, %rdi
	call	*%r12
	ud2
	.cfi_endproc
	.size	fiber_start, .-fiber_start
#endif
	.section .note.GNU-stack,"",%progbits
