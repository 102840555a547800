/* hostile.elf MODE: a guest that tries to do harm.  Modes that survive end with `SURVIVED mode`.
 * garbage, triple: the guest stops as crashed.  hole, end: it stops with a report.
 * spin: runs until destroyed.
 * ports, msrs, apic-away, ipis, stack, tables, virtio: harmless, it survives or stops as its policy says.
 * reset: a port that legitimately ends a run.
 * task: a hardware task switch, which an Intel processor leaves to the hypervisor: it survives, or stops with a
 * report. */
#include "tests/guests/lib/guest.h"

static void load_no_idt(void)
{
	struct __attribute__((packed)) { u16 limit; u64 base; } none = { 0, 0 };

	asm volatile("lidt %0" : : "m"(none));
}

static u64 random_next(void)
{
	static u64 state = 0x123456789abcdef;

	state ^= state << 13;
	state ^= state >> 7;
	return state ^= state << 17;
}

static void mmio_write8(u64 address, u8 value)
{
	asm volatile("movb %0, (%1)" : : "r"(value), "r"(address) : "memory");
}

static void mmio_write16(u64 address, u16 value)
{
	asm volatile("movw %0, (%1)" : : "r"(value), "r"(address) : "memory");
}

static void run_garbage(void)
{
	static u64 code[512] __attribute__((aligned(4096)));

	for (u32 i = 0; i < ARRAY_SIZE(code); i++)
		code[i] = random_next();
	load_no_idt();
	((void (*)(void))code)();
}

static void run_triple(void)
{
	load_no_idt();
	asm volatile("ud2");
}

static void run_spin(void)
{
	print("SPIN\n");
	interrupts_off();
	for (u64 i = 0;; i++) /* no exit, but a register that the monitor should see change */
		WRITE_REG(cr2, i);
}

static void run_hole(void)
{
	((void (*)(void))0xd0000000ull)();
}

/* The last bytes of RAM are NOPs: execution runs over the end. */
static void run_end(void)
{
	u64 end = 0;

	for (u32 i = 0; i < ram_count; i++)
		if (ram[i].end > end)
			end = ram[i].end;
	for (u64 at = end - 64; at < end; at++)
		*(volatile u8 *)at = 0x90;
	((void (*)(void))(end - 64))();
}

/* Ports that reset the machine, turn it off, or carry our own output. */
static bool port_is_special(u32 port)
{
	return port == 0x64 || port == 0x92 || port == 0xcf9 || (port >= 0xcf8 && port <= 0xcff) ||
	       (port >= 0x600 && port <= 0x607) || (port >= 0x3f8 && port <= 0x3ff);
}

static void run_ports(void)
{
	for (u32 port = 0; port < 0x10000; port++) {
		if (port_is_special(port))
			continue;
		outb(port, random_next());
		inb(port);
		if (port_is_special(port + 1) || port_is_special(port + 2) || port_is_special(port + 3))
			continue; /* a wide access reaches its neighbours */
		outw(port, random_next());
		outl(port, random_next());
		inl(port);
	}
	for (u32 i = 0; i < 2000; i++) {
		outl(0xcf8, 0x80000000 | (random_next() & 0xffff00));
		outl(0xcfc, random_next());
		inl(0xcfc + (random_next() & 3));
	}
}

static void write_msr(void *argument)
{
	u32 msr = (u64)argument;

	wrmsr(msr, random_next());
}

static void read_msr(void *argument)
{
	rdmsr((u64)argument);
}

/* Those that would take the ground from under our own feet. */
static bool msr_is_ours(u32 msr)
{
	return msr == MSR_EFER || msr == MSR_APIC_BASE || msr == 0xc0000101 || msr == 0x277 ||
	       (msr >= 0x200 && msr <= 0x2ff);
}

static void run_msrs(void)
{
	static const u32 bases[] = { 0, 0x40000000, 0x4b564d00, 0xc0000000, 0xc0010000, 0xc0011000, 0xfffff000 };
	u32 faults = 0;

	for (u32 b = 0; b < ARRAY_SIZE(bases); b++)
		for (u32 i = 0; i < 0x1000; i++) {
			u64 msr = bases[b] + i;

			faults += trap_catch(read_msr, (void *)msr) != NO_FAULT;
			if (!msr_is_ours(msr))
				faults += trap_catch(write_msr, (void *)msr) != NO_FAULT;
		}
	print("%u faults\n", (u64)faults);
}

static void set_base(void *argument)
{
	wrmsr(MSR_APIC_BASE, (u64)argument);
}

static void run_apic_away(void)
{
	static const u64 bases[] = { 0x100900, 0xfec00900, 0xfee00100, 0xfee00900, 0xfee00400, 0xfee00d00,
				     0xfed00900, 0xfffffffffffff900, 0x900, 0xfee00900 };

	for (u32 i = 0; i < ARRAY_SIZE(bases); i++) {
		trap_catch(set_base, (void *)bases[i]);
		mmio_read(0xfee00020);
		mmio_write(0xfee000b0, 0);
		mmio_read(0x100000);
	}
}

