# The machine process's DSDT: ASL compiled by iasl, embedded as read-only bytes between acpi_dsdt and
# acpi_dsdt_end.  MACHINE_EXTRA: objects that machine.elf needs besides those of its C files.
MACHINE_EXTRA := $(B)/u/vmm/machine/dsdt.o

$(B)/u/vmm/machine/dsdt.aml: vmm/machine/dsdt.asl
	@mkdir -p $(@D)
	$(Q)iasl -p $(basename $@) $< >$(@:.aml=.log) 2>&1 || { cat $(@:.aml=.log); exit 1; }

$(B)/u/vmm/machine/dsdt.o: $(B)/u/vmm/machine/dsdt.aml
	$(Q)cd $(@D) && ld -r -b binary -z noexecstack -o dsdt.raw.o dsdt.aml
	$(Q)objcopy --rename-section .data=.rodata,alloc,load,readonly,data,contents \
		--redefine-sym _binary_dsdt_aml_start=acpi_dsdt --redefine-sym _binary_dsdt_aml_end=acpi_dsdt_end \
		--strip-symbol _binary_dsdt_aml_size $(@D)/dsdt.raw.o $@
