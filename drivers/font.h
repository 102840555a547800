/* The console's font: a Linux console font (PSF 1 or 2) of Debian's, put into the image by the build. */
#ifndef DRIVERS_FONT_H
#define DRIVERS_FONT_H

#include "kernel/lib/types.h"

#define FONT_WIDTH 8
#define FONT_HEIGHT_MAX 32

struct font {
	const u8 *glyphs;
	u32 height; /* bytes a glyph, one for each line */
	u32 count;
};

/* The built-in font; false if the build put in something else than a font 8 pixels wide. */
bool font_open(struct font *f);

/* Pure: the same for a file in memory. */
bool font_parse(struct font *f, const u8 *file, size_t size);

/* c's glyph, that of '?' when there is none. */
const u8 *font_glyph(const struct font *f, u8 c);

#endif
