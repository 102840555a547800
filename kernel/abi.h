/* What crosses between ring 0 and ring 3: the system calls and every structure they pass.
 *
 * A call's number is in RAX, its arguments in RDI, RSI, RDX, R10, R8; RAX returns a count, 0, or a negative
 * error of kernel/lib/error.h; RCX and R11 are lost.  Pointers are to the caller's own memory.  There are two
 * kinds of process: the monitor (one) and a machine process for each guest that was started.  A machine
 * process reaches its own guest only: no call of its takes a guest number.  A call that belongs to the other
 * kind of process ends the caller: it is never an accident. */
#ifndef KERNEL_ABI_H
#define KERNEL_ABI_H

#include "kernel/abi_host.h"
#include "kernel/abi_merge.h"
#include "kernel/abi_trace.h"
#include "kernel/lib/error.h"
#include "kernel/lib/shares.h"
#include "kernel/lib/types.h"

#define NAME_MAX 32          /* a guest's or a file's name in a structure, with its 0 */
#define FILE_NAME_MAX 128
#define DEFINITION_MAX 4096  /* bytes of a guest's definition text */
#define VCPU_MAX 64          /* vCPUs of a guest */
#define CONSOLE_HISTORY 65536 /* bytes of a guest's output that are kept */

enum syscall {
	/* every process */
	SYS_EXIT,          /* (code) ends the process with all of its threads */
	SYS_LOG,           /* (level, text, len) one line to the log; the kernel prefixes whose it is */
	SYS_MEMORY_GROW,   /* (bytes) more zeroed heap; returns the address of the new part */
	SYS_THREAD_CREATE, /* (entry, argument, stack top) entry gets the argument in RDI */
	SYS_FUTEX_WAIT,    /* (u32 *word, value) sleeps while *word == value; may wake for nothing */
	SYS_FUTEX_WAKE,    /* (u32 *word, count) wakes up to count sleepers */
	SYS_EVENT_WAIT,    /* (deadline) until an event or the deadline (clock ns, 0 = none); takes and returns
	                    * the pending enum event bits, 0 at the deadline */
	SYS_CONSOLE_READ,  /* (buf, len) input of the own console; ERR_AGAIN when there is none */
	SYS_CONSOLE_WRITE, /* (buf, len) output to the own console; a guest's is never refused, the host's
	                    * returns how much was taken, ERR_AGAIN for none (EVENT_CONSOLE_ROOM follows) */
	SYS_FILE_INFO,     /* (index, struct file_info *) the files that were loaded at boot, from index 0 */
	SYS_FILE_READ,     /* (index, offset, buf, len) returns the bytes read, 0 at the end */
	SYS_EVENT_RAISE,   /* () raises EVENT_SELF for the process's thread in SYS_EVENT_WAIT */
	SYS_YIELD,         /* () lets others run */

