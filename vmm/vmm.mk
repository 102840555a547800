# The machine process's DSDT and SSDT: ASL, by way of the C preprocessor, compiled by iasl, embedded as read-only bytes
# acpi_dsdt and acpi_ssdt.  MACHINE_EXTRA: objects that machine.elf needs besides those of its C files.
MACHINE_EXTRA := $(B)/u/vmm/machine/dsdt.o $(B)/u/vmm/machine/ssdt.o

$(B)/u/vmm/machine/%.aml: vmm/machine/%.asl
	@mkdir -p $(@D)
	$(Q)gcc -E -P -x c $< -o $(basename $@).asl
	$(Q)iasl -p $(basename $@) $(basename $@).asl >$(@:.aml=.log) 2>&1 || { cat $(@:.aml=.log); exit 1; }

$(MACHINE_EXTRA): %.o: %.aml
	$(Q)cd $(@D) && ld -r -b binary -z noexecstack -o $(*F).raw.o $(*F).aml
	$(Q)objcopy --rename-section .data=.rodata,alloc,load,readonly,data,contents \
		--redefine-sym _binary_$(*F)_aml_start=acpi_$(*F) --strip-symbol _binary_$(*F)_aml_end \
		--strip-symbol _binary_$(*F)_aml_size $(@D)/$(*F).raw.o $@
