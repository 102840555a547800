/* Reading PSF fonts.  Their first 127 glyphs are ASCII's in every usable font, so the Unicode table at the
 * end is not needed. */
#include "drivers/font.h"

#include "kernel/lib/string.h"

extern const u8 font_file[], font_file_end[]; /* font.asm */

struct psf2 { /* kbd's doc/font-formats/psf.html */
	u32 magic, version, header_size, flags, count, glyph_size, height, width;
};

#define PSF2_MAGIC 0x864ab572u
#define PSF1_MAGIC 0x0436u
#define PSF1_512 0x01

bool font_parse(struct font *f, const u8 *file, size_t size)
{
	struct psf2 header;
	size_t start;

	if (size < sizeof(header))
		return false;
	memcpy(&header, file, sizeof(header));
	if (header.magic == PSF2_MAGIC) {
		if (header.width != FONT_WIDTH || header.glyph_size != header.height)
			return false;
		start = header.header_size;
		f->height = header.height;
		f->count = header.count;
	} else if ((file[0] | file[1] << 8) == PSF1_MAGIC) {
		start = 4;
		f->height = file[3];
		f->count = file[2] & PSF1_512 ? 512 : 256;
	} else {
		return false;
	}
	if (!f->height || f->height > FONT_HEIGHT_MAX || f->count <= '~' || start > size ||
	    (u64)f->count * f->height > size - start)
		return false;
	f->glyphs = file + start;
	return true;
}

bool font_open(struct font *f)
{
	return font_parse(f, font_file, (size_t)(font_file_end - font_file));
}

const u8 *font_glyph(const struct font *f, u8 c)
{
	return f->glyphs + (size_t)(c < f->count ? c : '?') * f->height;
}