	/* machine processes: the own guest */
	SYS_MACHINE_INFO = 32, /* (struct machine_info *) */
	SYS_VCPU_RUN,      /* (index) runs vCPU index until it needs this process; fills vcpu_page.exit */
	SYS_VCPU_GET,      /* (index, struct vcpu_state *) of a vCPU that is not running */
	SYS_VCPU_SET,      /* (index, const struct vcpu_state *) */
	SYS_VCPU_TRANSLATE, /* (index, gva, enum access_bits, u64 *gpa) returns 0; or a positive page fault error
	                    * code with bit 31 set, to be injected with CR2 = gva; or ERR_FAULT */
	SYS_LAPIC_ACCESS,  /* (index, offset, write, u32 *value) a vCPU's local APIC as if by MMIO */
	SYS_GUEST_MAP,     /* (gpa, len, enum map_kind, file index, file offset) page aligned; replaces what was there.
	                    * ERR_EXIST: the file's frames are another share group's */
	SYS_GUEST_READ,    /* (gpa, buf, len) from guest memory; ERR_FAULT if any of it is not RAM or ROM */
	SYS_GUEST_WRITE,   /* (gpa, buf, len) to guest memory; ERR_FAULT if any of it is not RAM */
	SYS_GUEST_MSI,     /* (address, data) an interrupt message; returns 1 delivered, 0 coalesced */
	SYS_GUEST_EXTINT,  /* (level) the PIC's INTR line, wired to LINT0 of vCPU 0 */
	SYS_GUEST_STOP,    /* (enum stop_reason, text, len) ends the guest's run; does not return */
	SYS_STATE_SAVE,    /* (buf, len) hands the devices' state to the kernel and ends this process; a fresh
	                    * one starts with machine_info.restored set */
	SYS_STATE_LOAD,    /* (buf, len) reads that state; returns its length */
	SYS_MEMORY_TARGET, /* () how many bytes of its RAM the guest should have (EVENT_MEMORY: it changed) */
	SYS_MEMORY_STATS,  /* (const struct memory_stats *) what the guest says of its memory, for the monitor */
	SYS_GUEST_DISCARD, /* (gpa, len) page aligned RAM, whose frames the host gets back: it reads as zeroes */
	SYS_VCPU_TARGET,   /* () how many vCPUs the guest should have, the first ones (EVENT_VCPUS: asked for anew) */
	SYS_VCPU_PRESENT,  /* (index, present) plugs a vCPU in, or out: then it is as at power on, and no interrupt
	                    * finds it.  At first there is vCPU 0 alone, which stays */

	/* the monitor */
	SYS_HOST_INFO = 64, /* (struct host_info *) */
	SYS_CPU_INFO,      /* (index, struct cpu_info *) */
	SYS_CONFIG_READ,   /* (offset, buf, len) the configuration's text as it was loaded */
	SYS_LOG_READ,      /* (u64 *position, buf, len) log text from an absolute position on; moves the position
	                    * (forward too when text was overwritten); returns the bytes read */
	SYS_GUEST_DEFINE,  /* (name, text, len) returns the new guest's number (> 0, never reused) */
	SYS_GUEST_UNDEFINE, /* (id) */
	SYS_GUEST_REDEFINE, /* (id, text, len) of a guest that is off: from its next start on */
	SYS_GUEST_NEXT,    /* (id) the number of the guest after id, 0 for none */
	SYS_GUEST_INFO,    /* (id, struct guest_info *) */
	SYS_GUEST_DEFINITION, /* (id, buf, len) returns its length */
	SYS_GUEST_START,   /* (id, const struct guest_params *, struct admission *) ERR_NOMEM: the last says why */
	SYS_GUEST_CONTROL, /* (id, enum guest_control, argument) */
	SYS_GUEST_VCPU_INFO, /* (id, index, struct vcpu_info *) */
	SYS_GUEST_SCHEDULE, /* (id, weight, cap) as in guest_params, from now on */
	SYS_GUEST_PIN,     /* (id, index, const struct cpu_set *) the host CPUs that a vCPU may use */
	SYS_GUEST_VCPU_STATE, /* (id, index, struct vcpu_state *) of a moment at which the vCPU was outside */
	SYS_GUEST_PEEK,    /* (id, gpa, buf, len) */
	SYS_GUEST_OUTPUT,  /* (id, u64 *position, buf, len) what the guest wrote, as SYS_LOG_READ */
	SYS_GUEST_INPUT,   /* (id, buf, len) bytes typed to the guest; returns how many were taken */
	SYS_GUEST_WATCH,   /* (id) EVENT_GUEST_OUTPUT is raised for this guest from now on, 0 for none */
	SYS_GUEST_MEMORY,  /* (id, struct guest_memory *) */
	SYS_GUEST_TUNE,    /* (id, const struct guest_tune *, struct admission *) of this run; ERR_NOMEM as above */
	SYS_LEDGER_INFO,   /* (struct ledger_info *) */
	SYS_TRACE,         /* (on) starts the trace anew, or stops it */
	SYS_TRACE_READ,    /* (cpu, u64 *position, struct trace_record *, count) from an absolute position on; moves it
			    * (forward too over what was overwritten); returns how many */
	SYS_HOST_POWER,    /* (enum host_power) */
	SYS_MERGE_INFO,    /* (struct merge_info *) */
	SYS_MERGE_VERIFY,  /* (struct merge_verify *, again) again: 0, the kernel's to change */
	SYS_MERGE_MATRIX,  /* (struct merge_matrix *, again) the same */
	SYS_MERGE_CONTROL, /* (enum merge_control, value) ERR_NOMEM: to unmerge takes more than guests can be given */
};

/* Bits of SYS_EVENT_WAIT; sticky until taken. */
enum event {
	EVENT_CONSOLE = 1 << 0,      /* input on the own console */
	EVENT_CONSOLE_ROOM = 1 << 1, /* the own console takes output again */
	EVENT_POWER_BUTTON = 1 << 2, /* machine: the operator asks the guest to shut down */
	EVENT_HOOK = 1 << 3,         /* machine: machine_info.hook asks for a test hook */
	EVENT_SAVE = 1 << 4,         /* machine: bring the devices to rest and call SYS_STATE_SAVE */
	EVENT_GUEST = 1 << 5,        /* monitor: some guest changed its state */
	EVENT_GUEST_OUTPUT = 1 << 6, /* monitor: the watched guest wrote */
	EVENT_LOG = 1 << 7,          /* monitor: the log has new lines */
	EVENT_SELF = 1 << 8,         /* another thread of the process called SYS_EVENT_RAISE */
	EVENT_MEMORY = 1 << 9,       /* machine: SYS_MEMORY_TARGET's answer changed */
	EVENT_VCPUS = 1 << 10,       /* machine: the operator asks for SYS_VCPU_TARGET's number of vCPUs */
};

enum access_bits { ACCESS_READ = 0, ACCESS_WRITE = 1 << 0, ACCESS_FETCH = 1 << 1, ACCESS_USER = 1 << 2 };

enum map_kind { MAP_HOLE, MAP_RAM, MAP_ROM, MAP_FILE /* RAM that begins as a file's content, shared */ };

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* At the address in RDI when a process starts; read only, one for all processes.
 * Clock: nanoseconds since Quire took over the machine = ((rdtsc - tsc_base) * tsc_mul) >> 32 (128 bit product). */
struct abi_info {
	u64 tsc_hz;
	u64 tsc_base;
	u64 tsc_mul;
	u32 cpu_count;
};

struct file_info {
	char name[FILE_NAME_MAX]; /* as it stands in the configuration */
	u64 size;
};

struct machine_info {
	u32 id;
	char name[NAME_MAX];
	u64 memory;       /* bytes of RAM */
	u32 vcpu_count;   /* that it can have */
	u32 restored;     /* 1: SYS_STATE_LOAD has the devices' state, guest memory and vCPUs are as they were */
	u32 hook;         /* enum test_hook */
	u64 vcpu_pages;   /* address in the process of vcpu_count consecutive struct vcpu_page */
	u32 definition_len;
	u64 epoch;        /* wall clock at clock 0, seconds since 1970, from the firmware's RTC */
	char definition[DEFINITION_MAX];
};

enum test_hook { HOOK_NONE, HOOK_CRASH, HOOK_LOOP, HOOK_SYSCALLS, HOOK_HANDLES };

/* What a guest's balloon driver counts (VIRTIO 1.2 §5.5.6.4), in its order: bytes, but
 * faults and huge pages are counts. */
enum memory_stat {
	MEMORY_SWAP_IN, MEMORY_SWAP_OUT, MEMORY_MAJOR_FAULTS, MEMORY_MINOR_FAULTS, MEMORY_UNUSED, MEMORY_TOTAL,
	MEMORY_USABLE, MEMORY_CACHES, MEMORY_HUGE_ALLOC, MEMORY_HUGE_FAIL, MEMORY_STAT_COUNT,
};
#define MEMORY_UNKNOWN UINT64_MAX

