# Included by the Makefile: set-up, test guests, Debian's guests, and the targets that try and test Quire.
PYTHON := /usr/bin/python3
GUESTNAMES := $(notdir $(patsubst %/,%,$(dir $(wildcard tests/guests/*/main.c))))
GUESTS := $(GUESTNAMES:%=$(B)/guests/%.elf)
GUESTLIB = $(call guest_objects,tests/guests/lib)
GFLAGS := -std=gnu11 -O2 -g -ffreestanding -fno-pic -fno-pie -mno-red-zone -mgeneral-regs-only \
	-fno-stack-protector -fno-asynchronous-unwind-tables -fcf-protection=none -fno-strict-aliasing \
	-fno-tree-loop-distribute-patterns -I. $(WARN)
DEBIAN := $(B)/debian/vmlinuz $(B)/debian/initrd.cpio

.PHONY: setup guests debian clang check test test-long unit bench bench-peers run run-image

setup: $(B)/setup.stamp
$(B)/setup.stamp: tests/setup.sh
	@mkdir -p $(@D)
	@sh tests/setup.sh
	@touch $@

# Test guests are 64-bit code in an ELF32 file: that is what Multiboot 1 loaders take.
$(B)/g/%.o: %.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(GFLAGS) -MMD -MP -c $< -o $@
$(B)/g/%.o: %.asm
	@mkdir -p $(@D)
	$(Q)nasm -f elf64 -I./ -MD $(@:.o=.d) -MP $< -o $@
guest_objects = $(patsubst %,$(B)/g/%.o,$(basename $(wildcard $(1)/*.c $(1)/*.asm)))
define guest_rule
$(B)/guests/$(1).elf: $(call guest_objects,tests/guests/$(1))
$(B)/guests/$(1).elf: $(GUESTLIB) tests/guests/lib/guest.lds
	@mkdir -p $$(@D)
	$$(Q)ld -nostdlib -static -z noexecstack --no-warn-rwx-segments -T tests/guests/lib/guest.lds \
		-o $$@.64 $$(filter %.o,$$^)
	$$(Q)objcopy -O elf32-i386 --strip-debug $$@.64 $$@
endef
$(foreach guest,$(GUESTNAMES),$(eval $(call guest_rule,$(guest))))

$(B)/debian/vmlinuz: tests/initramfs/fetch.sh | $(B)/setup.stamp
	@sh tests/initramfs/fetch.sh $(B)/debian && touch $@
$(B)/debian/initrd.cpio: $(B)/debian/vmlinuz $(wildcard tests/initramfs/*)
	@sh tests/initramfs/build.sh $(B)/debian $@
debian: $(DEBIAN)
guests: $(GUESTS) $(DEBIAN)

# The same sources through clang, for its warnings only.
clang: $(KSRC:%=$(B)/clang/%.ok) $(sort $(MACHINESRC:%=$(B)/clang/%.u.ok) $(MONITORSRC:%=$(B)/clang/%.u.ok))
$(B)/clang/boot/%.ok: boot/%
	@mkdir -p $(@D)
	$(Q)clang $(BOOTFLAGS) -fsyntax-only -MMD -MP -MF $(@:.ok=.d) -MT $@ $< && touch $@
$(B)/clang/%.u.ok: %
	@mkdir -p $(@D)
	$(Q)clang $(UFLAGS) -fsyntax-only -MMD -MP -MF $(@:.ok=.d) -MT $@ $< && touch $@
$(B)/clang/%.ok: %
	@mkdir -p $(@D)
	$(Q)clang $(KFLAGS) -fsyntax-only -MMD -MP -MF $(@:.ok=.d) -MT $@ $< && touch $@

unit: setup $(LZ4)
	@$(PYTHON) tests/unit.py
check test test-long: setup $(LZ4)
	@$(PYTHON) tests/run.py $@
bench: setup all guests
	@PYTHONPATH=tests $(PYTHON) -m bench $(PARTS)
# The same beside Linux's KVM, some 45 minutes.  PARTS="exits debian": only these, and docs/bench.md stays.
bench-peers: setup all guests $(B)/peer.cpio
	@PYTHONPATH=tests $(PYTHON) -m bench.peers $(PARTS)
$(B)/peer.cpio: $(wildcard tests/bench/peer/*) $(B)/guests/bench.elf $(DEBIAN)
	@sh tests/bench/peer/build.sh $(B)/debian $(B)/guests/bench.elf $@

# Two Debian guests under Quire, on this terminal.  Ctrl-A x leaves the emulator.  MACHINE=bochs: on Intel.
RUN_qemu := sh tests/qemu.sh
RUN_bochs := $(PYTHON) tests/bochs.py
MACHINE ?= qemu
run: setup
	@$(MAKE) --no-print-directory -j2 all debian
	@$(MAKE) --no-print-directory run-image
run-image:
	@mkdir -p $(B)/run
	@cp tests/run.conf $(B)/run/quire.conf
	@ln -f $(DEBIAN) $(B)/run/ 2>/dev/null || cp $(DEBIAN) $(B)/run/
	@$(MAKE) --no-print-directory image DIR=$(B)/run OUT=$(B)/run.img
	@$(RUN_$(MACHINE)) $(B)/run.img
