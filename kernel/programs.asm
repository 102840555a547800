; The ring-3 programs, page aligned so that their text is mapped from here.
bits 64
section .rodata align=4096
global program_machine:data hidden
global program_monitor:data hidden
align 4096
program_machine:
	incbin "machine.elf.stripped"
align 4096
program_monitor:
	incbin "monitor.elf.stripped"
align 4096
section .note.GNU-stack noalloc noexec nowrite progbits
