#!/bin/sh
# mkimage.sh PROGRAM DIR OUT: a disk image with one FAT32 partition: \EFI\BOOT\BOOTX64.EFI is PROGRAM, and
# DIR's files (quire.conf at its root) lie under \quire\.  Needs no root; the same input gives the same bytes.
# Whole cylinders of 16 heads and 63 sectors, at least 130 of them, so that Bochs can name its geometry.
set -eu
fail() { echo "mkimage: $*" >&2; exit 1; }

[ $# -eq 3 ] && [ -n "$2" ] && [ -n "$3" ] || fail "usage: make image DIR=folder OUT=disk.img"
program=$1 dir=$2 out=$3
[ -f "$program" ] || fail "$program is not there: run make"
[ -d "$dir" ] || fail "$dir is not a folder"
[ -f "$dir/quire.conf" ] || fail "$dir has no quire.conf"

export MTOOLS_SKIP_CHECK=1 MTOOLSRC=/dev/null LC_ALL=C SOURCE_DATE_EPOCH=315532800 TZ=UTC
cylinder=1008 start=2048
bytes=$(find -L "$dir" "$program" -type f -printf '%s\n' |
	awk '{ s += int(($1 + 65535) / 65536) * 65536 } END { print s }')
sectors=$((start + (bytes / 512) * 102 / 100 + 16384))
cylinders=$(((sectors + cylinder - 1) / cylinder))
[ $cylinders -ge 130 ] || cylinders=130
count=$((cylinders * cylinder - start))
cluster=1
while [ $((count / cluster)) -gt 1000000 ]; do cluster=$((cluster * 2)); done

# little-endian 32 bits as octal escapes
le32() {
	printf '\\%03o\\%03o\\%03o\\%03o' $(($1 & 255)) $(($1 >> 8 & 255)) \
		$(($1 >> 16 & 255)) $(($1 >> 24 & 255))
}

new=$out.new
trap 'rm -f "$new"' EXIT
rm -f "$new"
truncate -s $((cylinders * cylinder * 512)) "$new"
# the partition table: one active entry, type EFh (EFI system partition), addressed by LBA
printf "\\200\\376\\377\\377\\357\\376\\377\\377$(le32 $start)$(le32 $count)" |
	dd of="$new" bs=1 seek=446 conv=notrunc status=none
printf '\125\252' | dd of="$new" bs=1 seek=510 conv=notrunc status=none

volume=$new@@$((start * 512))
mformat -i "$volume" -F -c $cluster -H $start -T $count -h 16 -s 63 -N 51554952 -v QUIRE ::
mmd -i "$volume" ::EFI ::EFI/BOOT ::quire
mcopy -i "$volume" "$program" ::EFI/BOOT/BOOTX64.EFI
(cd "$dir" && find -L . -mindepth 1 -type d | sort) | while IFS= read -r folder; do
	mmd -i "$volume" "::quire/${folder#./}"
done
(cd "$dir" && find -L . -type f | sort) | while IFS= read -r file; do
	mcopy -i "$volume" "$dir/$file" "::quire/${file#./}" || exit 1
done
mv "$new" "$out"
