/* The processor's registers and the instructions that C has no words for.  Thin wrappers: one instruction
 * each, no policy.  Everything here is ring 0 except cpuid, rdtsc, pause and the fences. */
#ifndef ARCH_X86_64_REGISTERS_H
#define ARCH_X86_64_REGISTERS_H

#include "kernel/lib/types.h"

/* Control registers: APM 2 §3.1, SDM 3A §2.5 */
#define CR0_PE BIT(0)
#define CR0_MP BIT(1)
#define CR0_EM BIT(2)
#define CR0_TS BIT(3)
#define CR0_ET BIT(4)
#define CR0_NE BIT(5)
#define CR0_WP BIT(16)
#define CR0_AM BIT(18)
#define CR0_NW BIT(29)
#define CR0_CD BIT(30)
#define CR0_PG BIT(31)
#define CR4_VME BIT(0)
#define CR4_PVI BIT(1)
#define CR4_TSD BIT(2)
#define CR4_DE BIT(3)
#define CR4_PSE BIT(4)
#define CR4_PAE BIT(5)
#define CR4_MCE BIT(6)
#define CR4_PGE BIT(7)
#define CR4_PCE BIT(8)
#define CR4_OSFXSR BIT(9)
#define CR4_OSXMMEXCPT BIT(10)
#define CR4_UMIP BIT(11)
#define CR4_LA57 BIT(12)
#define CR4_VMXE BIT(13)
#define CR4_FSGSBASE BIT(16)
#define CR4_PCIDE BIT(17)
#define CR4_OSXSAVE BIT(18)
#define CR4_SMEP BIT(20)
#define CR4_SMAP BIT(21)
#define CR4_PKE BIT(22)
#define CR4_CET BIT(23)

#define EFER_SCE BIT(0)
#define EFER_LME BIT(8)
#define EFER_LMA BIT(10)
#define EFER_NXE BIT(11)
#define EFER_SVME BIT(12)
#define EFER_FFXSR BIT(14)

#define RFLAGS_CF BIT(0)
#define RFLAGS_FIXED BIT(1) /* always set */
#define RFLAGS_PF BIT(2)
#define RFLAGS_AF BIT(4)
#define RFLAGS_ZF BIT(6)
#define RFLAGS_SF BIT(7)
#define RFLAGS_TF BIT(8)
#define RFLAGS_IF BIT(9)
#define RFLAGS_DF BIT(10)
#define RFLAGS_OF BIT(11)
#define RFLAGS_IOPL (3ull << 12)
#define RFLAGS_NT BIT(14)
#define RFLAGS_RF BIT(16)
#define RFLAGS_VM BIT(17)
#define RFLAGS_AC BIT(18)
#define RFLAGS_ID BIT(21)

/* MSRs: APM 2 Appendix A, SDM 4 */
#define MSR_TSC 0x10u
#define MSR_APIC_BASE 0x1bu
#define MSR_FEATURE_CONTROL 0x3au
#define MSR_TSC_ADJUST 0x3bu
#define MSR_SPEC_CTRL 0x48u
#define MSR_PRED_CMD 0x49u
#define MSR_MTRR_CAP 0xfeu
#define MSR_ARCH_CAPABILITIES 0x10au
#define MSR_FLUSH_CMD 0x10bu
#define MSR_SYSENTER_CS 0x174u
#define MSR_SYSENTER_ESP 0x175u
#define MSR_SYSENTER_EIP 0x176u
#define MSR_DEBUGCTL 0x1d9u
#define MSR_PAT 0x277u
#define MSR_MTRR_DEF_TYPE 0x2ffu
#define MSR_VMX_BASIC 0x480u /* SDM 3D appendix A */
#define MSR_VMX_PIN 0x481u
#define MSR_VMX_PRIMARY 0x482u
#define MSR_VMX_EXIT 0x483u
#define MSR_VMX_ENTRY 0x484u
#define MSR_VMX_MISC 0x485u
#define MSR_VMX_CR0_FIXED0 0x486u
#define MSR_VMX_CR0_FIXED1 0x487u
#define MSR_VMX_CR4_FIXED0 0x488u
#define MSR_VMX_CR4_FIXED1 0x489u
#define MSR_VMX_SECONDARY 0x48bu
#define MSR_VMX_EPT_VPID 0x48cu
#define MSR_VMX_TRUE_PIN 0x48du
#define MSR_VMX_TRUE_PRIMARY 0x48eu
#define MSR_VMX_TRUE_EXIT 0x48fu
#define MSR_VMX_TRUE_ENTRY 0x490u
#define MSR_TSC_DEADLINE 0x6e0u
#define MSR_X2APIC_FIRST 0x800u /* register at MMIO offset o is MSR 800h + o / 16 */
#define MSR_XSS 0xda0u
#define MSR_EFER 0xc0000080u
#define MSR_STAR 0xc0000081u
#define MSR_LSTAR 0xc0000082u
#define MSR_CSTAR 0xc0000083u
#define MSR_SFMASK 0xc0000084u
#define MSR_FS_BASE 0xc0000100u
#define MSR_GS_BASE 0xc0000101u
#define MSR_KERNEL_GS_BASE 0xc0000102u
#define MSR_TSC_AUX 0xc0000103u
#define FEATURE_CONTROL_LOCKED BIT(0) /* SDM 3C §24.7 */
#define FEATURE_CONTROL_VMX BIT(2)
#define MSR_VM_CR 0xc0010114u
#define MSR_VM_HSAVE_PA 0xc0010117u

struct cpuid {
	u32 eax, ebx, ecx, edx;
};

static inline struct cpuid cpuid(u32 leaf, u32 subleaf)
{
	struct cpuid r;
	__asm__ volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(subleaf));
	return r;
}

