/* The guest's processor, made from the host's at boot: masks of what Quire virtualises correctly, then what
 * it emulates and adds, then what depends on something that was hidden.  A leaf that is not here reads as 0.
 * (APM 3 appendix E, SDM 2A CPUID; Linux's names of the bits.) */
#include "kernel/cpuid.h"

#include "kernel/lib/muldiv.h"
#include "kernel/lib/string.h"
#include "kernel/vcpu.h"

struct cpuid_policy cpuid_policy;

#define B(n) (1u << (n))
#define ALL 0xffffffffu

/* sse3 pclmulqdq ssse3 fma cx16 pcid sse4_1 sse4_2 movbe popcnt aes xsave avx f16c rdrand.
 * Not: monitor dtes64 ds_cpl vmx smx est tm2 cnxt_id sdbg xtpr pdcm dca */
#define BASIC_ECX (B(0) | B(1) | B(9) | B(12) | B(13) | B(17) | B(19) | B(20) | B(22) | B(23) | B(25) | \
	B(26) | B(28) | B(29) | B(30))
/* fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 ss.
 * Not: psn ds acpi ht tm pbe */
#define BASIC_EDX (0x01ffu | B(9) | B(11) | B(12) | B(13) | B(14) | B(15) | B(16) | B(17) | B(19) | \
	B(23) | B(24) | B(25) | B(26) | B(27))

#define AVX512_EBX (B(16) | B(17) | B(21) | B(26) | B(27) | B(28) | B(30) | B(31))
#define AVX512_ECX (B(1) | B(6) | B(11) | B(12) | B(14))
#define AVX512_EDX (B(2) | B(3) | B(8) | B(23))
/* fsgsbase bmi1 avx2 fdp_excptn_only smep bmi2 erms invpcid zero_fcs_fds rdseed adx smap clflushopt clwb
 * sha_ni.  Not: sgx hle rtm cqm mpx rdt_a intel_pt */
#define SEVEN_EBX (AVX512_EBX | B(0) | B(3) | B(5) | B(6) | B(7) | B(8) | B(9) | B(10) | B(13) | B(18) | \
	B(19) | B(20) | B(23) | B(24) | B(29))
/* prefetchwt1 umip pku gfni vaes vpclmulqdq rdpid cldemote movdiri movdir64b.
 * Not: waitpkg cet tme la57 mawau key_locker bus_lock enqcmd sgx_lc pks */
#define SEVEN_ECX (AVX512_ECX | B(0) | B(2) | B(3) | B(8) | B(9) | B(10) | B(22) | B(25) | B(27) | B(28))
/* fsrm md_clear serialize.  Not: rtm's, uintr, pconfig, lbr, ibt, amx, and the speculation controls */
#define SEVEN_EDX (AVX512_EDX | B(4) | B(10) | B(14))
#define SEVEN1_EAX (B(4) | B(5) | B(10) | B(11) | B(12)) /* avx_vnni avx512_bf16 fzlrm fsrs fsrc */

/* lahf_lm cr8_legacy abm sse4a misalignsse 3dnowprefetch xop fma4 tbm topoext.
 * Not: svm extapic osvw ibs skinit wdt lwp tce nodeid_msr perfctr dbx ptsc mwaitx */
#define EXTENDED_ECX (B(0) | B(4) | B(5) | B(6) | B(7) | B(8) | B(11) | B(16) | B(21) | B(22))
/* leaf 1's, syscall nx mmxext fxsr_opt pdpe1gb rdtscp lm 3dnowext 3dnow */
#define EXTENDED_EDX (0x0183f3ffu | B(11) | B(20) | B(22) | B(25) | B(26) | B(27) | B(29) | B(30) | B(31))

