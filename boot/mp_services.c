/* GNU-EFI has no header for this protocol: its first two functions are declared here, as the PI specification
 * defines them. */
#include "boot/mp_services.h"

#include "boot/firmware.h"

#define MP_SERVICES_GUID { 0x3fdda605, 0xa76e, 0x4f46, { 0xad, 0x29, 0x12, 0xf4, 0x53, 0x1b, 0x3d, 0x08 } }
#define CPU_USABLE 6 /* enabled (bit 1) and healthy (bit 2) */

struct processor {
	u64 id; /* the local APIC's */
	u32 flags, package, core, thread;
	u32 extended[6]; /* newer firmware may write these too */
};

struct mp_services {
	EFI_STATUS (EFIAPI *get_count)(struct mp_services *self, UINTN *count, UINTN *enabled);
	EFI_STATUS (EFIAPI *get_info)(struct mp_services *self, UINTN index, struct processor *processor);
};

void mp_services_read_cpus(struct boot_info *info)
{
	EFI_GUID guid = MP_SERVICES_GUID;
	struct mp_services *mp = firmware_protocol(guid);
	UINTN count, enabled;

	if (!mp || EFI_ERROR(mp->get_count(mp, &count, &enabled)))
		return;
	for (UINTN i = 0; i < count && info->cpu_count < BOOT_CPUS_MAX; i++) {
		struct processor p = { 0 };

		if (EFI_ERROR(mp->get_info(mp, i, &p)) || (p.flags & CPU_USABLE) != CPU_USABLE ||
		    p.id == info->cpus[0].apic_id)
			continue;
		info->cpus[info->cpu_count++] = (struct boot_cpu){ .apic_id = p.id };
	}
}
