/* lib/mime/date.h
 *
 * The dates of mail: header dates (RFC 5322 3.3 and 4.3), IMAP's date-time and date (RFC 9051 9), and
 * the trace date that SMTP writes. Times are milliseconds since 1970 UTC; zones are minutes east of
 * UTC. No clock, no time zone database. */
#ifndef LIB_MIME_DATE_H
#define LIB_MIME_DATE_H
#include "lib/base/buf.h"
#include "lib/base/errors.h"

#define MIME_DAY_MS INT64_C(86400000)

struct mime_date {
    int64_t ms;
    int32_t zone_min;
};

/* A header date, as tolerant as senders are careless: comments, old zones, two-digit years, missing
 * weekday, seconds or zone, asctime order. E_SYNTAX when no day, month and year can be made out. */
MUST_CHECK int mime_date_parse(struct str s, struct mime_date *out);
/* " 7-Feb-1994 21:52:25 -0800" without quotes, strict: E_SYNTAX, E_RANGE. */
MUST_CHECK int mime_date_time_parse(struct str s, struct mime_date *out);
/* "1-Feb-1994" or "01-Feb-1994", strict: the first millisecond of that day in UTC. */
MUST_CHECK int mime_day_parse(struct str s, int64_t *day_ms_out);
/* Append IMAP's date-time without quotes: "17-Jul-1996 02:44:25 -0700". */
MUST_CHECK int mime_date_time_format(struct mime_date d, struct buf *out);
/* Append "Wed, 17 Jul 1996 02:44:25 -0700" (RFC 5321 4.4, Received and Date). */
MUST_CHECK int mime_date_format(struct mime_date d, struct buf *out);
/* Days since 1970-01-01 of a proleptic Gregorian date. */
int64_t mime_days(int32_t year, int32_t month, int32_t day);
#endif
