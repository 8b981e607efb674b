/* SPF: vectors of our own always, and the public suite of RFC 7208 where it lies beside the project. */
#include "lib/base/test.h"
#include "lib/mailauth/spf_record.h"
#include "lib/mailauth/test_yaml.h"
#include "lib/mailauth/test_zone.h"

static const struct zone_row zone[] = {
    { "plain.example", "TXT", "v=spf1 ip4:192.0.2.0/24 -all" },
    { "six.example", "TXT", "v=spf1 ip6:2001:db8::/32 ~all" },
    { "a.example", "TXT", "v=spf1 a/24 a:other.example//64 ?all" },
    { "a.example", "A", "198.51.100.7" },
    { "other.example", "AAAA", "2001:db8:1:2::1" },
    { "mx.example", "TXT", "v=spf1 mx -all" },
    { "mx.example", "MX", "10 in.mx.example" },
    { "in.mx.example", "A", "192.0.2.9" },
    { "two.example", "TXT", "v=spf1 -all" },
    { "two.example", "TXT", "V=SPF1 +all" },
    { "loop.example", "TXT", "v=spf1 include:loop.example -all" },
    { "redirect.example", "TXT", "v=spf1 redirect=plain.example" },
    { "redirect-none.example", "TXT", "v=spf1 redirect=none.example" },
    { "inc.example", "TXT", "v=spf1 include:plain.example -all" },
    { "exp.example", "TXT", "v=spf1 -all exp=why.%{d}" },
    { "why.exp.example", "TXT", "%{i} is not %{d}, said %{h} to %{r}" },
    { "exists.example", "TXT", "v=spf1 exists:%{ir}.%{l1r-}.list.example -all" },
    { "9.2.0.192.bob.list.example", "A", "127.0.0.2" },
    { "ptr.example", "TXT", "v=spf1 ptr -all" },
    { "9.2.0.192.in-addr.arpa", "PTR", "host.ptr.example." },
    { "host.ptr.example", "A", "192.0.2.9" },
    { "later.example", "TIMEOUT", "" },
    { "inc-later.example", "TXT", "v=spf1 include:later.example -all" },
    { "typo.example", "TXT", "v=spf1 ip4:192.0.2.9 -al" },
    { "void.example", "TXT", "v=spf1 a:x1.example a:x2.example a:x3.example +all" },
    { "helo.example", "TXT", "v=spf1 ip4:192.0.2.9 -all" },
    { "evil.example", "TXT", "v=spf1 -all exp=why.evil.example" },
    { "why.evil.example", "TXT", "line %{l}" },
};

static const struct {
    const char *name, *ip, *sender, *helo;
    enum spf_code code;
    const char *explanation;
} cases[] = {
    { "in the network", "192.0.2.9", "a@plain.example", "h.example", SPF_PASS, "" },
    { "out of it", "192.0.3.9", "a@plain.example", "h.example", SPF_FAIL, "" },
    { "mapped address", "::ffff:192.0.2.9", "a@plain.example", "h.example", SPF_PASS, "" },
    { "IPv6 network", "2001:db8::9", "a@six.example", "h.example", SPF_PASS, "" },
    { "no IPv4 in it", "192.0.2.9", "a@six.example", "h.example", SPF_SOFTFAIL, "" },
    { "a with a prefix", "198.51.100.200", "x@a.example", "h.example", SPF_PASS, "" },
    { "aaaa with a prefix", "2001:db8:1:2:ffff::", "x@a.example", "h.example", SPF_PASS, "" },
    { "mx", "192.0.2.9", "x@mx.example", "h.example", SPF_PASS, "" },
    { "two records", "192.0.2.9", "x@two.example", "h.example", SPF_PERMERROR, "" },
    { "includes itself", "192.0.2.9", "x@loop.example", "h.example", SPF_PERMERROR, "" },
    { "redirect", "192.0.2.9", "x@redirect.example", "h.example", SPF_PASS, "" },
    { "redirect to nothing", "192.0.2.9", "x@redirect-none.example", "h.example", SPF_PERMERROR, "" },
    { "include, not matching", "192.0.3.9", "x@inc.example", "h.example", SPF_FAIL, "" },
    { "explained", "192.0.2.9", "x@exp.example", "h.example", SPF_FAIL,
      "192.0.2.9 is not exp.example, said h.example to mx.test" },
    { "exists with macros", "192.0.2.9", "bob-tag@exists.example", "h.example", SPF_PASS, "" },
    { "ptr", "192.0.2.9", "x@ptr.example", "h.example", SPF_PASS, "" },
    { "no answer", "192.0.2.9", "x@later.example", "h.example", SPF_TEMPERROR, "" },
    { "no answer inside", "192.0.2.9", "x@inc-later.example", "h.example", SPF_TEMPERROR, "" },
    { "a typo anywhere", "192.0.2.9", "x@typo.example", "h.example", SPF_PERMERROR, "" },
    { "three voids", "192.0.2.9", "x@void.example", "h.example", SPF_PERMERROR, "" },
    { "bounce: the HELO name", "192.0.2.9", "", "helo.example", SPF_PASS, "" },
    { "bounce: HELO literal", "192.0.2.9", "", "[192.0.2.9]", SPF_NONE, "" },
    { "no record", "192.0.2.9", "x@none.example", "h.example", SPF_NONE, "" },
    { "foreign bytes in the explanation", "192.0.2.9", "a\r\nX: y@evil.example", "h.example", SPF_FAIL,
      "line a??X: y" },
};

