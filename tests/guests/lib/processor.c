/* Starting further processors by INIT and SIPI. */
#include "tests/guests/lib/guest.h"

#define AP_CODE 0x8000

extern u8 ap_code[], ap_code_end[];
volatile u32 processor_count = 1;
static void (*function)(u32 index);

void processor_main(u32 index);
void processor_main(u32 index)
{
	trap_load();
	lapic_enable(x2apic);
	__atomic_fetch_add(&processor_count, 1, __ATOMIC_SEQ_CST);
	function(index);
}

bool processor_start(u32 apic_id, void (*f)(u32 index))
{
	u32 before = processor_count;

	for (u32 i = 0; i < (u32)(ap_code_end - ap_code); i++)
		((volatile u8 *)AP_CODE)[i] = ap_code[i];
	function = f;
	lapic_ipi(apic_id, 0x4500); /* INIT, level asserted */
	wait_us(200);
	lapic_ipi(apic_id, 0x4600 | AP_CODE >> 12);
	for (u32 i = 0; i < 1000 && processor_count == before; i++)
		wait_us(1000);
	return processor_count == before + 1;
}
