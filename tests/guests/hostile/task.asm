; A hardware task switch: out of long mode, paging off, and a far JMP to another task's TSS.  That task says so.
	section .text
	global task_switch
	bits 64
; void task_switch(void); does not return
task_switch:
	lgdt [abs gdt_pointer]
	push qword CODE32
	push qword .compat
	retfq
	bits 32
.compat:
	mov ax, DATA
	mov ds, ax
	mov es, ax
	mov ss, ax
	mov eax, cr0
	and eax, 0x7fffffff
	mov cr0, eax
	mov ecx, 0xc0000080
	rdmsr
	and eax, ~0x100
	wrmsr
	mov eax, old_tss		; bases are known only to the linker: put them in here
	mov ebx, gdt + OLD_TSS
	call .base
	mov eax, new_tss
	mov ebx, gdt + NEW_TSS
	call .base
	mov ax, OLD_TSS
	ltr ax
	jmp NEW_TSS:0
.base:	mov [ebx + 2], ax
	shr eax, 16
	mov [ebx + 4], al
	mov [ebx + 7], ah
	ret

new_task:
	mov esi, text
	mov ecx, text_end - text
.next:	mov dx, 0x3fd
.wait:	in al, dx
	test al, 0x20
	jz .wait
	mov dx, 0x3f8
	lodsb
	out dx, al
	loop .next
.stop:	cli
	hlt
	jmp .stop

	section .data
text:	db "SURVIVED task", 13, 10
text_end:
	align 8
gdt:	dq 0
CODE32 equ $ - gdt
	dq 0x00cf9b000000ffff
DATA equ $ - gdt
	dq 0x00cf93000000ffff
OLD_TSS equ $ - gdt
	dq 0x0000890000000067
NEW_TSS equ $ - gdt
	dq 0x0000890000000067
gdt_pointer:
	dw gdt_pointer - gdt - 1
	dq gdt
	align 8
old_tss: times 104 db 0
new_tss:
	times 7 dd 0			; link, stacks of rings 0 to 2
	dd 0				; CR3
	dd new_task
	dd 2				; EFLAGS
	times 4 dd 0			; EAX to EBX
	dd stack_end
	times 3 dd 0			; EBP, ESI, EDI
	dd DATA, CODE32, DATA, DATA, DATA, DATA ; ES CS SS DS FS GS
	dd 0				; LDT
	dw 0, 104			; no I/O map
	times 256 db 0
stack_end:
