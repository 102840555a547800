/* Between the files of hyperv.elf: Hyper-V's registers (TLFS) and what all of them need. */
#ifndef GUESTS_HYPERV_HYPERV_H
#define GUESTS_HYPERV_HYPERV_H

#include "tests/guests/lib/guest.h"

enum {
	MSR_OS_ID = 0x40000000, MSR_HYPERCALL, MSR_VP_INDEX, MSR_RESET, MSR_TIME = 0x40000020, MSR_TSC_PAGE,
	MSR_TSC_FREQUENCY, MSR_APIC_FREQUENCY, MSR_EOI = 0x40000070, MSR_ICR, MSR_TPR, MSR_ASSIST,
	MSR_SYNIC = 0x40000080, MSR_SYNIC_VERSION, MSR_EVENTS, MSR_MESSAGES, MSR_EOM, MSR_SINT = 0x40000090,
	MSR_TIMER = 0x400000b0, MSR_CRASH = 0x40000100, MSR_CRASH_CONTROL = 0x40000105,
};

#define MSR_TSC 0x10
#define MSR_TSC_ADJUST 0x3b
#define PAGE 4096
#define MS 10000ull /* of reference time */
#define TIMER_CONFIG(n) (MSR_TIMER + 2 * (n))
#define TIMER_COUNT(n) (MSR_TIMER + 2 * (n) + 1)

enum { ENABLED = 1, PERIODIC = 2, LAZY = 4, AUTO = 8, DIRECT = 1 << 12 };
#define BY_SINT(n) ((u64)(n) << 16)
#define BY_VECTOR(vector) (DIRECT | (u64)(vector) << 4)
#define SINT_MASKED 0x10000
#define SINT_AUTO_EOI 0x20000
#define SINT_POLLING 0x40000

struct tsc_page {
	volatile u32 sequence;
	u32 reserved;
	volatile u64 scale, offset;
};

extern struct tsc_page *tsc_page;
extern volatile u32 count;                /* interrupts at VECTOR and VECTOR_SINT */
extern volatile u32 assisted;             /* of them, ended without telling */
#define VECTOR 0x60       /* ended by the assist page if it says so, else by MSR */
#define VECTOR_QUIET 0x70 /* not ended at all: for AutoEOI */

bool faults_read(u32 msr);
bool faults_write(u32 msr, u64 value);
u64 page_msr(void *page);                 /* the value that enables it */
u64 page_time(void);                      /* reference time by the TSC page */
bool came(u32 before);                    /* count has grown, at the latest in 50 ms */

void test_registers(void);
void test_clock(void);
void test_timers(void);
void test_apic(void);
void test_calls(u32 processors);
void idle(const char *how);

#endif
