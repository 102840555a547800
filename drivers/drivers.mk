# The framebuffer's font: of Debian's psf-unifont, or make FONT=FILE with any other 8 pixels wide.
FONT ?= /usr/share/consolefonts/Unifont-APL8x16.psf.gz
DRIVERS_OBJ := $(B)/k/drivers/font.asm.o

$(B)/font.psf: $(FONT)
	@mkdir -p $(@D)
	$(Q)gzip -dc $< >$@
$(DRIVERS_OBJ): $(B)/font.psf
