/* Where the interrupt lines of the PC's devices go. */
#include "vmm/machine/machine.h"

void machine_irq(struct machine *m, u32 irq, bool level)
{
	if (irq == 2) /* the PICs' cascade: no device is wired there */
		return;
	if (irq < 16)
		pic_set(m, irq, level);
	ioapic_set(m, irq ? irq : 2, level);
}
