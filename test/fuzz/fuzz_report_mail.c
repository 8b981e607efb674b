/* Reports and automatic replies: what they say lies in what came, and an answer is never one that would be answered. */
#include "lib/base/base.h"
#include "lib/mime/dsn.h"
#include "lib/mime/vacation.h"
#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void reply(struct arena *a, struct str header)
{
    const struct str own[] = { STR("ann@here.test") };
    struct vacation_reply v = { .from = own[0],
                                .to = STR("bob@far.test"),
                                .subject = STR(""),
                                .text = header,
                                .header = header,
                                .id = STR("x@here.test") };
    CLEANUP(buf_release) struct buf out = { .max = MIB(1) };
    ptrdiff_t end;

    (void)vacation_refused(a, header, v.to, own, 1);
    if (!vacation_whom(a, header, v.to).p || vacation_write(a, &v, &out) < 0)
        return;
    end = str_find(buf_str(&out), STR("\r\n\r\n"));
    assert(end > 0 &&
           vacation_refused(a, str_slice(buf_str(&out), 0, (size_t)end + 4), v.to, own, 1) != NULL);
    for (size_t i = 0; i < out.n; i++) /* seven bits, whole line ends */
        assert(!(out.p[i] & 0x80) && (out.p[i] == '\n') == (i > 0 && out.p[i - 1] == '\r'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(4) };
    struct str in = str_of(data, size);
    struct dsn d;

    if (size > KIB(32))
        return 0;
    if (dsn_parse(&a, in, &d) == 0) {
        assert(d.n <= DSN_RECIPIENTS_MAX);
        for (size_t i = 0; i < d.n; i++)
            assert(d.recipients[i].final.n > 0 && d.recipients[i].final.n <= size &&
                   d.recipients[i].action.n > 0);
    }
    reply(&a, in);
    return 0;
}
