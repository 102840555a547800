/* Framebuffer, entropy, wall clock, runtime services. */
#include "boot/gather.h"

#include "arch/x86_64/registers.h"
#include "boot/firmware.h"
#include "kernel/lib/string.h"

#define ECX_RDRAND BIT(30) /* CPUID leaf 1 */
#define RDRAND_TRIES 10    /* SDM 1 §7.3.17.1 */
#define TIMEZONE_UNKNOWN 2047

void gather_framebuffer(struct boot_info *info)
{
	EFI_GUID guid = EFI_GRAPHICS_OUTPUT_PROTOCOL_GUID;
	EFI_GRAPHICS_OUTPUT_PROTOCOL *gop = firmware_protocol(guid);
	const EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *mode = gop && gop->Mode ? gop->Mode->Info : NULL;
	struct boot_framebuffer *fb = &info->framebuffer;

	if (!mode || mode->PixelFormat > PixelBlueGreenRedReserved8BitPerColor ||
	    !gop->Mode->FrameBufferBase || mode->PixelsPerScanLine < mode->HorizontalResolution ||
	    mode->PixelsPerScanLine > 65535 ||
	    mode->VerticalResolution > 65535)
		return;
	fb->width = mode->HorizontalResolution;
	fb->height = mode->VerticalResolution;
	fb->pitch = mode->PixelsPerScanLine * 4;
	fb->bgr = mode->PixelFormat == PixelBlueGreenRedReserved8BitPerColor;
	fb->base = gop->Mode->FrameBufferBase;
	fb->size = (u64)fb->pitch * fb->height;
}

static bool rdrand(u64 *value)
{
	bool ok = false;

	for (int i = 0; i < RDRAND_TRIES && !ok; i++)
		__asm__ volatile("rdrand %0\n\tsetc %1" : "=r"(*value), "=qm"(ok) : : "cc");
	return ok;
}

/* Whatever there is is mixed in: a source that lies cannot weaken the others. */
void gather_entropy(struct boot_info *info)
{
	EFI_GUID guid = EFI_RNG_PROTOCOL_GUID;
	EFI_RNG_PROTOCOL *rng = firmware_protocol(guid);
	bool has_rdrand = cpuid(1, 0).ecx & ECX_RDRAND;
	u64 words[4], value;

	if (rng && EFI_ERROR(rng->GetRNG(rng, NULL, sizeof(info->entropy), info->entropy)))
		memset(info->entropy, 0, sizeof(info->entropy));
	memcpy(words, info->entropy, sizeof(words));
	for (int i = 0; i < 4; i++) {
		if (has_rdrand && rdrand(&value))
			words[i] ^= value;
		words[i] ^= rdtsc() * 0x9e3779b97f4a7c15ull;
	}
	memcpy(info->entropy, words, sizeof(words));
}

/* Days from 1970-01-01 of a Gregorian date: whole 400-year eras, years counted from March. */
static s64 days_since_1970(u32 year, u32 month, u32 day)
{
	u32 y = month > 2 ? year : year - 1, m = (month + 9) % 12;

	return 365ll * y + y / 4 - y / 100 + y / 400 + (m * 306 + 5) / 10 + day - 1 - 719468;
}

u64 gather_wall_clock(void)
{
	EFI_TIME t;
	s64 seconds;

	if (EFI_ERROR(firmware.table->RuntimeServices->GetTime(&t, NULL)) || t.Year < 1970 || t.Year > 9999 ||
	    t.Month < 1 || t.Month > 12 || t.Day < 1 || t.Day > 31)
		return 0;
	seconds = ((days_since_1970(t.Year, t.Month, t.Day) * 24 + t.Hour) * 60 + t.Minute) * 60 + t.Second;
	if (t.TimeZone != TIMEZONE_UNKNOWN) /* local time = UTC - TimeZone (UEFI 2.10 §8.3) */
		seconds += t.TimeZone * 60;
	return seconds > 0 ? (u64)seconds : 0;
}

void gather_runtime(struct boot_info *info)
{
	if (!info->options.runtime_services)
		return;
	info->system_table = (u64)firmware.table;
	info->reset_system = (u64)firmware.table->RuntimeServices->ResetSystem;
}
