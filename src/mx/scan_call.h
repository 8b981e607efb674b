/* src/mx/scan_call.h
 *
 * A session's way to the content role for spam.h: one SCAN beside the message that comes in, which has mx.spam_timeout. */
#ifndef SRC_MX_SCAN_CALL_H
#define SRC_MX_SCAN_CALL_H
#include "src/mx/side_call.h"
#include "src/mx/spam.h"

mx_side_answered mx_scan_call_answered;
/* Of the whole role: lists, and the classifier's file (mx_spam_open). E_RANGE: settings that make no sense. */
MUST_CHECK int mx_scan_open(struct mx_spam_all *all, const struct mx_conf *conf, int model);
#endif
