#include "src/mx/lookup_answer.h"

static struct lookup_record record_of(const struct dns_record *d)
{
    struct lookup_record r = { .text = STR_NONE };

    switch (d->type) {
    case DNS_A: memcpy(r.ip, d->a, sizeof(d->a)); break;
    case DNS_AAAA: memcpy(r.ip, d->aaaa, sizeof(d->aaaa)); break;
    case DNS_TXT: r.text = d->txt; break;
    case DNS_PTR: r.text = d->name; break;
    case DNS_MX:
        r.text = d->mx.host;
        r.preference = d->mx.preference;
        break;
    default: break;
    }
    return r;
}

static enum lookup_status lookup_status_of(enum dns_status s)
{
    switch (s) {
    case DNS_OK: return LOOKUP_OK;
    case DNS_NODATA: return LOOKUP_NODATA;
    case DNS_NXDOMAIN:
    case DNS_BADNAME: return LOOKUP_NXDOMAIN;
    default: return LOOKUP_FAILED;
    }
}

struct lookup_answer mx_lookup_answer(const struct dns_answer *a,
                                      struct lookup_record records[LOOKUP_RECORDS_MAX])
{
    struct lookup_answer answer = { lookup_status_of(a->status), records,
                                    size_min(a->n, LOOKUP_RECORDS_MAX) };

    for (size_t i = 0; i < answer.n; i++)
        records[i] = record_of(&a->records[i]);
    return answer;
}
