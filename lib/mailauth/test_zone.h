/* lib/mailauth/test_zone.h
 *
 * For tests: answers look-ups from a table, as a resolver would. */
#ifndef LIB_MAILAUTH_TEST_ZONE_H
#define LIB_MAILAUTH_TEST_ZONE_H
#include "lib/mailauth/lookup.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

struct zone_row {
    const char *name, *type, *value; /* type "TIMEOUT": no answer for anything that is not here */
    size_t n;                        /* of the value; 0: up to its NUL */
};

static enum lookup_type zone_type(const char *t)
{
    return !strcmp(t, "A")      ? LOOKUP_A
           : !strcmp(t, "AAAA") ? LOOKUP_AAAA
           : !strcmp(t, "MX")   ? LOOKUP_MX
           : !strcmp(t, "PTR")  ? LOOKUP_PTR
                                : LOOKUP_TXT;
}

static struct lookup_record zone_record(enum lookup_type type, const struct zone_row *row)
{
    const char *value = row->value;
    struct lookup_record r = { .text = row->n ? str_of(value, row->n) : str_from(value) };

    if (type == LOOKUP_A && inet_pton(AF_INET, value, r.ip) != 1)
        abort();
    if (type == LOOKUP_AAAA && inet_pton(AF_INET6, value, r.ip) != 1)
        abort();
    if (type == LOOKUP_MX) {
        r.preference = (uint16_t)strtoul(value, NULL, 10);
        r.text = str_skip(r.text, (size_t)(str_chr(r.text, ' ') + 1));
    }
    return r;
}

static void zone_answer(const struct zone_row *rows, size_t n, struct lookups *l, struct lookup *q)
{
    struct lookup_record records[64];
    size_t found = 0;
    bool exists = false, timeout = false;

    for (size_t i = 0; i < n; i++) {
        if (!str_ieq_z(q->name, rows[i].name))
            continue;
        exists = true;
        if (!strcmp(rows[i].type, "TIMEOUT"))
            timeout = true;
        else if (strcmp(rows[i].type, "NONE") && zone_type(rows[i].type) == q->type &&
                 found < ARRAY_LEN(records))
            records[found++] = zone_record(q->type, &rows[i]);
    }
    lookup_answer(l, q,
                  &(struct lookup_answer){ found     ? LOOKUP_OK
                                           : timeout ? LOOKUP_FAILED
                                           : exists  ? LOOKUP_NODATA
                                                     : LOOKUP_NXDOMAIN,
                                           records, found });
}

/* Answer everything that is wanted. */
static void UNUSED zone_answer_all(const struct zone_row *rows, size_t n, struct lookups *l)
{
    struct lookup *q;

    while ((q = lookups_next(l)))
        zone_answer(rows, n, l, q);
}
#endif
