/* test/fuzz/fuzz_sts.c
 *
 * Laws of MTA-STS texts: a policy that is taken has a mode, an age within the year and hosts unless it asks for nothing;
 * written anew from what was read it is the same policy; each pattern without a star allows its own host, one with a star the
 * host one label below and not the one two below. Records give ids and URIs that lie inside of them. */
#include "lib/base/buf.h"
#include "lib/smtp/sts.h"
#include "test/fuzz/fuzz.h"

static void check_pattern(const struct sts_policy *p, struct str pattern)
{
    CLEANUP(buf_release) struct buf one = { .max = 600 };
    bool star = str_starts(pattern, STR("*."));

    if (!star) {
        LAW(sts_policy_allows(p, pattern));
        return;
    }
    LAW(buf_printf(&one, "x%.*s", STR_ARG(str_skip(pattern, 1))) == 0 && sts_policy_allows(p, buf_str(&one)));
    LAW(p->nmx > 1 || !sts_policy_allows(p, str_skip(pattern, 2)));
}

static void check_policy(const struct sts_policy *p)
{
    CLEANUP(buf_release) struct buf again = { .max = KIB(300) };
    struct sts_policy q;
    struct str pattern;
    size_t at = 0, n = 0;

    LAW(p->max_age_s <= STS_MAX_AGE_MAX && (p->mode == STS_NONE || p->nmx > 0) && p->nmx <= STS_MX_MAX);
    LAW(buf_printf(&again, "version: STSv1\r\nmode: %s\r\nmax_age: %u\r\n", sts_mode_name(p->mode),
                   p->max_age_s) == 0);
    while (sts_policy_mx(p, &at, &pattern)) {
        if (n++ < 20)
            check_pattern(p, pattern);
        LAW(buf_printf(&again, "mx:%.*s\n", STR_ARG(pattern)) == 0);
    }
    LAW(n == p->nmx);
    if (again.n <= STS_TEXT_MAX)
        LAW(sts_policy_parse(buf_str(&again), &q) == 0 && q.mode == p->mode && q.max_age_s == p->max_age_s &&
            q.nmx == p->nmx);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = str_of(data, size), out;
    struct sts_policy p;
    size_t at = 0;

    if (sts_policy_parse(in, &p) == 0)
        check_policy(&p);
    if (sts_record_parse(in, &out) == 0)
        LAW(out.n > 0 && out.n <= STS_ID_MAX && out.p >= in.p && out.p + out.n <= in.p + in.n);
    for (size_t was = 0; tlsrpt_record_next(in, &at, &out) == 1; was = at)
        LAW(at == was + 1 && out.n > 1 && out.p >= in.p && out.p + out.n <= in.p + in.n);
    return 0;
}
