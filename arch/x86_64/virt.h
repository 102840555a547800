/* The contract that svm/ and vmx/ implement: a vCPU's hardware half.  A back end decodes hardware into the
 * neutral virt_exit; policy sits above and never names a VMCB or a VMCS.
 *
 * All operations on one vCPU are serialised by its owner thread; load..leave bracket the time in which it
 * occupies this CPU, and run, inject and window are legal only between them. */
#ifndef ARCH_X86_64_VIRT_H
#define ARCH_X86_64_VIRT_H

#include "arch/x86_64/virt_options.h"
#include "kernel/abi.h"
#include "kernel/lib/types.h"

struct virt_vcpu; /* the back end's own */

/* An event to deliver, in the form of APM 2 §15.20 and SDM 3C §25.8.3. */
struct virt_event {
	bool valid;
	u8 type; /* enum virt_event_type */
	u8 vector;
	bool has_error;
	u32 error;
	u8 insn_len; /* software types: the instruction's length, 0 unknown or none */
};

/* The last two are Intel's: INT1, INT3 and INTO that were intercepted. */
enum virt_event_type { INJECT_EXTERNAL = 0, INJECT_NMI = 2, INJECT_EXCEPTION = 3, INJECT_SOFTWARE = 4,
		       INJECT_PRIVILEGED = 5, INJECT_TRAP = 6 };

struct virt_exit {
	enum vcpu_reason reason;
	u8 cr8;                  /* the guest's, after the run: the upper half of TPR */
	u8 insn_len;             /* length of the intercepted instruction, 0: not told, decode it */
	u8 insn_count;           /* valid bytes in insn, when the processor assists */
	u8 insn[15];
	struct virt_event interrupted; /* a delivery that the exit cut short: who repeats it clears valid */
	u64 code, info1, info2;  /* raw, for reports; of what says all by its reason perhaps the code alone */
	const char *refusal;     /* of an entry that was refused, and only then: the broken rule, NULL: not known */
	union {
		struct { u16 port; u8 size; bool in, string, rep; u64 next_rip; } io;
		struct { u64 gpa, gva; bool present, write, fetch, table_walk; } fault; /* stage 2; gva 0: unknown */
		/* done: nothing is left to do but to enter again.  decoded: gpr, wide and insn_len are told. */
		struct { u8 number, gpr; bool write, decoded, done, wide; /* 64 bits */ } cr;
		struct virt_event exception; /* intercepted, to be delivered */
		u8 ended;       /* REASON_EOI: the vector */
		u16 apic_offset; /* REASON_LAPIC: the register that was written, in the local APIC's page */
	};
};

/* How the guest reaches its local APIC. */
enum virt_apic_mode { VIRT_APIC_OFF, VIRT_APIC_MMIO /* at its usual address */, VIRT_APIC_MSRS };

/* The part of a local APIC that the processor may work on while it is in the guest.  At other times all of it is the
 * kernel's.  Where it is live, the processor delivers the highest interrupt of IRR by itself as soon as the guest can
 * take it, and keeps IRR, ISR and PPR; those accesses in the given mode that have no other effect need no exit; the end
 * of a vector that is in TMR is a REASON_EOI before the next instruction, a write that has an effect may be a
 * REASON_LAPIC after it.  Where it is not, the kernel does all that, by inject and window. */
struct virt_apic {
	u32 page[256][4];    /* page aligned, in the hardware's layout: register n (offset n * 16) in [n][0] */
	union {
		struct {
			u32 posted_any; /* a, the kernel's alone: bit n: lapic.posted[n] may hold something */
			u32 irr_words;  /* bit n: IRR's word n is not 0, so that a look costs no scan; as is isr_words */
		};
		u64 arrived; /* either, in one look */
	};
	u32 isr_words;
	bool live;           /* c; into vcpu_create: may it be? out of it: is it? */
	bool changed;        /* by the kernel: TMR or mode, since the last run */
	u8 mode;             /* enum virt_apic_mode */
	hpa_t frame;         /* c, from vcpu_create, live: in stage 2 at the usual address it lets the processor know
	                      * accesses in MMIO mode; in any other mode it must not be there */
};

/* Where the guest executes. */
struct virt_code {
	u64 address; /* linear, of RIP */
	u64 cr3;
	u8 mode;     /* enum cpu_mode */
	u8 cpl;
};

/* Groups of struct vcpu_state for get and set. */
enum virt_state {
	VIRT_SEGMENTS = 1 << 0, /* seg, gdtr, idtr */
	VIRT_CONTROL = 1 << 1,  /* cr0, cr2, cr3, cr4, cr8, efer */
	VIRT_DEBUG = 1 << 2,    /* dr, dr6, dr7 */
	VIRT_XCR0 = 1 << 3,
	VIRT_ALL = 15,
};

