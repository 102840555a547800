/* Hypercalls that Linux makes when CPUID's KVM leaf offers them: an IPI to many in one exit, and the wake-up of a
 * vCPU that halted while it waited for a lock. */
#include "kernel/hypercall.h"

#include "kernel/lapic_regs.h"

#define CALL_KICK 5
#define CALL_SEND_IPI 10
#define NO_SUCH_CALL (-1000ll) /* KVM_ENOSYS */
#define NOT_PERMITTED (-1ll)   /* KVM_EPERM */
#define ICR_TAKEN 0x7ffu       /* vector and delivery mode; the destination is in the bitmap */

/* Destination: a bitmap of 128 (32-bit callers: 64) APIC IDs from `first` on. */
static s64 send_ipi(struct vcpu *v, const u64 bitmap[2], u32 bits, u32 first, u32 icr)
{
	u32 delivery = icr >> 8 & 7;
	s64 sent = 0;

	if (delivery != LAPIC_FIXED && delivery != LAPIC_NMI)
		return NO_SUCH_CALL;
	for (u32 word = 0; word < 2; word++)
		for (u64 left = bitmap[word]; left; left &= left - 1) {
			u32 index = word * bits + (u32)__builtin_ctzll(left);

			if (index > UINT32_MAX - first || !guest_vcpu(v->guest, first + index))
				continue;
			lapic_send(v, icr & ICR_TAKEN, first + index, true);
			sent++;
		}
	return sent;
}

static s64 kick(struct vcpu *v, u64 apic_id)
{
	struct vcpu *other = apic_id < VCPU_MAX ? guest_vcpu(v->guest, (u32)apic_id) : NULL;

	if (other)
		vcpu_request(other, REQUEST_UNHALT);
	return 0;
}

/* Arguments have as many bits as the caller's registers.  (noinline: a call that is refused needs no frame.) */
static __attribute__((noinline)) s64 call(struct vcpu *v, u32 number)
{
	const u64 *gpr = v->page->gpr;
	struct virt_code code;
	u64 mask;

	virt->code(v->hw, v->page, &code);
	if (code.cpl)
		return NOT_PERMITTED;
	mask = code.mode == MODE_LONG ? UINT64_MAX : UINT32_MAX;
	if (number == CALL_KICK)
		return kick(v, gpr[GPR_RCX] & mask);
	return send_ipi(v, (u64[]){ gpr[GPR_RBX] & mask, gpr[GPR_RCX] & mask }, code.mode == MODE_LONG ? 64 : 32,
			(u32)gpr[GPR_RDX], (u32)gpr[GPR_RSI]);
}

s64 hypercall(struct vcpu *v)
{
	u64 number = v->page->gpr[GPR_RAX];

	return number == CALL_KICK || number == CALL_SEND_IPI ? call(v, (u32)number) : NO_SUCH_CALL;
}
