/* test/fuzz/fuzz_spf.c
 *
 * Laws of SPF with any record everywhere in the DNS (the input, cut at NUL into the record, the explanation, the
 * sender and the HELO name): it comes to an end, within the look-ups that RFC 7208 4.6.4 allows, the same at
 * every run, and what is written of it is one harmless header field. */
#include "lib/mailauth/spf_record.h"
#include "test/fuzz/fuzz.h"

static struct str parts[4];

static void answer(struct lookups *l, struct lookup *q)
{
    struct lookup_record r[2] = { { .text = parts[0] }, { .text = parts[1] } };
    struct lookup_answer a = { LOOKUP_OK, r, 1 };

    if (q->type == LOOKUP_MX || q->type == LOOKUP_PTR)
        r[0].text = STR("host.example");
    if (q->type == LOOKUP_TXT && str_starts(q->name, STR("why")))
        r[0].text = parts[1];
    if (q->name.n % 7 == 0)
        a = (struct lookup_answer){ q->name.n % 2 ? LOOKUP_NXDOMAIN : LOOKUP_FAILED, NULL, 0 };
    lookup_answer(l, q, &a);
}

static void check_field(const struct spf_request *rq, const struct spf_result *res)
{
    CLEANUP(buf_release) struct buf out = { .max = KIB(16) };
    struct str line, rest;
    size_t n = 0;

    LAW(spf_received(&out, rq, res, "mailfrom") == 0);
    for (rest = buf_str(&out); rest.n; n++) {
        LAW(str_cut(rest, '\n', &line, &rest) && str_ends(line, STR("\r")) && line.n <= 998);
        LAW(n == 0 || line.p[0] == '\t');
        for (size_t i = 0; i + 1 < line.n; i++)
            LAW(line.p[i] == '\t' || (line.p[i] >= ' ' && line.p[i] <= '~'));
    }
}

static struct spf_result run(const struct spf_request *rq)
{
    struct spf_result res;
    struct lookups l;
    struct lookup *q;
    unsigned rounds = 0;
    int r;

    lookups_init(&l);
    while ((r = spf_check(&l, rq, &res)) == MAILAUTH_WAITS) {
        LAW(rounds++ < 60);
        while ((q = lookups_next(&l)))
            answer(&l, q);
    }
    LAW(r == 0 && res.code <= SPF_PERMERROR);
    /* each term one look-up, MX and PTR ten more, and records, the explanation, macro p */
    LAW(l.n <= SPF_TERMS_MAX * (SPF_NAMES_MAX + 2) + SPF_NAMES_MAX + 4);
    lookups_release(&l);
    return res;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct spf_request rq = { .receiver = STR("mx.test"), .now_s = 1 };
    struct str rest = str_of(data, size);
    struct spf_result one, two;

    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        str_cut(rest, '\0', &parts[i], &rest);
    rq.sender = str_slice(parts[2], 0, 300);
    rq.helo = str_slice(parts[3], 0, 300);
    if (!str_istarts(parts[0], STR("v=spf1")))
        rq.sender = STR("a@example.org");
    rq.ip.v6 = size % 2;
    memcpy(rq.ip.bytes, data, size_min(size, rq.ip.v6 ? 16 : 4));
    one = run(&rq);
    two = run(&rq);
    LAW(one.code == two.code && !strcmp(one.explanation, two.explanation));
    for (const char *p = one.explanation; *p; p++)
        LAW(*p >= ' ' && *p <= '~');
    check_field(&rq, &one);
    return 0;
}
