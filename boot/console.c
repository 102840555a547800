/* Both consoles.  Firmware often shows its console on a UART as well (OVMF, servers' console redirection):
 * when that is our serial line, writing there too would double every line.  The variable ConOut names the
 * devices of the firmware's console as device paths (UEFI 2.10 §3.3, §10.3); it may be broken. */
#include "boot/console.h"

#include "arch/x86_64/registers.h"
#include "boot/firmware.h"
#include "boot/serial.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"

#define NODE_ACPI 0x0201       /* type and subtype */
#define NODE_UART 0x030e
#define NODE_END_INSTANCE 0x7f01
#define NODE_END 0x7fff
#define HID_PNP0501 0x050141d0 /* a 16550 UART, numbered by its UID */

static bool serial_is_firmwares;
static u32 messages_shown; /* bytes */

/* The COM number (from 0) of the UART that a path in ConOut ends at, as a bit; all of them ored. */
static u32 console_uarts(const u8 *path, u64 len)
{
	u32 found = 0, uid = 32;
	u16 size;

	for (u64 at = 0; len - at >= 4; at += size) {
		u32 node = (u32)path[at] << 8 | path[at + 1], hid;

		memcpy(&size, path + at + 2, 2);
		if (size < 4 || size > len - at || node == NODE_END)
			break;
		memcpy(&hid, path + at + 4, size >= 12 ? 4 : 0);
		if (node == NODE_ACPI && size >= 12 && hid == HID_PNP0501)
			memcpy(&uid, path + at + 8, 4);
		if (node == NODE_UART && uid < 32)
			found |= BIT(uid);
		if (node == NODE_END_INSTANCE)
			uid = 32;
	}
	return found;
}

void console_open(const struct boot_info *info)
{
	static const u16 ports[] = { 0x3f8, 0x2f8, 0x3e8, 0x2e8 };
	EFI_GUID guid = EFI_GLOBAL_VARIABLE;
	static CHAR16 name[] = L"ConOut";
	static u8 path[1024];
	UINTN size = sizeof(path);
	u32 uarts;

	if (info->serial_kind != BOOT_SERIAL_PORT ||
	    EFI_ERROR(firmware.table->RuntimeServices->GetVariable(name, &guid, NULL, &size, path)))
		return;
	uarts = console_uarts(path, size);
	for (u32 i = 0; i < ARRAY_SIZE(ports); i++)
		if ((uarts & BIT(i)) && info->serial_base == ports[i])
			serial_is_firmwares = true;
}

static void write_firmware(const char *text, size_t len)
{
	CHAR16 wide[128];
	UINTN n = 0;

	if (!firmware.table->ConOut)
		return;
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\n')
			wide[n++] = '\r';
		wide[n++] = (u8)text[i] < 0x7f ? text[i] : '?';
		if (n >= ARRAY_SIZE(wide) - 3 || i + 1 == len) {
			wide[n] = 0;
			firmware.table->ConOut->OutputString(firmware.table->ConOut, wide);
			n = 0;
		}
	}
}

static void write_both(const char *text, size_t len)
{
	u64 start = rdtsc();

	write_firmware(text, len);
	if (!serial_is_firmwares)
		serial_write(text, len);
	firmware.tsc_spent += rdtsc() - start;
}

void console_print(const char *format, ...)
{
	char text[512];
	va_list args;
	int len;

	va_start(args, format);
	len = fmt_vprint(text, sizeof(text), format, args);
	va_end(args);
	write_both(text, MIN((size_t)len, sizeof(text) - 1));
}

void console_print_messages(const struct boot_info *info)
{
	const char *from = info->load_messages + messages_shown;

	write_both(from, strlen(from));
	messages_shown += strlen(from);
}
