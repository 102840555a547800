/* The formatter: one pass over the format, one output cursor that counts past the end. */
#include "kernel/lib/fmt.h"

#include "kernel/lib/string.h"

struct out {
	char *to;
	size_t size;
	size_t used; /* length of the whole text, also what did not fit */
};

struct spec {
	bool left, zero, upper, is_signed;
	int width, precision, longs;
	unsigned base;
};

static void put(struct out *o, char c)
{
	if (o->used + 1 < o->size)
		o->to[o->used] = c;
	o->used++;
}

static void put_padded(struct out *o, const struct spec *s, const char *text, int len)
{
	int pad = s->width - len;

	if (s->zero && !s->left && len && *text == '-') {
		put(o, '-');
		text++, len--;
	}
	for (; !s->left && pad > 0; pad--)
		put(o, s->zero ? '0' : ' ');
	for (int i = 0; i < len; i++)
		put(o, text[i]);
	for (; pad > 0; pad--)
		put(o, ' ');
}

static void put_number(struct out *o, const struct spec *s, u64 value)
{
	const char *digits = s->upper ? "0123456789ABCDEF" : "0123456789abcdef";
	char text[24], *end = text + sizeof(text), *p = end;
	bool negative = s->is_signed && (s64)value < 0;

	if (negative)
		value = -value;
	do
		*--p = digits[value % s->base];
	while (value /= s->base);
	if (negative)
		*--p = '-';
	put_padded(o, s, p, (int)(end - p));
}

static void put_string(struct out *o, struct spec *s, const char *text)
{
	int len = 0;

	if (!text)
		text = "(null)";
	while ((s->precision < 0 || len < s->precision) && text[len])
		len++;
	s->zero = false;
	put_padded(o, s, text, len);
}

static int parse_count(const char **f, int star)
{
	int n = 0;

	if (**f == '*') {
		++*f;
		return star;
	}
	while (**f >= '0' && **f <= '9')
		n = n * 10 + *(*f)++ - '0';
	return n;
}

/* Parses what stands between % and the conversion letter. */
#define PARSE_SPEC(f, s, args)                                                                               \
	do {                                                                                                 \
		for (;; f++) {                                                                               \
			if (*f == '-')                                                                       \
				(s).left = true;                                                             \
			else if (*f == '0')                                                                  \
				(s).zero = true;                                                             \
			else                                                                                 \
				break;                                                                       \
		}                                                                                            \
		(s).width = parse_count(&f, *f == '*' ? va_arg(args, int) : 0);                              \
		if (*f == '.') {                                                                             \
			f++;                                                                                 \
			(s).precision = parse_count(&f, *f == '*' ? va_arg(args, int) : 0);                  \
		}                                                                                            \
		for (; *f == 'l' || *f == 'z' || *f == 'h'; f++)                                             \
			(s).longs += *f != 'h';                                                              \
	} while (0)

int fmt_vprint(char *to, size_t size, const char *f, va_list args)
{
	struct out o = { to, size, 0 };

	for (; *f; f++) {
		struct spec s = { .precision = -1, .base = 10 };

		if (*f != '%') {
			put(&o, *f);
			continue;
		}
		f++;
		PARSE_SPEC(f, s, args);
		switch (*f) {
		case 'd':
		case 'i':
			s.is_signed = true;
			put_number(&o, &s, s.longs ? va_arg(args, u64) : (u64)(s64)va_arg(args, int));
			break;
		case 'X':
			s.upper = true; /* fall through */
		case 'x':
			s.base = 16; /* fall through */
		case 'u':
			put_number(&o, &s, s.longs ? va_arg(args, u64) : va_arg(args, unsigned));
			break;
		case 'p':
			s.base = 16;
			put_number(&o, &s, (u64)va_arg(args, void *));
			break;
		case 's':
			put_string(&o, &s, va_arg(args, const char *));
			break;
		case 'c':
			put(&o, (char)va_arg(args, int));
			break;
		case 0:
			f--;
			break;
		default:
			put(&o, *f);
		}
	}
	if (size)
		to[MIN(o.used, size - 1)] = 0;
	return (int)o.used;
}

int fmt_print(char *to, size_t size, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = fmt_vprint(to, size, format, args);
	va_end(args);
	return n;
}
