/* A guest's definition: the pairs of its [guest NAME] section or of the define command, checked, and their
 * canonical text, which is all that the kernel and the machine process get. */
#ifndef VMM_MONITOR_DEFINITIONS_H
#define VMM_MONITOR_DEFINITIONS_H

#include "kernel/abi.h"

enum policy_action { ACTION_DESTROY, ACTION_RESTART, ACTION_PAUSE, ACTION_COUNT };

struct definition {
	struct guest_params params;
	bool autostart, balloon;
	enum policy_action on_poweroff, on_reboot, on_crash;
	u32 seen;             /* bit for each key that was given */
	u32 module_count;
	size_t len;           /* of text */
	char text[DEFINITION_MAX];
};

#define DEFINITION_REASON 224 /* bytes that a reason may need */

/* Everything at its default, no text. */
void definition_init(struct definition *d);

/* Adds one pair; 0, or ERR_INVAL with a reason that says what and what to do. */
int definition_add(struct definition *d, const char *key, const char *value, char *reason, size_t size);

/* After the last pair: is something missing?  0, or ERR_INVAL with a reason. */
int definition_finish(const struct definition *d, char *reason, size_t size);

/* From text[0..len), canonical or not; as the two above. */
int definition_parse(struct definition *d, const char *text, size_t len, char *reason, size_t size);

/* A defined guest's; 0 or an error with a reason. */
int definition_read(struct definition *d, u32 id, char *reason, size_t size);

/* The definition old with this pair in place of old's of that key; new is another.  As definition_parse. */
int definition_change(struct definition *new, const struct definition *old, const char *key, const char *value,
		      char *reason, size_t size);

/* The file of the boot volume that a pair names, without a module's arguments: true if the key names one.
 * file has FILE_NAME_MAX bytes; longer names come out empty. */
bool definition_file(const char *key, const char *value, char *file);

/* True if file was loaded at boot. */
bool definition_file_loaded(const char *file);

/* Names of the keys and of the policies' actions by index, NULL at the end. */
const char *definition_key(u32 index);
const char *definition_action(u32 index);

#endif