static struct spf_result check(const char *ip, struct str sender, struct str helo, struct str receiver,
                               const struct zone_row *rows, size_t n)
{
    struct spf_request rq = { .sender = sender, .helo = helo, .receiver = receiver, .now_s = 1000 };
    struct spf_result res;
    struct lookups l;
    int r, rounds = 0;

    lookups_init(&l);
    CHECK(spf_ip_parse(str_from(ip), &rq.ip) == 0);
    while ((r = spf_check(&l, &rq, &res)) == MAILAUTH_WAITS && rounds++ < 200)
        zone_answer_all(rows, n, &l);
    CHECK(r == 0);
    lookups_release(&l);
    return res;
}

static void test_own(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct spf_result res;

        check_case = cases[i].name;
        res = check(cases[i].ip, str_from(cases[i].sender), str_from(cases[i].helo), STR("mx.test"), zone,
                    ARRAY_LEN(zone));
        CHECK(res.code == cases[i].code);
        CHECK(str_eq_z(str_from(res.explanation), cases[i].explanation));
    }
    check_case = "";
}

static void test_give_up(void **state)
{
    struct spf_request rq = { .sender = STR("x@plain.example"), .helo = STR("h.example") };
    struct spf_result res;
    struct lookups l;

    (void)state;
    lookups_init(&l);
    CHECK(spf_check(&l, &rq, &res) == MAILAUTH_WAITS);
    lookups_give_up(&l);
    CHECK(spf_check(&l, &rq, &res) == 0 && res.code == SPF_TEMPERROR);
    lookups_release(&l);
}

static void test_received(void **state)
{
    struct spf_request rq = { .sender = STR("a\"b\r\nX: y@plain.example"),
                              .helo = STR("h.example"),
                              .receiver = STR("mx.test") };
    struct spf_result res = { .code = SPF_PASS, .domain = "plain.example", .mechanism = "ip4:192.0.2.0/24" };
    CLEANUP(buf_release) struct buf out = { .max = KIB(4) };

    (void)state;
    CHECK(spf_ip_parse(STR("2001:db8::1"), &rq.ip) == 0);
    CHECK(spf_received(&out, &rq, &res, "mailfrom") == 0);
    CHECK(str_eq_z(buf_str(&out),
                   "Received-SPF: pass (mx.test: plain.example permits this client)\r\n"
                   "\tidentity=mailfrom;\r\n\tclient-ip=\"2001:db8::1\";\r\n\thelo=h.example;\r\n"
                   "\tenvelope-from=\"a\\\"b??X: y@plain.example\";\r\n\treceiver=mx.test;\r\n"
                   "\tmechanism=\"ip4:192.0.2.0/24\"\r\n"));
}

/* ---- the public suite ---- */

static struct zone_row rows[512];
static size_t nrows;

static struct str join(struct arena *a, const struct yaml *v, const char *sep)
{
    CLEANUP(buf_release) struct buf out = { .max = KIB(64) };

