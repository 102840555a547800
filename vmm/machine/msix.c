/* MSI-X: messages are sent at once or wait in the pending bits until their masks are gone.  Lock: the machine
 * lock. */
#include "vmm/machine/msix.h"

#include "kernel/lib/string.h"
#include "vmm/lib/sys.h"
#include "vmm/machine/pci.h"

#define CAPABILITY_MSIX 0x11

/* Message control (§6.8.2.3) is at 2 of the capability. */
#define CONTROL_ENABLE 0x80 /* of its upper byte */
#define CONTROL_MASK 0x40

#define ENTRY_MASKED 1

void msix_init(struct msix *x, struct pci_function *f, u8 at, u8 next, u32 table, u32 pending)
{
	memset(x, 0, sizeof(*x));
	for (u32 i = 0; i < MSIX_VECTORS; i++)
		x->entry[i].control = ENTRY_MASKED;
	f->config[at] = CAPABILITY_MSIX;
	f->config[at + 1] = next;
	pci_put(&f->config[at + 2], MSIX_VECTORS - 1, 2);
	pci_put(&f->config[at + 4], table, 4); /* bits 2-0: BAR 0 */
	pci_put(&f->config[at + 8], pending, 4);
	f->writable[at + 3] = CONTROL_ENABLE | CONTROL_MASK;
}

bool msix_enabled(const struct pci_function *f, u8 at)
{
	return f->config[at + 3] & CONTROL_ENABLE;
}

void msix_raise(struct msix *x, const struct pci_function *f, u8 at, u32 vector)
{
	const struct msix_entry *entry;

	if (vector >= MSIX_VECTORS)
		return;
	entry = &x->entry[vector];
	if (f->config[at + 3] & CONTROL_MASK || entry->control & ENTRY_MASKED)
		x->pending |= BIT(vector);
	else
		sys_guest_msi(entry->address, entry->data);
}

void msix_update(struct msix *x, const struct pci_function *f, u8 at)
{
	u64 pending = x->pending;

	if (!msix_enabled(f, at))
		return;
	x->pending = 0;
	for (u32 i = 0; i < MSIX_VECTORS; i++)
		if (pending & BIT(i))
			msix_raise(x, f, at, i);
}

/* Whole or half words that are aligned (§6.8.2: others are undefined). */
void msix_access_table(struct msix *x, struct access *a)
{
	u8 *at = (u8 *)x->entry + a->addr;
	bool valid = (a->size == 4 || a->size == 8) && !(a->addr & (a->size - 1)) &&
		     a->addr + a->size <= sizeof(x->entry);

	if (!a->write)
		a->value = 0;
	if (valid && a->write)
		memcpy(at, &a->value, a->size);
	else if (valid)
		memcpy(&a->value, at, a->size);
}

void msix_access_pending(struct msix *x, struct access *a)
{
	if (!a->write)
		a->value = a->addr < 8 ? x->pending >> (8 * a->addr) : 0;
}
