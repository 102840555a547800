/* Names are an operator's text, load options are whatever the firmware passes: both are checked.  Pure. */
#include "boot/paths.h"

#include "kernel/lib/string.h"

static bool is_slash(u32 c)
{
	return c == '/' || c == '\\';
}

/* Whether the component that begins at s is "..". */
static bool is_parent(const char *s)
{
	return s[0] == '.' && s[1] == '.' && (!s[2] || is_slash(s[2]));
}

const char *paths_make(u16 path[PATH_MAX], const char *name)
{
	static const char folder[] = "\\quire\\";
	size_t n = 0;

	if (strlen(name) >= FILE_NAME_MAX)
		return "the file's name is longer than 127 bytes";
	if (!is_slash(name[0]))
		while (folder[n])
			path[n] = folder[n], n++;
	for (const char *s = name; *s; s++) {
		bool starts = s == name || is_slash(s[-1]);

		if ((u8)*s < 0x20 || (u8)*s > 0x7e)
			return "file names are ASCII";
		if (starts && is_parent(s))
			return "a file's name may not contain ..";
		if (!is_slash(*s))
			path[n++] = *s;
		else if (!n || path[n - 1] != '\\')
			path[n++] = '\\';
	}
	path[n] = 0;
	return !name[0] || path[n - 1] == '\\' ? "a file's name is missing" : NULL;
}

bool paths_find_config(const u16 *options, size_t count, char name[FILE_NAME_MAX])
{
	static const char key[] = "conf=";

	for (size_t i = 0; i < count && options[i]; i++) {
		size_t n = 0;

		if (i && options[i - 1] != ' ')
			continue;
		while (key[n] && i + n < count && options[i + n] == (u16)key[n])
			n++;
		if (key[n])
			continue;
		i += n;
		for (n = 0; i + n < count && options[i + n] > ' ' && options[i + n] < 0x7f; n++) {
			if (n == FILE_NAME_MAX - 1)
				return false;
			name[n] = options[i + n];
		}
		name[n] = 0;
		return n > 0;
	}
	return false;
}
