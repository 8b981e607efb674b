/* DMARC: records, the tree walk, alignment, policies; and the public suffix list's own tests. */
#include "lib/base/test.h"
#include "lib/mailauth/dmarc.h"
#include "lib/mailauth/test_yaml.h"
#include "lib/mailauth/test_zone.h"

static void test_record(void **state)
{
    struct dmarc_record r;

    (void)state;
    CHECK(dmarc_record_parse(STR("v=DMARC1"), &r) && r.p == DMARC_POLICY_ABSENT && r.psd == 'u' &&
          !r.testing);
    CHECK(dmarc_record_parse(
        STR("v = DMARC1 ; p = reject; sp=Quarantine;np=none; adkim=s; aspf=S; t=y; psd=N"), &r));
    CHECK(r.p == DMARC_POLICY_REJECT && r.sp == DMARC_POLICY_QUARANTINE && r.np == DMARC_POLICY_NONE);
    CHECK(r.strict_dkim && r.strict_spf && r.testing && r.psd == 'n' && !r.p_wrong);
    CHECK(dmarc_record_parse(STR("v=DMARC1; p=nothing; rua=mailto:a@b, x, https://c/d!10m"), &r));
    CHECK(r.p_wrong && r.nrua == 2 && str_eq_z(r.rua[0], "mailto:a@b"));
    CHECK(dmarc_record_parse(STR("v=DMARC1; p=reject; pct=5; !!; p=none; unknown=1"), &r) &&
          r.p == DMARC_POLICY_REJECT);
    CHECK(!dmarc_record_parse(STR("v=dmarc1; p=reject"), &r));
    CHECK(!dmarc_record_parse(STR("p=reject; v=DMARC1"), &r));
    CHECK(!dmarc_record_parse(STR("v=DMARC1 p=reject"), &r));
    CHECK(!dmarc_record_parse(STR(""), &r));
}

static const struct zone_row zone[] = {
    { "_dmarc.example.com", "TXT", "v=DMARC1; p=reject; sp=quarantine; np=reject", 0 },
    { "sub.example.com", "A", "192.0.2.1", 0 },
    { "_dmarc.own.example.com", "TXT", "v=DMARC1; p=none", 0 },
    { "_dmarc.strict.example", "TXT", "v=DMARC1; p=reject; adkim=s; aspf=s", 0 },
    { "_dmarc.two.example", "TXT", "v=DMARC1; p=reject", 0 },
    { "_dmarc.two.example", "TXT", "v=DMARC1; p=none", 0 },
    { "_dmarc.test.example", "TXT", "v=DMARC1; p=reject; t=y", 0 },
    { "_dmarc.later.example", "TIMEOUT", "", 0 },
    { "_dmarc.wrong.example", "TXT", "v=DMARC1; p=no", 0 },
    { "_dmarc.wrong-rua.example", "TXT", "v=DMARC1; p=no; rua=mailto:x@y", 0 },
    { "_dmarc.bank", "TXT", "v=DMARC1; p=reject; psd=y", 0 },
    { "_dmarc.co.uk", "TXT", "v=DMARC1; p=quarantine", 0 },
    { "_dmarc.dept.uni.example", "TXT", "v=DMARC1; p=reject; psd=n", 0 },
    { "_dmarc.uni.example", "TXT", "v=DMARC1; p=none", 0 },
    { "_dmarc.deep.example", "TXT", "v=DMARC1; p=reject", 0 },
    { "_dmarc.a.b.c.d.e.f.g.h.deep.example", "TXT", "v=DMARC1; p=quarantine", 0 },
};

