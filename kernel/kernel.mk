# What the kernel is built of besides the tree: LZ4, of Debian's source package.  build/lz4/ serves offline afterwards.
LZ4 := build/lz4/lz4.c

$(LZ4): kernel/lz4.sh
	@sh $< $(@D)
$(B)/k/kernel/lz4.o $(B)/clang/kernel/lz4.c.ok: $(LZ4)
