#!/bin/sh
# Installs the Debian packages that building and testing need; says which are missing.
# Fast when nothing is missing: one dpkg-query, no network.  `--check` only reports.
set -eu

PACKAGES="gcc make clang binutils nasm gnu-efi acpica-tools mtools dosfstools libxxhash-dev libcmocka-dev
	qemu-system-x86 ovmf bochs vgabios python3-pytest python3-pytest-xdist python3-pexpect
	busybox-static cpio xxd psf-unifont git
	sbsigntool openssl"

missing=""
installed=$(dpkg-query -W -f '${binary:Package} ${db:Status-Abbrev}\n' 2>/dev/null |
	sed -n 's/^\([^ :]*\)[^ ]* ii.*/\1/p')
for package in $PACKAGES; do
	printf '%s\n' "$installed" | grep -qxF "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

echo "setup: missing packages:$missing" >&2
if [ "${1:-}" = --check ]; then exit 1; fi

if [ "$(id -u)" -eq 0 ]; then root=""
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then root="sudo -n"
else
	echo "setup: run as root: apt-get install --no-install-recommends$missing" >&2
	exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt="$root apt-get -qq -o DPkg::Lock::Timeout=300"
if ! $apt install --no-install-recommends -y $missing >/dev/null 2>&1; then
	$apt update
	$apt install --no-install-recommends -y $missing >/dev/null
fi
echo "setup: installed$missing" >&2
