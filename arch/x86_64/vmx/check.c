/* Why an entry was refused: the guest's state by the rules of SDM 3C §27.3.1, in its order, until one is
 * broken.  The processor only says that one is. */
#include "arch/x86_64/registers.h"
#include "arch/x86_64/vmx/vmx.h"

#define AR_TYPE 0xfu
#define AR_S BIT(4)
#define AR_DPL(ar) ((ar) >> 5 & 3)
#define AR_P BIT(7)
#define AR_RESERVED 0xfffe0f00u
#define AR_L BIT(13)
#define AR_DB BIT(14)
#define AR_G BIT(15)
#define DEBUGCTL_RESERVED ~0xdfc3ull
#define RFLAGS_RESERVED (~0x3fffffull | BIT(15) | BIT(5) | BIT(3))
#define QUALIFICATION_PDPTE 2
#define QUALIFICATION_NMI 3
#define QUALIFICATION_LINK 4

struct seg {
	u32 selector, limit, ar;
	u64 base;
};

static struct seg segment_read(u32 n)
{
	return (struct seg){ .selector = (u32)vmcs_read(VMCS_GUEST_ES + 2 * n),
		.limit = (u32)vmcs_read(VMCS_GUEST_ES_LIMIT + 2 * n),
		.ar = (u32)vmcs_read(VMCS_GUEST_ES_ACCESS + 2 * n),
		.base = vmcs_read(VMCS_GUEST_ES_BASE + 2 * n) };
}

static bool is_canonical(u64 address)
{
	return (u64)((s64)(address << 16) >> 16) == address;
}

static bool pat_valid(u64 pat)
{
	for (u32 i = 0; i < 8; i++, pat >>= 8)
		if ((pat & 0xff) > 7 || (pat & 0xff) == 2 || (pat & 0xff) == 3)
			return false;
	return true;
}

/* §27.3.1.1 */
static const char *check_control(bool ia32e)
{
	u64 cr0 = vmcs_read(VMCS_GUEST_CR0), cr4 = vmcs_read(VMCS_GUEST_CR4), efer = vmcs_read(VMCS_GUEST_EFER);
	u64 needed = vmx_features.cr0_fixed0 & ~(CR0_PE | CR0_PG);

	if (~cr0 & needed || cr0 & ~vmx_features.cr0_fixed1)
		return "CR0 has a bit that VMX does not allow";
	if (cr0 & CR0_PG && !(cr0 & CR0_PE))
		return "CR0.PG without CR0.PE";
	if (~cr4 & vmx_features.cr4_fixed0 || cr4 & ~vmx_features.cr4_fixed1)
		return "CR4 has a bit that VMX does not allow";
	if (vmcs_read(VMCS_GUEST_DEBUGCTL) & DEBUGCTL_RESERVED)
		return "a reserved bit of DEBUGCTL";
	if (ia32e && (!(cr0 & CR0_PG) || !(cr4 & CR4_PAE)))
		return "long mode without CR0.PG or CR4.PAE";
	if (!ia32e && cr4 & CR4_PCIDE)
		return "CR4.PCIDE without long mode";
	if (vmcs_read(VMCS_GUEST_CR3) >> 52)
		return "CR3 beyond physical memory";
	if (vmcs_read(VMCS_GUEST_DR7) >> 32)
		return "the upper half of DR7";
	if (!is_canonical(vmcs_read(VMCS_GUEST_SYSENTER_ESP)) ||
	    !is_canonical(vmcs_read(VMCS_GUEST_SYSENTER_EIP)))
		return "SYSENTER_ESP or SYSENTER_EIP is not canonical";
	if (!pat_valid(vmcs_read(VMCS_GUEST_PAT)))
		return "PAT has a type that does not exist";
	if (efer & ~(EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE))
		return "a reserved bit of EFER";
	if (!(efer & EFER_LMA) != !ia32e)
		return "EFER.LMA is not what the entry control says";
	if (cr0 & CR0_PG && !(efer & EFER_LMA) != !(efer & EFER_LME))
		return "EFER.LMA is not EFER.LME under paging";
	return NULL;
}

/* "if any bit in 11:0 is 0, G must be 0; if any in 31:20 is 1, G must be 1" */
static bool limit_valid(const struct seg *s)
{
	return !((s->limit & 0xfff) != 0xfff && s->ar & AR_G) && !(s->limit >> 20 && !(s->ar & AR_G));
}