static void run_ipis(void)
{
	trap_set(2, NULL);
	lapic_enable(false);
	for (u32 i = 0; i < 20000; i++) {
		u32 low = random_next() & 0xcfff;

		if ((low & 0x700) >= 0x400 && (low & 0x700) <= 0x600)
			low &= ~0x700u; /* an NMI or INIT to itself is another test */
		lapic_ipi(random_next() % 200 + 1, low);
		mmio_write(LAPIC + (random_next() & 0xff0 & ~0x300u), random_next());
		mmio_read(LAPIC + (random_next() & 0xffc));
	}
}

static void push_into_hole(void *argument)
{
	asm volatile("mov %%rsp, %%rbx; mov %0, %%rsp; pushq $1; popq %%rax; mov %%rbx, %%rsp"
		     : : "r"(argument) : "rax", "rbx", "memory");
}

static void run_stack(void)
{
	push_into_hole((void *)0xd0000100ull);
	push_into_hole((void *)0xfec00100ull);
}

/* Page tables in a hole: the walk itself leaves RAM. */
static void run_tables(void)
{
	load_no_idt();
	WRITE_REG(cr3, 0xd0000000ull);
	*(volatile u32 *)0x123456789000ull = 0;
}

#define VIRTIO_ROUNDS 300
#define VIRTIO_RINGS 0x10000 /* bytes that queues and buffers lie in */

/* Starts the balloon's device as a driver does, with rings of noise, and writes noise to its registers.  What may be
 * taken for page numbers names none of our own pages: all words are beyond RAM (16 MiB) or below 16. */
static void virtio_round(u64 bar, u8 *rings)
{
	for (u32 i = 0; i < VIRTIO_RINGS; i += 16) { /* descriptors that reach into the same noise */
		*(u64 *)(rings + i) = (u64)rings + (random_next() & (VIRTIO_RINGS - 4));
		*(u32 *)(rings + i + 8) = 0x1000 | (random_next() & 0xfff);
		*(u32 *)(rings + i + 12) = (1 + random_next() % 15) << 16 | (random_next() & 7);
	}
	mmio_write8(bar + 0x14, 0);
	mmio_write(bar + 0x08, 0);
	mmio_write(bar + 0x0c, 0x10000026);
	mmio_write(bar + 0x08, 1);
	mmio_write(bar + 0x0c, 1);
	mmio_write8(bar + 0x14, 0x0b);
	for (u32 q = 0; q < 5; q++) {
		mmio_write16(bar + 0x16, q);
		mmio_write16(bar + 0x18, 16);
		for (u32 part = 0; part < 3; part++) {
			mmio_write(bar + 0x20 + 8 * part, (u32)(u64)rings + (random_next() & 0xff00));
			mmio_write(bar + 0x24 + 8 * part, 0);
		}
		mmio_write16(bar + 0x1c, 1);
	}
	mmio_write8(bar + 0x14, 0x0f);
	for (u32 i = 0; i < 40; i++) {
		mmio_write16(bar + 0xc00 + 4 * (random_next() % 5), 0);
		*(u32 *)(rings + (random_next() & 0xfffc)) = (random_next() & 15) << 16;
	}
	for (u32 i = 0; i < 20; i++)
		mmio_write(bar + (random_next() & 0x1ffc), random_next());
	for (u32 i = 0; i < 4; i++)
		mmio_read(bar + (random_next() & 0x1ffc));
}

static void run_virtio(void)
{
	static u8 rings[VIRTIO_RINGS] __attribute__((aligned(4096)));
	u64 bar;

	interrupts_off();
	outl(0xcf8, 0x80000810);
	bar = inl(0xcfc) & ~15u;
	outl(0xcf8, 0x80000804);
	outw(0xcfc, 6);
	for (u32 i = 0; i < VIRTIO_ROUNDS; i++)
		virtio_round(bar, rings);
	print("status %u\n", (u64)(mmio_read(bar + 0x14) & 0xff));
}

static void run_reset(void)
{
	outb(0xcf9, 6);
	outb(0x64, 0xfe);
}

void task_switch(void);

static const struct {
	const char *name;
	void (*run)(void);
} modes[] = {
	{ "garbage", run_garbage }, { "triple", run_triple }, { "spin", run_spin }, { "hole", run_hole },
	{ "end", run_end }, { "ports", run_ports }, { "msrs", run_msrs }, { "apic-away", run_apic_away },
	{ "ipis", run_ipis }, { "stack", run_stack }, { "tables", run_tables },
	{ "virtio", run_virtio }, { "reset", run_reset }, { "task", task_switch },
};

int main(const char *line)
{
	for (u32 i = 0; i < ARRAY_SIZE(modes); i++) {
		if (!option_set(modes[i].name))
			continue;
		print("HOSTILE %s\n", modes[i].name);
		modes[i].run();
		print("SURVIVED %s\n", modes[i].name);
		print("END\n");
		stop();
	}
	print("which mode?\n");
	return 0;
}
