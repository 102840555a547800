/* The host's local APIC.  The mode and rate below are written by the boot CPU before the others run; the
 * registers themselves are each CPU's own, so there is no lock.  Ring 0 is not interrupted, and no NMI
 * handler sends, so the two halves of the xAPIC's ICR are never mixed. */
#include "arch/x86_64/apic.h"
#include "arch/x86_64/registers.h"
#include "kernel/lib/error.h"

/* Registers, as MMIO offsets: APM 2 §16.3.2, SDM 3A §10.4.1 */
enum apic_register {
	APIC_ID = 0x20,
	APIC_VERSION = 0x30,
	APIC_TPR = 0x80,
	APIC_EOI = 0xb0,
	APIC_DFR = 0xe0,
	APIC_SVR = 0xf0,
	APIC_ISR = 0x100,
	APIC_ESR = 0x280,
	APIC_LVT_CMCI = 0x2f0,
	APIC_ICR = 0x300,
	APIC_ICR_HIGH = 0x310,
	APIC_LVT_TIMER = 0x320,
	APIC_LVT_THERMAL = 0x330,
	APIC_LVT_PERFORMANCE = 0x340,
	APIC_LVT_LINT0 = 0x350,
	APIC_LVT_LINT1 = 0x360,
	APIC_LVT_ERROR = 0x370,
	APIC_TIMER_INITIAL = 0x380,
	APIC_TIMER_CURRENT = 0x390,
	APIC_TIMER_DIVIDE = 0x3e0,
};

#define BASE_ENABLE BIT(11) /* of MSR_APIC_BASE */
#define BASE_X2APIC BIT(10)
#define BASE_ADDRESS 0x000ffffffffff000ull

#define SVR_ENABLE BIT(8)
#define LVT_MASKED BIT(16)
#define LVT_TIMER_DEADLINE (2u << 17)
#define DIVIDE_BY_1 0xbu
#define ICR_NMI (4u << 8)
#define ICR_INIT (5u << 8)
#define ICR_STARTUP (6u << 8)
#define ICR_ASSERT BIT(14)
#define ICR_PENDING BIT(12)
#define ICR_ALL_BUT_SELF (3u << 18)

static bool x2apic;        /* c */
static bool deadline_mode; /* c */
static u64 mmio;           /* c */
static u64 count_mul;      /* c: timer counts for each TSC cycle, 32 fraction bits */

static u32 apic_read(enum apic_register reg)
{
	if (x2apic)
		return (u32)rdmsr(MSR_X2APIC_FIRST + reg / 16);
	return mmio_read32(mmio + reg);
}

static void apic_write(enum apic_register reg, u32 value)
{
	if (x2apic)
		wrmsr(MSR_X2APIC_FIRST + reg / 16, value);
	else
		mmio_write32(mmio + reg, value);
}

int apic_init(bool x2apic_wanted)
{
	struct cpuid c = cpuid(1, 0);
	u64 base;

	if (!(c.edx & BIT(9)))
		return ERR_UNSUPPORTED;
	base = rdmsr(MSR_APIC_BASE);
	mmio = base & BASE_ADDRESS;
	/* A firmware that turned x2APIC on had its reason (IDs above 254), so that is never turned back. */
	x2apic = (c.ecx & BIT(21)) && (x2apic_wanted || (base & BASE_X2APIC));
	deadline_mode = c.ecx & BIT(24);
	return 0;
}

u64 apic_address(void)
{
	return x2apic ? 0 : mmio;
}

const char *apic_describe(void)
{
	static const char *const text[2][2] = {
		{ "xAPIC, one-shot timer", "xAPIC, TSC-deadline timer" },
		{ "x2APIC, one-shot timer", "x2APIC, TSC-deadline timer" },
	};
	return text[x2apic][deadline_mode];
}

static void mask_all(void)
{
	u32 lvt_max = apic_read(APIC_VERSION) >> 16 & 0xff;

	apic_write(APIC_LVT_TIMER, LVT_MASKED);
	apic_write(APIC_LVT_LINT0, LVT_MASKED);
	apic_write(APIC_LVT_LINT1, LVT_MASKED);
	apic_write(APIC_LVT_ERROR, LVT_MASKED | VECTOR_ERROR);
	if (lvt_max >= 4)
		apic_write(APIC_LVT_PERFORMANCE, LVT_MASKED);
	if (lvt_max >= 5)
		apic_write(APIC_LVT_THERMAL, LVT_MASKED);
	if (lvt_max >= 6)
		apic_write(APIC_LVT_CMCI, LVT_MASKED);
}

static void end_all_in_service(void)
{
	for (int i = 0; i < 256; i++) {
		u32 in_service = 0;

		for (int word = 0; word < 8; word++)
			in_service |= apic_read(APIC_ISR + word * 16);
		if (!in_service)
			return;
		apic_eoi();
	}
}

