/* Text on a framebuffer.  What is on the screen is kept in cells, so that scrolling draws only the characters
 * that differ and never reads the framebuffer, which is very slow on real hardware.  Lock: LOCK_DEVICE. */
#include "drivers/framebuffer.h"

#include "drivers/font.h"
#include "kernel/lib/string.h"
#include "kernel/lock.h"

#define COLUMNS_MAX 256
#define ROWS_MAX 96
#define COLOUR_TEXT 0x00c0c0c0u /* grey: the same in both byte orders */
#define COLOUR_BACK 0x00000000u

enum escape { ESCAPE_NONE, ESCAPE_STARTED, ESCAPE_CSI };

static struct spinlock lock = SPINLOCK(LOCK_DEVICE);
static struct {
	u64 base;          /* c; 0: there is none */
	u32 pitch;         /* c */
	u32 columns, rows; /* c */
	struct font font;  /* c */
	u32 column, row;   /* this and all below: the lock */
	enum escape escape;
	char cells[ROWS_MAX][COLUMNS_MAX];
} screen;

static void draw(u32 row, u32 column, char c)
{
	const u8 *glyph = font_glyph(&screen.font, (u8)c);
	u64 line = screen.base + (u64)row * screen.font.height * screen.pitch + (u64)column * FONT_WIDTH * 4;

	screen.cells[row][column] = c;
	for (u32 y = 0; y < screen.font.height; y++, line += screen.pitch)
		for (u32 x = 0; x < FONT_WIDTH; x++)
			((volatile u32 *)line)[x] = glyph[y] & (0x80 >> x) ? COLOUR_TEXT : COLOUR_BACK;
}

static void put(u32 row, u32 column, char c)
{
	if (screen.cells[row][column] != c)
		draw(row, column, c);
}

static void scroll(void)
{
	for (u32 row = 0; row + 1 < screen.rows; row++)
		for (u32 column = 0; column < screen.columns; column++)
			put(row, column, screen.cells[row + 1][column]);
	for (u32 column = 0; column < screen.columns; column++)
		put(screen.rows - 1, column, ' ');
}

static void next_line(void)
{
	screen.column = 0;
	if (screen.row + 1 < screen.rows)
		screen.row++;
	else
		scroll();
}

static bool in_escape(char c)
{
	switch (screen.escape) {
	case ESCAPE_STARTED:
		screen.escape = c == '[' ? ESCAPE_CSI : ESCAPE_NONE;
		return true;
	case ESCAPE_CSI: /* ends with a letter or one of its neighbours: ECMA-48 §5.4 */
		if (c >= '@' && c <= '~')
			screen.escape = ESCAPE_NONE;
		return true;
	default:
		if (c == 0x1b)
			screen.escape = ESCAPE_STARTED;
		return c == 0x1b;
	}
}

static void character(char c)
{
	if (in_escape(c))
		return;
	switch (c) {
	case '\n':
		next_line();
		return;
	case '\r':
		screen.column = 0;
		return;
	case '\b':
		if (screen.column)
			screen.column--;
		return;
	case '\t':
		screen.column = (screen.column / 8 + 1) * 8;
		return;
	}
	if ((u8)c < ' ')
		return;
	if (screen.column >= screen.columns)
		next_line();
	put(screen.row, screen.column++, c <= '~' ? c : '?');
}

void framebuffer_init(const struct boot_framebuffer *fb)
{
	if (!fb->base || fb->pitch < (u64)fb->width * 4 || (u64)fb->pitch * fb->height > fb->size ||
	    !font_open(&screen.font))
		return;
	screen.columns = MIN(fb->width / FONT_WIDTH, COLUMNS_MAX);
	screen.rows = MIN(fb->height / screen.font.height, ROWS_MAX);
	if (screen.columns < 20 || screen.rows < 4)
		return;
	screen.pitch = fb->pitch;
	screen.base = fb->base;
	for (u32 y = 0; y < fb->height; y++)
		for (u32 x = 0; x < fb->width; x++)
			((volatile u32 *)(fb->base + (u64)y * fb->pitch))[x] = COLOUR_BACK;
	memset(screen.cells, ' ', sizeof(screen.cells));
}

bool framebuffer_present(void)
{
	return screen.base != 0;
}

void framebuffer_write(const char *text, size_t len)
{
	if (!framebuffer_present())
		return;
	spin_lock(&lock);
	for (size_t i = 0; i < len; i++)
		character(text[i]);
	spin_unlock(&lock);
}

void framebuffer_panic(void)
{
	__atomic_store_n(&lock.taken, 0, __ATOMIC_RELEASE);
}
