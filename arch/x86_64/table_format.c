/* Entries of the processor's tables, of NPT and of EPT. */
#include "arch/x86_64/table_format.h"

/* APM 2 §5.4.1 */
#define X86_PRESENT BIT(0)
#define X86_WRITE BIT(1)
#define X86_USER BIT(2)
#define X86_PWT BIT(3)
#define X86_PCD BIT(4)
#define X86_ACCESSED BIT(5)
#define X86_DIRTY BIT(6)
#define X86_LARGE BIT(7)
#define X86_NX BIT(63)

const struct table_format table_format_host = {
	.present = X86_PRESENT, .branch = X86_PRESENT | X86_WRITE | X86_USER, .large = X86_LARGE,
	.leaf = X86_PRESENT, .write = X86_WRITE, .no_exec = X86_NX, .user = X86_USER,
	.uncached = X86_PWT | X86_PCD, .accessed = X86_ACCESSED, .dirty = X86_DIRTY,
};

const struct table_format table_format_npt = {
	.present = X86_PRESENT, .branch = X86_PRESENT | X86_WRITE | X86_USER, .large = X86_LARGE,
	.leaf = X86_PRESENT | X86_USER, .write = X86_WRITE, .no_exec = X86_NX,
	.uncached = X86_PWT | X86_PCD, .accessed = X86_ACCESSED, .dirty = X86_DIRTY,
};

/* SDM 3C §29.3.2 */
#define EPT_READ BIT(0)
#define EPT_WRITE BIT(1)
#define EPT_EXEC BIT(2)
#define EPT_WB (6ull << 3)
#define EPT_IGNORE_PAT BIT(6)
#define EPT_LARGE BIT(7)
#define EPT_ACCESSED BIT(8)
#define EPT_DIRTY BIT(9)

/* The guest's PAT is ignored: no guest makes memory uncached that others share, or that the host maps. */
const struct table_format table_format_ept = {
	.present = EPT_READ | EPT_WRITE | EPT_EXEC, .branch = EPT_READ | EPT_WRITE | EPT_EXEC, .large = EPT_LARGE,
	.leaf = EPT_READ, .write = EPT_WRITE, .exec = EPT_EXEC, .cached = EPT_WB | EPT_IGNORE_PAT,
	.uncached = EPT_IGNORE_PAT, .accessed = EPT_ACCESSED, .dirty = EPT_DIRTY,
};
