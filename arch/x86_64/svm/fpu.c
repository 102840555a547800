/* x87, SSE and AVX registers: switched when a vCPU comes to a CPU and leaves it.  Ring 0 and ring 3 do not
 * use them; CR0.TS guards them while they are nobody's, so that no process finds another guest's in them. */
#include "arch/x86_64/registers.h"
#include "arch/x86_64/svm/svm.h"

#define FPU_MXCSR 24 /* APM 2 §11.5.3 */
#define FPU_CONTROL 0

void svm_fpu_init(struct virt_vcpu *v)
{
	*(u16 *)(v->fpu + FPU_CONTROL) = 0x37f;
	*(u32 *)(v->fpu + FPU_MXCSR) = 0x1f80;
	v->xcr0 = 1;
}

void svm_fpu_load(struct virt_vcpu *v)
{
	u32 low = (u32)svm_features.xcr0, high = (u32)(svm_features.xcr0 >> 32);

	cr0_write(cr0_read() & ~CR0_TS);
	if (!svm_features.xsave) {
		__asm__ volatile("fxrstor64 (%0)" : : "r"(v->fpu) : "memory");
		return;
	}
	xsetbv(0, svm_features.xcr0);
	__asm__ volatile("xrstor64 (%0)" : : "r"(v->fpu), "a"(low), "d"(high) : "memory");
	xsetbv(0, v->xcr0);
}

/* XCR0 is read back: QEMU 7.2 lets the guest set it without an exit. */
void svm_fpu_save(struct virt_vcpu *v)
{
	u32 low = (u32)svm_features.xcr0, high = (u32)(svm_features.xcr0 >> 32);

	if (svm_features.xsave) {
		v->xcr0 = xgetbv(0);
		xsetbv(0, svm_features.xcr0);
		__asm__ volatile("xsave64 (%0)" : : "r"(v->fpu), "a"(low), "d"(high) : "memory");
	} else {
		__asm__ volatile("fxsave64 (%0)" : : "r"(v->fpu) : "memory");
	}
	cr0_write(cr0_read() | CR0_TS);
}