    if (v->kind == YAML_SCALAR)
        return str_of(arena_dupz(a, v->text), v->text.n);
    for (const struct yaml *y = v->first; y; y = y->next) {
        CHECK(buf_puts(&out, y->text) == 0);
        CHECK(!y->next || buf_putz(&out, sep) == 0);
    }
    return str_of(arena_dupz(a, buf_str(&out)), out.n);
}

static void add_row(const char *name, const char *type, struct str text)
{
    CHECK(nrows < ARRAY_LEN(rows));
    rows[nrows++] = (struct zone_row){ name, type, text.p, text.n };
}

/* An SPF entry stands for a TXT record where the name has no TXT entry (the suite's preface). */
static void load_name(struct arena *a, const struct yaml *entry)
{
    const char *name = arena_dupz(a, entry->key);
    bool txt = false;

    for (const struct yaml *y = entry->first; y; y = y->next)
        txt = txt || yaml_get(y, "TXT");
    for (const struct yaml *y = entry->first; y; y = y->next) {
        const char *type;

        if (y->kind == YAML_SCALAR) {
            add_row(name, "TIMEOUT", STR(""));
            continue;
        }
        type = arena_dupz(a, y->first->key);
        if (!strcmp(type, "SPF")) {
            if (!txt)
                add_row(name, "TXT", join(a, y->first, ""));
        } else if (!(y->first->kind == YAML_SCALAR && str_eq_z(y->first->text, "NONE"))) {
            add_row(name, type, join(a, y->first, !strcmp(type, "MX") ? " " : ""));
        } else {
            add_row(name, "NONE", STR(""));
        }
    }
}

/* What an alias points to is there under its own name too. */
static void follow_aliases(void)
{
    size_t n = nrows;

    for (size_t i = 0; i < n; i++) {
        if (strcmp(rows[i].type, "CNAME"))
            continue;
        for (size_t k = 0; k < n; k++)
            if (!strcasecmp(rows[k].name, rows[i].value))
                add_row(rows[i].name, rows[k].type, str_of(rows[k].value, rows[k].n));
    }
}

static bool expected(const struct yaml *result, struct str got)
{
    if (result->kind == YAML_SCALAR)
        return str_eq(result->text, got);
    for (const struct yaml *y = result->first; y; y = y->next)
        if (str_eq(y->text, got))
            return true;
    return false;
}

static void public_case(struct arena *a, const struct yaml *t)
{
    struct spf_result res = check(arena_dupz(a, yaml_text(t, "host")), yaml_text(t, "mailfrom"),
                                  yaml_text(t, "helo"), STR("receiver.test"), rows, nrows);
    struct str want = yaml_text(t, "explanation");

    check_case = arena_dupz(a, t->key);
    if (!expected(yaml_get(t, "result"), str_from(spf_code_name(res.code))))
        print_error("%s: %s (%s)\n", check_case, spf_code_name(res.code), res.problem ? res.problem : "");
    CHECK(expected(yaml_get(t, "result"), str_from(spf_code_name(res.code))));
    if (str_eq_z(want, "DEFAULT"))
        CHECK(res.explanation[0] == '\0');
    else if (want.n)
        CHECK(str_eq(want, str_from(res.explanation)));
}

static void test_public(void **state)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(16) };
    const struct yaml *docs;
    char path[4096];
    unsigned n = 0;

    (void)state;
    if (!vectors_path(path, sizeof path, "spf-rfc7208/rfc7208-tests.yml"))
        skip();
    CHECK((docs = yaml_load(&a, path)));
    for (const struct yaml *d = docs->first; d; d = d->next) {
        const struct yaml *z = yaml_get(d, "zonedata"), *tests = yaml_get(d, "tests");

        CHECK(z && tests);
        nrows = 0;
        for (const struct yaml *y = z->first; y; y = y->next)
            load_name(&a, y);
        follow_aliases();
        for (const struct yaml *t = tests->first; t; t = t->next, n++)
            public_case(&a, t);
    }
    check_case = "";
    print_message("public SPF cases: %u\n", n);
    CHECK(n == 203);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own),
        cmocka_unit_test(test_give_up),
        cmocka_unit_test(test_received),
        cmocka_unit_test(test_public),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
