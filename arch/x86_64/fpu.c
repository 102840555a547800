/* Switching the vector registers.  What is detected is constant after boot; a struct fpu is its owner's. */
#include "arch/x86_64/fpu.h"

#include "arch/x86_64/registers.h"
#include "arch/x86_64/virt_memory.h"
#include "kernel/lib/error.h"

#define FPU_MXCSR 24 /* APM 2 §11.5.3 */
#define FPU_CONTROL 0
#define XCR0_SWITCHED 0xe7 /* x87, SSE, AVX, AVX-512's three */

static struct {
	bool xsave;
	u64 xcr0;
	u32 size; /* bytes of the XSAVE area for it */
} detected;

void fpu_detect(void)
{
	detected.size = 512;
	detected.xsave = cpuid(1, 0).ecx & BIT(26);
	if (!detected.xsave)
		return;
	detected.xcr0 = cpuid(0xd, 0).eax & XCR0_SWITCHED;
	if ((detected.xcr0 & 0xe0) != 0xe0)
		detected.xcr0 &= ~0xe0ull;
	detected.size = cpuid(0xd, 0).ecx;
}

u64 fpu_xcr0(void)
{
	return detected.xcr0;
}

bool fpu_has_xsave(void)
{
	return detected.xsave;
}

int fpu_init(struct fpu *f)
{
	f->area = virt_memory_alloc(detected.size); /* aligned by its size */
	if (!f->area)
		return ERR_NOMEM;
	*(u16 *)(f->area + FPU_CONTROL) = 0x37f;
	*(u32 *)(f->area + FPU_MXCSR) = 0x1f80;
	f->xcr0 = 1;
	return 0;
}

void fpu_fini(struct fpu *f)
{
	virt_memory_free(f->area, detected.size);
	f->area = NULL;
}

void fpu_load(struct fpu *f)
{
	u32 low = (u32)detected.xcr0, high = (u32)(detected.xcr0 >> 32);

	cr0_write(cr0_read() & ~CR0_TS);
	f->loaded = true;
	if (!detected.xsave) {
		__asm__ volatile("fxrstor64 (%0)" : : "r"(f->area) : "memory");
		return;
	}
	xsetbv(0, detected.xcr0);
	__asm__ volatile("xrstor64 (%0)" : : "r"(f->area), "a"(low), "d"(high) : "memory");
	xsetbv(0, f->xcr0);
}

/* XCR0 is read back: QEMU 7.2 lets an SVM guest set it without an exit. */
void fpu_save(struct fpu *f)
{
	u32 low = (u32)detected.xcr0, high = (u32)(detected.xcr0 >> 32);

	if (detected.xsave) {
		f->xcr0 = xgetbv(0);
		xsetbv(0, detected.xcr0);
		__asm__ volatile("xsave64 (%0)" : : "r"(f->area), "a"(low), "d"(high) : "memory");
	} else {
		__asm__ volatile("fxsave64 (%0)" : : "r"(f->area) : "memory");
	}
	f->loaded = false;
	cr0_write(cr0_read() | CR0_TS);
}

u64 fpu_get_xcr0(const struct fpu *f)
{
	return f->loaded && detected.xsave ? xgetbv(0) : f->xcr0;
}

void fpu_set_xcr0(struct fpu *f, u64 value)
{
	f->xcr0 = value;
	if (f->loaded && detected.xsave)
		xsetbv(0, value);
}
