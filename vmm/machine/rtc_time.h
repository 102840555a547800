/* The RTC's registers and a count of seconds, both ways, and the alarm.  Pure.
 *
 * Seconds are counted from 1 March of the year -400: every date that the registers can hold, however
 * strange, is then a positive number, and the leap day is the last of its year. */
#ifndef VMM_MACHINE_RTC_TIME_H
#define VMM_MACHINE_RTC_TIME_H

#include "kernel/lib/types.h"

enum rtc_register {
	RTC_SECOND, RTC_SECOND_ALARM, RTC_MINUTE, RTC_MINUTE_ALARM, RTC_HOUR, RTC_HOUR_ALARM, RTC_WEEKDAY,
	RTC_DAY, RTC_MONTH, RTC_YEAR, RTC_A, RTC_B, RTC_C, RTC_D, RTC_SHUTDOWN = 0x0f, RTC_CENTURY = 0x32,
};

#define RTC_TIME_1970 ((719468ull + 146097) * 86400) /* 1 January 1970 */

/* Register B */
#define RTC_B_SET 0x80
#define RTC_B_PIE 0x40
#define RTC_B_AIE 0x20
#define RTC_B_UIE 0x10
#define RTC_B_BINARY 0x04
#define RTC_B_24H 0x02

/* Sets the registers of cmos[128] to seconds, in the form that register B asks for. */
void rtc_time_encode(u8 *cmos, u64 seconds);

/* The time in the registers; any bytes give some time. */
u64 rtc_time_decode(const u8 *cmos);

/* The first second at or after seconds that the alarm registers match; UINT64_MAX: none ever does. */
u64 rtc_time_alarm(const u8 *cmos, u64 seconds);

#endif
