/* The ACPI tables as a guest finds them: from the RSDP on, every checksum and address; the SSDT is the one that make
 * has built, and iasl understands what is left of it.
 * links: vmm/machine/acpi.c kernel/lib/string.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/machine/acpi.h"
#include "vmm/machine/acpi_tables.h"
#include "vmm/machine/machine.h"

#define BASE 0xe0000

static u8 buf[ACPI_MAX];
static u8 dsdt[500], ssdt[ACPI_MAX];
static struct acpi_parts parts = { .dsdt = dsdt, .ssdt = ssdt };
static s64 len;

static void read_ssdt(void)
{
	FILE *f = fopen("build/u/vmm/machine/ssdt.aml", "rb");
	size_t size;

	assert_non_null(f);
	size = fread(ssdt, 1, sizeof(ssdt), f);
	fclose(f);
	assert_int_equal(size, ((struct acpi_header *)ssdt)->length);
}

static s64 build_for(u32 vcpu_count, u64 present)
{
	parts.vcpu_count = vcpu_count;
	parts.present = present;
	return acpi_build(&parts, BASE, buf, sizeof(buf));
}

static int build(void **state)
{
	struct acpi_header h = { .signature = "DSDT", .length = sizeof(dsdt) };

	memset(dsdt, 0x5a, sizeof(dsdt));
	memcpy(dsdt, &h, sizeof(h));
	read_ssdt();
	len = build_for(3, 5);
	return 0;
}

static u8 sum(const void *from, u64 n)
{
	u8 s = 0;

	for (u64 i = 0; i < n; i++)
		s += ((const u8 *)from)[i];
	return s;
}

/* The table at a guest address, all of which must have been built. */
static void *table(u64 address, const char *signature)
{
	struct acpi_header *h = (void *)(buf + (address - BASE));

	assert_true(address >= BASE && address + sizeof(*h) <= BASE + (u64)len);
	assert_memory_equal(h->signature, signature, 4);
	assert_true(address + h->length <= BASE + (u64)len);
	return h;
}

static void *checked(u64 address, const char *signature)
{
	struct acpi_header *h = table(address, signature);

	assert_int_equal(sum(h, h->length), 0);
	return h;
}

/* 0: there is none. */
static u64 find(const char *signature)
{
	struct acpi_rsdp *rsdp = (void *)buf;
	struct acpi_header *xsdt = checked(rsdp->xsdt, "XSDT");

	for (u32 at = sizeof(*xsdt); at < xsdt->length; at += 8) {
		u64 address;

		memcpy(&address, (u8 *)xsdt + at, 8);
		if (memcmp(buf + (address - BASE), signature, 4) == 0)
			return address;
	}
	return 0;
}

static u64 entry(const char *signature)
{
	u64 address = find(signature);

	if (!address)
		fail_msg("no %s", signature);
	return address;
}

static void test_roots(void **state)
{
	struct acpi_rsdp *rsdp = (void *)buf;
	struct acpi_header *rsdt, *xsdt;

	assert_true(len > 0);
	assert_memory_equal(rsdp->signature, "RSD PTR ", 8);
	assert_int_equal(sum(rsdp, 20), 0);
	assert_int_equal(sum(rsdp, 36), 0);
	rsdt = checked(rsdp->rsdt, "RSDT");
	xsdt = checked(rsdp->xsdt, "XSDT");
	assert_int_equal((rsdt->length - 36) / 4, (xsdt->length - 36) / 8);
	for (u32 i = 0; i < (rsdt->length - 36) / 4; i++) {
		u64 wide;
		u32 narrow;

		memcpy(&wide, (u8 *)(xsdt + 1) + 8 * i, 8);
		memcpy(&narrow, (u8 *)(rsdt + 1) + 4 * i, 4);
		assert_int_equal(wide, narrow);
	}
}

