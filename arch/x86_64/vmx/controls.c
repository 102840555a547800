/* Choosing the controls: a table of wishes against what the capability MSRs allow. */
#include "arch/x86_64/vmx/controls.h"

#include "arch/x86_64/registers.h"
#include "kernel/lib/error.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"

#define BASIC_REVISION 0x7fffffffu /* SDM 3D A.1 */
#define REVISION_BOCHS 0x2b
#define BASIC_TRUE_CONTROLS BIT(55)
#define MISC_PREEMPTION_SHIFT 31 /* SDM 3D A.6 */
#define EPT_WALK_4 BIT(6) /* SDM 3D A.10 */
#define EPT_WB BIT(14)
#define EPT_2M BIT(16)
#define EPT_1G BIT(17)
#define EPT_INVEPT BIT(20)
#define EPT_AD BIT(21)
#define EPT_INVEPT_SINGLE BIT(25)
#define EPT_INVEPT_ALL BIT(26)

enum need { NEEDED, USEFUL, UNWANTED };

static const struct wish {
	u8 group, need;
	u32 bits;
	u64 option;       /* that forces a useful one off */
	const char *name;
} wishes[] = {
	{ CONTROL_PIN, NEEDED, PIN_INTERRUPT, 0, "external-interrupt exiting" },
	{ CONTROL_PIN, NEEDED, PIN_NMI | PIN_VIRTUAL_NMI, 0, "virtual NMIs" },
	{ CONTROL_PIN, USEFUL, PIN_PREEMPTION_TIMER, VIRT_VMX_PREEMPTION_TIMER, "preemption-timer" },
	{ CONTROL_PRIMARY, NEEDED, PRIMARY_SECONDARY, 0, "secondary controls" },
	{ CONTROL_PRIMARY, NEEDED, PRIMARY_TSC_OFFSET, 0, "TSC offsetting" },
	{ CONTROL_PRIMARY, NEEDED, PRIMARY_HLT | PRIMARY_MWAIT | PRIMARY_MONITOR | PRIMARY_RDPMC, 0,
	  "HLT, MWAIT, MONITOR and RDPMC exiting" },
	{ CONTROL_PRIMARY, NEEDED, PRIMARY_IO, 0, "unconditional I/O exiting" },
	{ CONTROL_PRIMARY, NEEDED, PRIMARY_MOV_DR, 0, "MOV-DR exiting" },
	{ CONTROL_PRIMARY, USEFUL, PRIMARY_TPR_SHADOW, VIRT_VMX_TPR_SHADOW, "tpr-shadow" },
	{ CONTROL_PRIMARY, USEFUL, PRIMARY_MSR_BITMAP, VIRT_VMX_MSR_BITMAP, "msr-bitmap" },
	{ CONTROL_PRIMARY, UNWANTED, PRIMARY_CR3_LOAD | PRIMARY_CR3_STORE, 0, "CR3 without exits" },
	{ CONTROL_SECONDARY, NEEDED, SECONDARY_EPT, 0, "EPT" },
	{ CONTROL_SECONDARY, NEEDED, SECONDARY_UNRESTRICTED, 0, "unrestricted guest" },
	{ CONTROL_SECONDARY, NEEDED, SECONDARY_WBINVD, 0, "WBINVD exiting" },
	{ CONTROL_SECONDARY, USEFUL, SECONDARY_VPID, VIRT_VMX_VPID, "vpid" },
	{ CONTROL_SECONDARY, USEFUL, SECONDARY_RDTSCP, 0, "rdtscp" },
	{ CONTROL_SECONDARY, USEFUL, SECONDARY_INVPCID, 0, "invpcid" },
	{ CONTROL_SECONDARY, USEFUL, SECONDARY_PAUSE_LOOP, VIRT_VMX_PAUSE_LOOP, "pause-loop" },
	{ CONTROL_SECONDARY, USEFUL, SECONDARY_APICV, VIRT_VMX_APICV, "apicv" },
	{ CONTROL_EXIT, NEEDED, EXIT_HOST_64, 0, "64-bit host" },
	{ CONTROL_EXIT, NEEDED, EXIT_SAVE_DEBUG, 0, "saving of debug controls" },
	{ CONTROL_EXIT, NEEDED, EXIT_SAVE_EFER | EXIT_LOAD_EFER, 0, "EFER switching at exits" },
	{ CONTROL_EXIT, NEEDED, EXIT_LOAD_PAT, 0, "PAT switching at exits" },
	{ CONTROL_ENTRY, NEEDED, ENTRY_LOAD_DEBUG, 0, "loading of debug controls" },
	{ CONTROL_ENTRY, NEEDED, ENTRY_LOAD_EFER, 0, "EFER switching at entries" },
	{ CONTROL_ENTRY, NEEDED, ENTRY_LOAD_PAT, 0, "PAT switching at entries" },
};

/* The low half of a capability: bits that must be 1; the high half: bits that may be 1 (SDM 3D A.3). */
static int grant(struct vmx_features *f, const struct wish *w, u64 off, u64 capability)
{
	u32 must = (u32)capability, may = (u32)(capability >> 32);

	if (w->need == UNWANTED)
		return w->bits & must ? ERR_UNSUPPORTED : 0;
	if ((w->bits & may) != w->bits)
		return w->need == NEEDED ? ERR_UNSUPPORTED : 0;
	if (w->need == NEEDED || !(off & w->option))
		f->controls[w->group] |= w->bits;
	return 0;
}

