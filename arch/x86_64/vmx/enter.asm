; The entry to a guest and the way back: SDM 3C §27, §28.  Interrupts are off from before the entry until
; after the exit; one that comes in the guest ends it and stays pending.

%include "arch/x86_64/world.inc"

bits 64
default rel
global vmx_enter:function hidden
global vmx_exit:function hidden

%define VMCS_HOST_RSP 6c14h

section .text

; u64 vmx_enter(u64 *gpr, bool launched); gpr in enum gpr's order, RSP is in the VMCS.  0: it was entered and
; left; 1: the instruction failed.
align 16
vmx_enter:
	push rbx
	push rbp
	push r12
	push r13
	push r14
	push r15
	push rdi
	mov eax, VMCS_HOST_RSP
	vmwrite rax, rsp
	test sil, sil			; no MOV below changes the flags
	mov rax, [rdi + 0 * 8]
	mov rcx, [rdi + 1 * 8]
	mov rdx, [rdi + 2 * 8]
	mov rbx, [rdi + 3 * 8]
	mov rbp, [rdi + 5 * 8]
	mov rsi, [rdi + 6 * 8]
	mov r8, [rdi + 8 * 8]
	mov r9, [rdi + 9 * 8]
	mov r10, [rdi + 10 * 8]
	mov r11, [rdi + 11 * 8]
	mov r12, [rdi + 12 * 8]
	mov r13, [rdi + 13 * 8]
	mov r14, [rdi + 14 * 8]
	mov r15, [rdi + 15 * 8]
	mov rdi, [rdi + 7 * 8]
	jz .first
	vmresume
	jmp .failed
.first:
	vmlaunch
.failed:
	pop rdi
	mov eax, 1
	jmp out

align 16
vmx_exit:				; the VMCS's host RIP; RSP as at the VMWRITE above
	push rax
	mov rax, [rsp + 8]
	STORE_GUEST
	pop rcx
	mov [rax], rcx
	pop rdi
	xor eax, eax
out:
	pop r15
	pop r14
	pop r13
	pop r12
	pop rbp
	pop rbx
	; nothing of the guest's stays in registers that C may read before it writes them
	xor ecx, ecx
	xor edx, edx
	xor esi, esi
	xor edi, edi
	xor r8d, r8d
	xor r9d, r9d
	xor r10d, r10d
	xor r11d, r11d
	ret

section .note.GNU-stack noalloc noexec nowrite progbits
