/* The VMX back end: what the processor can do, and the table of operations. */
#include "arch/x86_64/vmx/vmx.h"

#include "arch/x86_64/registers.h"
#include "arch/x86_64/table_format.h"
#include "arch/x86_64/virt_memory.h"
#include "kernel/lib/error.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"

#define BITMAP_HIGH 0x400 /* MSR bitmap, SDM 3C §25.6.9: reads of c0000000h on; writes lie 800h behind */
#define BITMAP_WRITE 0x800

struct vmx_features vmx_features;
u8 *vmx_msr_bitmap, *vmx_msr_bitmap_x2apic, *vmx_apic_frame;
static struct table_format stage2; /* c: EPT's, without what the processor lacks */

static bool present(void)
{
	return cpuid(0, 0).ebx == 0x756e6547 && cpuid(1, 0).ecx & BIT(5); /* "Genu" */
}

static int probe(const struct virt_options *said, char *why, size_t why_len, char *features, size_t features_len)
{
	u64 control = rdmsr(MSR_FEATURE_CONTROL);
	const char *missing;

	if (control & FEATURE_CONTROL_LOCKED && !(control & FEATURE_CONTROL_VMX)) {
		str_copy(why, why_len, "VMX is locked off: turn on \"Intel Virtualization Technology\" in the "
			 "firmware's setup");
		return ERR_UNSUPPORTED;
	}
	if (vmx_controls_choose(&vmx_features, said, rdmsr, &missing)) {
		fmt_print(why, why_len, "the processor's VMX lacks %s", missing);
		return ERR_UNSUPPORTED;
	}
	stage2 = table_format_ept;
	if (!vmx_features.ept_ad)
		stage2.accessed = stage2.dirty = 0;
	if (!vmx_features.ept_2m)
		stage2.large = 0;
	vmx_controls_describe(&vmx_features, features, features_len);
	return 0;
}

/* ---- the MSR bitmap ---- */

static void read_pass(u8 *bitmap, u32 msr)
{
	u32 base = msr >= 0xc0000000 ? BITMAP_HIGH : 0, index = msr & 0x1fff;

	bitmap[base + index / 8] &= (u8)~BIT(index % 8);
}

static void write_pass(u8 *bitmap, u32 msr)
{
	read_pass(bitmap + BITMAP_WRITE, msr);
}

/* What the processor does by itself in x2APIC mode: SDM 3C §30.5.  Reads of the rest show what is not in the page
 * (the timer's count, and ICR's high half in its place there) or fault, and other writes have effects. */
static void pass_x2apic(u8 *bitmap)
{
	static const u16 reads[] = { 0x802, 0x803, 0x808, 0x80a, 0x80d, 0x80f, 0x828, 0x832, 0x833, 0x834, 0x835, 0x836,
		0x837, 0x838, 0x83e }, writes[] = { 0x808, 0x80b, 0x83f };

	for (u32 i = 0; i < ARRAY_SIZE(reads); i++)
		read_pass(bitmap, reads[i]);
	for (u32 msr = 0x810; msr < 0x828; msr++)
		read_pass(bitmap, msr); /* ISR, TMR, IRR */
	for (u32 i = 0; i < ARRAY_SIZE(writes); i++)
		write_pass(bitmap, writes[i]); /* TPR, EOI, self-IPI */
}

/* SYSCALL's MSRs are written seldom and are not the guest's all the time, so they exit. */
static int make_pages(void)
{
	static const u32 passed[] = { MSR_FS_BASE, MSR_GS_BASE, MSR_KERNEL_GS_BASE, MSR_SYSENTER_CS,
		MSR_SYSENTER_ESP, MSR_SYSENTER_EIP };

	vmx_msr_bitmap = virt_memory_alloc(PAGE_SIZE);
	vmx_msr_bitmap_x2apic = virt_memory_alloc(PAGE_SIZE);
	vmx_apic_frame = virt_memory_alloc(PAGE_SIZE);
	if (!vmx_msr_bitmap || !vmx_msr_bitmap_x2apic || !vmx_apic_frame)
		return ERR_NOMEM;
	memset(vmx_msr_bitmap, 0xff, PAGE_SIZE);
	for (u32 i = 0; i < ARRAY_SIZE(passed); i++) {
		read_pass(vmx_msr_bitmap, passed[i]);
		write_pass(vmx_msr_bitmap, passed[i]);
	}
	memcpy(vmx_msr_bitmap_x2apic, vmx_msr_bitmap, PAGE_SIZE);
	pass_x2apic(vmx_msr_bitmap_x2apic);
	return 0;
}

static int cpu_enable(void)
{
	if (!vmx_msr_bitmap && make_pages())
		return ERR_NOMEM;
	return vmx_cpu_enable();
}

/* The guest executes MOV to CR4 itself: see cr.c. */
static int set_cr4(struct virt_vcpu *v, u64 value)
{
	return ERR_INVAL;
}

const struct virt_ops vmx_ops = {
	.name = "VMX", .stage2 = &stage2, .present = present, .probe = probe,
	.cpu_enable = cpu_enable, .cpu_disable = vmx_cpu_disable, .ring3 = vmx_ring3,
	.vcpu_create = vmx_vcpu_create, .vcpu_put = vmx_vcpu_put, .load = vmx_load, .leave = vmx_leave, .run = vmx_run,
	.flush = vmx_flush, .get = vmx_state_get, .set = vmx_state_set,
	.can_interrupt = vmx_can_interrupt, .can_nmi = vmx_can_nmi,
	.inject = vmx_inject, .cancel = vmx_cancel, .window = vmx_window, .shadow = vmx_shadow,
	.single_step = vmx_single_step, .cr4 = vmx_get_cr4, .xcr0 = vmx_get_xcr0, .set_cr2 = vmx_set_cr2,
	.set_cr8 = vmx_set_cr8, .set_cr4 = set_cr4, .code = vmx_code, .set_tsc_offset = vmx_set_tsc_offset,
	.msr_get = vmx_msr_get, .msr_set = vmx_msr_set,
};