/* Of a guest, by way of its machine process: nothing here can be relied on. */
struct memory_stats {
	u32 driver;      /* 1: a balloon driver is at work */
	u32 reporting;   /* 1: it reports its free pages, too */
	u64 balloon;     /* bytes in the balloon: it has the rest of its memory */
	u64 inflated;    /* bytes taken by the balloon since the start */
	u64 reported;    /* bytes given back by free page reporting since the start */
	u64 clock;       /* clock ns at which values came, 0: none have */
	u64 values[MEMORY_STAT_COUNT]; /* by enum memory_stat, MEMORY_UNKNOWN where it says nothing */
};

/* ---- vCPUs ---- */

enum gpr { GPR_RAX, GPR_RCX, GPR_RDX, GPR_RBX, GPR_RSP, GPR_RBP, GPR_RSI, GPR_RDI, GPR_COUNT = 16 };

enum vcpu_exit_kind {
	EXIT_NONE,      /* nothing to do: call SYS_VCPU_RUN again */
	EXIT_IO,        /* IN, OUT, INS, OUTS: vcpu_exit.io */
	EXIT_MMIO,      /* an access to no RAM or a write to ROM: vcpu_exit.mmio; insn has the instruction */
	EXIT_INTACK,    /* INTR is taken: put the PIC's vector into vcpu_page.intack, -1 if it is spurious */
	EXIT_EOI,       /* end of interrupt of a level-triggered vector: vcpu_exit.vector */
	EXIT_KIND_COUNT,
};

/* By CS.L and CS.D: code size 16, 16, 32, 64, 16. */
enum cpu_mode { MODE_REAL, MODE_PROT16, MODE_PROT32, MODE_LONG, MODE_VM86 };

struct vcpu_exit {
	u32 kind;
	u8 mode;         /* enum cpu_mode */
	u8 cpl;
	u8 insn_len;     /* how many bytes of insn are valid (0 to 15): bytes at RIP, not the instruction's length */
	u8 vector;       /* EXIT_EOI */
	u8 insn[16];     /* (the sixteenth is none of them) */
	struct {
		u64 next_rip; /* after the instruction; IN and OUT are complete when RAX and RIP are set */
		u16 port;
		u8 size;      /* 1, 2, 4 */
		bool in;
		bool string;  /* INS or OUTS: to be emulated from insn */
		bool rep;
	} io;
	struct {
		u64 gpa;      /* of the first byte that is not RAM */
		u64 gva;      /* its linear address where the hardware tells it, else 0 */
		bool write;
		bool fetch;   /* an instruction fetch: there is no code there */
		bool lapic;   /* gpa is in the vCPU's local APIC page: reached by SYS_LAPIC_ACCESS */
	} mmio;
};

/* One page for each vCPU, shared by kernel and machine process.  The registers here are the vCPU's own while
 * it is outside the guest: the process completes an instruction by changing them and running on; leaving
 * RIP alone executes the instruction again. */
struct vcpu_page {
	u64 gpr[GPR_COUNT];
	u64 rip;
	u64 rflags;
	struct vcpu_exit exit;
	s32 intack;         /* answer to EXIT_INTACK: 0 to 255, or -1 */
	struct {
		u8 valid;   /* 1: inject this fault on the next run, then the kernel clears it */
		u8 vector;  /* 0 to 31 */
		u8 has_error;
		u32 error;
		u64 cr2;    /* for vector 14 */
	} inject;
} __attribute__((aligned(PAGE_SIZE)));

struct vcpu_segment {
	u64 base;
	u32 limit;    /* in bytes, after granularity */
	u16 selector;
	u16 attr;     /* type 0-3, S 4, DPL 5-6, P 7, AVL 8, L 9, D/B 10, G 11 (the VMCB's form, APM 2 §15.5.1) */
};

enum segment { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_LDTR, SEG_TR, SEG_COUNT };

/* What SYS_VCPU_SET sets and SYS_VCPU_GET reads; gpr, rip and rflags are in the vcpu_page as well and the
 * two always agree while the vCPU is outside the guest. */
