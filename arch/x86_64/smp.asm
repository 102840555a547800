; Where another CPU begins: real mode, then protected mode, then long mode.  smp.c copies this to a page below
; 1 MiB and fills in the data at its end (struct trampoline_data).  Position independent: EBX is the page.

%define D(label) (label - smp_trampoline)

default rel
section .text
global smp_trampoline:data hidden, smp_trampoline_32:data hidden, smp_trampoline_64:data hidden
global smp_trampoline_data:data hidden, smp_trampoline_end:data hidden

bits 16
align 16
smp_trampoline:
	cli
	cld
	xor ebx, ebx
	mov bx, cs
	shl ebx, 4
	mov ax, cs
	mov ds, ax
	o32 lgdt [D(gdt_pointer)]
	mov eax, cr0
	or al, 1
	mov cr0, eax
	jmp far dword [D(far32)]

bits 32
smp_trampoline_32:
	mov ax, 10h
	mov ds, eax
	mov es, eax
	mov ss, eax
	mov eax, [ebx + D(cr4_first)]
	mov cr4, eax
	mov eax, [ebx + D(cr3_value)]
	mov cr3, eax
	mov ecx, 277h                   ; PAT, before anything is cached by it
	mov eax, [ebx + D(pat)]
	mov edx, [ebx + D(pat) + 4]
	wrmsr
	mov ecx, 0c0000080h             ; EFER
	mov eax, [ebx + D(efer)]
	xor edx, edx
	wrmsr
	mov eax, [ebx + D(cr0_value)]
	mov cr0, eax                    ; paging on: long mode, still 32-bit code
	jmp far dword [ebx + D(far64)]

bits 64
smp_trampoline_64:
	mov ebx, ebx                    ; the upper half is undefined after the change of mode
	mov rax, [rbx + D(cr4_value)]
	mov cr4, rax
	xor eax, eax
	mov ds, eax
	mov es, eax
	mov fs, eax
	mov gs, eax
	mov ss, eax
	mov rsp, [rbx + D(stack)]
	mov rdi, [rbx + D(argument)]
	mov rax, [rbx + D(entry)]
	xor ebp, ebp                    ; where backtraces end
	push rbp
	jmp rax

align 8
smp_trampoline_data:
far32:		dd 0, 0
far64:		dd 0, 0
gdt_pointer:	dw 0
		dd 0
		dw 0
		times 4 dq 0
cr3_value:	dq 0
cr4_first:	dq 0
cr4_value:	dq 0
efer:		dq 0
cr0_value:	dq 0
pat:		dq 0
stack:		dq 0
entry:		dq 0
argument:	dq 0
smp_trampoline_end:
