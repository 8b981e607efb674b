/* src/mx/lookup_answer.h: the resolver's answer as the checks of lib/mailauth want it. */
#ifndef SRC_MX_LOOKUP_ANSWER_H
#define SRC_MX_LOOKUP_ANSWER_H
#include "lib/dns/dns.h"
#include "lib/mailauth/lookup.h"

/* Borrows from `a`; the records are written to `records`, which it points at. */
struct lookup_answer mx_lookup_answer(const struct dns_answer *a,
                                      struct lookup_record records[LOOKUP_RECORDS_MAX]);
#endif
