; The entry to a guest and the way back: APM 2 §15.5.
; Between CLGI and STGI no interrupt is taken; host IF is 1 in the guest, so that a pending one ends it
; (V_INTR_MASKING), and 0 again before STGI.

%include "arch/x86_64/world.inc"

bits 64
default rel
global svm_enter:function hidden
global svm_exited:function hidden

section .text

; In: RDI the VMCB's address, RSI the registers in enum gpr's order (RAX and RSP are in the VMCB), RDX the host's VMCB.
; Keeps RBP and RSP.  RFLAGS is the host's again after a #VMEXIT (§15.6), DF with it.
align 16
svm_enter:
	push rbp
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
svm_exited:
	vmsave
	mov rax, [rsp + 8]
	STORE_GUEST
	pop rax
	vmload				; the host's GS, TR and SYSCALL registers
	cli
	stgi
	pop rsi
	pop rbp
	ret

section .note.GNU-stack noalloc noexec nowrite progbits
