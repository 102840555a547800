/* A virtual CPU: its registers, local APIC and place in the world.  Policy above arch/x86_64/virt.h.
 *
 * Field classes: o - only its own thread (in the kernel, or the kernel while it is not running); a - atomic,
 * by anybody; c - constant after creation. */
#ifndef KERNEL_VCPU_H
#define KERNEL_VCPU_H

#include "arch/x86_64/registers.h"
#include "arch/x86_64/virt.h"
#include "kernel/abi.h"
#include "kernel/hyperv.h"
#include "kernel/lapic.h"
#include "kernel/lib/insn.h"
#include "kernel/lib/types.h"
#include "kernel/timer.h"
#include "kernel/walk.h"

struct guest;
struct thread;

/* What others ask of a vCPU; bits of requests, taken before each entry. */
enum vcpu_request {
	REQUEST_KICK = 1 << 0,   /* look again (posted interrupts, flush, pause): nothing else to do */
	REQUEST_NMI = 1 << 1,
	REQUEST_INIT = 1 << 2,
	REQUEST_SIPI = 1 << 3,
	REQUEST_TIMER = 1 << 4,  /* the local APIC's timer deadline passed */
	REQUEST_EXTINT = 1 << 5, /* the PIC's INTR line changed */
	REQUEST_STOP = 1 << 6,   /* the guest's run ends: do not enter any more */
	REQUEST_RESUMED = 1 << 7, /* the guest was paused: its clock says so */
	REQUEST_SHOW = 1 << 8,   /* bring up to date what other CPUs see of its registers */
	REQUEST_STEAL = 1 << 9,  /* it was away from its CPU: its steal time says so */
	REQUEST_UNHALT = 1 << 10, /* another vCPU ends its HLT, this or the next */
	REQUEST_SYNTHETIC = 1 << 11, /* a deadline of its Hyper-V timers passed */
	REQUEST_FLUSH = 1 << 12, /* its next entry forgets all cached translations */
	REQUEST_UNPLUG = 1 << 13, /* it was plugged out: power-on state */
};

#define VCPU_FETCHES 8 /* a power of two */

struct vcpu {
	struct lapic lapic;      /* o, but for its atomic posted set and identity; first: its page is page aligned */
	struct guest *guest;     /* c */
	u32 index;               /* c */
	struct virt_vcpu *hw;    /* o */
	struct vcpu_page *page;  /* c; shared with the machine process: every value in it is hostile */
	struct thread *thread;   /* its thread, set when it first runs */
	struct hyperv_vcpu hyperv; /* o */
	union {                  /* what must be looked at before an entry: all at once, see vcpu_run.c */
		struct {
			u32 requests; /* a, enum vcpu_request */
			u32 extint;   /* a, the PIC's INTR line (vCPU 0) */
		};
		u64 asked;
	};
	union {
		struct {
			u8 activity;      /* o, enum vcpu_activity; running is 0 */
			bool nmi_pending; /* o */
			bool steal_due;   /* o, steal time is to be told */
		};
		u32 due;
	};
	struct virt_event event; /* o, to be injected at the next entry, before interrupts */
	u32 in_guest;            /* a, 1 between publishing the entry and the exit */
	u32 cpu;                 /* a, host CPU that it is loaded on */
	u32 sipi_vector;         /* a */
	u32 shown;               /* a, REQUEST_SHOW was answered so often */
	u64 tsc_offset;          /* o, guest TSC = host TSC + offset */
	bool awaiting_intack;    /* o, ring 3 was asked for the PIC's vector */
	bool parked;             /* o, waits because of guest.hold */
	u64 generation;          /* o, of the guest memory's translations that it may have cached */
	struct timer timer;      /* o, the local APIC's */
	struct timer synthetic;  /* o, the Hyper-V timers' */
	struct cpu_set pins;     /* a: host CPUs that it may use, if pinned */
	bool pinned;             /* the monitor's */
	u32 own_cpu;             /* c once it runs: index + 1 of the host CPU that is its alone, 0: none */

	/* The code pages of the last fetches, by RIP's page, and the guest's table entries that led to them: good as
	 * long as those have these values.  o */
	struct vcpu_fetch {
		u64 page, rip_page; /* its linear address, and as RIP sees it (CS.base apart) */
		u64 generation;
		const u8 *host;
		struct virt_code code;
		struct walk_trace trace;
	} fetches[VCPU_FETCHES];

