/* Starting the other CPUs: one after the other, so one mailbox and one trampoline page serve them all.  A CPU
 * that is late is reset before its stack and mailbox are used for another. */
#include "arch/x86_64/apic.h"
#include "arch/x86_64/registers.h"
#include "arch/x86_64/smp.h"
#include "arch/x86_64/tsc.h"
#include "arch/x86_64/tsc_sync.h"
#include "kernel/lib/error.h"
#include "kernel/lib/string.h"

extern const u8 smp_trampoline[], smp_trampoline_data[], smp_trampoline_end[];

/* At smp_trampoline_data in the copy; smp.asm knows the same layout. */
struct trampoline_data {
	u32 far32_offset;
	u16 far32_selector, pad0;
	u32 far64_offset;
	u16 far64_selector, pad1;
	u16 gdt_limit;
	u32 gdt_base;
	u16 pad2;
	u64 gdt[4];
	u64 cr3, cr4_first, cr4, efer, cr0, pat;
	u64 stack, entry, argument;
} packed_struct;

extern const u8 smp_trampoline_32[], smp_trampoline_64[];

#define SELECTOR_CODE32 0x08
#define SELECTOR_DATA 0x10
#define SELECTOR_CODE64 0x18
#define EFER_INHERITED (EFER_SCE | EFER_LME | EFER_NXE)

/* What the boot CPU wants of the new one, which takes the order away when it is done. */
enum order { ORDER_NONE, ORDER_READ, ORDER_MOVE, ORDER_GO };

static struct mailbox {
	void (*entry)(void *);
	void *argument;
	u32 order;        /* a, enum order; NONE from the arrival on */
	u64 tsc, move;    /* READ's result; MOVE's argument */
	u64 timeout_us;   /* for an order */
} mailbox;

static void obey(struct mailbox *m)
{
	u32 order;

	do {
		order = __atomic_load_n(&m->order, __ATOMIC_ACQUIRE);
		if (order == ORDER_READ)
			m->tsc = rdtsc_ordered();
		if (order == ORDER_MOVE)
			tsc_move(m->move);
		if (order == ORDER_NONE)
			pause();
		else
			__atomic_store_n(&m->order, ORDER_NONE, __ATOMIC_RELEASE);
	} while (order != ORDER_GO);
}

/* The new CPU's first C code. */
static void arrive(struct mailbox *m)
{
	void (*entry)(void *) = m->entry;
	void *argument = m->argument;

	__atomic_store_n(&m->order, ORDER_NONE, __ATOMIC_RELEASE);
	obey(m);
	entry(argument);
	for (;;)
		hlt();
}

static void prepare(u64 page, hpa_t cr3, void *stack_top)
{
	struct trampoline_data d = {
		.far32_offset = (u32)(page + (u64)(smp_trampoline_32 - smp_trampoline)),
		.far32_selector = SELECTOR_CODE32,
		.far64_offset = (u32)(page + (u64)(smp_trampoline_64 - smp_trampoline)),
		.far64_selector = SELECTOR_CODE64,
		.gdt = { 0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00af9b000000ffff },
		.gdt_limit = sizeof(d.gdt) - 1,
		.cr3 = cr3.v,
		.cr4_first = CR4_PAE | (cr4_read() & CR4_LA57), /* the rest may need long mode, as PCIDE does */
		.cr4 = cr4_read() & ~CR4_VMXE,
		.efer = (rdmsr(MSR_EFER) & EFER_INHERITED) | EFER_LME,
		.cr0 = cr0_read() & ~(CR0_CD | CR0_NW),
		.pat = rdmsr(MSR_PAT),
		.stack = (u64)stack_top,
		.entry = (u64)arrive,
		.argument = (u64)&mailbox,
	};
	u64 data = page + (u64)(smp_trampoline_data - smp_trampoline);

	d.gdt_base = (u32)(data + offsetof(struct trampoline_data, gdt));
	memcpy((void *)page, smp_trampoline, (size_t)(smp_trampoline_end - smp_trampoline));
	memcpy((void *)data, &d, sizeof(d));
}

/* Waits until the last order is done: the first is to arrive. */
static bool wait_done(u64 us)
{
	u64 start = rdtsc(), cycles = us * (tsc_hz() / 1000000 + 1);

	while (__atomic_load_n(&mailbox.order, __ATOMIC_ACQUIRE) != ORDER_NONE) {
		if (rdtsc() - start > cycles)
			return false;
		pause();
	}
	return true;
}

static int give(enum order order)
{
	__atomic_store_n(&mailbox.order, order, __ATOMIC_RELEASE);
	return wait_done(mailbox.timeout_us) ? 0 : ERR_TIMEOUT;
}

static int peer_read(struct tsc_peer *p, u64 *tsc)
{
	int error = give(ORDER_READ);

	*tsc = mailbox.tsc;
	return error;
}

static int peer_move(struct tsc_peer *p, u64 cycles)
{
	mailbox.move = cycles;
	return give(ORDER_MOVE);
}

/* The CPU that was sent INIT is back in its reset state. */
static int give_up(u32 apic_id, int error)
{
	apic_send_init(apic_id);
	tsc_delay(SMP_INIT_DELAY_US);
	return error;
}

int smp_start(u32 apic_id, u64 trampoline, hpa_t cr3, void *stack_top, void (*entry)(void *), void *argument,
	      u64 timeout_us, struct tsc_sync *sync)
{
	u8 page = (u8)(trampoline / PAGE_SIZE);
	struct tsc_peer peer = { peer_read, peer_move };
	int error;

	if (!trampoline || trampoline % PAGE_SIZE || trampoline >= MIB || cr3.v >> 32)
		return ERR_INVAL;
	mailbox = (struct mailbox){ .entry = entry, .argument = argument, .order = ORDER_GO, .timeout_us = timeout_us };
	prepare(trampoline, cr3, stack_top);

	apic_send_init(apic_id);
	tsc_delay(SMP_INIT_DELAY_US);
	apic_send_startup(apic_id, page);
	if (!wait_done(MIN(timeout_us, 200))) {
		/* Ignored by a CPU that the first one started. */
		apic_send_startup(apic_id, page);
		if (!wait_done(timeout_us))
			return give_up(apic_id, ERR_TIMEOUT);
	}
	error = tsc_synchronise(&peer, sync);
	if (!error)
		error = give(ORDER_GO);
	return error ? give_up(apic_id, error) : 0;
}