struct vcpu_state {
	u64 gpr[GPR_COUNT];
	u64 rip, rflags;
	struct vcpu_segment seg[SEG_COUNT];
	struct vcpu_segment gdtr, idtr; /* base and limit only */
	u64 cr0, cr2, cr3, cr4, cr8, efer;
	u64 dr[4], dr6, dr7;
	u64 xcr0;
	u64 apic_base;
	u32 activity;   /* enum vcpu_activity */
};

enum vcpu_activity { ACTIVITY_RUN, ACTIVITY_HALT, ACTIVITY_WAIT_SIPI };

/* ---- what the monitor sees ---- */

enum guest_state {
	GUEST_OFF,      /* defined, not started */
	GUEST_RUNNING,
	GUEST_PAUSED,
	GUEST_STOPPED,  /* its run ended (guest_info.stop_reason); its memory is there until it is destroyed */
	GUEST_DYING,    /* being taken apart */
};

enum stop_reason {
	STOP_NONE,
	STOP_POWEROFF,  /* the guest turned itself off (S5) */
	STOP_REBOOT,    /* the guest or the operator reset it */
	STOP_CRASH,     /* triple fault, an exit that Quire cannot handle, or its machine process failed */
	STOP_DESTROYED, /* by the operator */
};

enum guest_control {
	CONTROL_PAUSE,
	CONTROL_RESUME,
	CONTROL_SHUTDOWN, /* press the power button */
	CONTROL_RESET,    /* stop with STOP_REBOOT */
	CONTROL_DESTROY,  /* stop and release everything: the guest is GUEST_OFF when EVENT_GUEST tells so */
	CONTROL_NMI,      /* to vCPU 0 */
	CONTROL_HOOK,     /* argument: enum test_hook */
	CONTROL_REPLACE,  /* serialise the devices and replace the machine process */
	CONTROL_MEMORY,   /* argument: bytes that it should have (struct guest_memory), 0: all; any state */
	CONTROL_VCPUS,    /* argument: how many vCPUs it should have, 1 to VCPU_MAX; any state */
};

enum host_power { POWER_OFF, POWER_REBOOT };


#define MEMORY_LEAST (2 * MIB) /* of a PC: what is below 1 MiB, and as much again */
#define MEMORY_SHARES_MAX 65536
#define MEMORY_SHARES_DEFAULT 256

/* Hyper-V's enlightenments: none, beside KVM's, or without KVM's. */
enum hyperv_mode { HYPERV_OFF, HYPERV_ON, HYPERV_ONLY };

struct guest_params {
	u64 memory;     /* bytes, a multiple of 4 KiB */
	u32 vcpu_count; /* there when it starts, if the operator asked for no other number */
	u32 vcpu_max;   /* the most that it can have, VCPU_MAX at most; 0: vcpu_count */
	u32 weight;     /* WEIGHT_MIN to WEIGHT_MAX */
	u32 cap;        /* percent of a CPU for all vCPUs together, 0 to CAP_MAX; 0: none */
	u32 dedicated;  /* 1: each vCPU has a host CPU of its own */
	u32 memory_shares; /* 1 to MEMORY_SHARES_MAX: its claim, for each page */
	u64 memory_min; /* bytes of frames that it is promised */
	u64 memory_max; /* the most that it may have, 0: memory */
	char share_group[NAME_MAX]; /* guests of one group share equal pages; "": it shares with none */
	u32 uniform;    /* 1: writes to merged and unmerged pages are alike, for all of the group */
	u32 hyperv;     /* enum hyperv_mode */
};

/* What is said about memory when a guest asks to come in (SYS_GUEST_START) or its terms change (SYS_GUEST_TUNE):
 * bytes, and the guest that would lose.  kernel/ledger.h has the rule. */
