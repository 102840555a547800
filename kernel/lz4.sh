#!/bin/sh
# lz4.sh OUT: puts lz4.c and lz4.h into OUT, of the sources of Debian's package lz4, which apt verifies.  The machine's
# own sources of packages are asked for their sources, by lists and a cache of our own: no root is needed.
set -eu
out=$1
apt=$(mkdir -p "$out" && cd "$out" && pwd)/apt
trap 'rm -rf "$apt"' EXIT
rm -rf "$apt" && mkdir -p "$apt/lists/partial" "$apt/archives/partial" "$apt/sources.d" "$apt/got"

for list in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
	case $list in
	*.list) [ ! -f "$list" ] || sed -n 's/^ *deb /deb-src /p' "$list" >"$apt/sources.d/${list##*/}" ;;
	*.sources) sed 's/^Types:.*/Types: deb-src/' "$list" >"$apt/sources.d/${list##*/}" ;;
	esac
done

get() {
	apt-get -qq -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$apt/sources.d" -o APT::Sandbox::User=root \
		-o Dir::State::Lists="$apt/lists" -o Dir::Cache="$apt" "$@" >>"$apt/log" 2>&1
}

# Some sources of packages have no sources, so that an update is not a failure by itself; a server may be busy.
fetch() {
	get update || true
	(cd "$apt/got" && get --download-only source lz4 && tar -xf lz4_*.orig.tar.* --strip-components=2 --wildcards \
		'*/lib/lz4.c' '*/lib/lz4.h')
}

fetch || { sleep 2 && fetch; } || { sleep 10 && fetch; } ||
	{ echo "lz4.sh: cannot get the source package lz4: $(grep '^E:' "$apt/log" | tail -n 1)" >&2; exit 1; }
mv "$apt/got/lz4.h" "$apt/got/lz4.c" "$out/"
