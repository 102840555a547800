/* Output on COM1, verdicts and their summary, and the words of the command line. */
#include "tests/guests/lib/guest.h"

#include <stdarg.h>

#define COM1 0x3f8

const char *command_line = "";
static u32 passed, failed;

void put_char(char c)
{
	while (!(inb(COM1 + 5) & 0x20))
		;
	outb(COM1, c);
}

static void put_text(const char *s)
{
	while (*s) {
		if (*s == '\n')
			put_char('\r');
		put_char(*s++);
	}
}

static void put_number(u64 v, u32 base)
{
	char digits[24], *p = digits + sizeof(digits) - 1;

	*p = 0;
	do
		*--p = "0123456789abcdef"[v % base];
	while (v /= base);
	put_text(p);
}

void print(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	for (; *format; format++) {
		if (*format != '%') {
			char c[2] = { *format, 0 };
			put_text(c);
			continue;
		}
		switch (*++format) {
		case 's': put_text(va_arg(args, const char *)); break;
		case 'u': put_number(va_arg(args, u64), 10); break;
		case 'x': put_number(va_arg(args, u64), 16); break;
		default: put_char(*format);
		}
	}
	va_end(args);
}

void check(bool ok, const char *name)
{
	print("%s %s\n", ok ? "PASS" : "FAIL", name);
	passed += ok;
	failed += !ok;
}

void check_equal(u64 got, u64 want, const char *name)
{
	if (got == want) {
		check(true, name);
		return;
	}
	print("FAIL %s: got %x, want %x\n", name, got, want);
	failed++;
}

void stop(void)
{
	for (;;)
		asm volatile("cli; hlt");
}

void finish(void)
{
	print("SUMMARY %u passed, %u failed\n", (u64)passed, (u64)failed);
	stop();
}

bool text_equal(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

static const char *find_word(const char *word)
{
	for (const char *at = command_line; *at; at++) {
		const char *a = at, *w = word;

		while (*w && *a == *w)
			a++, w++;
		if (!*w && (at == command_line || at[-1] == ' '))
			return a;
	}
	return NULL;
}

u64 option(const char *key, u64 otherwise)
{
	const char *at = find_word(key);
	u64 v = 0;

	if (!at)
		return otherwise;
	while (*at >= '0' && *at <= '9')
		v = v * 10 + (*at++ - '0');
	return v;
}

bool option_set(const char *word)
{
	const char *at = find_word(word);

	return at && (*at == 0 || *at == ' ');
}
