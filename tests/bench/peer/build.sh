#!/bin/sh
# build.sh DEBIAN GUEST OUT: makes the initramfs of the peer: busybox, Debian's QEMU as it is installed here with the
# libraries and ROMs that it needs, KVM's modules, the bench guest and Debian's guest.  Not compressed: see below.
set -eu
debian=$1 guest=$2 out=$3 here=$(dirname "$0")
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root/bin" "$root/dev" "$root/proc" "$root/sys" "$root/tmp" "$root/lib" "$root/guests"

qemu=$(command -v qemu-system-x86_64)
cp "$(command -v busybox)" "$root/bin/busybox"
for applet in $("$root/bin/busybox" --list); do
	case $applet in busybox) ;; *) ln -s busybox "$root/bin/$applet" ;; esac
done
cp "$qemu" "$root/bin/qemu"
# A library keeps the path that ldd names: the loader looks there.
for library in $(ldd "$qemu" | grep -o '/[^ ]*'); do
	mkdir -p "$root$(dirname "$library")"
	cp -L "$library" "$root$library"
done
mkdir -p "$root/roms"
for rom in bios-256k.bin kvmvapic.bin linuxboot_dma.bin multiboot_dma.bin; do
	cp -L "/usr/share/seabios/$rom" "$root/roms/" 2>/dev/null || cp -L "/usr/share/qemu/$rom" "$root/roms/"
done
cp "$debian/modules/irqbypass.ko" "$debian/modules/kvm.ko" "$debian/modules/kvm-amd.ko" "$root/lib/"
cp "$debian/vmlinuz" "$debian/initrd.cpio" "$guest" "$root/guests/"
cp "$here/init" "$root/init"
chmod 755 "$root/init"
# Unpacking costs emulated instructions, and the emulated machine has no disk to read from: no compression.
(cd "$root" && find . | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0) >"$out.part"
mv "$out.part" "$out"
