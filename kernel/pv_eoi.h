/* Paravirtual EOI: a bit in the guest's memory offers it to end the interrupt in service by clearing that bit, without
 * an exit.  KVM's (Linux: Documentation/virt/kvm/x86/msr.rst, MSR_KVM_PV_EOI_EN) and Hyper-V's, which differ in the MSR
 * that says where; the last one written counts.  Own thread only. */
#ifndef KERNEL_PV_EOI_H
#define KERNEL_PV_EOI_H

#include "kernel/vcpu.h"

/* The guest wrote KVM's MSR.  0 or ERR_INVAL. */
int pv_eoi_set(struct vcpu *v, u64 value) must_check;

/* From now on the bit is bit 0 of the word at place, if place's bit 0 is set. */
void pv_eoi_place(struct vcpu *v, u64 place);

/* An interrupt was accepted that the next entry delivers: offers its end, if nothing else waits for that. */
void pv_eoi_offer(struct vcpu *v);

/* After an exit while v->lapic.eoi_offered: ends the interrupt if the guest did, so that ISR and PPR are true. */
void pv_eoi_settle(struct vcpu *v);

/* The guest has to tell the end from now on, for something waits for it or it has just told. */
void pv_eoi_take_back(struct vcpu *v); /* what was offered */
static inline void pv_eoi_withdraw(struct vcpu *v)
{
	if (v->lapic.eoi_offered)
		pv_eoi_take_back(v);
}

#endif
