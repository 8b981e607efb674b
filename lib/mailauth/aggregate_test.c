/* The XML is read by expat, and its elements are compared with those of RFC 9990's schema, in its order. */
#include "lib/mailauth/aggregate.h"
#include "lib/base/test.h"
#include <expat.h>
#include <stdio.h>

/* Element, its parent, how often it may stand there: '1' once, '?' at most once, '*' any. */
static const struct {
    const char *parent, *name;
    char often;
} schema[] = {
    { "", "feedback", '1' },
    { "feedback", "version", '?' },
    { "feedback", "report_metadata", '1' },
    { "feedback", "policy_published", '1' },
    { "feedback", "record", '*' },
    { "report_metadata", "org_name", '1' },
    { "report_metadata", "email", '1' },
    { "report_metadata", "report_id", '1' },
    { "report_metadata", "date_range", '1' },
    { "report_metadata", "generator", '?' },
    { "date_range", "begin", '1' },
    { "date_range", "end", '1' },
    { "policy_published", "domain", '1' },
    { "policy_published", "p", '1' },
    { "policy_published", "sp", '?' },
    { "policy_published", "np", '?' },
    { "policy_published", "adkim", '?' },
    { "policy_published", "aspf", '?' },
    { "policy_published", "discovery_method", '?' },
    { "policy_published", "fo", '?' },
    { "policy_published", "testing", '?' },
    { "record", "row", '1' },
    { "record", "identifiers", '1' },
    { "record", "auth_results", '1' },
    { "row", "source_ip", '1' },
    { "row", "count", '1' },
    { "row", "policy_evaluated", '1' },
    { "policy_evaluated", "disposition", '1' },
    { "policy_evaluated", "dkim", '1' },
    { "policy_evaluated", "spf", '1' },
    { "policy_evaluated", "reason", '*' },
    { "reason", "type", '1' },
    { "identifiers", "header_from", '1' },
    { "identifiers", "envelope_from", '?' },
    { "auth_results", "dkim", '*' },
    { "auth_results", "spf", '?' },
    { "dkim", "domain", '1' },
    { "dkim", "selector", '1' },
    { "dkim", "result", '1' },
    { "spf", "domain", '1' },
    { "spf", "scope", '?' },
    { "spf", "result", '1' },
};

struct reading {
    char path[10][40], seen[10][40][40];
    size_t nseen[10], depth;
    bool wrong;
    int records;
};

static void opens(void *ctx, const char *name, const char **atts)
{
    struct reading *r = ctx;
    const char *parent = r->depth ? r->path[r->depth - 1] : "";
    bool known = false;

    if (r->depth == 0)
        r->wrong |= !atts[0] || strcmp(atts[1], "urn:ietf:params:xml:ns:dmarc-2.0") != 0;
    for (size_t i = 0; i < ARRAY_LEN(schema); i++)
        known |= strcmp(schema[i].parent, parent) == 0 && strcmp(schema[i].name, name) == 0;
    if (!known)
        print_message("%s in %s\n", name, parent);
    r->wrong |= !known;
    r->records += strcmp(name, "record") == 0;
    snprintf(r->seen[r->depth][r->nseen[r->depth]++ % 40], 40, "%s", name);
    snprintf(r->path[r->depth++], 40, "%s", name);
    r->nseen[r->depth] = 0;
}

/* All children are known now: is each as often there as it must be? */
static void closes(void *ctx, const char *name)
{
    struct reading *r = ctx;
    const char *grand = r->depth > 1 ? r->path[r->depth - 2] : "";
    bool leaf_spf = strcmp(grand, "policy_evaluated") == 0; /* dkim and spf are words there */

    for (size_t i = 0; i < ARRAY_LEN(schema) && !leaf_spf; i++) {
        unsigned n = 0;

        if (strcmp(schema[i].parent, name) != 0)
            continue;
        for (size_t k = 0; k < r->nseen[r->depth] && k < 40; k++)
            n += strcmp(r->seen[r->depth][k], schema[i].name) == 0;
        if ((schema[i].often == '1' && n != 1) || (schema[i].often == '?' && n > 1)) {
            print_message("%u times %s in %s\n", n, schema[i].name, name);
            r->wrong = true;
        }
    }
    r->depth--;
}

