/* What boot/ hands to the kernel: plain data in memory that the kernel owns from then on.  boot/ fills it
 * while the firmware is there; nothing in it points into firmware data that is not named here. */
#ifndef KERNEL_BOOT_INFO_H
#define KERNEL_BOOT_INFO_H

#include "arch/x86_64/virt_options.h"
#include "kernel/abi.h"
#include "kernel/lib/types.h"

#define BOOT_RANGES_MAX 512
#define BOOT_CPUS_MAX 1024
#define BOOT_FILES_MAX 64

enum boot_range_kind {
	BOOT_RANGE_FREE,     /* the kernel's to use (conventional and loader memory) */
	BOOT_RANGE_FIRMWARE, /* so too, but not before the firmware's page tables are left: they are in it */
	BOOT_RANGE_KERNEL,   /* the image, boot_info itself and what boot/ allocated for the kernel (files apart) */
	BOOT_RANGE_FILE,     /* loaded files, page aligned */
	BOOT_RANGE_RESERVED, /* RAM that stays the firmware's (runtime services, ACPI tables, NVS, unusable) */
	BOOT_RANGE_MMIO,     /* memory-mapped I/O that the firmware named */
};

struct boot_range {
	u64 base, len; /* whole pages; sorted, no overlaps */
	u32 kind;      /* enum boot_range_kind */
	u32 node;      /* NUMA node from SRAT, 0 without one */
};

struct boot_file {
	char name[FILE_NAME_MAX]; /* as in the configuration */
	u64 base, size;           /* page aligned, the last page's rest is zero */
};

struct boot_cpu {
	u32 apic_id;
	u32 node;  /* NUMA node from SRAT, as boot_range's */
	bool boot; /* the one that runs now; always cpus[0] */
};

enum boot_serial_kind { BOOT_SERIAL_NONE, BOOT_SERIAL_PORT, BOOT_SERIAL_MMIO };

struct boot_framebuffer {
	u64 base, size;  /* 0: there is none */
	u32 width, height, pitch; /* pixels, pixels, bytes */
	bool bgr;        /* 32 bits a pixel, blue lowest (else red lowest) */
};

enum large_pages { LARGE_PAGES_AUTO, LARGE_PAGES_ON, LARGE_PAGES_OFF };

struct boot_options { /* the [host] section */
	u32 max_cpus;          /* 0: all */
	u32 log_level;         /* enum log_level */
	bool x2apic;           /* use it where the processor has it */
	bool runtime_services; /* for reset and power off */
	bool mitigations;      /* barriers between guests where the processor needs them */
	u32 panic_reboot_s;    /* 0: halt */
	u32 serial_baud;       /* 115200 by default */
	struct virt_options virt;
	u64 memory_reserve;    /* bytes that guests never get, 0: the default */
	u32 overcommit;        /* enum overcommit */
	u32 smt;               /* enum host_smt */
	u32 large_pages;       /* enum large_pages */
};

struct boot_info {
	struct boot_range ranges[BOOT_RANGES_MAX];
	u32 range_count;
	struct boot_cpu cpus[BOOT_CPUS_MAX];
	u32 cpu_count;
	struct boot_file files[BOOT_FILES_MAX];
	u32 file_count;
	struct boot_file config; /* the configuration's text, size 0 if there was none */
	struct boot_options options;
	struct boot_framebuffer framebuffer;

	u32 serial_kind;   /* enum boot_serial_kind */
	u64 serial_base;   /* port or address */
	u32 serial_stride; /* bytes between registers */

	u64 image_base, image_size;       /* where the firmware put us */
	u64 rsdp;                         /* 0: no ACPI */
	u64 trampoline;                   /* a free page below 1 MiB for starting CPUs */
	u64 system_table;                 /* EFI_SYSTEM_TABLE, for the runtime services only; 0: do not use */
	u64 reset_system;                 /* EFI ResetSystem, callable with identity map; 0: none */

	/* from ACPI, 0 where there is none */
	u32 pm_timer_port;
	u32 pm1a_control, pm1b_control;   /* ports */
	u32 smi_command;                  /* port: acpi_enable is written there when PM1 control lacks SCI_EN */
	u8 acpi_enable;
	u8 s5_type_a, s5_type_b;          /* SLP_TYP from \_S5, 255 unknown */
	u64 reset_register;               /* address; reset_space: 0 memory, 1 port, 2 PCI, 255 none */
	u8 reset_space, reset_value;
	u64 hpet;                         /* address */
	u64 ioapic;                       /* address of the one with GSI 0 */
	u32 irq_gsi[16];                  /* ISA IRQ to GSI */
	u8 irq_level[16], irq_low[16];    /* level triggered, active low */

	u8 entropy[32];                   /* from EFI_RNG or RDRAND, else the TSC */
	u64 wall_clock;                   /* seconds since 1970 at tsc_exit */
	u64 tsc_start, tsc_exit;          /* at efi_main and at the end of ExitBootServices */
	u64 tsc_firmware;                 /* TSC cycles spent in the firmware's file I/O */
	char load_messages[4096];         /* what was wrong in configuration and files, a line each */
	u32 load_message_count;
};

/* Where the boot CPU continues, on its own stack, after the firmware is left.  Never returns. */
_Noreturn void kernel_main(struct boot_info *info);

#endif
