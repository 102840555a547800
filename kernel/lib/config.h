/* quire.conf: INI text with [host] and [guest NAME] sections, key = value lines and # comments.
 * A pull parser over text in memory: no allocation, every mistake comes back as an item with its line.
 * Used by boot (host settings, names of files), by the monitor (guests) and by the machine process (its own
 * definition, which is the body of a [guest] section). */
#ifndef KERNEL_LIB_CONFIG_H
#define KERNEL_LIB_CONFIG_H

#include "kernel/lib/types.h"

#define CONFIG_VALUE_MAX 2048

enum config_kind {
	CONFIG_END,
	CONFIG_SECTION, /* section: "host" or "guest", name: the guest's */
	CONFIG_PAIR,    /* key and value */
	CONFIG_ERROR,   /* reason */
};

struct config_item {
	enum config_kind kind;
	u32 line;                     /* from 1 */
	char section[16];             /* the section that this item is in, "" before the first */
	char name[64];                /* and its name */
	char key[32];
	char value[CONFIG_VALUE_MAX]; /* without surrounding blanks and quotes */
	char reason[96];
};

struct config {
	const char *text;
	size_t len, at;
	u32 line;
	char section[16];
	char name[64];
};

/* Starts over text[0..len), which must stay until the last config_next. NULs and any bytes are survived. */
void config_init(struct config *c, const char *text, size_t len);

/* The next item; CONFIG_END at the end, for ever. After a malformed section line its pairs come with
 * section "?" so that they cost nobody else. */
void config_next(struct config *c, struct config_item *item);

/* "64M", "1G", "4096", "0x1000", "512K" to bytes; 0 or ERR_INVAL (also when it does not fit 64 bits). */
int config_size(const char *text, u64 *bytes) must_check;

/* A number (decimal or 0x) within [min, max]; 0 or ERR_INVAL. */
int config_number(const char *text, u64 min, u64 max, u64 *number) must_check;

/* on|off, yes|no, true|false, 1|0; 0 or ERR_INVAL. */
int config_bool(const char *text, bool *value) must_check;

#endif
