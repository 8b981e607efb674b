/* lib/base/clock.h
 *
 * Time, in one place so that tests can own it. Wall time is milliseconds since the epoch, UTC;
 * monotonic time is milliseconds since some fixed instant and never goes back. */
#ifndef LIB_BASE_CLOCK_H
#define LIB_BASE_CLOCK_H
#include "lib/base/base.h"

int64_t clock_wall_ms(void);
int64_t clock_mono_ms(void);
/* Microseconds, monotonic, for measuring only: never faked. */
int64_t clock_mono_us(void);

/* Tests: from here on both clocks stand still at `wall_ms` / 0 and move only by clock_fake_advance. */
void clock_fake(int64_t wall_ms);
void clock_fake_advance(int64_t ms);
void clock_real(void);

#define CLOCK_ISO_LEN 24
/* "2026-08-22T10:11:12.345Z" (24 bytes and a NUL): fixed width, sorts as text. Years 0000-9999. */
void clock_iso(int64_t wall_ms, char out[CLOCK_ISO_LEN + 1]);
/* The reverse; false when the text is not exactly of that form. */
bool clock_from_iso(const char *text, size_t n, int64_t *ms_out);
/* Days since 1970-01-01 of a proleptic Gregorian date, and back. month 1-12, day 1-31. */
int64_t clock_days_from_civil(int64_t year, unsigned month, unsigned day);
void clock_civil_from_days(int64_t days, int64_t *year_out, unsigned *month_out, unsigned *day_out);
#endif
