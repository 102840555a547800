#!/bin/sh
# check_image.sh BOOTX64.EFI: the program is a plain PE that can be signed for Secure Boot, and the build of a
# disk image is repeatable and refuses a folder without a configuration.  Needs sbsigntool, openssl and mtools.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
program=$1 tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
fail() { echo "check_image: $*" >&2; exit 1; }

openssl req -new -x509 -newkey rsa:2048 -nodes -subj /CN=test/ -days 2 \
	-keyout "$tmp/key" -out "$tmp/cert" 2>/dev/null
sbsign --key "$tmp/key" --cert "$tmp/cert" --output "$tmp/signed.efi" "$program" 2>"$tmp/log" ||
	fail "sbsign: $(cat "$tmp/log")"
! grep -qi warning "$tmp/log" || fail "sbsign: $(cat "$tmp/log")"
sbverify --cert "$tmp/cert" "$tmp/signed.efi" >/dev/null || fail "the signature does not verify"
# W^X in the section headers, in order and without overlaps; the revocation table is there
objdump -h "$program" | awk '
	# as text: 000000000001e000 looks like a floating-point number to awk
	$1 ~ /^[0-9]+$/ { name = $2; size = $3; vma = $4 ""; if (name == ".sbat") sbat = 1 }
	/CODE/ && !/READONLY/ { print "writable code in " name; bad = 1 }
	$1 ~ /^[0-9]+$/ { if (vma < last) { print name " is out of order"; bad = 1 } last = vma }
	END { if (!sbat) print "no .sbat"; exit bad || !sbat }' || fail "the sections are wrong"

mkdir -p "$tmp/dir/a b/c"
! "$here/boot/mkimage.sh" "$program" "$tmp/dir" "$tmp/none.img" 2>"$tmp/log" ||
	fail "a folder without quire.conf was taken"
grep -q 'has no quire.conf' "$tmp/log" || fail "no clear message: $(cat "$tmp/log")"
[ ! -e "$tmp/none.img" ] || fail "a failed image was left behind"
echo '[host]' >"$tmp/dir/quire.conf"
head -c 100000 /dev/urandom >"$tmp/dir/a b/c/file with blanks"
"$here/boot/mkimage.sh" "$program" "$tmp/dir" "$tmp/1.img"
touch -d '2001-01-01' "$tmp/dir/quire.conf"
"$here/boot/mkimage.sh" "$program" "$tmp/dir" "$tmp/2.img"
cmp "$tmp/1.img" "$tmp/2.img" || fail "the same input gave two images"
mcopy -i "$tmp/1.img@@1048576" "::quire/a b/c/file with blanks" "$tmp/back"
cmp "$tmp/back" "$tmp/dir/a b/c/file with blanks" || fail "a file came back changed"
echo "check_image: ok"
