/* The pull parser of quire.conf.  A line is [section], key = value, or empty; '#' begins a comment at the
 * start of a line or after a blank, except inside "quotes".  A line with control characters is a mistake. */
#include "kernel/lib/config.h"

#include "kernel/lib/error.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"

#define GUEST_NAME_MAX 31 /* NAME_MAX of kernel/abi.h, less its 0 */

struct span {
	const char *at;
	size_t len;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		c == '-' || c == '_' || c == '.';
}

static struct span trim(struct span s)
{
	while (s.len && is_blank(s.at[0]))
		s.at++, s.len--;
	while (s.len && is_blank(s.at[s.len - 1]))
		s.len--;
	return s;
}

static struct span skip(struct span s, size_t n)
{
	return (struct span){ s.at + n, s.len - n };
}

static size_t word_len(struct span s)
{
	size_t n = 0;

	while (n < s.len && is_word(s.at[n]))
		n++;
	return n;
}

/* Where the comment begins, or s.len. */
static size_t comment_at(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.at[i] == '#' && (!i || is_blank(s.at[i - 1])))
			return i;
	return s.len;
}

static bool copy(char *to, size_t size, struct span from)
{
	if (from.len >= size)
		return false;
	memcpy(to, from.at, from.len);
	to[from.len] = 0;
	return true;
}

static void refuse(struct config_item *item, const char *reason)
{
	item->kind = CONFIG_ERROR;
	str_copy(item->reason, sizeof(item->reason), reason);
}

static bool has_control(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (((u8)s.at[i] < 0x20 && s.at[i] != '\t') || s.at[i] == 0x7f)
			return true;
	return false;
}

void config_init(struct config *c, const char *text, size_t len)
{
	memset(c, 0, sizeof(*c));
	c->text = text;
	c->len = len;
	if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3)) /* a byte order mark, as some editors write it */
		c->at = 3;
}

static struct span next_line(struct config *c)
{
	struct span line = { c->text + c->at, 0 };

	while (c->at < c->len && c->text[c->at] != '\n')
		c->at++, line.len++;
	c->at += c->at < c->len;
	c->line++;
	if (line.len && line.at[line.len - 1] == '\r')
		line.len--;
	return trim(line);
}

/* line is what stands after the '['. */
static const char *parse_section(struct config *c, struct span line)
{
	struct span word, name;

	line = trim(line);
	word = (struct span){ line.at, word_len(line) };
	line = trim(skip(line, word.len));
	name = (struct span){ line.at, word_len(line) };
	line = trim(skip(line, name.len));
	if (!line.len || line.at[0] != ']')
		return "a section line is [host] or [guest NAME]; names have letters, digits, - _ and .";
	line = trim(skip(line, 1));
	if (line.len && line.at[0] != '#')
		return "text after the section's ]";
	if (word.len == 4 && !memcmp(word.at, "host", 4) && !name.len)
		c->name[0] = 0;
	else if (word.len != 5 || memcmp(word.at, "guest", 5))
		return "unknown section: there are [host] and [guest NAME]";
	else if (!name.len)
		return "a guest's section needs a name: [guest NAME]";
	else if (name.len > GUEST_NAME_MAX || !copy(c->name, sizeof(c->name), name))
		return "a guest's name has at most 31 characters";
	return copy(c->section, sizeof(c->section), word) ? NULL : "unknown section";
}

static const char *parse_value(struct config_item *item, struct span text)
{
	struct span value = trim(text), rest;

	if (value.len && value.at[0] == '"') {
		size_t end = 1;

		while (end < value.len && value.at[end] != '"')
			end++;
		if (end == value.len)
			return "the closing quote is missing";
		rest = skip(value, end + 1);
		value = (struct span){ value.at + 1, end - 1 };
		if (trim(rest).len && trim(rest).at[0] != '#')
			return "text after the closing quote";
	} else {
		value.len = comment_at(value);
		value = trim(value);
	}
	return copy(item->value, sizeof(item->value), value) ? NULL : "the value is longer than 2047 bytes";
}

static const char *parse_pair(struct config_item *item, struct span line)
{
	struct span key = { line.at, word_len(line) };

	line = trim(skip(line, key.len));
	if (!key.len || !line.len || line.at[0] != '=')
		return "neither a [section] nor key = value";
	if (!copy(item->key, sizeof(item->key), key))
		return "unknown key";
	return parse_value(item, skip(line, 1));
}

void config_next(struct config *c, struct config_item *item)
{
	struct span line = { NULL, 0 };
	const char *mistake = NULL;

	item->key[0] = item->value[0] = item->reason[0] = 0;
	while (c->at < c->len && (!line.len || line.at[0] == '#'))
		line = next_line(c);
	if (!line.len || line.at[0] == '#') {
		item->kind = CONFIG_END;
	} else if (line.at[0] == '[') {
		item->kind = CONFIG_SECTION;
		mistake = has_control(line) ? "a control character" : parse_section(c, skip(line, 1));
		if (mistake) {
			str_copy(c->section, sizeof(c->section), "?");
			c->name[0] = 0;
		}
	} else {
		item->kind = CONFIG_PAIR;
		mistake = has_control(line) ? "a control character" : parse_pair(item, line);
	}
	if (mistake)
		refuse(item, mistake);
	item->line = c->line;
	str_copy(item->section, sizeof(item->section), c->section);
	str_copy(item->name, sizeof(item->name), c->name);
}

static u32 digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : 99;
}

/* Reads digits at *text and moves it behind them; false if there are none or they do not fit. */
static bool read_digits(const char **text, u64 *number)
{
	const char *s = *text, *first;
	u32 base = 10;

	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X'))
		base = 16, s += 2;
	*number = 0;
	for (first = s;; s++) {
		u32 digit = digit_value(*s);

		if (digit >= base)
			break;
		if (__builtin_mul_overflow(*number, base, number) ||
		    __builtin_add_overflow(*number, digit, number))
			return false;
	}
	*text = s;
	return s != first;
}

int config_size(const char *text, u64 *bytes)
{
	u64 unit = 1, number;

	if (!read_digits(&text, &number))
		return ERR_INVAL;
	switch (*text | 32) {
	case 'k': unit = KIB; break;
	case 'm': unit = MIB; break;
	case 'g': unit = GIB; break;
	case 't': unit = 1024 * GIB; break;
	}
	if (text[unit != 1] || __builtin_mul_overflow(number, unit, &number))
		return ERR_INVAL;
	*bytes = number;
	return 0;
}

int config_number(const char *text, u64 min, u64 max, u64 *number)
{
	u64 value;

	if (!read_digits(&text, &value) || *text || value < min || value > max)
		return ERR_INVAL;
	*number = value;
	return 0;
}

int config_bool(const char *text, bool *value)
{
	static const char yes[][5] = { "on", "yes", "true", "1" }, no[][6] = { "off", "no", "false", "0" };

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
		if (!strcmp(text, yes[i]) || !strcmp(text, no[i])) {
			*value = !strcmp(text, yes[i]);
			return 0;
		}
	}
	return ERR_INVAL;
}