static void test_fadt(void **state)
{
	struct acpi_fadt *f = checked(entry("FACP"), "FACP");
	struct acpi_facs *facs = table(f->facs, "FACS");

	assert_int_equal(f->facs % 64, 0);
	assert_int_equal(facs->length, 64);
	assert_memory_equal(table(f->dsdt, "DSDT"), dsdt, sizeof(dsdt));
	assert_int_equal(f->x_dsdt, f->dsdt);
	assert_int_equal(f->sci_irq, 9);
	assert_int_equal(f->pm1a_event, 0x600);
	assert_int_equal(f->x_pm1a_control.address, 0x604);
	assert_int_equal(f->pm_timer, 0x608);
	assert_int_equal(f->gpe0, 0x60c);
	assert_int_equal(f->gpe0_len, 2);
	assert_int_equal(f->x_gpe0.address, 0x60c);
	assert_int_equal(f->reset.address, 0xcf9);
	assert_int_equal(f->reset_value, 6);
	assert_true(f->flags & BIT(10));  /* RESET_REG_SUP */
	assert_false(f->flags & BIT(4));  /* the power button is fixed hardware */
	assert_int_equal(f->boot_flags & 0x23, 0); /* no legacy devices, no 8042, CMOS RTC present */
}

static void test_madt(void **state)
{
	struct acpi_madt *madt = checked(entry("APIC"), "APIC");
	u32 count[16] = { 0 };
	u8 *at = (u8 *)(madt + 1), *end = (u8 *)madt + madt->header.length;

	assert_int_equal(madt->lapic_address, LAPIC_BASE);
	while (at < end) {
		assert_true(at[1] >= 2 && at + at[1] <= end && at[0] < 16);
		if (at[0] == 0) {
			assert_int_equal(at[3], count[0]);
			assert_int_equal(at[4], count[0] == 1 ? 2 : 1); /* online capable, or enabled */
		}
		if (at[0] == 2 && at[3] == 0)
			assert_int_equal(at[4], 2);
		if (at[0] == 2 && at[3] == 9)
			assert_int_equal(at[8], 0xd);
		count[at[0]]++;
		at += at[1];
	}
	assert_int_equal(count[0], 3);
	assert_int_equal(count[1], 1);
	assert_int_equal(count[2], 2);
	assert_int_equal(count[4], 1);
}

static void test_hpet_and_mcfg(void **state)
{
	struct acpi_hpet *hpet = checked(entry("HPET"), "HPET");
	struct acpi_mcfg *mcfg = checked(entry("MCFG"), "MCFG");

	assert_int_equal(hpet->address.address, HPET_BASE);
	assert_int_equal(hpet->id, HPET_ID);
	assert_int_equal(mcfg->base, ECAM_BASE);
	assert_int_equal(mcfg->bus_last, 0);
}

static void test_sizes(void **state)
{
	s64 needed = build_for(VCPU_MAX, 1);

	assert_true(needed > len);
	for (u32 size = 0; size < needed; size += 3) {
		u8 *exact = malloc(size + 1);

		assert_int_equal(acpi_build(&parts, BASE, exact, size), ERR_TOOBIG);
		free(exact);
	}
}

/* iasl's own view of the SSDT: how many of its lines have the word. */
static u32 lines_with(const char *word)
{
	static char command[300];
	struct acpi_header *h = checked(entry("SSDT"), "SSDT");
	char base[] = "/tmp/quire-ssdt-XXXXXX";
	u32 count;
	FILE *f;
	int fd = mkstemp(base);

	f = fdopen(fd, "wb");
	fwrite(h, 1, h->length, f);
	fclose(f);
	snprintf(command, sizeof(command), "iasl -p %s -d %s >/dev/null 2>&1 && grep -c '%s' %s.dsl; rm -f %s %s.dsl", base,
		 base, word, base, base, base);
	f = popen(command, "r");
	assert_int_equal(fscanf(f, "%u", &count), 1);
	pclose(f);
	return count;
}

static void test_processors(void **state)
{
	static const u32 counts[] = { 2, 3, 17, VCPU_MAX };

	for (u32 i = 0; i < ARRAY_SIZE(counts); i++) {
		len = build_for(counts[i], 1);
		assert_int_equal(lines_with("Device (.*CPUS.C0"), counts[i]);
		assert_int_equal(lines_with("_EJ0"), counts[i]);
	}
	len = build_for(1, 1);
	assert_int_equal(find("SSDT"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_roots, build),
		cmocka_unit_test_setup(test_fadt, build),
		cmocka_unit_test_setup(test_madt, build),
		cmocka_unit_test_setup(test_hpet_and_mcfg, build),
		cmocka_unit_test_setup(test_sizes, build),
		cmocka_unit_test_setup(test_processors, build),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
