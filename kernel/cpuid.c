/* CPUID as a guest's vCPU executes it: the policy's leaves, patched with what differs between vCPUs (APIC ID,
 * bits that mirror CR4 and XCR0) and guests (topology: one package of single-threaded cores). */
#include "kernel/cpuid.h"

#include "kernel/vcpu.h"

#define HYPERVISOR 0x40000000u
#define KVM_FEATURES 1u
#define TIMING 0x10u

/* clocksource, nop_io_delay, clocksource2, steal_time, pv_eoi, pv_unhalt, pv_tlb_flush, pv_send_ipi,
 * clocksource_stable: Linux, Documentation/virt/kvm/x86/cpuid.rst */
#define KVM_FEATURE_BITS (1u << 0 | 1u << 1 | 1u << 3 | 1u << 5 | 1u << 6 | 1u << 7 | 1u << 9 | 1u << 11 | 1u << 24)

u32 cpuid_phys_bits(void)
{
	return cpuid_policy.extended[8].eax & 0xff;
}

bool cpuid_is_amd(void)
{
	return cpuid_policy.amd;
}

bool cpuid_has_tsc_aux(void)
{
	return cpuid_policy.extended[1].edx & 1u << 27 || cpuid_policy.basic[7].ecx & 1u << 22;
}

u64 cpuid_guest_cr4(const struct vcpu *v)
{
	return cpuid_policy.cr4;
}

u64 cpuid_guest_efer(const struct vcpu *v)
{
	return cpuid_policy.efer;
}

u64 cpuid_guest_xcr0(const struct vcpu *v)
{
	return cpuid_policy.xcr0;
}

/* Bits of an APIC ID that number cores. */
static u32 core_bits(u32 count)
{
	return count > 1 ? 32 - (u32)__builtin_clz(count - 1) : 0;
}

/* SDM 1 §13.4: standard form by the highest state's place, compacted by the sum. */
static u32 xsave_size(u64 xcr0, bool compact)
{
	u32 size = 576;

	for (u32 i = 2; i < 63; i++) {
		const struct cpuid *x = &cpuid_policy.xsave[i];

		if (!(xcr0 & BIT(i)))
			continue;
		if (!compact)
			size = MAX(size, x->ebx + x->eax);
		else
			size = (x->ecx & 2 ? (u32)ALIGN_UP(size, 64) : size) + x->eax;
	}
	return size;
}

static struct cpuid xsave_leaf(const struct vcpu *v, u32 subleaf)
{
	struct cpuid r = { 0 };

	if (subleaf < 63)
		r = cpuid_policy.xsave[subleaf];
	if (subleaf == 0 && cpuid_policy.xcr0) {
		r.ebx = xsave_size(vcpu_xcr0(v), false);
		r.ecx = xsave_size(cpuid_policy.xcr0, false);
	} else if (subleaf == 1 && r.eax & 2) {
		r.ebx = xsave_size(vcpu_xcr0(v), true);
	}
	return r;
}

/* Leaf 4 of Intel and 8000001Dh of AMD: levels 1 and 2 are a core's own, the others everybody's. */
static struct cpuid cache_leaf(const struct vcpu *v, const struct cpuid *cache, u32 subleaf, bool intel)
{
	u32 count = guest_vcpu_count(v->guest), last = (1u << core_bits(count)) - 1;
	struct cpuid r = { 0 };

	if (subleaf >= CPUID_CACHES || !cache[subleaf].eax)
		return r;
	r = cache[subleaf];
	if ((r.eax >> 5 & 7) >= 3)
		r.eax |= last << 14;
	if (intel)
		r.eax |= last << 26;
	return r;
}

/* Leaf Bh: level 0 is the thread, level 1 the core. */
static struct cpuid topology_leaf(const struct vcpu *v, u32 subleaf)
{
	u32 count = guest_vcpu_count(v->guest);
	struct cpuid r = { .ecx = subleaf & 0xff, .edx = v->index };