static int check_schema(struct str xml)
{
    XML_Parser p = XML_ParserCreate(NULL);
    struct reading r = { .depth = 0 };

    XML_SetUserData(p, &r);
    XML_SetElementHandler(p, opens, closes);
    r.wrong |= XML_Parse(p, xml.p, (int)xml.n, 1) != XML_STATUS_OK;
    XML_ParserFree(p);
    return r.wrong ? -1 : r.records;
}

static bool has(const struct buf *b, const char *what)
{
    return str_find(buf_str(b), str_from(what)) >= 0;
}

static void test_xml(void **state UNUSED)
{
    CLEANUP(buf_release) struct buf out = { .max = AGGREGATE_XML_MAX };
    struct dmarc_record policy;
    struct aggregate_report rep = { .generator = STR("Letterlock 1.2"),
                                    .org = STR("mx.example.test"),
                                    .email = STR("d@example.test"),
                                    .id = STR("1.abc"),
                                    .begin_s = 86400,
                                    .end_s = 172799,
                                    .domain = STR("example.org"),
                                    .policy = &policy };
    struct aggregate_row row = { .ip = STR("2001:db8::1"),
                                 .header_from = STR("a.example.org"),
                                 .count = 7,
                                 .disposition = AGGREGATE_REJECT,
                                 .signatures = STR("example.net s1 fail\nexample.com s2 pass\nnonsense\n"),
                                 .spf_domain = STR("evil<x>&\x01\xff"),
                                 .spf_scope = STR("mfrom"),
                                 .spf_result = STR("softfail") };

    CHECK(dmarc_record_parse(STR("v=DMARC1; p=reject; np=none; aspf=s; fo=1:d; t=y"), &policy));
    CHECK(aggregate_begin(&rep, &out) == 0 && aggregate_row_put(&row, &out) == 0);
    row = (struct aggregate_row){ .ip = STR("192.0.2.1"),
                                  .header_from = STR("example.org"),
                                  .envelope_from = STR("example.org"),
                                  .count = 1,
                                  .disposition = AGGREGATE_PASS,
                                  .dkim = true,
                                  .spf = true,
                                  .reason = STR("local_policy") };
    CHECK(aggregate_row_put(&row, &out) == 0 && aggregate_end(&out) == 0);
    CHECK(check_schema(buf_str(&out)) == 2);
    CHECK(has(&out, "<begin>86400</begin>\n<end>172799</end>"));
    CHECK(has(
        &out,
        "<discovery_method>treewalk</discovery_method>\n<p>reject</p>\n<sp>reject</sp>\n<np>none</np>\n<fo>1:d</fo>\n"
        "<adkim>r</adkim>\n<aspf>s</aspf>\n<testing>y</testing>"));
    CHECK(has(&out, "<generator>Letterlock 1.2</generator>"));
    CHECK(has(
        &out,
        "<feedback xmlns=\"urn:ietf:params:xml:ns:dmarc-2.0\">\n<version>1.0</version>\n<report_metadata>"));
    CHECK(has(&out,
              "<count>7</count>\n<policy_evaluated>\n<disposition>reject</disposition>\n<dkim>fail</dkim>"));
    CHECK(
        has(&out, "<domain>evil&lt;x&gt;&amp;?\?</domain>\n<scope>mfrom</scope>\n<result>softfail</result>"));
    CHECK(has(&out,
              "<disposition>pass</disposition>\n<dkim>pass</dkim>\n<spf>pass</spf>\n<reason>\n<type>local_"));
    CHECK(check_schema(STR("<feedback xmlns='urn:ietf:params:xml:ns:dmarc-2.0'><pct/></feedback>")) < 0);
    buf_clear(&out); /* what was not said */
    CHECK(dmarc_record_parse(STR("v=DMARC1; p=reject; sp=quarantine"), &policy) &&
          aggregate_begin(&rep, &out) == 0);
    CHECK(has(
        &out,
        "<p>reject</p>\n<sp>quarantine</sp>\n<np>quarantine</np>\n<fo>0</fo>\n<adkim>r</adkim>\n<aspf>r</aspf>\n"
        "<testing>n</testing>"));
}

