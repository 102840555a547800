; Multiboot 1 entry of a test guest: 32-bit protected mode to long mode with 4 GiB mapped one to one, the 256
; interrupt stubs, the way into and out of a function that may fault, and the start of further processors.
	section .multiboot
	align 4
	dd 0x1badb002, 3, -(0x1badb002 + 3)

	extern guest_main, trap_dispatch, processor_main
	global start, trap_stubs, catch_run, trap_abort, page_pml4, page_pd, ap_code, ap_code_end, guest_gdt

	section .bss
	align 4096
page_pml4: resb 4096
page_pdpt: resb 4096
page_pd: resb 4 * 4096
stacks: resb 16 * 16384		; one for each processor, by its index
catch_rsp: resq 1

	section .data
	align 16
guest_gdt:
	dq 0
	dq 0x00af9b000000ffff		; 08 64-bit code
	dq 0x00cf93000000ffff		; 10 data
	dq 0x00cf9b000000ffff		; 18 32-bit code
	dq 0x00cf13000000ffff		; 20 data, not present
	dq 0x00affb000000ffff		; 28 64-bit code of ring 3
	dq 0x00cff3000000ffff		; 30 data of ring 3
	dq 0, 0				; 38 the TSS, filled by trap.c
gdt_end:
gdt_pointer:
	dw gdt_end - guest_gdt - 1
	dq guest_gdt
ap_index: dd 1

	section .text
	bits 32
start:
	cli
	mov esp, stacks + 16384
	mov esi, ebx			; the Multiboot information
	mov edi, eax
	mov dword [page_pml4], page_pdpt + 3
	mov ecx, 0
.pdpt:	mov eax, ecx
	shl eax, 12
	add eax, page_pd + 3
	mov [page_pdpt + ecx * 8], eax
	inc ecx
	cmp ecx, 4
	jb .pdpt
	xor ecx, ecx
.pd:	mov eax, ecx
	shl eax, 21
	or eax, 0x83
	mov [page_pd + ecx * 8], eax
	inc ecx
	cmp ecx, 2048
	jb .pd
	call enter_long
	lgdt [gdt_pointer]
	jmp 8:.long
	bits 64
.long:	mov ax, 0x10
	mov ds, ax
	mov es, ax
	mov ss, ax
	mov esp, stacks + 16384
	mov edi, edi
	mov esi, esi
	call guest_main
.stop:	cli
	hlt
	jmp .stop

	bits 32
; Turns on long mode with the guest's page tables: PAE, SSE, EFER.LME and NXE, paging and write protection.
enter_long:
	mov eax, cr4
	or eax, 0x620
	mov cr4, eax
	mov eax, page_pml4
	mov cr3, eax
	mov ecx, 0xc0000080
	rdmsr
	or eax, 0x900
	wrmsr
	mov eax, cr0
	or eax, 0x80010022
	and eax, ~0xc
	mov cr0, eax
	ret

; Where a further processor starts, copied to 8000h: SIPI with vector 8.
	bits 16
ap_code:
	cli
	xor ax, ax
	mov ds, ax
	lgdt [ap_gdt_pointer - ap_code + 0x8000]
	mov eax, cr0
	or al, 1
	mov cr0, eax
	jmp dword 0x18:ap_protected
ap_gdt_pointer:
	dw gdt_end - guest_gdt - 1
	dd guest_gdt
ap_code_end:
	bits 32
ap_protected:
	mov ax, 0x10
	mov ds, ax
	mov es, ax
	mov ss, ax
	mov eax, 1
	lock xadd [ap_index], eax
	mov edi, eax
	inc eax
	shl eax, 14
	lea esp, [stacks + eax]
	call enter_long
	jmp 8:.long
	bits 64
.long:	mov edi, edi
	call processor_main
.stop:	cli
	hlt
	jmp .stop

; Stubs of 16 bytes: the vector and an error code (0 where the processor gives none) on the stack.
	align 16
trap_stubs:
%assign vector 0
%rep 256
	align 16
%if vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21
	nop
	nop
%else
	push 0
%endif
	push strict dword vector
	jmp trap_common
%assign vector vector + 1
%endrep

trap_common:
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
	cld
	mov rdi, rsp
	mov rbx, rsp
	and rsp, -16
	call trap_dispatch
	mov rsp, rbx
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
	add rsp, 16
	iretq

; u64 catch_run(void (*f)(void *), void *argument): -1, or the vector of the fault that ended f.
catch_run:
	push rbx
	push rbp
	push r12
	push r13
	push r14
	push r15
	push qword [rel catch_rsp]
	mov [rel catch_rsp], rsp
	mov rax, rdi
	mov rdi, rsi
	call rax
	mov rax, -1
	jmp catch_end
; trap_dispatch lets a fault inside f return to here, with the vector in RAX.
trap_abort:
	mov rsp, [rel catch_rsp]
catch_end:
	cld
	pop qword [rel catch_rsp]
	pop r15
	pop r14
	pop r13
	pop r12
	pop rbp
	pop rbx
	ret
