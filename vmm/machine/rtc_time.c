/* Calendar arithmetic for the RTC.  A year here begins on 1 March. */
#include "vmm/machine/rtc_time.h"

#define DAY 86400ull

enum { DAYS_4 = 1461, DAYS_100 = 36524, DAYS_400 = 146097 };

static const u16 month_start[13] = { 0, 31, 61, 92, 122, 153, 184, 214, 245, 275, 306, 337, 366 };

static u8 to_register(const u8 *cmos, u32 value)
{
	return (u8)(cmos[RTC_B] & RTC_B_BINARY ? value : value % 10 | value / 10 % 10 << 4);
}

static u32 from_register(const u8 *cmos, u8 raw)
{
	return cmos[RTC_B] & RTC_B_BINARY ? raw : (raw & 15) + (raw >> 4) * 10u;
}

static u8 hour_to_register(const u8 *cmos, u32 hour)
{
	if (cmos[RTC_B] & RTC_B_24H)
		return to_register(cmos, hour);
	return to_register(cmos, hour % 12 ? hour % 12 : 12) | (hour >= 12 ? 0x80 : 0);
}

static u32 hour_from_register(const u8 *cmos, u8 raw)
{
	if (cmos[RTC_B] & RTC_B_24H)
		return from_register(cmos, raw);
	return from_register(cmos, raw & 0x7f) % 12 + (raw & 0x80 ? 12 : 0);
}

void rtc_time_encode(u8 *cmos, u64 seconds)
{
	u64 days = seconds / DAY, year = days / DAYS_400 * 400;
	u32 time = (u32)(seconds % DAY), rest = (u32)(days % DAYS_400), month = 11;
	u32 centuries = MIN(rest / DAYS_100, 3u), fours, years;

	rest -= centuries * DAYS_100;
	fours = rest / DAYS_4;
	rest -= fours * DAYS_4;
	years = MIN(rest / 365, 3u);
	rest -= years * 365;
	while (rest < month_start[month])
		month--;
	/* From years that begin with March, 400 before year 0, to ours; nothing is negative modulo 10000. */
	year = (year + centuries * 100 + fours * 4 + years + (month >= 10) + 10000 - 400) % 10000;
	cmos[RTC_SECOND] = to_register(cmos, time % 60);
	cmos[RTC_MINUTE] = to_register(cmos, time / 60 % 60);
	cmos[RTC_HOUR] = hour_to_register(cmos, time / 3600);
	cmos[RTC_WEEKDAY] = to_register(cmos, (u32)((days + 3) % 7) + 1);
	cmos[RTC_DAY] = to_register(cmos, rest - month_start[month] + 1);
	cmos[RTC_MONTH] = to_register(cmos, (month + 2) % 12 + 1);
	cmos[RTC_YEAR] = to_register(cmos, (u32)(year % 100));
	cmos[RTC_CENTURY] = to_register(cmos, (u32)(year / 100));
}

u64 rtc_time_decode(const u8 *cmos)
{
	u64 year = from_register(cmos, cmos[RTC_CENTURY]) * 100u + from_register(cmos, cmos[RTC_YEAR]) + 400;
	u32 month = (from_register(cmos, cmos[RTC_MONTH]) + 9) % 12; /* 0 is March */
	u32 day = from_register(cmos, cmos[RTC_DAY]);
	u64 days;

	if (month >= 10)
		year--;
	days = year * 365 + year / 4 - year / 100 + year / 400 + month_start[month] + (day ? day - 1 : 0);
	return days * DAY + hour_from_register(cmos, cmos[RTC_HOUR]) * 3600ull +
	       from_register(cmos, cmos[RTC_MINUTE]) * 60ull + from_register(cmos, cmos[RTC_SECOND]);
}

#define ANY UINT32_MAX

/* Alarm registers from C0h to FFh match anything. */
static bool matches(u32 alarm, u32 value)
{
	return alarm == ANY || alarm == value;
}

/* The first match at or after second from of a day, ANY if there is none on that day. */
static u32 alarm_in_day(u32 hour, u32 minute, u32 second, u32 from)
{
	for (u32 h = from / 3600; h < 24; h++) {
		if (!matches(hour, h))
			continue;
		for (u32 mm = 0; mm < 60; mm++) {
			u32 start = h * 3600 + mm * 60;

			if (!matches(minute, mm) || start + 59 < from)
				continue;
			for (u32 s = 0; s < 60; s++)
				if (matches(second, s) && start + s >= from)
					return start + s;
		}
	}
	return ANY;
}

u64 rtc_time_alarm(const u8 *cmos, u64 seconds)
{
	u8 h = cmos[RTC_HOUR_ALARM], m = cmos[RTC_MINUTE_ALARM], s = cmos[RTC_SECOND_ALARM];
	u32 hour = h >= 0xc0 ? ANY : hour_from_register(cmos, h);
	u32 minute = m >= 0xc0 ? ANY : from_register(cmos, m);
	u32 second = s >= 0xc0 ? ANY : from_register(cmos, s);
	u64 day = seconds - seconds % DAY;
	u32 found = alarm_in_day(hour, minute, second, (u32)(seconds % DAY));

	if (found != ANY)
		return day + found;
	found = alarm_in_day(hour, minute, second, 0);
	return found == ANY ? UINT64_MAX : day + DAY + found;
}