static void test_names(void **state UNUSED)
{
    CLEANUP(buf_release) struct buf out = { .max = AGGREGATE_NAME_MAX };
    struct aggregate_report rep = {
        .id = STR("1.abc"), .begin_s = 1, .end_s = 2, .domain = STR("example.org")
    };

    CHECK(aggregate_file_name(&rep, STR("mx.example.test"), &out) == 0);
    CHECK(str_eq_z(buf_str(&out), "mx.example.test!example.org!1!2!1abc.xml.gz"));
    buf_clear(&out);
    CHECK(aggregate_subject(&rep, STR("mx.example.test"), &out) == 0);
    CHECK(
        str_eq_z(buf_str(&out), "Report Domain: example.org Submitter: mx.example.test Report-ID: <1.abc>"));
    buf_clear(&out);
    CHECK(aggregate_verification(STR("example.org"), STR("third.example"), &out) == 0);
    CHECK(str_eq_z(buf_str(&out), "example.org._report._dmarc.third.example"));
}

static void test_uris(void **state UNUSED)
{
    static const struct {
        const char *uri, *address; /* NULL: none */
        uint64_t max;
    } rows[] = {
        { "mailto:a@b.example", "a@b.example", UINT64_MAX },
        { "MAILTO:a@b.example!10m", "a@b.example", 10485760 },
        { "mailto:a@b.example!2k", "a@b.example", 2048 },
        { "mailto:a@b.example!50", "a@b.example", 50 },
        { "mailto:a@b.example!99999999999999999999t", "a@b.example", UINT64_MAX },
        { "mailto:a%2Bx@b.example?subject=y", "a+x@b.example", UINT64_MAX },
        { "mailto:a%0d%0aBcc:x@b.example", NULL, 0 },
        { "mailto:a%4", NULL, 0 },
        { "mailto:nobody", NULL, 0 },
        { "mailto:a@b,c@d", NULL, 0 },
        { "https://b.example/dmarc", NULL, 0 },
        { "", NULL, 0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_release) struct buf out = { .max = 320 };
        uint64_t max = 0;

        check_case = rows[i].uri;
        CHECK(aggregate_uri(str_from(rows[i].uri), &out, &max) == (rows[i].address != NULL));
        CHECK(!rows[i].address || (str_eq_z(buf_str(&out), rows[i].address) && max == rows[i].max));
    }
}

static void test_agrees(void **state UNUSED)
{
    static const struct {
        const char *record, *address; /* NULL: no; "": who asked */
        uint64_t max;
    } rows[] = {
        { "v=DMARC1", "", 7 },
        { "v=DMARC1;", "", 7 },
        { "v=DMARC1; rua=mailto:in@Third.example!1k", "in@Third.example", 1024 },
        { "v=DMARC1; rua=mailto:in@third.example, mailto:b@third.example", "in@third.example", UINT64_MAX },
        { "v=DMARC1; rua=mailto:x@victim.example", NULL, 7 },
        { "v=DMARC1; rua=mailto:in@third.example,mailto:x@victim.example", NULL, 7 },
        { "v=DMARC1; rua=https://third.example/", NULL, 7 },
        { "v=spf1 -all", NULL, 7 },
        { "", NULL, 7 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_release) struct buf out = { .max = 254 };
        uint64_t max = 7;
        bool agrees = aggregate_agrees(str_from(rows[i].record), STR("third.example"), &out, &max);

        check_case = rows[i].record;
        CHECK(agrees == (rows[i].address != NULL));
        CHECK(!agrees || (str_eq_z(buf_str(&out), rows[i].address) && max == rows[i].max));
    }
}

static void test_internal(void **state UNUSED)
{
    struct psl *psl = NULL;

    CHECK(psl_open(NULL, &psl) == 0);
    CHECK(aggregate_internal(NULL, STR("example.org"), STR("Example.ORG")));
    CHECK(!aggregate_internal(NULL, STR("example.org"), STR("mail.example.org")));
    CHECK(aggregate_internal(psl, STR("a.example.org"), STR("b.example.org")));
    CHECK(!aggregate_internal(psl, STR("example.org"), STR("example.com")));
    CHECK(!aggregate_internal(psl, STR("a.co.uk"), STR("b.co.uk")));
    psl_close(&psl);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_xml),    cmocka_unit_test(test_names),    cmocka_unit_test(test_uris),
        cmocka_unit_test(test_agrees), cmocka_unit_test(test_internal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
