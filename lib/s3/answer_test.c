#include "lib/s3/answer.h"
#include "lib/base/errors.h"
#include "lib/base/test.h"
#include "lib/s3/s3.h"

#define HEAD "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"

static void test_objects(void **state UNUSED)
{
    CLEANUP(arena_release) struct arena a = { .max = KIB(64) };
    struct s3_page p;

    CHECK(s3_page_parse(
              STR(HEAD "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>b</Name>"
                       "<Prefix>p/</Prefix><KeyCount>2</KeyCount><IsTruncated>true</IsTruncated>"
                       "<Contents><Key>p/a&amp;b</Key><Size>12</Size><Owner><ID>x</ID></Owner></Contents>"
                       "<CommonPrefixes><Prefix>p/f/</Prefix></CommonPrefixes>"
                       "<NextContinuationToken>1/2=</NextContinuationToken></ListBucketResult>"),
              S3_OBJECTS, &a, &p) == 0);
    CHECK(p.n == 2 && p.more && str_eq_z(p.next, "1/2="));
    CHECK(str_eq_z(p.list->key, "p/a&b") && p.list->bytes == 12 && !p.list->is_folder);
    CHECK(str_eq_z(p.list->next->key, "p/f/") && p.list->next->is_folder);
}

static void test_versions(void **state UNUSED)
{
    CLEANUP(arena_release) struct arena a = { .max = KIB(64) };
    struct s3_page p;

    CHECK(s3_page_parse(
              STR(HEAD "<ListVersionsResult><IsTruncated>true</IsTruncated><NextKeyMarker>k</NextKeyMarker>"
                       "<NextVersionIdMarker>v1</NextVersionIdMarker>"
                       "<Version><Key>k</Key><VersionId>v2</VersionId><Size>7</Size></Version>"
                       "<DeleteMarker><Key>k</Key><VersionId>v1</VersionId></DeleteMarker>"
                       "</ListVersionsResult>"),
              S3_VERSIONS, &a, &p) == 0);
    CHECK(p.n == 2 && p.more && str_eq_z(p.next, "k") && str_eq_z(p.next_version, "v1"));
    CHECK(str_eq_z(p.list->version, "v2") && !p.list->is_marker && p.list->next->is_marker);
}

static void test_refused(void **state UNUSED)
{
    static const struct {
        const char *name, *xml;
        int r;
    } cases[] = {
        { "cut off", "<ListBucketResult><Contents><Key>a</Key>", E_SYNTAX },
        { "no key", "<ListBucketResult><Contents><Size>1</Size></Contents></ListBucketResult>", E_SYNTAX },
        { "no size of this world",
          "<ListBucketResult><Contents><Key>a</Key><Size>99999999999999999999</Size></Contents></ListBucketResult>",
          E_SYNTAX },
        { "more, and not where", "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
          E_CORRUPT },
        { "too deep", "<a><a><a><a><a><a><a><a><a></a></a></a></a></a></a></a></a></a>", E_LIMIT },
        { "an entity", "<!DOCTYPE x [<!ENTITY e \"ha\">]><ListBucketResult>&e;</ListBucketResult>",
          E_SYNTAX },
        { "an external one", "<!DOCTYPE x SYSTEM \"file:///etc/passwd\"><x/>", E_SYNTAX },
        { "no XML", "{}", E_SYNTAX },
        { "nothing", "", E_SYNTAX },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(arena_release) struct arena a = { .max = KIB(64) };
        struct s3_page p = { .n = 99 };

        check_case = cases[i].name;
        CHECK(s3_page_parse(str_from(cases[i].xml), S3_OBJECTS, &a, &p) == cases[i].r);
        CHECK(p.n == 99);
    }
    check_case = "";
}

static void test_errors(void **state UNUSED)
{
    CLEANUP(arena_release) struct arena a = { .max = KIB(64) };
    char code[S3_CODE_MAX];
    struct str id;

    s3_error_code(STR(HEAD "<Error><Code>NoSuchKey</Code><Message>no</Message></Error>"), code);
    CHECK(strcmp(code, "NoSuchKey") == 0);
    s3_error_code(STR("<CompleteMultipartUploadResult><Code>x</Code></CompleteMultipartUploadResult>"), code);
    CHECK(code[0] == '\0');
    s3_error_code(STR("<Error><Code>a b\n</Code></Error>"), code);
    CHECK(code[0] == '\0');
    CHECK(
        s3_element(
            STR("<InitiateMultipartUploadResult><UploadId>u+1/=</UploadId></InitiateMultipartUploadResult>"),
            "UploadId", &a, &id) == 0 &&
        str_eq_z(id, "u+1/="));
    CHECK(s3_element(STR("<x/>"), "UploadId", &a, &id) == E_NOTFOUND);
}

static void test_place(void **state UNUSED)
{
    static const struct {
        const char *target, *endpoint, *bucket, *prefix, *host;
        uint16_t port;
    } cases[] = {
        { "s3://backups", "https://s3.eu-central-1.amazonaws.com", "backups", "",
          "s3.eu-central-1.amazonaws.com", 443 },
        { "s3://backups/mail/one/", "https://acc.r2.cloudflarestorage.com/", "backups", "mail/one/",
          "acc.r2.cloudflarestorage.com", 443 },
        { "s3://b-1.x/p", "http://127.0.0.1:9000", "b-1.x", "p/", "127.0.0.1", 9000 },
        { "s3://b-1.x/p", "https://[2001:db8::1]:9000", "b-1.x", "p/", "[2001:db8::1]", 9000 },
        { "s3://b-1.x/p", "http://[::1]:9000", "b-1.x", "p/", "[::1]", 9000 },
        { "s3://backups", "http://minio.example:9000", NULL, NULL, NULL, 0 },
        { "s3://Backups", "https://x", NULL, NULL, NULL, 0 },
        { "s3://backups//a", "https://x", NULL, NULL, NULL, 0 },
        { "s3://backups/../a", "https://x", NULL, NULL, NULL, 0 },
        { "s3://backups", "https://x:0", NULL, NULL, NULL, 0 },
        { "s3://backups", "https://x/path", NULL, NULL, NULL, 0 },
        { "s3://backups", "", NULL, NULL, NULL, 0 },
        { "/var/backups", "https://x", NULL, NULL, NULL, 0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct s3_place p;

        check_case = cases[i].target;
        CHECK(s3_place_parse(str_from(cases[i].target), str_from(cases[i].endpoint), &p) ==
              (cases[i].bucket ? 0 : E_SYNTAX));
        CHECK(!cases[i].bucket ||
              (strcmp(p.bucket, cases[i].bucket) == 0 && strcmp(p.prefix, cases[i].prefix) == 0 &&
               strcmp(p.host, cases[i].host) == 0 && p.port == cases[i].port));
    }
    check_case = "";
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_objects), cmocka_unit_test(test_versions),
                                        cmocka_unit_test(test_refused), cmocka_unit_test(test_errors),
                                        cmocka_unit_test(test_place) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
