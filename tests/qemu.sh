#!/bin/sh
# qemu.sh DISK [OPTION...]: boots a disk image on this terminal.
# Ctrl-C and Ctrl-] reach Quire, Ctrl-A x leaves.
# KVM is used only where it can pass SVM on; otherwise TCG emulates it.
set -eu
disk=$1
shift
accel="-accel tcg,thread=multi -cpu max"
# On one host processor: see "The emulator's fault" in docs/testing.md.
on="taskset -c $(taskset -cp $$ | sed 's/.*: *\([0-9]*\).*/\1/')"
if [ -w /dev/kvm ] && grep -qw svm /proc/cpuinfo &&
	grep -qE '^(1|Y)' /sys/module/kvm_amd/parameters/nested 2>/dev/null; then
	accel="-accel kvm -cpu host"
	on=
fi
exec $on qemu-system-x86_64 -machine q35 $accel -smp 2 -m 1024 \
	-display none -serial mon:stdio -no-reboot -net none \
	-drive if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE.fd \
	-drive format=raw,file="$disk" "$@"
