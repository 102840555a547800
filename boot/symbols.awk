# nm -n of the first link -> the .symbols section that kernel/symbols.c reads: a count, then (offset in the
# image, offset of the name) pairs in ascending order, then the names.  Functions only.
BEGIN { print ".section .symbols, \"a\", @progbits" }
$2 ~ /^[tT]$/ && $3 !~ /^(image_|\.)/ && $1 != last {
	last = $1
	at[n] = $1
	name[n++] = $3
}
END {
	printf ".long %d\n", n
	for (i = 0; i < n; i++) {
		printf ".long 0x%s, %d\n", substr(at[i], 9), used
		used += length(name[i]) + 1
	}
	for (i = 0; i < n; i++)
		printf ".asciz \"%s\"\n", name[i]
}
