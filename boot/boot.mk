# The UEFI program: two links (the second carries the first's symbol table, for backtraces), then a plain PE.
EFI_CRT := /usr/lib/crt0-efi-x86_64.o
EFI_LIB := /usr/lib/libgnuefi.a
EFI_LDFLAGS := -nostdlib -pie --no-dynamic-linker -z text -z noexecstack -z norelro -z max-page-size=4096 \
	--build-id=none --no-undefined --no-warn-rwx-segments -T boot/quire.lds
EFI_SECTIONS := .text .reloc .rodata .data .bss .dynamic .rela .sbat .symbols

$(B)/quire.first.elf: $(KOBJ) boot/quire.lds
	$(Q)ld $(EFI_LDFLAGS) -o $@ $(EFI_CRT) $(KOBJ) $(EFI_LIB)
$(B)/symbols.s: $(B)/quire.first.elf boot/symbols.awk
	$(Q)nm -n $< | LC_ALL=C awk -f boot/symbols.awk >$@
$(B)/symbols.o: $(B)/symbols.s
	$(Q)as -o $@ $<
$(B)/quire.elf: $(B)/symbols.o boot/quire.lds
	$(Q)ld $(EFI_LDFLAGS) -o $@ $(EFI_CRT) $(KOBJ) $(EFI_LIB) $(B)/symbols.o
$(B)/BOOTX64.EFI: $(B)/quire.elf
	$(Q)SOURCE_DATE_EPOCH=0 objcopy --strip-all $(addprefix -j ,$(EFI_SECTIONS)) \
		--target efi-app-x86_64 --subsystem=10 --file-alignment=512 --section-alignment=4096 $< $@

# make image DIR=folder OUT=disk.img: a bootable disk with that folder's files under \quire\.
image: $(B)/BOOTX64.EFI
	$(Q)boot/mkimage.sh $< '$(DIR)' '$(OUT)'
.PHONY: image
