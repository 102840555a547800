; The console font, unpacked by drivers.mk.
section .rodata
global font_file:data hidden, font_file_end:data hidden
font_file:
	incbin "font.psf"
font_file_end:
