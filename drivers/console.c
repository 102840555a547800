/* The host's console.  What it is gets decided once at boot; lost_lines is guarded by the log's lock, under
 * which console_log is called. */
#include "drivers/console.h"

#include "drivers/framebuffer.h"
#include "drivers/uart.h"
#include "kernel/lib/fmt.h"

static u64 serial_base; /* c */
static u32 lost_lines;  /* log's */

void console_init(const struct boot_info *info)
{
	serial_base = info->serial_base;
	if (uart_init(info->serial_kind, info->serial_base, info->serial_stride, info->options.serial_baud))
		framebuffer_init(&info->framebuffer);
}

void console_describe(char *to, size_t size)
{
	if (uart_present())
		fmt_print(to, size, "UART at 0x%lx", serial_base);
	else if (framebuffer_present())
		fmt_print(to, size, "framebuffer, no UART");
	else
		fmt_print(to, size, "none");
}

size_t console_write(const char *text, size_t len)
{
	if (uart_present())
		return uart_write(text, len);
	framebuffer_write(text, len);
	return len;
}

size_t console_read(char *text, size_t len)
{
	return uart_present() ? uart_read(text, len) : 0;
}

void console_log(const char *line, size_t len)
{
	char note[64];

	if (!len || line[len - 1] != '\n')
		return;
	if (uart_present() && uart_room() < len + 1 + sizeof(note)) {
		lost_lines++;
		return;
	}
	if (lost_lines) {
		int n = fmt_print(note, sizeof(note), "(%u lines did not fit: dmesg has them)\r\n", lost_lines);
		console_write(note, (size_t)n);
		lost_lines = 0;
	}
	console_write(line, len - 1);
	console_write("\r\n", 2);
}

void console_panic(void)
{
	uart_panic();
	framebuffer_panic();
}

void console_panic_write(const char *text, size_t len)
{
	size_t from = 0;

	if (!uart_present()) {
		framebuffer_write(text, len);
		return;
	}
	for (size_t i = 0; i < len; i++) {
		if (text[i] != '\n')
			continue;
		uart_write_polled(text + from, i - from);
		uart_write_polled("\r\n", 2);
		from = i + 1;
	}
	uart_write_polled(text + from, len - from);
}

int console_panic_read(void)
{
	return uart_read_polled();
}