static const char *check_virtual_8086(const struct seg *s)
{
	for (u32 i = SEG_ES; i <= SEG_GS; i++)
		if (s[i].base != s[i].selector << 4 || s[i].limit != 0xffff || s[i].ar != 0xf3)
			return "a segment is not virtual-8086 mode's";
	return NULL;
}

static const char *check_code(const struct seg *cs, const struct seg *ss, bool ia32e)
{
	u32 type = cs->ar & AR_TYPE;

	if (type != 3 && type != 9 && type != 11 && type != 13 && type != 15)
		return "CS is neither accessed code nor real mode's data";
	if (!(cs->ar & AR_S) || !(cs->ar & AR_P) || cs->ar & AR_RESERVED || cs->ar & ACCESS_UNUSABLE)
		return "CS is a system segment, not present, or has reserved bits";
	if (type == 3 && AR_DPL(cs->ar))
		return "CS is data with a DPL";
	if ((type == 9 || type == 11) && AR_DPL(cs->ar) != AR_DPL(ss->ar))
		return "CS.DPL is not SS.DPL";
	if (type >= 13 && AR_DPL(cs->ar) > AR_DPL(ss->ar))
		return "conforming CS.DPL above SS.DPL";
	if (ia32e && cs->ar & AR_L && cs->ar & AR_DB)
		return "CS.L and CS.D";
	if (!limit_valid(cs))
		return "CS's limit does not fit its granularity";
	return cs->base >> 32 ? "CS's base beyond 4 GiB" : NULL;
}

static const char *check_stack(const struct seg *ss, const struct seg *cs)
{
	u32 type = ss->ar & AR_TYPE;

	if (AR_DPL(ss->ar) && ((cs->ar & AR_TYPE) == 3 || !(vmcs_read(VMCS_GUEST_CR0) & CR0_PE)))
		return "SS.DPL in real mode";
	if (ss->ar & ACCESS_UNUSABLE)
		return NULL;
	if (type != 3 && type != 7)
		return "SS is not accessed writable data";
	if (!(ss->ar & AR_S) || !(ss->ar & AR_P) || ss->ar & AR_RESERVED)
		return "SS is a system segment, not present, or has reserved bits";
	return limit_valid(ss) ? NULL : "SS's limit does not fit its granularity";
}

static const char *check_data(const struct seg *s)
{
	if (s->ar & ACCESS_UNUSABLE)
		return NULL;
	if (!(s->ar & 1) || (s->ar & BIT(3) && !(s->ar & BIT(1))))
		return "a data segment is not accessed, or unreadable code";
	if (!(s->ar & AR_S) || !(s->ar & AR_P) || s->ar & AR_RESERVED)
		return "a data segment is a system segment, not present, or has reserved bits";
	return limit_valid(s) ? NULL : "a data segment's limit does not fit its granularity";
}

static const char *check_system(const struct seg *tr, const struct seg *ldtr, bool ia32e)
{
	u32 type = tr->ar & AR_TYPE;

	if (type != 11 && (type != 3 || ia32e))
		return "TR is not a busy TSS";
	if (tr->ar & AR_S || !(tr->ar & AR_P) || tr->ar & AR_RESERVED || tr->ar & ACCESS_UNUSABLE)
		return "TR is no system segment, not present, unusable, or has reserved bits";
	if (!limit_valid(tr) || tr->selector & 4 || !is_canonical(tr->base))
		return "TR's limit, selector or base";
	if (ldtr->ar & ACCESS_UNUSABLE)
		return NULL;
	if ((ldtr->ar & AR_TYPE) != 2 || ldtr->ar & AR_S || !(ldtr->ar & AR_P) || ldtr->ar & AR_RESERVED)
		return "LDTR is not a present LDT, or has reserved bits";
	return limit_valid(ldtr) && !(ldtr->selector & 4) && is_canonical(ldtr->base) ? NULL
		: "LDTR's limit, selector or base";
}