void apic_enable(struct apic_timer *t)
{
	u64 base = rdmsr(MSR_APIC_BASE);

	/* From off to x2APIC leads only through xAPIC (SDM 3A §10.12.5). */
	if (!(base & BASE_ENABLE))
		wrmsr(MSR_APIC_BASE, base |= BASE_ENABLE);
	if (x2apic && !(base & BASE_X2APIC))
		wrmsr(MSR_APIC_BASE, base | BASE_X2APIC);

	mask_all();
	if (!x2apic)
		apic_write(APIC_DFR, 0xffffffff);
	apic_write(APIC_TPR, 0);
	apic_write(APIC_SVR, SVR_ENABLE | VECTOR_SPURIOUS);
	apic_error();
	end_all_in_service();

	apic_write(APIC_TIMER_INITIAL, 0);
	apic_write(APIC_TIMER_DIVIDE, DIVIDE_BY_1);
	apic_write(APIC_LVT_TIMER, VECTOR_TIMER | (deadline_mode ? LVT_TIMER_DEADLINE : 0));
	apic_write(APIC_LVT_ERROR, VECTOR_ERROR);
	mfence(); /* the mode must be there before the first deadline (SDM 3A §10.5.4.1) */
	t->deadline = APIC_TIMER_OFF;
}

u32 apic_id(void)
{
	u32 id = apic_read(APIC_ID);
	return x2apic ? id : id >> 24;
}

void apic_eoi(void)
{
	apic_write(APIC_EOI, 0);
}

u32 apic_error(void)
{
	apic_write(APIC_ESR, 0); /* a write brings the register up to date */
	u32 error = apic_read(APIC_ESR);
	apic_write(APIC_ESR, 0);
	return error;
}

static void wait_until_sent(void)
{
	for (int i = 0; i < 100000 && (apic_read(APIC_ICR) & ICR_PENDING); i++)
		pause();
}

static void icr_write(u32 to, u32 low)
{
	if (x2apic) {
		/* This WRMSR does not wait for earlier stores (SDM 3A §10.12.3); the receiver must see them. */
		mfence();
		lfence();
		wrmsr(MSR_X2APIC_FIRST + APIC_ICR / 16, low | (u64)to << 32);
		return;
	}
	wait_until_sent();
	apic_write(APIC_ICR_HIGH, to << 24);
	apic_write(APIC_ICR, low);
}

void apic_send(u32 to, u8 vector)
{
	icr_write(to, vector | ICR_ASSERT);
}

void apic_send_nmi(u32 to)
{
	if (to == APIC_ID_ALL_BUT_SELF)
		icr_write(0, ICR_NMI | ICR_ASSERT | ICR_ALL_BUT_SELF);
	else
		icr_write(to, ICR_NMI | ICR_ASSERT);
}

void apic_send_init(u32 to)
{
	icr_write(to, ICR_INIT | ICR_ASSERT);
}

void apic_send_startup(u32 to, u8 page)
{
	icr_write(to, ICR_STARTUP | ICR_ASSERT | page);
}

static void timer_stop(void)
{
	if (deadline_mode)
		wrmsr(MSR_TSC_DEADLINE, 0);
	else
		apic_write(APIC_TIMER_INITIAL, 0);
}

void apic_timer_set(struct apic_timer *t, u64 deadline)
{
	u64 now, count;

	if (deadline == t->deadline)
		return;
	t->deadline = deadline;
	if (deadline == APIC_TIMER_OFF) {
		timer_stop();
		return;
	}
	if (deadline_mode) {
		wrmsr(MSR_TSC_DEADLINE, deadline ? deadline : 1); /* 0 would disarm */
		return;
	}
	now = rdtsc();
	count = 1;
	if (deadline > now) /* rounded up: an interrupt too early would only be set again */
		count += (u64)((unsigned __int128)(deadline - now) * count_mul >> 32);
	apic_write(APIC_TIMER_INITIAL, (u32)MIN(count, 0xffffffffull));
}

void apic_timer_measure(void)
{
	apic_write(APIC_LVT_TIMER, LVT_MASKED | VECTOR_TIMER);
	apic_write(APIC_TIMER_DIVIDE, DIVIDE_BY_1);
	apic_write(APIC_TIMER_INITIAL, 0xffffffff);
}

u32 apic_timer_count(void)
{
	return apic_read(APIC_TIMER_CURRENT);
}

void apic_timer_rate(u64 timer_hz, u64 tsc_hz)
{
	apic_write(APIC_TIMER_INITIAL, 0);
	count_mul = tsc_hz ? (timer_hz << 30) / tsc_hz << 2 : 0;
	apic_write(APIC_LVT_TIMER, VECTOR_TIMER | (deadline_mode ? LVT_TIMER_DEADLINE : 0));
	mfence();
}