static const struct {
    const char *name, *from, *spf, *dkim;
    enum dmarc_code code;
    enum dmarc_policy applied;
    const char *tag, *domain;
} cases[] = {
    { "same domain by SPF", "example.com", "example.com", "", DMARC_PASS, DMARC_POLICY_NONE, "p",
      "example.com" },
    { "same domain by DKIM", "Example.com", "", "example.COM", DMARC_PASS, DMARC_POLICY_NONE, "p",
      "example.com" },
    { "relaxed", "example.com", "bounce.example.com", "", DMARC_PASS, DMARC_POLICY_NONE, "p", "example.com" },
    { "relaxed, both below", "sub.example.com", "", "mail.example.com", DMARC_PASS, DMARC_POLICY_NONE, "sp",
      "example.com" },
    { "nothing proved", "example.com", "", "", DMARC_FAIL, DMARC_POLICY_REJECT, "p", "example.com" },
    { "others proved", "example.com", "example.net", "badexample.com", DMARC_FAIL, DMARC_POLICY_REJECT, "p",
      "example.com" },
    { "subdomain that exists", "sub.example.com", "", "", DMARC_FAIL, DMARC_POLICY_QUARANTINE, "sp",
      "example.com" },
    { "subdomain that does not", "gone.example.com", "", "", DMARC_FAIL, DMARC_POLICY_REJECT, "np",
      "example.com" },
    { "subdomain with its own", "own.example.com", "", "", DMARC_FAIL, DMARC_POLICY_NONE, "p",
      "own.example.com" },
    { "strict and equal", "strict.example", "strict.example", "", DMARC_PASS, DMARC_POLICY_NONE, "p",
      "strict.example" },
    { "strict and below", "strict.example", "a.strict.example", "b.strict.example", DMARC_FAIL,
      DMARC_POLICY_REJECT, "p", "strict.example" },
    { "no policy", "nothing.example", "nothing.example", "", DMARC_NONE, DMARC_POLICY_NONE, "p", "" },
    { "two policies are none", "two.example", "", "", DMARC_NONE, DMARC_POLICY_NONE, "p", "" },
    { "a test", "test.example", "", "", DMARC_FAIL, DMARC_POLICY_QUARANTINE, "p", "test.example" },
    { "not answered", "later.example", "later.example", "", DMARC_TEMPERROR, DMARC_POLICY_NONE, "p", "" },
    { "a policy that is none", "wrong.example", "", "", DMARC_NONE, DMARC_POLICY_NONE, "p", "" },
    { "one that wants reports", "wrong-rua.example", "", "", DMARC_FAIL, DMARC_POLICY_NONE, "p",
      "wrong-rua.example" },
    { "suffix with a policy", "some.bank", "", "", DMARC_FAIL, DMARC_POLICY_REJECT, "p", "bank" },
    { "strangers below a suffix", "one.bank", "two.bank", "bank", DMARC_FAIL, DMARC_POLICY_REJECT, "p",
      "bank" },
    { "relatives below a suffix", "a.one.bank", "b.one.bank", "", DMARC_PASS, DMARC_POLICY_NONE, "p",
      "bank" },
    { "a suffix that does not say so", "one.co.uk", "two.co.uk", "co.uk", DMARC_FAIL, DMARC_POLICY_QUARANTINE,
      "p", "co.uk" },
    { "relatives there", "one.co.uk", "x.one.co.uk", "", DMARC_PASS, DMARC_POLICY_NONE, "p", "co.uk" },
    { "psd=n splits an organization", "x.dept.uni.example", "uni.example", "", DMARC_FAIL,
      DMARC_POLICY_REJECT, "p", "dept.uni.example" },
    { "and holds its own part", "x.dept.uni.example", "", "dept.uni.example", DMARC_PASS, DMARC_POLICY_NONE,
      "p", "dept.uni.example" },
    { "long name, found by the shortcut", "a.b.c.d.e.f.g.h.i.deep.example", "", "", DMARC_FAIL,
      DMARC_POLICY_REJECT, "p", "deep.example" },
    { "long name with its own", "a.b.c.d.e.f.g.h.deep.example", "", "", DMARC_FAIL, DMARC_POLICY_QUARANTINE,
      "p", "a.b.c.d.e.f.g.h.deep.example" },
    { "no From", "", "", "", DMARC_PERMERROR, DMARC_POLICY_NONE, "p", "" },
};

static void test_check(void **state)
{
    struct psl *psl = NULL;

    (void)state;
    CHECK(psl_open(NULL, &psl) == 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct dmarc_request rq = { .from_domain = str_from(cases[i].from),
                                    .spf_domain = str_from(cases[i].spf) };
        struct dmarc_result res;
        struct lookups l;
        int r, rounds = 0;

        check_case = cases[i].name;
        if (*cases[i].dkim)
            rq.dkim_domains[rq.ndkim++] = str_from(cases[i].dkim);
        lookups_init(&l);
        while ((r = dmarc_check(&l, psl, &rq, &res)) == MAILAUTH_WAITS && rounds++ < 10)
            zone_answer_all(zone, ARRAY_LEN(zone), &l);
        CHECK(r == 0 && res.code == cases[i].code && res.applied == cases[i].applied);
        CHECK(!strcmp(res.policy_tag, cases[i].tag) && !strcasecmp(res.domain, cases[i].domain));
        CHECK(l.n <= 3 * DMARC_QUERIES_MAX + 3);
        lookups_release(&l);
    }
    check_case = "";
    psl_close(&psl);
}

/* Eight queries, as RFC 9989 4.10 lists them. */
static void test_walk(void **state)
{
    static const char *const names[] = {
        "_dmarc.a.b.c.d.e.f.g.h.i.j.mail.example.com",
        "_dmarc.g.h.i.j.mail.example.com",
        "_dmarc.h.i.j.mail.example.com",
        "_dmarc.i.j.mail.example.com",
        "_dmarc.j.mail.example.com",
        "_dmarc.mail.example.com",
        "_dmarc.example.com",
        "_dmarc.com",
    };
    struct dmarc_request rq = { .from_domain = STR("a.b.c.d.e.f.g.h.i.j.mail.example.com") };
    struct dmarc_result res;
    struct lookups l;
    struct lookup *q;
    size_t n = 0;

    (void)state;
    lookups_init(&l);
    CHECK(dmarc_check(&l, NULL, &rq, &res) == MAILAUTH_WAITS);
    while ((q = lookups_next(&l))) {
        CHECK(n < ARRAY_LEN(names) && str_eq_z(q->name, names[n]));
        n++;
    }
    CHECK(n == ARRAY_LEN(names));
    lookups_release(&l);
}

/* ---- the list's own tests: "domain registrable" ---- */

static void psl_line(const struct psl *psl, struct str line)
{
    CLEANUP(buf_release) struct buf got = { .max = 300 }, want = { .max = 300 };
    struct str domain, expect;
    bool found;

    if (line.n == 0 || str_starts(line, STR("//")))
        return;
    CHECK(str_cut(line, ' ', &domain, &expect));
    if (str_eq_z(domain, "null"))
        domain = STR("");
    found = psl_registrable(psl, domain, &got);
    CHECK(buf_puts(&want, line) == 0);
    check_case = buf_z(&want);
    CHECK(found == !str_eq_z(expect, "null"));
    CHECK(!found || str_eq(buf_str(&got), expect));
    check_case = "";
}

static void test_psl(void **state)
{
    char list[4096], tests[4096], line[512];
    struct psl *psl = NULL;
    unsigned n = 0;
    FILE *f;

    (void)state;
    if (!vectors_path(list, sizeof list, "psl/public_suffix_list.dat") ||
        !vectors_path(tests, sizeof tests, "psl/tests/tests.txt"))
        skip();
    CHECK(psl_open(list, &psl) == 0);
    CHECK((f = fopen(tests, "r")));
    for (; fgets(line, sizeof line, f); n++)
        psl_line(psl, str_trim(str_from(line)));
    fclose(f);
    psl_close(&psl);
    CHECK(n > 80);
}

static void test_psl_built_in(void **state)
{
    CLEANUP(buf_release) struct buf out = { .max = 300 };
    struct psl *psl = NULL;

    (void)state;
    CHECK(psl_open("/nonexistent", &psl) == E_NOTFOUND);
    CHECK(psl_open(NULL, &psl) == 0);
    CHECK(psl_registrable(psl, STR("A.b.Example.CO.uk"), &out) && str_eq_z(buf_str(&out), "example.co.uk"));
    CHECK(psl_is_suffix(psl, STR("co.uk")) && psl_is_suffix(psl, STR("COM")) &&
          !psl_is_suffix(psl, STR("example.com")));
    CHECK(!psl_is_suffix(psl, STR("github.io"))); /* private: says so itself, or is not one here */
    psl_close(&psl);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_record), cmocka_unit_test(test_check),        cmocka_unit_test(test_walk),
        cmocka_unit_test(test_psl),    cmocka_unit_test(test_psl_built_in),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
