/* The vCPU threads.  Each owns its vCPU's page while that is outside the guest; m->lock is taken for each
 * access to a device and never held while the guest runs or an instruction is decoded. */
#include "vmm/machine/vcpu.h"

#include "kernel/lib/fmt.h"
#include "vmm/lib/emulate_memory.h"
#include "vmm/lib/sys.h"
#include "vmm/machine/machine.h"

#define STACK_SIZE (16 * KIB)
#define BYTES_SHOWN 8 /* of an instruction, in a line of 95 characters */

/* At the low end of its own stack. */
struct vcpu_thread {
	struct machine *m;
	struct vcpu_page *page;
	u32 index;
	struct emulate_memory emulate;
};

static u64 vcpu_access(struct machine *m, struct bus *bus, u64 addr, u32 size, bool write, u64 value)
{
	struct access a = { .addr = addr, .size = size, .write = write, .value = value };

	mutex_lock(&m->lock);
	bus_access(m, bus, &a);
	mutex_unlock(&m->lock);
	return a.value;
}

/* ---- what an emulated instruction reaches ---- */

static u32 vcpu_port_in(void *machine, u16 port, u32 size)
{
	struct machine *m = machine;

	return (u32)vcpu_access(m, &m->ports, port, size, false, 0);
}

static void vcpu_port_out(void *machine, u16 port, u32 size, u32 value)
{
	struct machine *m = machine;

	vcpu_access(m, &m->ports, port, size, true, value);
}

static u64 vcpu_mmio_read(void *machine, u64 gpa, u32 size)
{
	struct machine *m = machine;

	return vcpu_access(m, &m->memory, gpa, size, false, 0);
}

static void vcpu_mmio_write(void *machine, u64 gpa, u32 size, u64 value)
{
	struct machine *m = machine;

	vcpu_access(m, &m->memory, gpa, size, true, value);
}

static const struct emulate_bus vcpu_bus = { vcpu_port_in, vcpu_port_out, vcpu_mmio_read, vcpu_mmio_write };

/* ---- exits ---- */

/* The guest cannot go on: says where and at which bytes. */
static _Noreturn void vcpu_stop(const struct vcpu_thread *t, int error)
{
	const struct vcpu_exit *e = &t->page->exit;
	char bytes[3 * BYTES_SHOWN + 1] = "";
	u32 len = MIN(e->insn_len, BYTES_SHOWN);

	for (u32 i = 0; i < len; i++)
		fmt_print(bytes + 3 * i, 4, " %02x", e->insn[i]);
	if (e->kind == EXIT_MMIO && e->mmio.fetch)
		machine_stop(t->m, STOP_CRASH, "vCPU %u runs at 0x%lx, where there is no memory (gpa 0x%lx)",
			     t->index, t->page->rip, e->mmio.gpa);
	if (error == ERR_UNSUPPORTED)
		machine_stop(t->m, STOP_CRASH, "vCPU %u: cannot emulate%s at 0x%lx, gpa 0x%lx", t->index, bytes,
			     t->page->rip,
			     (e->kind == EXIT_MMIO ? e->mmio.gpa : 0));
	machine_stop(t->m, STOP_CRASH, "vCPU %u: emulating%s at 0x%lx: %s", t->index, bytes,
		     t->page->rip, error_text(error));
}

static void vcpu_emulate(struct vcpu_thread *t)
{
	int result = emulate_memory_run(&t->emulate);

	if (result < 0)
		vcpu_stop(t, result);
}

/* IN and OUT, the short path.  RAX keeps what the access is too small for; 32 bits clear the upper half. */
static void vcpu_io(struct vcpu_thread *t)
{
	struct vcpu_page *page = t->page;
	u32 size = page->exit.io.size;
	u64 mask = size == 4 ? UINT32_MAX : size == 2 ? UINT16_MAX : UINT8_MAX;
	u64 rax = page->gpr[GPR_RAX];
	u64 value = vcpu_access(t->m, &t->m->ports, page->exit.io.port, size, !page->exit.io.in, rax & mask);

	if (page->exit.io.in)
		page->gpr[GPR_RAX] = (size == 4 ? 0 : rax & ~mask) | (value & mask);
	page->rip = page->exit.io.next_rip;
}

static void vcpu_acknowledge(struct vcpu_thread *t)
{
	mutex_lock(&t->m->lock);
	t->page->intack = pic_acknowledge(t->m);
	mutex_unlock(&t->m->lock);
}

static void vcpu_eoi(struct vcpu_thread *t)
{
	mutex_lock(&t->m->lock);
	ioapic_eoi(t->m, t->page->exit.vector);
	mutex_unlock(&t->m->lock);
}

static void vcpu_handle(struct vcpu_thread *t)
{
	const struct vcpu_exit *e = &t->page->exit;

	switch (e->kind) {
	case EXIT_NONE:
		return;
	case EXIT_IO:
		return e->io.string ? vcpu_emulate(t) : vcpu_io(t);
	case EXIT_MMIO:
		if (e->mmio.fetch)
			vcpu_stop(t, ERR_FAULT);
		return vcpu_emulate(t);
	case EXIT_INTACK:
		return vcpu_acknowledge(t);
	case EXIT_EOI:
		return vcpu_eoi(t);
	}
	machine_stop(t->m, STOP_CRASH, "vCPU %u: unknown exit %u", t->index, e->kind);
}

static void vcpu_thread_run(void *argument)
{
	struct vcpu_thread *t = argument;

	for (;;) {
		int error = sys_vcpu_run(t->index);

		if (error)
			machine_stop(t->m, STOP_CRASH, "vCPU %u does not run: %s", t->index, error_text(error));
		vcpu_handle(t);
	}
}

void vcpu_start_all(struct machine *m)
{
	for (u32 i = 0; i < m->info.vcpu_count; i++) {
		struct vcpu_thread *t = sys_memory_grow(STACK_SIZE);

		if (!t)
			machine_stop(m, STOP_CRASH, "no memory for vCPU %u's thread", i);
		*t = (struct vcpu_thread){ .m = m, .page = &m->vcpus[i], .index = i };
		emulate_memory_init(&t->emulate, i, t->page, &vcpu_bus, m);
		if (sys_thread_create(vcpu_thread_run, t, (u8 *)t + STACK_SIZE))
			machine_stop(m, STOP_CRASH, "no thread for vCPU %u", i);
	}
}
