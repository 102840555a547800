; Entering and leaving ring 3, and the stubs of all vectors.
; user_run keeps its caller's registers on the CPU's kernel stack and "returns" when ring 3 traps: ring 3 is
; left at the end of the thread's struct user_regs (TSS.RSP0), so that the processor itself saves into it.
; Invariant: in ring 0 GS is struct cpu; the user's GS base is always 0, so NMIs can tell whose GS it is.

bits 64
default rel

%define CPU_KERNEL_RSP 8
%define CPU_USER 16
%define CPU_SCRATCH 24
%define CPU_TSS_RSP0 44
%define REGS_SIZE 176
%define REGS_VECTOR 120
%define REGS_RIP 136
%define REGS_CS 144
%define REGS_RFLAGS 152
%define REGS_RSP 160
%define REGS_SS 168
%define TRAP_SYSCALL 256
%define USER_DATA 0x1b
%define USER_CODE 0x23
%define MSR_GS_BASE 0xc0000101

extern trap_kernel:function hidden
extern trap_nmi:function hidden
extern svm_exited:function hidden
global user_run:function hidden
global trap_syscall:function hidden
global trap_stubs:data hidden
global cpu_switch_stack:function hidden

section .text

%macro push_all 0
	push rax
	push rcx
	push rdx
	push rbx
	push rbp
	push rsi
	push rdi
	push r8
	push r9
	push r10
	push r11
	push r12
	push r13
	push r14
	push r15
%endmacro

%macro pop_all 0
	pop r15
	pop r14
	pop r13
	pop r12
	pop r11
	pop r10
	pop r9
	pop r8
	pop rdi
	pop rsi
	pop rbp
	pop rbx
	pop rdx
	pop rcx
	pop rax
%endmacro

; u32 user_run(struct user_regs *regs)
align 16
user_run:
	push rbx
	push rbp
	push r12
	push r13
	push r14
	push r15
	mov [gs:CPU_KERNEL_RSP], rsp
	mov [gs:CPU_USER], rdi
	lea rax, [rdi + REGS_SIZE]
	mov [gs:CPU_TSS_RSP0], rax
	cmp qword [rdi + REGS_VECTOR], TRAP_SYSCALL
	mov rsp, rdi
	jne .by_iret
	pop_all
	mov rcx, [rsp + REGS_RIP - REGS_VECTOR]
	mov r11, [rsp + REGS_RFLAGS - REGS_VECTOR]
	mov rsp, [rsp + REGS_RSP - REGS_VECTOR]
	swapgs
	o64 sysret
.by_iret:
	pop_all
	add rsp, 16
	swapgs
	iretq

; SYSCALL lands here with RIP in RCX, RFLAGS in R11 and the user's stack.
align 16
trap_syscall:
	swapgs
	mov [gs:CPU_SCRATCH], rsp
	mov rsp, [gs:CPU_USER]
	add rsp, REGS_SIZE
	push USER_DATA
	push qword [gs:CPU_SCRATCH]
	push r11
	push USER_CODE
	push rcx
	push 0
	push TRAP_SYSCALL
	push_all
	mov eax, TRAP_SYSCALL
return_to_caller:
	mov rsp, [gs:CPU_KERNEL_RSP]
	pop r15
	pop r14
	pop r13
	pop r12
	pop rbp
	pop rbx
	ret

align 16
trap_common:
	test byte [rsp + 24], 3
	jz .from_kernel
	swapgs
	push_all
	mov eax, [rsp + REGS_VECTOR]
	mov rsp, [gs:CPU_KERNEL_RSP]
	push 2				; AC and DF are the user's: clear them
	popfq
	jmp return_to_caller
.from_kernel:
	push_all
	cld
	mov rdi, rsp
	mov rbp, rsp
	and rsp, -16
	call trap_kernel
	mov rsp, rbp
	pop_all
	add rsp, 16
	iretq

; Bochs 2.7 carries a guest's single step (RFLAGS.TF) over a #VMEXIT: a #DB before the host's first instruction.
; It is nobody's: what the exit interrupted is stepped when it has been completed.
align 16
trap_debug:
	push rax
	lea rax, [svm_exited]
	cmp [rsp + 24], rax
	pop rax
	jne trap_common
	add rsp, 16
	iretq

; NMI, double fault, machine check: on stacks of their own, possibly before SWAPGS.
align 16
trap_paranoid:
	push_all
	cld
	xor ebx, ebx
	mov ecx, MSR_GS_BASE
	rdmsr
	or eax, edx
	jnz .have_gs
	swapgs
	inc ebx
.have_gs:
	mov rdi, rsp
	mov rbp, rsp
	and rsp, -16
	call trap_nmi
	mov rsp, rbp
	test ebx, ebx
	jz .gs_done
	swapgs
.gs_done:
	pop_all
	add rsp, 16
	iretq

; One stub of 16 bytes a vector.
align 16
trap_stubs:
%assign i 0
%rep 256
	align 16
%if !(i == 8 || (i >= 10 && i <= 14) || i == 17 || i == 21 || i == 29 || i == 30)
	push 0
%endif
	push i
%if i == 2 || i == 8 || i == 18
	jmp near trap_paranoid
%elif i == 1
	jmp near trap_debug
%else
	jmp near trap_common
%endif
%assign i i + 1
%endrep
	align 16

; void cpu_switch_stack(u64 stack_top, void (*entry)(void *), void *argument)
align 16
cpu_switch_stack:
	mov rsp, rdi
	xor ebp, ebp
	mov rdi, rdx
	call rsi
	ud2

section .note.GNU-stack noalloc noexec nowrite progbits