enum admission_verdict {
	ADMIT_OK,
	ADMIT_BUILD, /* there is not even enough for its vCPUs and its machine process, which take needs */
	ADMIT_CLAIM, /* guest claimant could not reach its full size any more */
	ADMIT_SIZES, /* the host's overcommit setting forbids it */
	ADMIT_CPUS,  /* it wants CPUs of its own, and there are only so many */
};

enum overcommit { OVERCOMMIT_NONE, OVERCOMMIT_SHARING, OVERCOMMIT_FULL };

struct admission {
	u32 verdict;    /* enum admission_verdict */
	u32 overcommit; /* enum overcommit */
	u64 needs;      /* of this guest's full size, what it has not yet: RAM and tables */
	u64 min;        /* promised to it */
	u64 free;       /* of the host */
	u64 reserve;    /* of that, the host's and the machine processes' */
	u64 promised;   /* of that, promised to guests with a lower claim than claimant's */
	u64 ahead;      /* what guests with a higher claim than claimant's have: it comes back when they end */
	u64 claim;      /* what claimant lacks to its full size */
	u64 lacks;      /* what all guests lack, by the host's overcommit setting */
	u32 claimant;   /* the guest with the least slack */
	u32 cpus;       /* ADMIT_CPUS: that it could have for itself */
};

/* Memory pressure: by how much may still be given to guests, as a part of all; left only at the next higher. */
enum memory_level {
	MEMORY_HIGH, /* 6 % and more */
	MEMORY_SOFT, /* below 4 %: balloons */
	MEMORY_HARD, /* below 2 %: and the scanner at full speed, then compression of cold pages */
	MEMORY_LOW,  /* below 1 %: guests that ask for more wait, those with the lowest claim first */
};

struct guest_tune {
	u64 min, max; /* bytes; as guest_params.memory_min and memory_max */
	u32 shares;
};

/* Compression of cold pages: counts of pages of 4 KiB, but where bytes are said. */
struct compress_info {
	u64 pages;          /* compressed now ... */
	u64 bytes;          /* ... and what they take */
	u64 compressed;     /* in all */
	u64 decompressed;   /* in all: used again */
	u64 refused;        /* in all: did not shrink to three quarters */
	u64 cpu_ns, cycles; /* of the thread that compresses; the same in cycles of the TSC */
};

struct ledger_info {
	u32 overcommit;  /* enum overcommit */
	u32 level;       /* enum memory_level */
	u64 reserve;     /* bytes: the host's */
	u64 machines;    /* what guests' machine processes may still take */
	u64 promised;    /* memory-min that is not filled yet */
	u64 claim;       /* kept for guest claimant: the most that is kept for one guest's full size */
	u32 claimant;    /* 0: there are not two guests */
	u64 kept;        /* for guests that waited and went on, from those after them */
	u64 lacks;       /* what all guests lack to their full sizes */
	u64 available;   /* what guests may still be given */
	u64 shared;      /* frames that guests map and none has for itself: merged ones and files' */
	u64 debt;        /* what guests would take if all sharing broke */
	struct compress_info compression;
};

struct guest_memory {
	u64 memory;     /* bytes of RAM that it was or will be started with */
	u64 wish;       /* bytes that the operator wants it to have, 0: all; kept until Quire ends */
	u64 pressure;   /* the same of the host, while memory is short */
	u64 target;     /* what the guest is asked for: the least of these */
	u64 working_set; /* bytes of its own frames that it uses, by a sample while memory is short; else unknown */
	u64 compressed;  /* bytes of its pages that are compressed ... */
	u64 compressed_in; /* ... and bytes of its own frames in which they are */
	u64 compressions, decompressions; /* counts of pages, in this run */
	struct memory_stats stats;
};

