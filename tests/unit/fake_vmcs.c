/* The fake of fake_vmcs.h. */
#include "tests/unit/fake_vmcs.h"

#include <assert.h>
#include <string.h>

#include "arch/x86_64/registers.h"

u64 fake_vmcs[0x8000], fake_dr6;
u8 *vmx_msr_bitmap, *vmx_msr_bitmap_x2apic, *vmx_apic_frame;
struct vmx_features vmx_features;

/* As Broadwell's, but for bits that nobody asks for. */
u64 fake_vmx_msr(u32 msr)
{
	switch (msr) {
	case MSR_VMX_BASIC: return 0x12 | BIT(55);
	case MSR_VMX_PIN: return 0x16 | 0x7full << 32;
	case MSR_VMX_TRUE_PIN: return 0x16 | 0x7full << 32;
	case MSR_VMX_PRIMARY: return 0x0401e172 | 0xfff9fffeull << 32;
	case MSR_VMX_TRUE_PRIMARY: return 0x04006172 | 0xfff9fffeull << 32;
	case MSR_VMX_EXIT: return 0x36dff | 0x7fffffull << 32;
	case MSR_VMX_TRUE_EXIT: return 0x36dfb | 0x7fffffull << 32;
	case MSR_VMX_ENTRY: return 0x11ff | 0xffffull << 32;
	case MSR_VMX_TRUE_ENTRY: return 0x11fb | 0xffffull << 32;
	case MSR_VMX_SECONDARY: return 0xffffull << 32;
	case MSR_VMX_MISC: return 0x7004c1e5;
	case MSR_VMX_CR0_FIXED0: return 0x80000021;
	case MSR_VMX_CR0_FIXED1: return 0xffffffff;
	case MSR_VMX_CR4_FIXED0: return 0x2000;
	case MSR_VMX_CR4_FIXED1: return 0x3767ff;
	case MSR_VMX_EPT_VPID: return 0xf0106334141ull;
	}
	assert(!"an MSR that nobody should read");
	return 0;
}

void fake_vmcs_run(void **state)
{
	const struct fake_vmcs_test *test = *state;

	fake_vmcs_trap();
	assert(!test->setup(state));
	test->run(state);
}

void fake_vmcs_start(void)
{
	const char *missing;

	memset(fake_vmcs, 0, sizeof(fake_vmcs));
	fake_dr6 = 0;
	assert(!vmx_controls_choose(&vmx_features, &(struct virt_options){ 0 }, fake_vmx_msr, &missing));
}

bool vmx_is_here(const struct virt_vcpu *v) { return false; }
void vmx_borrow(struct virt_vcpu *v) {}
void vmx_return(struct virt_vcpu *v) {}
u64 fpu_get_xcr0(const struct fpu *f) { return f->xcr0; }
void fpu_set_xcr0(struct fpu *f, u64 value) { f->xcr0 = value; }
