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

s64 hypercall(struct vcpu *v, u8 mode, u8 cpl)
{
	const u64 *gpr = v->page->gpr;
	u64 mask = mode == MODE_LONG ? UINT64_MAX : UINT32_MAX;
	u64 a[4] = { gpr[GPR_RBX] & mask, gpr[GPR_RCX] & mask, gpr[GPR_RDX] & mask, gpr[GPR_RSI] & mask };

	if (cpl)
		return NOT_PERMITTED;
	switch (gpr[GPR_RAX] & mask) {
	case CALL_KICK: return kick(v, a[1]);
	case CALL_SEND_IPI: return send_ipi(v, a, mode == MODE_LONG ? 64 : 32, (u32)a[2], (u32)a[3]);
	default: return NO_SUCH_CALL;
	}
}
