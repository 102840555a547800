; The entry to a guest and the way back: APM 2 §15.5.
; Between CLGI and STGI no interrupt is taken; host IF is 1 in the guest, so that a pending one ends it
; (V_INTR_MASKING), and 0 again before STGI.

bits 64
default rel
global svm_enter:function hidden

section .text

; void svm_enter(u64 vmcb, u64 *gpr, u64 host_vmcb); gpr in enum gpr's order, RAX and RSP are in the VMCB
align 16
svm_enter:
	push rbx
	push rbp
	push r12
	push r13
	push r14
	push r15
	push rsi
	push rdx
	clgi
	sti
	mov rax, rdi
	mov rcx, [rsi + 1 * 8]
	mov rdx, [rsi + 2 * 8]
	mov rbx, [rsi + 3 * 8]
	mov rbp, [rsi + 5 * 8]
	mov rdi, [rsi + 7 * 8]
	mov r8, [rsi + 8 * 8]
	mov r9, [rsi + 9 * 8]
	mov r10, [rsi + 10 * 8]
	mov r11, [rsi + 11 * 8]
	mov r12, [rsi + 12 * 8]
	mov r13, [rsi + 13 * 8]
	mov r14, [rsi + 14 * 8]
	mov r15, [rsi + 15 * 8]
	mov rsi, [rsi + 6 * 8]
	vmload
	vmrun
	vmsave
	mov rax, [rsp + 8]
	mov [rax + 1 * 8], rcx
	mov [rax + 2 * 8], rdx
	mov [rax + 3 * 8], rbx
	mov [rax + 5 * 8], rbp
	mov [rax + 6 * 8], rsi
	mov [rax + 7 * 8], rdi
	mov [rax + 8 * 8], r8
	mov [rax + 9 * 8], r9
	mov [rax + 10 * 8], r10
	mov [rax + 11 * 8], r11
	mov [rax + 12 * 8], r12
	mov [rax + 13 * 8], r13
	mov [rax + 14 * 8], r14
	mov [rax + 15 * 8], r15
	pop rax
	vmload				; the host's GS, TR and SYSCALL registers
	cli
	stgi
	pop rsi
	pop r15
	pop r14
	pop r13
	pop r12
	pop rbp
	pop rbx
	cld
	ret

section .note.GNU-stack noalloc noexec nowrite progbits