static int choose_ept(struct vmx_features *f, u64 off, u64 capability, const char **missing)
{
	*missing = "EPT with four levels, write-back memory and INVEPT";
	if ((capability & (EPT_WALK_4 | EPT_WB | EPT_INVEPT | EPT_INVEPT_ALL)) !=
	    (EPT_WALK_4 | EPT_WB | EPT_INVEPT | EPT_INVEPT_ALL))
		return ERR_UNSUPPORTED;
	f->ept_ad = capability & EPT_AD && !(off & VIRT_VMX_EPT_AD);
	f->ept_2m = capability & EPT_2M;
	f->ept_1g = capability & EPT_1G;
	f->invept_single = capability & EPT_INVEPT_SINGLE && !(off & VIRT_VMX_INVEPT_SINGLE);
	return 0;
}

/* Without the TRUE MSRs the bits that were always 1 on the first processors cannot be cleared, among them
 * CR3's: every processor with unrestricted guests has them. */
static void read_capabilities(u64 *capability, u64 (*read)(u32 msr))
{
	bool exact = read(MSR_VMX_BASIC) & BASIC_TRUE_CONTROLS;

	capability[CONTROL_PIN] = read(exact ? MSR_VMX_TRUE_PIN : MSR_VMX_PIN);
	capability[CONTROL_PRIMARY] = read(exact ? MSR_VMX_TRUE_PRIMARY : MSR_VMX_PRIMARY);
	capability[CONTROL_EXIT] = read(exact ? MSR_VMX_TRUE_EXIT : MSR_VMX_EXIT);
	capability[CONTROL_ENTRY] = read(exact ? MSR_VMX_TRUE_ENTRY : MSR_VMX_ENTRY);
	capability[CONTROL_SECONDARY] = 0;
	if (capability[CONTROL_PRIMARY] >> 32 & PRIMARY_SECONDARY)
		capability[CONTROL_SECONDARY] = read(MSR_VMX_SECONDARY);
}

/* Bochs 2.7 delivers a virtual interrupt that waits for RFLAGS.IF when a physical one comes: a guest's lock is taken
 * by its interrupt handler once more, for ever. */
static u64 options_off(const struct vmx_features *f, const struct virt_options *said)
{
	return said->off | (f->revision == REVISION_BOCHS ? VIRT_VMX_APICV & ~said->on : 0);
}

int vmx_controls_choose(struct vmx_features *f, const struct virt_options *said, u64 (*read)(u32 msr),
			const char **missing)
{
	u64 capability[CONTROL_COUNT], off;

	memset(f, 0, sizeof(*f));
	read_capabilities(capability, read);
	f->revision = (u32)read(MSR_VMX_BASIC) & BASIC_REVISION;
	f->stale_vectoring = f->revision == REVISION_BOCHS;
	off = options_off(f, said);
	f->preemption_shift = read(MSR_VMX_MISC) & MISC_PREEMPTION_SHIFT;
	f->cr0_fixed0 = read(MSR_VMX_CR0_FIXED0);
	f->cr0_fixed1 = read(MSR_VMX_CR0_FIXED1);
	f->cr4_fixed0 = read(MSR_VMX_CR4_FIXED0);
	f->cr4_fixed1 = read(MSR_VMX_CR4_FIXED1);
	for (u32 i = 0; i < CONTROL_COUNT; i++)
		f->controls[i] = (u32)capability[i];
	for (u32 i = 0; i < ARRAY_SIZE(wishes); i++) {
		*missing = wishes[i].name;
		if (grant(f, &wishes[i], off, capability[wishes[i].group]))
			return ERR_UNSUPPORTED;
	}
	if (~f->controls[CONTROL_PRIMARY] & (PRIMARY_TPR_SHADOW | PRIMARY_MSR_BITMAP))
		f->controls[CONTROL_SECONDARY] &= ~(u32)SECONDARY_APICV; /* it is built upon both */
	if (!(f->controls[CONTROL_PRIMARY] & PRIMARY_TPR_SHADOW)) {
		*missing = "CR8 exiting";
		if (~capability[CONTROL_PRIMARY] >> 32 & (PRIMARY_CR8_LOAD | PRIMARY_CR8_STORE))
			return ERR_UNSUPPORTED;
		f->controls[CONTROL_PRIMARY] |= PRIMARY_CR8_LOAD | PRIMARY_CR8_STORE;
	}
	return choose_ept(f, off, read(MSR_VMX_EPT_VPID), missing);
}

void vmx_controls_describe(const struct vmx_features *f, char *to, size_t len)
{
	size_t used = (size_t)fmt_print(to, len, "ept%s%s%s%s", f->ept_ad ? " ept-ad" : "",
					f->ept_2m ? " ept-2m" : "", f->ept_1g ? " ept-1g" : "", f->invept_single ? " invept-single" : "");

	for (u32 i = 0; i < ARRAY_SIZE(wishes); i++) {
		const struct wish *w = &wishes[i];

		if (w->need == USEFUL && f->controls[w->group] & w->bits && used < len)
			used += (size_t)fmt_print(to + used, len - used, " %s", w->name);
	}
}