struct guest_info {
	u32 id;
	char name[NAME_MAX];
	u32 state;          /* enum guest_state */
	u32 stop_reason;    /* enum stop_reason of the last run's end */
	char stop_text[96]; /* why, in one line */
	u32 starts;         /* how often it was started */
	u32 starved;        /* 1: it waits for memory */
	u32 vcpu_count;     /* that it can have in this run */
	u32 vcpus_present;  /* of them, those that are there */
	u32 vcpus_wanted;   /* how many should be; while it is off what the operator asked for last, 0: nothing */
	u32 weight;
	u32 cap;
	u32 dedicated;
	u32 node;           /* NUMA node of its memory */
	u64 memory;         /* bytes of RAM promised */
	u64 memory_min, memory_max; /* guest_params's */
	u32 memory_shares;
	u64 memory_used;    /* bytes of frames that its RAM holds for itself */
	u64 memory_shared;  /* bytes of its RAM that are mapped from shared frames (files, the zero frame) */
	u64 memory_large;   /* bytes of memory_used that are mapped by pages of 2 MiB */
	u64 overhead;       /* bytes of Quire's own for it: process, tables, structures */
	u64 stage2;         /* where its second-stage tables begin, host-physical; 0: none */
	u64 run_ns;         /* CPU time of all vCPUs, guest and machine process */
	u64 start_clock;    /* clock ns of the last start, of its first instruction and of its first output byte */
	u64 first_insn_clock;
	u64 first_output_clock;
	u64 output_end;     /* absolute position after the last byte that it wrote */
};

enum vcpu_run_state {
	VCPU_RUNNING,
	VCPU_READY,
	VCPU_HALTED,
	VCPU_WAITING, /* for its machine process or paused */
	VCPU_WAIT_SIPI,
	VCPU_ABSENT,  /* not plugged in */
};

/* Exits are counted by reason: neutral names in vcpu_reason_name's order. */
#define VCPU_REASONS 32
#define VCPU_BUCKETS 28 /* a counter has 128 bytes: one is found by a shift at each exit */
struct exit_counter {
	u64 count;
	u64 cycles;                 /* TSC cycles from the exit to the next entry, ring 3 included */
	u32 histogram[VCPU_BUCKETS]; /* exits that cost [2^n, 2^(n+1)) cycles */
};

enum vcpu_reason {
	REASON_INTERRUPT, REASON_NMI, REASON_IO, REASON_CPUID, REASON_MSR_READ, REASON_MSR_WRITE, REASON_HLT,
	REASON_LAPIC, REASON_MMIO, REASON_STAGE2, REASON_CR, REASON_DR, REASON_WINDOW, REASON_PAUSE,
	REASON_HYPERCALL, REASON_EXCEPTION, REASON_XSETBV, REASON_INVALID_OPCODE, REASON_WBINVD, REASON_TASK_SWITCH,
	REASON_SHUTDOWN, REASON_EOI, REASON_OTHER, REASON_COUNT,
};

struct vcpu_info {
	u32 run_state;      /* enum vcpu_run_state */
	u32 cpu;            /* host CPU that it is on or was on last */
	u32 apic_id;
	u64 run_ns;         /* CPU time in all */
	u64 guest_ns;       /* of it, inside the guest */
	u64 ready_ns;       /* behind other threads */
	u64 capped_ns;      /* held because of its guest's cap */
	u64 halted_ns;      /* asleep in HLT */
	u32 latency[VCPU_BUCKETS]; /* wake-ups that waited [2^n, 2^(n+1)) TSC cycles for a CPU */
	struct cpu_set pins; /* host CPUs that it may use */
	u64 wakeups, migrations; /* counts */
	u64 directed;       /* PAUSE loops in which a preempted vCPU of the guest was let go first */
	u64 pv_eois;        /* interrupts that the guest ended without an exit */
	u64 pv_flushes;     /* flushes of its TLB that other vCPUs left to us while it was preempted */
	u64 guest_cycles, exit_cycles; /* TSC cycles inside the guest, and outside in handling exits */
	struct exit_counter exits[VCPU_REASONS]; /* by enum vcpu_reason; others do not count */
};

_Static_assert(sizeof(struct vcpu_page) == PAGE_SIZE, "a vCPU's page");
_Static_assert(sizeof(struct abi_info) == 32, "abi_info");
_Static_assert(sizeof(struct exit_counter) == 128, "a power of two");

#endif
