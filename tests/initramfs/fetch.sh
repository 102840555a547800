#!/bin/sh
# fetch.sh OUT: puts Debian's guests into OUT without installing them: vmlinuz and some modules of the cloud kernel
# (modules/), memtest.bin and gnumach.  Packages are kept in OUT/deb; what is there is not fetched again.
set -eu
out=$1
mkdir -p "$out/deb"

depends() { apt-cache depends "$1" | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1; }

kernel=$(depends linux-image-cloud-amd64)
if [ -z "$kernel" ]; then
	if [ "$(id -u)" -eq 0 ]; then apt-get -qq update; else sudo -n apt-get -qq update; fi
	kernel=$(depends linux-image-cloud-amd64)
fi
[ -n "$kernel" ] || { echo "fetch.sh: apt does not know linux-image-cloud-amd64" >&2; exit 1; }

# fetch PACKAGE PATTERNS: unpacks what matches under OUT/deb/PACKAGE.
fetch() {
	[ "$(cat "$out/deb/$1/.done" 2>/dev/null)" = "$2" ] && return
	rm -rf "$out/deb/$1" && mkdir -p "$out/deb/$1"
	(cd "$out/deb/$1" && apt-get -qq download "$1" 2>/dev/null &&
		dpkg-deb --fsys-tarfile ./*.deb | tar -x --wildcards $2 && rm -f ./*.deb) ||
		{ echo "fetch.sh: cannot download $1 (try: apt-get update)" >&2; exit 1; }
	echo "$2" >"$out/deb/$1/.done"
}

fetch "$kernel" "./boot/vmlinuz-* */button.ko */evdev.ko */drivers/virtio/virtio*.ko
	*/kvm.ko */kvm-amd.ko */irqbypass.ko"
fetch memtest86+ "./boot/memtest86+x64.bin"
fetch gnumach-image-1.8-486 "./boot/gnumach-*"
tree=$out/deb/$kernel
cp "$tree"/boot/vmlinuz-* "$out/vmlinuz"
rm -rf "$out/modules" && mkdir "$out/modules"
find "$tree" -name '*.ko' -exec cp {} "$out/modules/" \;
cp "$out/deb/memtest86+/boot/memtest86+x64.bin" "$out/memtest.bin"
gzip -dc "$out"/deb/gnumach-image-1.8-486/boot/gnumach-1.8-486.gz >"$out/gnumach"
