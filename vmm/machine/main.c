/* The machine process: one guest's PC.  It is built from the guest's definition or taken over from a
 * predecessor; then each vCPU gets a thread, and this one handles events until the machine stops. */
#include "kernel/lib/error.h"
#include "vmm/lib/sys.h"
#include "vmm/machine/acpi.h"
#include "vmm/machine/device.h"
#include "vmm/machine/events.h"
#include "vmm/machine/load.h"
#include "vmm/machine/machine.h"
#include "vmm/machine/ram.h"
#include "vmm/machine/state.h"
#include "vmm/machine/vcpu.h"

int main(void);

/* Who we are and what is wanted.  The kernel's word on the guest is trusted, the definition's text is not. */
static void machine_read_definition(struct machine *m)
{
	char reason[96];
	int error = sys_machine_info(&m->info);

	if (error)
		machine_stop(m, STOP_CRASH, "no machine information: %s", error_text(error));
	m->vcpus = (struct vcpu_page *)m->info.vcpu_pages;
	if (settings_parse(&m->settings, m->info.definition, MIN(m->info.definition_len, DEFINITION_MAX), reason,
			   sizeof(reason)))
		machine_stop(m, STOP_CRASH, "%s", reason);
	if (m->info.memory < RAM_MEMORY_MIN || m->info.memory & ~PAGE_MASK)
		machine_stop(m, STOP_CRASH, "memory: %lu bytes are no PC, at least 2 MiB are needed",
			     m->info.memory);
}

/* The ACPI tables, where firmware would have left them. */
static void machine_install_acpi(struct machine *m)
{
	static u8 tables[ACPI_MAX];
	const struct acpi_parts parts = { .vcpu_count = m->info.vcpu_count, .present = m->cpu_hotplug.present,
					  .dsdt = acpi_dsdt, .ssdt = acpi_ssdt };
	s64 len = acpi_build(&parts, RAM_FIRMWARE, tables, sizeof(tables));

	if (len < 0 || sys_guest_write(RAM_FIRMWARE, tables, (u64)len))
		machine_stop(m, STOP_CRASH, "the ACPI tables do not fit");
}

static void machine_load(struct machine *m)
{
	static struct load load;

	load_init(&load, m);
	if (load_guest(&load, RAM_FIRMWARE))
		machine_stop(m, STOP_CRASH, "%s", load.reason);
}

static void machine_power_on(struct machine *m)
{
	int error = ram_map(m);

	if (error)
		machine_stop(m, STOP_CRASH, "memory cannot be mapped: %s", error_text(error));
	m->clock_base = sys_clock();
	device_reset_all(m);
	machine_install_acpi(m);
	machine_load(m);
}

int main(void)
{
	static struct machine machine;
	struct machine *m = &machine;

	machine_read_definition(m);
	device_attach_all(m);
	if (m->info.restored)
		state_load(m);
	else
		machine_power_on(m);
	vcpu_start_all(m);
	events_run(m);
}