	/* Where instructions of two opcode bytes were seen on those pages, by RIP: good for the same generation.  o */
	struct vcpu_seen {
		u64 rip, generation;
		const u16 *code;
	} seen[VCPU_FETCHES];

	/* Instructions that were decoded last, by RIP.  o */
	struct vcpu_decoded {
		struct insn_key key;
		struct insn insn;
	} decoded[VCPU_FETCHES];

	struct virt_exit exit;   /* o, the last one */

	/* Figures; o, read by others */
	struct exit_counter *last; /* of `exits`, the last exit's; read by others */
	u64 entered_at, exited_at; /* host TSC */
	u64 left_at;             /* host TSC when its thread left a CPU */
	u64 guest_cycles;
	struct exit_counter exits[VCPU_REASONS];
	u64 ready_before;        /* its thread's ready_cycles when that left a CPU */
	u64 halted_cycles, capped_cycles; /* asleep in HLT; held by its guest's cap */
	u32 latency[VCPU_BUCKETS]; /* wake-ups by their wait for a CPU */
	u64 stolen_cycles;       /* ready or held by the cap, since its creation */
	bool capped;             /* it is held by the cap, and by nothing else */

	u32 yielded_to;          /* o, index of the vCPU that it let go first last, when it spun */
	u64 directed;            /* o, how often it did */
	u64 together_until;      /* a, host TSC until which it runs when others do that it waited for, or they for it */
	u64 pv_eois, pv_flushes; /* o, interrupts that it ended, flushes that others left to it, each without an exit */
	bool unhalted;           /* o, REQUEST_UNHALT came: HLT does not wait */
	u32 steal_version;       /* o, what the guest's steal time structure holds */
	bool steal_marked;       /* o, that says preempted */
	u64 steal_from, steal_told; /* o, stolen_cycles when the guest enabled it; when it was told last */
	u32 kvmclock_version;    /* o, what the guest's time structure holds; even */

	/* MSRs that neither the hardware nor the local APIC holds; o */
	struct vcpu_msrs {
		u64 mtrr_def_type, mtrr_fixed[11], mtrr_base[8], mtrr_mask[8];
		u64 misc_enable, tsc_aux, tsc_adjust;
		u64 kvm_wall_clock, kvm_system_time, kvm_steal, kvm_eoi;
	} msrs;
};

/* A vCPU in power-on state; NULL without memory.  vcpu_put when nobody runs it; NULL is fine. */
struct vcpu *vcpu_create(struct guest *g, u32 index);
void vcpu_put(struct vcpu *v);

/* Its whole state; of one that runs on another CPU the back end may know some of it from earlier only.  Set refuses
 * what no processor has: ERR_INVAL. */
void vcpu_get_state(struct vcpu *v, struct vcpu_state *state);
int vcpu_set_state(struct vcpu *v, const struct vcpu_state *state) must_check;

/* The same of a vCPU that may be running: of a moment since the call, or of its last if it does nothing for 1 ms. */
void vcpu_show_state(struct vcpu *v, struct vcpu_state *state);

/* May the guest have this XCR0?  The processor faults on any other, in ring 0 too. */
bool vcpu_xcr0_valid(const struct vcpu *v, u64 value);

/* Power on, INIT, and the start-up IPI after them, which nobody takes who is not plugged in. */
void vcpu_power_on(struct vcpu *v);
void vcpu_init_reset(struct vcpu *v);
void vcpu_startup(struct vcpu *v, u8 vector);

/* For the monitor. */
void vcpu_info(struct vcpu *v, struct vcpu_info *info);

/* Makes the guest's vCPUs forget old translations before it returns: gmem's callback, under its lock. */
struct gmem;
void vcpu_shootdown(struct gmem *m);

/* Forces a fault on the guest at its next entry, with RIP where it is. */
void vcpu_inject_fault(struct vcpu *v, u8 vector, bool has_error, u32 error);

/* Goes on after an instruction of length bytes that was completed in software; the latter: with RFLAGS.TF set. */
void vcpu_stepped(struct vcpu *v);
static inline void vcpu_advance(struct vcpu *v, u32 length)
{
	struct vcpu_page *page = v->page;

	page->rip += length;
	if (page->rflags & RFLAGS_TF)
		vcpu_stepped(v);
}

