/* TLS reports as JSON. */
#include "src/jobs/tls_report.h"
#include "lib/base/test.h"
#include <jansson.h>

static const struct tls_report_count counts[] = {
    { TLS_REPORT_NONE, { "", 0 }, { "", 0 }, { "", 0 }, { "", 0 }, { "", 0 }, { "", 0 }, 3 },
    { TLS_REPORT_STS, { "", 0 }, { "", 0 }, { "", 0 }, { "", 0 }, { "", 0 }, { "", 0 }, 5326 },
    { TLS_REPORT_STS,
      { "certificate-expired", 19 },
      { "mx1.example", 11 },
      { "192.0.2.1", 9 },
      { "198.51.100.2", 12 },
      { "said \"so\"\n", 10 },
      { "version: STSv1\nmode: testing\nmx: *.a.example\nmx: b.example\nmax_age: 1", 68 },
      100 },
    { TLS_REPORT_STS,
      { "starttls-not-supported", 22 },
      { "mx2.example", 11 },
      { "", 0 },
      { "", 0 },
      { "", 0 },
      { "", 0 },
      203 },
};

static json_int_t number(const json_t *at, const char *a, const char *b)
{
    return json_integer_value(json_object_get(json_object_get(at, a), b));
}

static void test_whole(void **state UNUSED)
{
    CLEANUP(buf_release) struct buf out = { .max = TLS_REPORT_MAX }, name = { .max = 300 };
    struct tls_report r = { .org = STR("mail.our.example"),
                            .contact = STR("tls@our.example"),
                            .id = STR("16892.ab"),
                            .domain = STR("there.example"),
                            .day = 16892,
                            .v = counts,
                            .n = ARRAY_LEN(counts) };
    json_t *j, *policies, *sts;

    CHECK(tls_report_write(&r, &out) == 0);
    CHECK((j = json_loadb(out.p, out.n, 0, NULL)) != NULL);
    CHECK(strcmp(json_string_value(json_object_get(json_object_get(j, "date-range"), "start-datetime")),
                 "2016-04-01T00:00:00Z") == 0);
    CHECK(strcmp(json_string_value(json_object_get(json_object_get(j, "date-range"), "end-datetime")),
                 "2016-04-01T23:59:59Z") == 0);
    policies = json_object_get(j, "policies");
    CHECK(json_array_size(policies) == 2);
    sts = json_array_get(policies, 0);
    CHECK(number(sts, "summary", "total-successful-session-count") == 5326);
    CHECK(number(sts, "summary", "total-failure-session-count") == 303);
    CHECK(json_array_size(json_object_get(json_object_get(sts, "policy"), "mx-host")) == 2);
    CHECK(json_array_size(json_object_get(json_object_get(sts, "policy"), "policy-string")) == 5);
    CHECK(json_array_size(json_object_get(sts, "failure-details")) == 2);
    CHECK(number(json_array_get(policies, 1), "summary", "total-successful-session-count") == 3);
    CHECK(!json_object_get(json_array_get(policies, 1), "failure-details"));
    json_decref(j);
    CHECK(tls_report_file_name(&r, &name) == 0);
    CHECK(str_eq_z(buf_str(&name), "mail.our.example!there.example!1459468800!1459555199!16892.ab.json.gz"));
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_whole) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