enum virt_window { WINDOW_NONE, WINDOW_CR8, WINDOW_ANY };

struct table_format;

struct virt_ops {
	const char *name;
	const struct table_format *stage2; /* form of the tables whose root run gets */

	bool (*present)(void); /* the processor claims to have it */
	/* Is it usable, with these options?  0, or ERR_UNSUPPORTED with one line that says
	 * what is missing and where to turn it on.  features gets a list of names. */
	int (*probe)(const struct virt_options *said, char *missing, size_t missing_len, char *features,
		     size_t features_len);
	int (*cpu_enable)(void);
	void (*cpu_disable)(void);
	/* Before each entry to ring 3: what SYSCALL and SWAPGS use is the host's again.  NULL: it always is. */
	void (*ring3)(void);

	/* guest_cr4: the bits of CR4 that the guest may set.  apic: there as long as the vCPU. */
	int (*vcpu_create)(struct virt_vcpu **out, u64 guest_cr4, struct virt_apic *apic);
	void (*vcpu_put)(struct virt_vcpu *v); /* NULL is fine */

	void (*load)(struct virt_vcpu *v, hpa_t root, u64 tsc_aux); /* root: of its guest's stage 2, always the same */
	void (*leave)(struct virt_vcpu *v); /* everything of it is in memory afterwards */

	/* Enters the guest with page's registers; returns at an exit, with interrupts off and the registers in page.
	 * ERR_STATE when the processor refused the entry (exit.code says why). */
	int (*run)(struct virt_vcpu *v, struct vcpu_page *page, struct virt_exit *exit);
	void (*flush)(struct virt_vcpu *v); /* the next run drops this guest's translations on this CPU first */

	/* get: on another CPU than the one that it is loaded on, what was got there last. */
	void (*get)(struct virt_vcpu *v, struct vcpu_state *s, u32 groups);
	void (*set)(struct virt_vcpu *v, const struct vcpu_state *s, u32 groups);

	bool (*can_interrupt)(struct virt_vcpu *v, const struct vcpu_page *page); /* IF, no shadow, none pending */
	bool (*can_nmi)(struct virt_vcpu *v, const struct vcpu_page *page);
	void (*inject)(struct virt_vcpu *v, const struct virt_event *e); /* at the next run */
	/* Exit when one can be injected; the wish is the next run's only.  interrupt: WINDOW_ANY: one waits;
	 * WINDOW_CR8: one waits that only CR8 keeps away; 0: none.  True: it may be so after a few instructions, and
	 * the processor does not tell when. */
	bool (*window)(struct virt_vcpu *v, const struct vcpu_page *page, enum virt_window interrupt, bool nmi);
	/* Interrupts wait for the instruction after STI or MOV SS.  Here and in the three above and in run, a RIP
	 * other than the last exit's tells that the shadow's instruction was completed in software. */
	bool (*shadow)(struct virt_vcpu *v, const struct vcpu_page *page);
	/* The trap after a stepped instruction: DR6.BS and #DB into *e. */
	void (*single_step)(struct virt_vcpu *v, struct virt_event *e);
	void (*cancel)(struct virt_vcpu *v, struct virt_event *e); /* no entry after all: *e gets back what inject took */
	u64 (*cr4)(struct virt_vcpu *v);
	void (*set_cr2)(struct virt_vcpu *v, u64 value);
	void (*set_cr8)(struct virt_vcpu *v, u8 value); /* TPR was changed in software: its upper half */
	int (*set_cr4)(struct virt_vcpu *v, u64 value); /* MOV to CR4; ERR_INVAL where it faults */
	void (*code)(struct virt_vcpu *v, const struct vcpu_page *page, struct virt_code *c);
	u64 (*xcr0)(struct virt_vcpu *v);

	void (*set_tsc_offset)(struct virt_vcpu *v, u64 offset);
	/* MSRs that the back end holds for the guest (SYSCALL's, PAT, FS_BASE...): 0 or ERR_NOENT. */
	int (*msr_get)(struct virt_vcpu *v, u32 msr, u64 *value);
	int (*msr_set)(struct virt_vcpu *v, u32 msr, u64 value);
};

extern const struct virt_ops svm_ops, vmx_ops;
extern const struct virt_ops *virt; /* the one that virt_probe found; set once at boot */

/* Finds the back end for this processor and sets virt; as virt_ops' probe. */
int virt_probe(const struct virt_options *said, char *missing, size_t missing_len, char *features,
	       size_t features_len) must_check;

#endif