static inline u64 rdmsr(u32 msr)
{
	u32 low, high;
	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr) : "memory");
	return low | (u64)high << 32;
}

static inline void wrmsr(u32 msr, u64 value)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
}

/* Not serialising: may be executed early or late by some dozens of cycles.  rdtsc_ordered is not early. */
static inline u64 rdtsc(void)
{
	u32 low, high;
	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return low | (u64)high << 32;
}

static inline u64 rdtsc_ordered(void)
{
	u32 low, high;
	__asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return low | (u64)high << 32;
}

#define REGISTER_ACCESS(name, reg) \
	static inline u64 name##_read(void) \
	{ \
		u64 value; \
		__asm__ volatile("mov %%" reg ", %0" : "=r"(value) : : "memory"); \
		return value; \
	} \
	static inline void name##_write(u64 value) \
	{ \
		__asm__ volatile("mov %0, %%" reg : : "r"(value) : "memory"); \
	}

REGISTER_ACCESS(cr0, "cr0")
REGISTER_ACCESS(cr2, "cr2")
REGISTER_ACCESS(cr3, "cr3")
REGISTER_ACCESS(cr4, "cr4")
REGISTER_ACCESS(cr8, "cr8")
REGISTER_ACCESS(dr0, "dr0")
REGISTER_ACCESS(dr1, "dr1")
REGISTER_ACCESS(dr2, "dr2")
REGISTER_ACCESS(dr3, "dr3")
REGISTER_ACCESS(dr6, "dr6")
REGISTER_ACCESS(dr7, "dr7")
#undef REGISTER_ACCESS

static inline u64 xgetbv(u32 index)
{
	u32 low, high;
	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(index));
	return low | (u64)high << 32;
}

static inline void xsetbv(u32 index, u64 value)
{
	__asm__ volatile("xsetbv" : : "c"(index), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
}

static inline u64 rflags_read(void)
{
	u64 value;
	__asm__ volatile("pushfq; pop %0" : "=r"(value) : : "memory");
	return value;
}

static inline u64 rbp_read(void)
{
	u64 value;
	__asm__ volatile("mov %%rbp, %0" : "=r"(value));
	return value;
}

static inline u64 rsp_read(void)
{
	u64 value;
	__asm__ volatile("mov %%rsp, %0" : "=r"(value));
	return value;
}

static inline u8 in8(u16 port)
{
	u8 value;
	__asm__ volatile("inb %w1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

static inline u16 in16(u16 port)
{
	u16 value;
	__asm__ volatile("inw %w1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

static inline u32 in32(u16 port)
{
	u32 value;
	__asm__ volatile("inl %w1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

static inline void out8(u16 port, u8 value)
{
	__asm__ volatile("outb %0, %w1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void out16(u16 port, u16 value)
{
	__asm__ volatile("outw %0, %w1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void out32(u16 port, u32 value)
{
	__asm__ volatile("outl %0, %w1" : : "a"(value), "Nd"(port) : "memory");
}

/* One access of exactly this width, never merged or split by the compiler. */
static inline u8 mmio_read8(u64 address) { return *(volatile u8 *)address; }
static inline u32 mmio_read32(u64 address) { return *(volatile u32 *)address; }
static inline u64 mmio_read64(u64 address) { return *(volatile u64 *)address; }
static inline void mmio_write8(u64 address, u8 value) { *(volatile u8 *)address = value; }
static inline void mmio_write32(u64 address, u32 value) { *(volatile u32 *)address = value; }
static inline void mmio_write64(u64 address, u64 value) { *(volatile u64 *)address = value; }

struct descriptor_pointer { /* for LGDT and LIDT */
	u16 limit;
	u64 base;
} packed_struct;

static inline void lgdt(const struct descriptor_pointer *p)
{
	__asm__ volatile("lgdt %0" : : "m"(*p) : "memory");
}

static inline void lidt(const struct descriptor_pointer *p)
{
	__asm__ volatile("lidt %0" : : "m"(*p) : "memory");
}

static inline void sgdt(struct descriptor_pointer *p) { __asm__ volatile("sgdt %0" : "=m"(*p)); }
static inline void sidt(struct descriptor_pointer *p) { __asm__ volatile("sidt %0" : "=m"(*p)); }
static inline void lldt(u16 selector) { __asm__ volatile("lldt %0" : : "r"(selector) : "memory"); }
static inline void ltr(u16 selector) { __asm__ volatile("ltr %0" : : "r"(selector) : "memory"); }

static inline void invlpg(u64 address) { __asm__ volatile("invlpg (%0)" : : "r"(address) : "memory"); }
static inline void wbinvd(void) { __asm__ volatile("wbinvd" : : : "memory"); }
static inline void sti(void) { __asm__ volatile("sti" : : : "memory"); }
static inline void cli(void) { __asm__ volatile("cli" : : : "memory"); }
static inline void hlt(void) { __asm__ volatile("hlt" : : : "memory"); }
static inline void pause(void) { __asm__ volatile("pause" : : : "memory"); }
static inline void stac(void) { __asm__ volatile("stac" : : : "memory"); } /* needs the SMAP bit of CPUID */
static inline void clac(void) { __asm__ volatile("clac" : : : "memory"); }
static inline void clgi(void) { __asm__ volatile("clgi" : : : "memory"); } /* only with EFER.SVME */
static inline void stgi(void) { __asm__ volatile("stgi" : : : "memory"); }
static inline void lfence(void) { __asm__ volatile("lfence" : : : "memory"); }
static inline void mfence(void) { __asm__ volatile("mfence" : : : "memory"); }

/* Interrupts are let in for exactly the HLT: STI's shadow closes the window in which one would be lost. */
static inline void sti_hlt_cli(void) { __asm__ volatile("sti; hlt; cli" : : : "memory"); }

#endif