static const struct mask {
	u32 leaf;
	u32 eax, ebx, ecx, edx;
} masks[] = {
	{ 0x00, 0, ALL, ALL, ALL },
	{ 0x01, ALL, 0xff00, BASIC_ECX, BASIC_EDX },
	{ 0x02, ALL, ALL, ALL, ALL },
	{ 0x07, 0, SEVEN_EBX, SEVEN_ECX, SEVEN_EDX },
	{ 0x80000000, 0, ALL, ALL, ALL },
	{ 0x80000001, ALL, 0, EXTENDED_ECX, EXTENDED_EDX },
	{ 0x80000002, ALL, ALL, ALL, ALL },
	{ 0x80000003, ALL, ALL, ALL, ALL },
	{ 0x80000004, ALL, ALL, ALL, ALL },
	{ 0x80000005, ALL, ALL, ALL, ALL },
	{ 0x80000006, ALL, ALL, ALL, ALL },
	{ 0x80000007, 0, 0, 0, B(8) },                 /* invariant TSC */
	{ 0x80000008, 0xffff, B(0) | B(2) | B(9), 0, 0 }, /* address sizes; clzero xsaveerptr wbnoinvd */
	{ 0x80000019, ALL, ALL, 0, 0 },                /* 1 GiB TLB */
	{ 0x8000001a, ALL, 0, 0, 0 },                  /* performance hints */
	{ 0x80000021, B(0) | B(2) | B(6), 0, 0, 0 },   /* nested breakpoints, lfence, null selector */
};

static void apply_masks(struct cpuid_policy *p, struct cpuid (*host)(u32, u32))
{
	u32 max_basic = host(0, 0).eax, max_extended = host(0x80000000, 0).eax;

	for (u32 i = 0; i < ARRAY_SIZE(masks); i++) {
		const struct mask *m = &masks[i];
		bool extended = m->leaf >> 31;

		if (m->leaf > (extended ? max_extended : max_basic))
			continue;

		struct cpuid r = host(m->leaf, 0);
		struct cpuid *to = extended ? &p->extended[m->leaf & 0xff] : &p->basic[m->leaf];

		*to = (struct cpuid){ r.eax & m->eax, r.ebx & m->ebx, r.ecx & m->ecx, r.edx & m->edx };
	}
	if (max_basic >= 7 && host(7, 0).eax >= 1) {
		p->basic[7].eax = 1;
		p->features1.eax = host(7, 1).eax & SEVEN1_EAX;
	}
}

/* Cache leaves give each level's size and, patched later, who shares it. */
static void read_caches(struct cpuid *cache, u32 leaf, struct cpuid (*host)(u32, u32))
{
	for (u32 i = 0; i < CPUID_CACHES - 1; i++) {
		struct cpuid r = host(leaf, i);

		if (!(r.eax & 0x1f))
			break;
		cache[i] = r;
		cache[i].eax &= 0x3fff;
	}
}

/* What depends on extended state goes with it.  States: x87 SSE AVX, AVX-512's three, PKRU; not MPX, AMX. */
static void apply_xsave(struct cpuid_policy *p, u64 xcr0, struct cpuid (*host)(u32, u32))
{
	struct cpuid *one = &p->basic[1], *seven = &p->basic[7], *extended = &p->extended[1];

	if (one->ecx & B(26) && host(0, 0).eax >= 0xd)
		p->xcr0 = xcr0 & 0x2e7 & (host(0xd, 0).eax | (u64)host(0xd, 0).edx << 32);
	if ((p->xcr0 & 3) != 3)
		p->xcr0 = 0;
	if (!(p->xcr0 & 4))
		p->xcr0 &= ~0xe0ull;
	if ((p->xcr0 & 0xe0) != 0xe0) {
		p->xcr0 &= ~0xe0ull;
		seven->ebx &= ~AVX512_EBX;
		seven->ecx &= ~AVX512_ECX;
		seven->edx &= ~AVX512_EDX;
		p->features1.eax &= ~B(5);
	}
	if (!(p->xcr0 & 4)) {
		one->ecx &= ~(B(12) | B(28) | B(29));
		seven->ebx &= ~B(5);
		seven->ecx &= ~(B(9) | B(10));
		p->features1.eax &= ~B(4);
		extended->ecx &= ~(B(11) | B(16));
	}
	if (!(p->xcr0 & BIT(9)))
		seven->ecx &= ~B(3);
	if (!p->xcr0) {
		one->ecx &= ~B(26);
		p->extended[8].ebx &= ~B(2);
		return;
	}
	p->xsave[0] = (struct cpuid){ .eax = (u32)p->xcr0 };
	p->xsave[1] = (struct cpuid){ .eax = host(0xd, 1).eax & 7 }; /* xsaveopt xsavec xgetbv1; not xsaves */
	for (u32 i = 2; i < 63; i++)
		if (p->xcr0 & BIT(i)) {
			p->xsave[i] = host(0xd, i);
			p->xsave[i].ecx &= 2;
			p->xsave[i].edx = 0;
		}
}

