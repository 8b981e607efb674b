/* test/fuzz/fuzz_dmarc.c
 *
 * Laws of DMARC with any records (the input's lines: names in From, SPF, DKIM, then records that names find by
 * their length): it ends, within its look-ups, the same at every run; nobody is refused who is aligned, or whose
 * domain did not ask for it. Tag lists: the strict reader accepts nothing that the lenient one reads otherwise. */
#include "lib/mailauth/dmarc.h"
#include "lib/mailauth/tags.h"
#include "test/fuzz/fuzz.h"

static struct str lines[12];

static struct dmarc_result run(const struct dmarc_request *rq)
{
    struct dmarc_result res;
    struct lookups l;
    struct lookup *q;
    unsigned rounds = 0;

    lookups_init(&l);
    while (dmarc_check(&l, NULL, rq, &res) == MAILAUTH_WAITS) {
        LAW(rounds++ < 10);
        while ((q = lookups_next(&l))) {
            struct lookup_record r = { .text = lines[3 + q->name.n % 9] };
            bool some = q->type == LOOKUP_TXT && r.text.n > 0;

            lookup_answer(&l, q,
                          &(struct lookup_answer){ some             ? LOOKUP_OK
                                                   : q->name.n % 11 ? LOOKUP_NXDOMAIN
                                                                    : LOOKUP_FAILED,
                                                   &r, some });
        }
    }
    LAW(l.n <= 3 * DMARC_QUERIES_MAX + 3);
    LAW(res.code <= DMARC_PERMERROR && res.applied <= DMARC_POLICY_REJECT &&
        res.policy <= DMARC_POLICY_REJECT);
    LAW(res.code == DMARC_FAIL || res.applied == DMARC_POLICY_NONE);
    LAW(!(res.aligned_spf || res.aligned_dkim) || res.code == DMARC_PASS);
    lookups_release(&l);
    return res;
}

static void check_tags(struct str in)
{
    struct tags strict, lenient;

    tags_parse_lenient(in, &lenient);
    if (tags_parse(in, &strict) < 0)
        return;
    LAW(strict.n == lenient.n);
    for (size_t i = 0; i < strict.n; i++)
        LAW(str_eq(strict.tag[i].name, lenient.tag[i].name) &&
            str_eq(strict.tag[i].value, lenient.tag[i].value));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = str_of(data, size);
    struct dmarc_request rq = { .ndkim = 1 };
    struct dmarc_result one, two;

    check_tags(rest);
    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        str_cut(rest, '\n', &lines[i], &rest);
    rq.from_domain = str_slice(lines[0], 0, 300);
    rq.spf_domain = str_slice(lines[1], 0, 253);
    rq.dkim_domains[0] = str_slice(lines[2], 0, 253);
    one = run(&rq);
    two = run(&rq);
    LAW(one.code == two.code && one.applied == two.applied && !strcmp(one.domain, two.domain));
    return 0;
}
