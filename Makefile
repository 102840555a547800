# Quire.  make: the UEFI program; make run: try it; make check: the fast checks; make test: all that CI runs.
CC := gcc
.DEFAULT_GOAL := all
B := build
Q := @

WARN := -Wall -Wextra -Werror -Wno-unused-parameter -Wmissing-prototypes -Wstrict-prototypes -Wvla -Wshadow
FREE := -std=gnu11 -O2 -g -ffreestanding -fvisibility=hidden -mgeneral-regs-only -fno-strict-aliasing \
	-fno-stack-protector -fno-asynchronous-unwind-tables -fno-omit-frame-pointer -fcf-protection=none -I. $(WARN)
GCC_ONLY := -fno-tree-loop-distribute-patterns
KFLAGS := $(FREE) -fPIE -mno-red-zone -DLOCK_CHECK=$(if $(DEBUG),1,0)
BOOTFLAGS := $(KFLAGS) -fshort-wchar -DGNU_EFI_USE_MS_ABI -isystem /usr/include/efi -isystem /usr/include/efi/x86_64
UFLAGS := $(FREE) -fPIE
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)

KSRC := $(sort $(wildcard boot/*.c arch/x86_64/*.c arch/x86_64/*/*.c kernel/*.c kernel/lib/*.c drivers/*.c))
KASM := $(sort $(wildcard boot/*.asm arch/x86_64/*.asm arch/x86_64/*/*.asm kernel/*.asm))
LIBSRC := $(sort $(wildcard vmm/lib/*.c kernel/lib/*.c))
MACHINESRC := $(LIBSRC) $(sort $(wildcard vmm/machine/*.c))
MONITORSRC := $(LIBSRC) $(sort $(wildcard vmm/monitor/*.c))

include drivers/drivers.mk kernel/kernel.mk vmm/vmm.mk
KOBJ := $(KSRC:%.c=$(B)/k/%.o) $(KASM:%.asm=$(B)/k/%.asm.o) $(DRIVERS_OBJ)
MACHINEOBJ := $(MACHINESRC:%.c=$(B)/u/%.o) $(MACHINE_EXTRA)
MONITOROBJ := $(MONITORSRC:%.c=$(B)/u/%.o)

all: $(B)/BOOTX64.EFI
.PHONY: all
.DELETE_ON_ERROR:
.SECONDARY:

$(B)/k/boot/%.o: boot/%.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(BOOTFLAGS) $(GCC_ONLY) -MMD -MP -c $< -o $@
$(B)/k/%.o: %.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(KFLAGS) $(GCC_ONLY) -MMD -MP -c $< -o $@
$(B)/k/%.asm.o: %.asm
	@mkdir -p $(@D)
	$(Q)nasm -f elf64 -g -I./ -I$(B)/ -MD $(@:.o=.d) -MP $< -o $@
$(B)/u/%.o: %.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(UFLAGS) $(GCC_ONLY) -MMD -MP -c $< -o $@

# The two ring-3 programs, at the fixed address of process space.
$(B)/machine.elf: $(MACHINEOBJ) vmm/lib/program.lds
	$(Q)ld -nostdlib -static -z noexecstack -T vmm/lib/program.lds -o $@ $(MACHINEOBJ)
$(B)/monitor.elf: $(MONITOROBJ) vmm/lib/program.lds
	$(Q)ld -nostdlib -static -z noexecstack -T vmm/lib/program.lds -o $@ $(MONITOROBJ)
%.stripped: %
	$(Q)objcopy --strip-all $< $@
$(B)/k/kernel/programs.asm.o: $(B)/machine.elf.stripped $(B)/monitor.elf.stripped

# The version is compiled in, and only what shows it is built again when it changes.
build/version.h: FORCE
	@mkdir -p $(@D)
	@echo '#define QUIRE_VERSION "$(VERSION)"' >$@.new; cmp -s $@.new $@ || cp $@.new $@
$(B)/k/kernel/host_info.o: build/version.h
.PHONY: FORCE

include boot/boot.mk tests/tests.mk
# Whatever is built needs its packages first.
$(KOBJ) $(MACHINEOBJ) $(MONITOROBJ) $(FONT): | $(B)/setup.stamp

-include $(shell find $(B) -name '*.d' 2>/dev/null)