	if (subleaf == 0) {
		r.ebx = 1;
		r.ecx |= 1 << 8;
	} else if (subleaf == 1) {
		r.eax = core_bits(count);
		r.ebx = count;
		r.ecx |= 2 << 8;
	}
	return r;
}

static struct cpuid basic_leaf(const struct vcpu *v, u32 leaf, u32 subleaf)
{
	struct cpuid r = cpuid_policy.basic[leaf];
	u32 count;
	u64 cr4;

	switch (leaf) {
	case 1:
		count = guest_vcpu_count(v->guest);
		cr4 = vcpu_cr4(v);
		r.ebx |= v->index << 24 | MIN(count, 255) << 16;
		if (count > 1)
			r.edx |= 1u << 28; /* HTT: the count in EBX is valid */
		if (cr4 & CR4_OSXSAVE)
			r.ecx |= 1u << 27;
		if (!(v->lapic.base & LAPIC_BASE_ENABLE))
			r.edx &= ~(1u << 9);
		return r;
	case 4:
		return cache_leaf(v, cpuid_policy.cache, subleaf, true);
	case 7:
		if (subleaf)
			return subleaf == 1 ? cpuid_policy.features1 : (struct cpuid){ 0 };
		if (r.ecx & 1u << 3 && vcpu_cr4(v) & CR4_PKE)
			r.ecx |= 1u << 4;
		return r;
	case 0xb:
		return topology_leaf(v, subleaf);
	case 0xd:
		return xsave_leaf(v, subleaf);
	default:
		return r;
	}
}

static struct cpuid extended_leaf(const struct vcpu *v, u32 leaf, u32 subleaf)
{
	struct cpuid r = cpuid_policy.extended[leaf & 0xff];
	u32 count = guest_vcpu_count(v->guest);

	if (!cpuid_policy.amd)
		return r;
	switch (leaf) {
	case 0x80000001:
		if (count > 1)
			r.ecx |= 1u << 1; /* CmpLegacy: HTT counts cores */
		break;
	case 0x80000008:
		r.ecx = core_bits(count) << 12 | (count - 1);
		break;
	case 0x8000001d:
		return cache_leaf(v, cpuid_policy.amd_cache, subleaf, false);
	case 0x8000001e: /* extended APIC ID, core; one thread a core, one node */
		if (cpuid_policy.extended[1].ecx & 1u << 22)
			r = (struct cpuid){ .eax = v->index, .ebx = v->index & 0xff };
		break;
	}
	return r;
}

/* KVM's leaves make room for Hyper-V's where a guest has both: Linux looks for them at each 100h. */
static struct cpuid hypervisor_leaf(const struct vcpu *v, u32 leaf)
{
	const struct hyperv_guest *h = guest_hyperv(v->guest);
	u32 base = HYPERVISOR + (h ? HYPERV_LEAVES : 0);

	if (h && (leaf - HYPERV_LEAF < HYPERV_LEAVES || h->mode == HYPERV_ONLY))
		return hyperv_cpuid(v, leaf);
	switch (leaf - base) {
	case 0:
		return (struct cpuid){ base + TIMING, 0x4b4d564b, 0x564b4d56, 0x0000004d }; /* "KVMKVMKVM" */
	case KVM_FEATURES:
		return (struct cpuid){ .eax = KVM_FEATURE_BITS };
	case TIMING: /* kHz of the TSC and of the local APIC's bus, as VMware, FreeBSD and QEMU have it */
		return (struct cpuid){ .eax = (u32)(vcpu_tsc_hz() / 1000), .ebx = (u32)(LAPIC_BUS_HZ / 1000) };
	default:
		return (struct cpuid){ 0 };
	}
}

struct cpuid cpuid_guest(const struct vcpu *v, u32 leaf, u32 subleaf)
{
	if (cpuid_is_plain(leaf))
		return cpuid_policy.basic[leaf];
	if (leaf < CPUID_BASIC)
		return basic_leaf(v, leaf, subleaf);
	if (leaf - 0x80000000 < CPUID_EXTENDED)
		return extended_leaf(v, leaf, subleaf);
	return hypervisor_leaf(v, leaf);
}
