/* The RTC's registers and seconds since 1970, both ways, and the alarm.  Pure. */
#ifndef VMM_MACHINE_RTC_TIME_H
#define VMM_MACHINE_RTC_TIME_H

#include "kernel/lib/types.h"

enum rtc_register {
	RTC_SECOND, RTC_SECOND_ALARM, RTC_MINUTE, RTC_MINUTE_ALARM, RTC_HOUR, RTC_HOUR_ALARM, RTC_WEEKDAY,
	RTC_DAY, RTC_MONTH, RTC_YEAR, RTC_A, RTC_B, RTC_C, RTC_D, RTC_SHUTDOWN = 0x0f, RTC_CENTURY = 0x32,
};

/* Register B */
#define RTC_B_SET 0x80
#define RTC_B_PIE 0x40
#define RTC_B_AIE 0x20
#define RTC_B_UIE 0x10
#define RTC_B_BINARY 0x04
#define RTC_B_24H 0x02

/* Sets the registers of cmos[128] to seconds since 1970, in the form that register B asks for. */
void rtc_time_encode(u8 *cmos, u64 seconds);

/* The time in the registers; any bytes give some time. */
u64 rtc_time_decode(const u8 *cmos);

/* The first second at or after seconds that the alarm registers match; UINT64_MAX: none ever does. */
u64 rtc_time_alarm(const u8 *cmos, u64 seconds);

#endif
