#!/bin/sh
# build.sh DEBIAN OUT: makes the test guests' initramfs: busybox, a small init, the kernel modules that it loads.
# Not compressed: its pages stay recognisable, and unpacking costs the guest nothing.
set -eu
debian=$1 out=$2 here=$(dirname "$0")
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root/bin" "$root/dev" "$root/proc" "$root/sys" "$root/lib" "$root/tmp" "$root/etc/acpi/PWRF"
cp "$(command -v busybox)" "$root/bin/busybox"
for applet in $("$root/bin/busybox" --list); do
	case $applet in busybox) ;; *) ln -s busybox "$root/bin/$applet" ;; esac
done
ln -s bin "$root/sbin"
cp "$here/init" "$root/init"
cp "$here/power-button" "$root/etc/acpi/PWRF/00000080"
for module in $(sed -n 's/^[a-z]*="\(.*\)" # modules$/\1/p' "$here/init"); do
	cp "$debian/modules/$module.ko" "$root/lib/"
done
chmod 755 "$root/init" "$root/etc/acpi/PWRF/00000080"
find "$root" -exec touch -hd @0 {} +
(cd "$root" && find . | LC_ALL=C sort | cpio --quiet --reproducible -o -H newc -R 0:0) >"$out.part"
mv "$out.part" "$out"
