; A walk through the processor's modes, copied to LOW and called there: long, compatibility, protected without
; paging, PAE paging, two-level paging, real mode with an interrupt, and back.  Each mode leaves its mark.
LOW equ 0x9000
%define at(label) (label - modes_code + LOW)

	section .text
	global modes_code, modes_code_end
	extern page_pd, page_pml4
	bits 64
; void (*)(char *marks, u32 *table): table is a page for the two-level and the PAE table, both below 4 GiB
modes_code:
	push rbx
	push rbp
	push r12
	push r13
	push r14
	push r15
	mov ebx, edi
	mov ebp, esi
	mov [abs at(saved_rsp)], rsp
	sgdt [abs at(saved_gdt)]
	sidt [abs at(saved_idt)]
	lgdt [abs at(gdt_pointer)]
	push qword 0x18
	push qword at(.compat)
	retfq
	bits 32
.compat:
	mov ax, 0x10
	mov ds, ax
	mov es, ax
	mov ss, ax
	mov esp, at(stack_end)
	mov byte [ebx], 'C'
	mov eax, cr0
	and eax, 0x7fffffff
	mov cr0, eax
	mov byte [ebx + 1], 'P'
	mov ecx, 0xc0000080
	rdmsr
	and eax, ~0x100
	wrmsr
; PAE: four page directories, those of long mode
	lea edx, [ebp + 2048]
	mov eax, page_pd + 1
	xor ecx, ecx
.pdpt:	mov [edx + ecx * 8], eax
	mov dword [edx + ecx * 8 + 4], 0
	add eax, 4096
	inc ecx
	cmp ecx, 4
	jb .pdpt
	mov cr3, edx
	mov eax, cr0
	or eax, 0x80000000
	mov cr0, eax
	mov byte [ebx + 2], 'A'
	and eax, 0x7fffffff
	mov cr0, eax
; two levels with 4 MiB pages: the first 16 MiB are enough, and LOW's table is below them
	mov eax, cr4
	and eax, ~0x20
	or eax, 0x10
	mov cr4, eax
	xor ecx, ecx
.pd:	mov eax, ecx
	shl eax, 22
	or eax, 0x83
	mov [ebp + ecx * 4], eax
	inc ecx
	cmp ecx, 4
	jb .pd
	mov cr3, ebp
	mov eax, cr0
	or eax, 0x80000000
	mov cr0, eax
	mov byte [ebx + 3], 'L'
	and eax, 0x7fffffff
	mov cr0, eax
	lidt [at(real_idt)]
	jmp 0x20:at(.protected16)
	bits 16
.protected16:
	mov ax, 0x28
	mov ds, ax
	mov es, ax
	mov ss, ax
	mov eax, cr0
	and al, 0xfe
	mov cr0, eax
	jmp 0:at(.real)
.real:	xor ax, ax
	mov ds, ax
	mov ss, ax
	mov sp, at(stack_end)
	mov word [0x60 * 4], at(real_handler)
	mov word [0x60 * 4 + 2], 0
	mov si, at(real_mark)
	int 0x60
	cpuid				; an exit in real mode
	mov cx, 3
.port:	in al, 0x61
	loop .port
	mov eax, cr0
	or al, 1
	mov cr0, eax
	jmp dword 0x18:at(.back)
	bits 32
.back:	mov ax, 0x10
	mov ds, ax
	mov es, ax
	mov ss, ax
	mov ebx, [at(saved_rbx)]
	mov al, [at(real_mark)]
	mov [ebx + 4], al
	mov byte [at(real_mark)], 0
	mov eax, cr4
	and eax, ~0x10
	or eax, 0x20
	mov cr4, eax
	mov eax, page_pml4
	mov cr3, eax
	mov ecx, 0xc0000080
	rdmsr
	or eax, 0x100
	wrmsr
	mov eax, cr0
	or eax, 0x80000000
	mov cr0, eax
	jmp 8:at(.long)
	bits 64
.long:	mov rsp, [abs at(saved_rsp)]
	lgdt [abs at(saved_gdt)]
	lidt [abs at(saved_idt)]
	mov byte [rbx + 5], '6'
	pop r15
	pop r14
	pop r13
	pop r12
	pop rbp
	pop rbx
	ret
	bits 16
real_handler:
	mov byte [si], 'R'
	mov [at(saved_rbx)], ebx
	iret
	align 8
modes_gdt:
	dq 0
	dq 0x00af9b000000ffff		; 08 64-bit code
	dq 0x00cf93000000ffff		; 10 data
	dq 0x00cf9b000000ffff		; 18 32-bit code
	dq 0x00009b000000ffff		; 20 16-bit code
	dq 0x000093000000ffff		; 28 16-bit data
gdt_pointer:
	dw 47
	dq at(modes_gdt)
real_idt:
	dw 0x3ff
	dd 0
real_mark: db 0
	align 8
saved_rsp: dq 0
saved_rbx: dq 0
saved_gdt: dw 0
	dq 0
saved_idt: dw 0
	dq 0
	times 512 db 0
stack_end:
modes_code_end:
