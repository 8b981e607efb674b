/* lib/imap/datetime.h
 *
 * Dates as IMAP writes them (RFC 9051 9, date and date-time). Not those of message headers. */
#ifndef LIB_IMAP_DATETIME_H
#define LIB_IMAP_DATETIME_H
#include "lib/base/str.h"

#define DATETIME_LEN 26
/* " 7-Feb-1994 21:52:25 -0800" (26 bytes; the day may also be "07" or one digit). Milliseconds since
 * the epoch, UTC. False for anything else, days that no month has, and zones over 23:59. */
bool datetime_parse(struct str s, int64_t *ms_out);
/* "1-Feb-1994": days since 1970-01-01. */
bool datetime_parse_day(struct str s, int32_t *day_out);
/* "17-Jul-1996 09:44:25 +0000" and a NUL, always in UTC. */
void datetime_write(int64_t ms, char out[DATETIME_LEN + 1]);
#endif
