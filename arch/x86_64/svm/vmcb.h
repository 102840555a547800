/* The virtual machine control block: APM 2 Appendix B. */
#ifndef ARCH_X86_64_SVM_VMCB_H
#define ARCH_X86_64_SVM_VMCB_H

#include "kernel/lib/types.h"

/* Intercepts, as bits of struct vmcb's words */
#define INTERCEPT_INTR BIT(0)
#define INTERCEPT_NMI BIT(1)
#define INTERCEPT_INIT BIT(3)
#define INTERCEPT_VINTR BIT(4)
#define INTERCEPT_RDPMC BIT(15)
#define INTERCEPT_CPUID BIT(18)
#define INTERCEPT_IRET BIT(20)
#define INTERCEPT_INVD BIT(22)
#define INTERCEPT_PAUSE BIT(23)
#define INTERCEPT_HLT BIT(24)
#define INTERCEPT_INVLPGA BIT(26)
#define INTERCEPT_IOIO BIT(27)
#define INTERCEPT_MSR BIT(28)
#define INTERCEPT_SHUTDOWN BIT(31)
#define INTERCEPT2_VMRUN BIT(0)
#define INTERCEPT2_VMMCALL BIT(1)
#define INTERCEPT2_VMLOAD BIT(2)
#define INTERCEPT2_VMSAVE BIT(3)
#define INTERCEPT2_STGI BIT(4)
#define INTERCEPT2_CLGI BIT(5)
#define INTERCEPT2_SKINIT BIT(6)
#define INTERCEPT2_WBINVD BIT(9)
#define INTERCEPT2_MONITOR BIT(10)
#define INTERCEPT2_MWAIT BIT(11)
#define INTERCEPT2_XSETBV BIT(13)
#define INTERCEPT2_RDPRU BIT(14)

/* intercept_cr_write */
#define INTERCEPT_CR4_WRITE BIT(4)
#define INTERCEPT_CR8_WRITE BIT(8)

/* vintr */
#define VINTR_IRQ BIT(8)
#define VINTR_IGNORE_TPR BIT(20)
#define VINTR_MASKING BIT(24)
#define VINTR_VECTOR_SHIFT 32

/* interrupt_state */
#define INTERRUPT_SHADOW BIT(0)

/* tlb_control */
#define TLB_NOTHING 0
#define TLB_FLUSH_ALL 1
#define TLB_FLUSH_ASID 3

/* event_inject, exit_int_info */
#define EVENT_TYPE_SHIFT 8
#define EVENT_HAS_ERROR BIT(11)
#define EVENT_VALID BIT(31)

/* Exit codes: APM 2 Appendix C */
enum svm_exit {
	SVM_CR_READ = 0x00, SVM_CR_WRITE = 0x10, SVM_DR_READ = 0x20, SVM_DR_WRITE = 0x30, SVM_EXCEPTION = 0x40,
	SVM_INTR = 0x60, SVM_NMI, SVM_SMI, SVM_INIT, SVM_VINTR,
	SVM_RDPMC = 0x6f,
	SVM_CPUID = 0x72, SVM_RSM, SVM_IRET, SVM_SWINT, SVM_INVD, SVM_PAUSE, SVM_HLT, SVM_INVLPG, SVM_INVLPGA,
	SVM_IOIO, SVM_MSR, SVM_TASK_SWITCH, SVM_FERR, SVM_SHUTDOWN, SVM_VMRUN, SVM_VMMCALL, SVM_VMLOAD, SVM_VMSAVE,
	SVM_STGI, SVM_CLGI, SVM_SKINIT, SVM_RDTSCP, SVM_ICEBP, SVM_WBINVD, SVM_MONITOR, SVM_MWAIT, SVM_MWAIT_ARMED,
	SVM_XSETBV, SVM_RDPRU,
	SVM_NPF = 0x400,
};
#define SVM_INVALID UINT64_MAX

struct vmcb_segment {
	u16 selector, attr;
	u32 limit;
	u64 base;
};

struct vmcb {
	u16 intercept_cr_read, intercept_cr_write, intercept_dr_read, intercept_dr_write;
	u32 intercept_exceptions, intercept, intercept2, intercept3;
	u8 reserved_018[0x03c - 0x018];
	u16 pause_threshold, pause_count;
	u64 iopm, msrpm, tsc_offset;         /* 040h */
	u32 asid;                            /* 058h */
	u8 tlb_control, reserved_05d[3];
	union { u64 vintr; u8 v_tpr; };      /* 060h */
	u64 interrupt_state;                 /* 068h */
	u64 exit_code, exit_info1, exit_info2, exit_int_info; /* 070h */
	u64 nested;                          /* 090h: bit 0 nested paging */
	u8 reserved_098[0x0a8 - 0x098];
	u64 event_inject;                    /* 0a8h */
	u64 nested_cr3;                      /* 0b0h */
	u64 lbr, clean;                      /* 0b8h */
	u64 next_rip;                        /* 0c8h */
	u8 insn_count, insn[15];             /* 0d0h */
	u8 reserved_0e0[0x400 - 0x0e0];

	struct vmcb_segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr; /* 400h */
	u8 reserved_4a0[0x4cb - 0x4a0];
	u8 cpl;                              /* 4cbh */
	u32 reserved_4cc;
	u64 efer;                            /* 4d0h */
	u8 reserved_4d8[0x548 - 0x4d8];
	u64 cr4, cr3, cr0, dr7, dr6, rflags, rip; /* 548h */
	u8 reserved_580[0x5d8 - 0x580];
	u64 rsp, s_cet, ssp, isst;           /* 5d8h */
	u64 rax, star, lstar, cstar, sfmask, kernel_gs_base, sysenter_cs, sysenter_esp, sysenter_eip, cr2; /* 5f8h */
	u8 reserved_648[0x668 - 0x648];
	u64 pat, debug_ctl;                  /* 668h */
	u8 reserved_678[0x1000 - 0x678];
};

_Static_assert(offsetof(struct vmcb, iopm) == 0x40 && offsetof(struct vmcb, vintr) == 0x60 &&
	       offsetof(struct vmcb, exit_code) == 0x70 && offsetof(struct vmcb, event_inject) == 0xa8 &&
	       offsetof(struct vmcb, next_rip) == 0xc8 && offsetof(struct vmcb, es) == 0x400 &&
	       offsetof(struct vmcb, efer) == 0x4d0 && offsetof(struct vmcb, cr4) == 0x548 &&
	       offsetof(struct vmcb, rsp) == 0x5d8 && offsetof(struct vmcb, rax) == 0x5f8 &&
	       offsetof(struct vmcb, cr2) == 0x640 && offsetof(struct vmcb, pat) == 0x668 &&
	       sizeof(struct vmcb) == 4096, "APM 2 Appendix B");

#endif