/* §27.3.1.2 and §27.3.1.3 */
static const char *check_segments(bool ia32e, u64 rflags)
{
	struct seg s[SEG_COUNT];
	const char *broken;

	for (u32 i = 0; i < SEG_COUNT; i++)
		s[i] = segment_read(i);
	if (rflags & RFLAGS_VM && !ia32e) {
		broken = check_virtual_8086(s);
	} else {
		broken = check_code(&s[SEG_CS], &s[SEG_SS], ia32e);
		if (!broken)
			broken = check_stack(&s[SEG_SS], &s[SEG_CS]);
		for (u32 i = SEG_DS; !broken && i <= SEG_GS; i++)
			broken = check_data(&s[i]);
		if (!broken)
			broken = check_data(&s[SEG_ES]);
	}
	if (!broken && (!is_canonical(s[SEG_FS].base) || !is_canonical(s[SEG_GS].base)))
		broken = "FS's or GS's base is not canonical";
	if (!broken)
		broken = check_system(&s[SEG_TR], &s[SEG_LDTR], ia32e);
	if (!broken && (!is_canonical(vmcs_read(VMCS_GUEST_GDTR_BASE)) ||
			!is_canonical(vmcs_read(VMCS_GUEST_IDTR_BASE))))
		broken = "GDTR's or IDTR's base is not canonical";
	return broken;
}

/* §27.3.1.4 */
static const char *check_flags(bool ia32e, u64 rflags)
{
	u64 rip = vmcs_read(VMCS_GUEST_RIP), cr0 = vmcs_read(VMCS_GUEST_CR0);
	u64 event = vmcs_read(VMCS_ENTRY_EVENT);
	bool long_code = ia32e && vmcs_read(VMCS_GUEST_ES_ACCESS + 2 * SEG_CS) & AR_L;

	if (long_code ? !is_canonical(rip) : rip >> 32)
		return "RIP beyond what its mode reaches";
	if (rflags & RFLAGS_RESERVED || !(rflags & RFLAGS_FIXED))
		return "a reserved bit of RFLAGS";
	if (rflags & RFLAGS_VM && (ia32e || !(cr0 & CR0_PE)))
		return "RFLAGS.VM outside of protected mode";
	if (event & EVENT_VALID && (event >> EVENT_TYPE_SHIFT & 7) == INJECT_EXTERNAL && !(rflags & RFLAGS_IF))
		return "an interrupt while RFLAGS.IF is clear";
	return NULL;
}

/* §27.3.1.5 */
static const char *check_shadows(u64 rflags)
{
	u64 blocking = vmcs_read(VMCS_GUEST_SHADOW), event = vmcs_read(VMCS_ENTRY_EVENT);
	u32 type = event >> EVENT_TYPE_SHIFT & 7;

	if (vmcs_read(VMCS_GUEST_ACTIVITY))
		return "an activity state that Quire does not use";
	if (blocking & ~(SHADOW_STI | SHADOW_MOV_SS | SHADOW_NMI))
		return "a reserved bit of interruptibility";
	if (blocking & SHADOW_STI && (blocking & SHADOW_MOV_SS || !(rflags & RFLAGS_IF)))
		return "STI's shadow with MOV SS's, or with RFLAGS.IF clear";
	if (event & EVENT_VALID && type == INJECT_EXTERNAL && blocking & (SHADOW_STI | SHADOW_MOV_SS))
		return "an interrupt in a shadow";
	if (event & EVENT_VALID && type == INJECT_NMI && blocking & (SHADOW_MOV_SS | SHADOW_NMI))
		return "an NMI in MOV SS's shadow or within an NMI";
	if (blocking & (SHADOW_STI | SHADOW_MOV_SS) && rflags & RFLAGS_TF &&
	    !(vmcs_read(VMCS_GUEST_PENDING_DEBUG) & BIT(14)))
		return "TF in a shadow without a pending single-step trap";
	return NULL;
}

const char *vmx_check_guest(void)
{
	bool ia32e = vmcs_read(VMCS_ENTRY_CONTROLS) & ENTRY_IA32E;
	u64 rflags = vmcs_read(VMCS_GUEST_RFLAGS), why = vmcs_read(VMCS_QUALIFICATION);
	const char *broken = check_control(ia32e);

	if (!broken)
		broken = check_segments(ia32e, rflags);
	if (!broken)
		broken = check_flags(ia32e, rflags);
	if (!broken)
		broken = check_shadows(rflags);
	if (broken)
		return broken;
	return why == QUALIFICATION_PDPTE ? "a PDPTE has reserved bits"
		: why == QUALIFICATION_NMI ? "an NMI cannot be injected"
		: why == QUALIFICATION_LINK ? "the VMCS link pointer" : "a rule that Quire does not know";
}
