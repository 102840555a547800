/* Register reports.  A guest can make one each time that it is started; the log takes a few at once. */
#include "kernel/vcpu_report.h"

#include "kernel/guest.h"
#include "kernel/log.h"

#define HEX(x) ((unsigned long)(x))

static void report_segments(const struct guest *g, const struct vcpu_state *s)
{
	static const char *const names[SEG_COUNT] = { "es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr" };

	for (u32 i = 0; i < SEG_COUNT; i++)
		log_info("guest %u %s: %s %x base %lx limit %x attr %x", g->id, g->name, names[i], s->seg[i].selector,
			 HEX(s->seg[i].base), s->seg[i].limit, s->seg[i].attr);
	log_info("guest %u %s: gdtr %lx limit %x, idtr %lx limit %x", g->id, g->name, HEX(s->gdtr.base), s->gdtr.limit,
		 HEX(s->idtr.base), s->idtr.limit);
}

static void report_code(struct vcpu *v)
{
	static const char digits[] = "0123456789abcdef";
	char text[15 * 3 + 1] = "";
	struct virt_code where;
	u8 bytes[16];
	u32 n = vcpu_fetch(v, &where, bytes);

	for (u32 i = 0; i < n; i++) {
		text[i * 3] = digits[bytes[i] >> 4];
		text[i * 3 + 1] = digits[bytes[i] & 15];
		text[i * 3 + 2] = i + 1 < n ? ' ' : 0;
	}
	log_info("guest %u %s: code %s", v->guest->id, v->guest->name, n ? text : "cannot be read");
}

void vcpu_report(struct vcpu *v, const struct virt_exit *exit)
{
	struct guest *g = v->guest;
	struct vcpu_state s;

	if (!log_allowed(&g->log_limit, LOG_WARN))
		return;
	vcpu_get_state(v, &s);
	log_warn("guest %u %s: vCPU %u exit %lx info %lx %lx rip %lx rflags %lx", g->id, g->name, v->index,
		 HEX(exit->code), HEX(exit->info1), HEX(exit->info2), HEX(s.rip), HEX(s.rflags));
	log_info("guest %u %s: rax %lx rbx %lx rcx %lx rdx %lx", g->id, g->name, HEX(s.gpr[GPR_RAX]),
		 HEX(s.gpr[GPR_RBX]), HEX(s.gpr[GPR_RCX]), HEX(s.gpr[GPR_RDX]));
	log_info("guest %u %s: rsi %lx rdi %lx rbp %lx rsp %lx", g->id, g->name, HEX(s.gpr[GPR_RSI]),
		 HEX(s.gpr[GPR_RDI]), HEX(s.gpr[GPR_RBP]), HEX(s.gpr[GPR_RSP]));
	for (u32 i = 8; i < GPR_COUNT; i += 4)
		log_info("guest %u %s: r%u.. %lx %lx %lx %lx", g->id, g->name, i, HEX(s.gpr[i]), HEX(s.gpr[i + 1]),
			 HEX(s.gpr[i + 2]), HEX(s.gpr[i + 3]));
	log_info("guest %u %s: cr0 %lx cr2 %lx cr3 %lx cr4 %lx efer %lx", g->id, g->name, HEX(s.cr0), HEX(s.cr2),
		 HEX(s.cr3), HEX(s.cr4), HEX(s.efer));
	report_segments(g, &s);
	report_code(v);
}
