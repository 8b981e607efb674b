/* src/mx/filter_call.h
 *
 * A session's way to the filter role for filter.h: one SCAN beside the message that comes in. The filter says by itself when
 * a scanner is slow; this gives up when the filter does not. */
#ifndef SRC_MX_FILTER_CALL_H
#define SRC_MX_FILTER_CALL_H
#include "src/mx/filter.h"
#include "src/mx/side_call.h"

mx_side_answered mx_filter_call_answered;
/* How long it has, of what its scanners have. */
int64_t mx_filter_call_timeout_ms(const struct mx_conf *conf);
/* NULL: no scanner is configured. */
const struct mx_filter_io *mx_filter_call_io(const struct mx_conf *conf);
#endif
