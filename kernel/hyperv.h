/* Hyper-V's enlightenments, which Windows knows and Linux too: Microsoft's Hypervisor Top-Level Functional
 * Specification (TLFS).  For guests whose definition says so.
 *
 * hyperv_cpuid.c: what there is; hyperv_msr.c: the MSRs; hyperv_clock.c: reference time and its TSC page;
 * hyperv_synic.c: synthetic interrupts and messages; hyperv_timer.c: the synthetic timers; hyperv_call.c: hypercalls.
 * The TLFS's overlay pages are written into the guest's own RAM.  Own thread only, but for the guest's part. */
#ifndef KERNEL_HYPERV_H
#define KERNEL_HYPERV_H

#include "kernel/lib/error.h"
#include "kernel/lib/types.h"

struct cpuid;
struct guest;
struct vcpu;

#define HYPERV_LEAF 0x40000000u
#define HYPERV_LEAVES 0x100u     /* KVM's follow */
#define HYPERV_MSR 0x40000000u
#define HYPERV_MSRS 0x106u
#define HYPERV_TIMERS 4
#define HYPERV_SINTS 16
#define HYPERV_SINT_MASKED BIT(16) /* as they begin */
#define HYPERV_CRASH 5
#define HYPERV_HZ 10000000ull    /* reference time counts 100 ns */

/* Bit 0 of every MSR that names a page, whose number is in the bits from 12 on. */
#define HYPERV_ENABLE 1ull

/* What all vCPUs of a guest have in common. */
struct hyperv_guest {
	u32 mode;       /* c: enum hyperv_mode of this run */
	u64 tsc_offset; /* c: reference time is 0 where host TSC + tsc_offset is */
	u64 os_id, hypercall, reference_tsc; /* a: MSRs */
	u64 crash[HYPERV_CRASH];             /* a: MSRs */
};

struct hyperv_timer {
	u64 config, count; /* MSRs */
	u64 due;           /* reference time of the next expiry, UINT64_MAX: none */
	u64 expired;       /* and of the last one */
	bool waits;        /* its message, for the guest's slot */
};

/* All 0 after power-on and INIT, but for masked SINTs and timers without a due time. */
struct hyperv_vcpu {
	u64 assist;                         /* MSRs */
	u64 control, event_page, message_page, sint[HYPERV_SINTS];
	u32 auto_eoi[8];                    /* vectors that end by themselves */
	bool any_auto_eoi;
	struct hyperv_timer timer[HYPERV_TIMERS];
};

/* The guest's part; NULL for one that has no Hyper-V (guest.c; faked by host tests). */
struct hyperv_guest *guest_hyperv(struct guest *g);

/* Power-on and INIT. */
void hyperv_reset(struct vcpu *v);

struct cpuid hyperv_cpuid(const struct vcpu *v, u32 leaf);

/* RDMSR and WRMSR of HYPERV_MSR on: 0, or ERR_INVAL: #GP. */
int hyperv_msr_read(struct vcpu *v, u32 msr, u64 *value) must_check;
int hyperv_msr_write(struct vcpu *v, u32 msr, u64 value) must_check;

/* Writes a page that an MSR names, if value enables it: ERR_INVAL when no RAM is there. */
int hyperv_page_write(struct vcpu *v, u64 value, const void *from, size_t len) must_check;
int hyperv_page_clear(struct vcpu *v, u64 value) must_check;

/* ---- hyperv_clock.c ---- */

u64 hyperv_time(const struct vcpu *v);            /* reference time now */
u64 hyperv_host_tsc(const struct vcpu *v, u64 time); /* a host TSC at which it is reached */
int hyperv_clock_set(struct vcpu *v, u64 value) must_check; /* the MSR that names the page */
void hyperv_clock_update(struct vcpu *v);         /* a vCPU's TSC was changed */

/* ---- hyperv_synic.c ---- */

int hyperv_synic_read(struct vcpu *v, u32 msr, u64 *value) must_check;
int hyperv_synic_write(struct vcpu *v, u32 msr, u64 value) must_check;

/* Puts a message of len bytes (up to 240) into sint's slot and interrupts; false while the slot is taken, when the
 * guest is told to write EOM, or while there is none. */
bool hyperv_message(struct vcpu *v, u32 sint, u32 type, const void *payload, u8 len) must_check;

/* An interrupt was accepted: ends it, if the guest wants that. */
void hyperv_auto_eoi(struct vcpu *v, u8 vector);
static inline void hyperv_accepted(struct vcpu *v, const struct hyperv_vcpu *h, u8 vector)
{
	if (h->any_auto_eoi)
		hyperv_auto_eoi(v, vector);
}

/* ---- hyperv_timer.c ---- */

int hyperv_timer_read(struct vcpu *v, u32 msr, u64 *value) must_check;
int hyperv_timer_write(struct vcpu *v, u32 msr, u64 value) must_check;
void hyperv_timers(struct vcpu *v);               /* REQUEST_SYNTHETIC came, or a slot has become free */
void hyperv_timers_stop(struct vcpu *v);

/* ---- hyperv_call.c ---- */

/* Does the guest make Hyper-V's hypercalls, not KVM's?  It does once it has said who it is. */
bool hyperv_calls(const struct vcpu *v);

/* One hypercall by v's registers (TLFS §3.7): ERR_INVAL: #UD.  *spins: it waits for a lock and gives way. */
int hyperv_call(struct vcpu *v, bool *spins) must_check;

#endif