/* Up to 15 bytes at RIP and where that is; returns how many could be read.  bytes has room for 16. */
u32 vcpu_fetch(struct vcpu *v, struct virt_code *code, u8 *bytes);

static inline struct vcpu_seen *vcpu_seen(struct vcpu *v)
{
	return &v->seen[v->page->rip & (VCPU_FETCHES - 1)];
}

/* Does the code page of an earlier fetch, if RIP is in it, show this opcode's two bytes at RIP?  Only for an
 * instruction that the processor has named: then they can hardly be another one of the same opcode, so the
 * guest's tables are not looked at again. */
bool vcpu_code_is(struct vcpu *v, u16 opcode);

/* ---- the processor's identity and MSRs: cpuid.c, msr.c ---- */

/* CPUID as v's guest sees it. */
struct cpuid cpuid_guest(const struct vcpu *v, u32 leaf, u32 subleaf);

/* Bits that the guest may set: from the same policy as CPUID. */
u64 cpuid_guest_cr4(const struct vcpu *v);
u64 cpuid_guest_efer(const struct vcpu *v);
u64 cpuid_guest_xcr0(const struct vcpu *v);

/* Reads and writes an MSR for the guest.  0, or ERR_INVAL: the guest gets #GP(0). */
int msr_other_read(struct vcpu *v, u32 msr, u64 *value) must_check; /* than the local APIC's */
int msr_other_write(struct vcpu *v, u32 msr, u64 value) must_check;

static inline must_check int msr_guest_read(struct vcpu *v, u32 msr, u64 *value)
{
	return lapic_has_msr(msr) ? lapic_msr_read(v, msr, value) : msr_other_read(v, msr, value);
}

static inline must_check int msr_guest_write(struct vcpu *v, u32 msr, u64 value)
{
	return lapic_has_msr(msr) ? lapic_msr_write(v, msr, value) : msr_other_write(v, msr, value);
}

void msr_reset(struct vcpu *v); /* power-on values; INIT changes none of them */

/* Its next entry forgets all cached translations.  Own thread. */
static inline void vcpu_flush(struct vcpu *v)
{
	__atomic_store_n(&v->generation, UINT64_MAX, __ATOMIC_SEQ_CST);
}

/* The same for another, which has forgotten them before this returns or does not run: it is not woken for that. */
void vcpu_flush_other(struct vcpu *v);

/* What cpuid.c, msr.c and lapic.c need of the kernel (implemented in vcpu.c and guest.c, faked by host tests). */
u64 vcpu_tsc(const struct vcpu *v);                      /* the guest's TSC now */
u64 vcpu_tsc_hz(void);                                   /* of every TSC here */
u64 vcpu_cr4(const struct vcpu *v);                      /* the guest's registers: CPUID shows bits of them */
u64 vcpu_xcr0(const struct vcpu *v);
void vcpu_move_tsc(struct vcpu *v, u64 delta);           /* the guest's TSC is ahead by delta from now on */
void vcpu_timer_arm(struct vcpu *v, u64 host_tsc);       /* REQUEST_TIMER at that host TSC, UINT64_MAX: never */
void vcpu_synthetic_arm(struct vcpu *v, u64 host_tsc);   /* REQUEST_SYNTHETIC, the same */
struct vcpu *guest_vcpu(struct guest *g, u32 index);     /* NULL if it is not plugged in */
u32 guest_vcpu_count(const struct guest *g);
void vcpu_request(struct vcpu *v, u32 requests);         /* sets bits, wakes or kicks it */
int guest_phys_write(struct guest *g, gpa_t gpa, const void *from, size_t len); /* 0 or ERR_FAULT */
int guest_phys_read(struct guest *g, gpa_t gpa, void *to, size_t len);          /* 0 or ERR_FAULT */
void guest_lapic_left(struct guest *g);                  /* a local APIC is not at its usual address any more */
int guest_phys_swap32(struct guest *g, gpa_t gpa, u32 old, u32 fresh); /* gmem_swap's errors */
void guest_clock(u64 host_tsc, u64 *ns, u64 *wall_s, u32 *wall_ns); /* clock ns at host_tsc; wall clock at clock 0 */

#endif