/* Leaves 15h and 16h, Intel only.  Linux takes the crystal for the local APIC timer's clock, so it is that;
 * and computes crystal_khz * ebx in 32 bits.  So: the best fraction TSC / bus with a numerator that fits, by
 * continued fractions, within 1 ppm. */
static void add_frequency(struct cpuid_policy *p)
{
	u64 hz = vcpu_tsc_hz(), a = hz, b = LAPIC_BUS_HZ, limit = 0xffffffff / (LAPIC_BUS_HZ / 1000);
	u64 n = 1, n_before = 0, d = 0, d_before = 1;

	while (b) {
		u64 q = a / b, rest = a % b, n_next = q * n + n_before, d_next = q * d + d_before;

		if (n_next > limit)
			break;
		n_before = n, n = n_next;
		d_before = d, d = d_next;
		a = b, b = rest;
	}
	if (!d)
		return;
	p->basic[0x15] = (struct cpuid){ .eax = (u32)d, .ebx = (u32)n, .ecx = (u32)LAPIC_BUS_HZ };
	p->basic[0x16] = (struct cpuid){ .eax = (u32)(hz / 1000000), .ebx = (u32)(hz / 1000000), .ecx = 100 };
}

static void add_emulated(struct cpuid_policy *p)
{
	p->basic[1].ecx |= B(21) | B(24) | B(31); /* x2apic tsc_deadline_timer hypervisor */
	p->basic[1].edx |= B(9) | B(12);          /* apic mtrr */
	p->basic[6].eax = B(2);                   /* arat: the timer never stops */
	p->basic[7].ebx |= B(1);                  /* tsc_adjust */
	if (p->intel)
		add_frequency(p);
	p->basic[0].eax = p->intel ? 0x16 : 0xd;
	p->extended[0].eax = 0x80000000 + (p->amd ? CPUID_EXTENDED - 1 : 8);
	if (!(p->extended[8].eax & 0xff))
		p->extended[8].eax = 0x3024; /* 36 physical and 48 virtual bits: before the leaf existed */
	p->extended[8].eax = (p->extended[8].eax & 0xff) | 48 << 8; /* five-level paging is hidden */
}

static void derive_registers(struct cpuid_policy *p)
{
	u32 one_ecx = p->basic[1].ecx, seven_ebx = p->basic[7].ebx, seven_ecx = p->basic[7].ecx;
	u32 edx = p->extended[1].edx;

	p->cr4 = CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE | CR4_PCE |
		CR4_OSFXSR | CR4_OSXMMEXCPT;
	p->cr4 |= (seven_ecx & B(2) ? CR4_UMIP : 0) | (seven_ebx & B(0) ? CR4_FSGSBASE : 0) |
		(one_ecx & B(17) ? CR4_PCIDE : 0) | (one_ecx & B(26) ? CR4_OSXSAVE : 0) |
		(seven_ebx & B(7) ? CR4_SMEP : 0) | (seven_ebx & B(20) ? CR4_SMAP : 0) |
		(seven_ecx & B(3) ? CR4_PKE : 0);
	p->efer = EFER_SCE | (edx & B(29) ? EFER_LME | EFER_LMA : 0) | (edx & B(20) ? EFER_NXE : 0) |
		(edx & B(25) ? EFER_FFXSR : 0);
}

void cpuid_init(struct cpuid (*host)(u32 leaf, u32 subleaf), u64 xcr0)
{
	struct cpuid_policy *p = &cpuid_policy;

	memset(p, 0, sizeof(*p));
	apply_masks(p, host);
	p->intel = p->basic[0].ebx == 0x756e6547; /* "Genu" */
	p->amd = p->basic[0].ebx == 0x68747541 || p->basic[0].ebx == 0x6f677948; /* "Auth", "Hygo" */
	if (p->intel && host(0, 0).eax >= 4)
		read_caches(p->cache, 4, host);
	if (p->amd && p->extended[1].ecx & B(22))
		read_caches(p->amd_cache, 0x8000001d, host);
	apply_xsave(p, xcr0, host);
	add_emulated(p);
	derive_registers(p);
}
