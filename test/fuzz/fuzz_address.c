/* test/fuzz/fuzz_address.c
 *
 * Laws of addresses and dates: bounded; groups begin before they end; what IMAP writes of a list is
 * written without error; a date that is read can be written and read again. */
#include "lib/mime/address.h"
#include "lib/mime/date.h"
#include "test/fuzz/fuzz.h"

static void check_date(struct str in)
{
    CLEANUP(buf_release) struct buf out = { .max = KIB(1) };
    struct mime_date d, again;

    if (mime_date_parse(in, &d) < 0)
        return;
    LAW(mime_date_format(d, &out) == 0);
    if (d.ms < 0 || d.ms > INT64_C(250000000000000))
        return; /* the zone may put the year out of four digits */
    LAW(mime_date_parse(buf_str(&out), &again) == 0);
    LAW(again.ms == d.ms && again.zone_min == d.zone_min);
    buf_clear(&out);
    LAW(mime_date_time_format(d, &out) == 0);
    LAW(mime_date_time_parse(buf_str(&out), &again) == 0);
    LAW(again.ms == d.ms && again.zone_min == d.zone_min);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = { .max = MIB(8) };
    struct str in = str_of(data, size);
    size_t count = 0, bytes = 0;
    bool group = false;

    for (struct mime_address *m = mime_address_parse(&a, in); m; m = m->next) {
        LAW(++count <= MIME_ADDRESSES_MAX);
        bytes += m->name.n + m->route.n + m->mailbox.n + m->host.n;
        if (mime_address_is_group(m)) {
            LAW(group == !m->mailbox.p);
            group = m->mailbox.p != NULL;
        } else {
            LAW(m->mailbox.p);
        }
    }
    LAW(bytes <= 2 * size + 2);
    LAW(!group || count == MIME_ADDRESSES_MAX);
    check_date(in);
    arena_release(&a);
    return 0;
}
