/* IDT, TSS and the dispatch of faults and interrupts.  The IDT is shared by all processors. */
#include "tests/guests/lib/guest.h"

#define TSS_SELECTOR 0x38

struct __attribute__((packed)) gate {
	u16 offset_low, selector;
	u8 ist, type;
	u16 offset_mid;
	u32 offset_high, zero;
};

struct __attribute__((packed)) pointer {
	u16 limit;
	u64 base;
};

extern u8 trap_stubs[], trap_abort[];
extern u64 guest_gdt[];
struct caught caught;
static struct gate idt[256];
static trap_function *handlers[256];
static u32 tss[26];

void trap_set(u32 vector, trap_function *handler)
{
	handlers[vector] = handler;
}

static u32 catch_depth; /* trap_catch is for one processor at a time */

u64 catch_run(void (*f)(void *), void *argument); /* start.asm */

u64 trap_catch(void (*f)(void *), void *argument)
{
	u64 vector;

	catch_depth++;
	vector = catch_run(f, argument);
	catch_depth--;
	return vector;
}

void trap_dispatch(struct frame *frame);
void trap_dispatch(struct frame *frame)
{
	if (handlers[frame->vector]) {
		handlers[frame->vector](frame);
		return;
	}
	caught = (struct caught){ frame->vector, frame->error, frame->rip, READ_REG(cr2) };
	if (frame->vector < 32 && catch_depth) {
		frame->rax = frame->vector;
		frame->rip = (u64)trap_abort;
		frame->rflags &= ~0x10100ull; /* RF, TF */
		return;
	}
	print("FAIL unexpected trap %u error %x rip %x cr2 %x\n", frame->vector, frame->error, frame->rip,
	      caught.cr2);
	print("SUMMARY 0 passed, 1 failed\n");
	stop();
}

static void load_tss(void)
{
	u64 base = (u64)tss;

	guest_gdt[TSS_SELECTOR / 8] = (sizeof(tss) - 1) | (base & 0xffffff) << 16 | 0x89ull << 40 |
		(base >> 24) << 56;
	guest_gdt[TSS_SELECTOR / 8 + 1] = base >> 32;
	asm volatile("ltr %w0" : : "r"(TSS_SELECTOR));
}

void trap_load(void)
{
	struct pointer p = { sizeof(idt) - 1, (u64)idt };
	static bool done;

	for (u32 i = 0; i < 256 && !done; i++) {
		u64 at = (u64)trap_stubs + i * 16;
		idt[i] = (struct gate){ at, 8, 0, 0x8e, at >> 16, at >> 32, 0 };
	}
	if (!done)
		load_tss();
	done = true;
	asm volatile("lidt %0" : : "m"(p));
}
