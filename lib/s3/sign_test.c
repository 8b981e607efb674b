#include "lib/s3/sign.h"
#include "lib/base/errors.h"
#include "lib/base/test.h"

#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define HOST                                     \
    {                                            \
        "host", "examplebucket.s3.amazonaws.com" \
    }
#define DAY                              \
    {                                    \
        "x-amz-date", "20130524T000000Z" \
    }

/* The examples of "Authenticating Requests: Using the Authorization Header" (S3), and of the test suite for signature 4
 * (service "service"), with the signatures that are published there. */
static const struct {
    const char *name, *method, *path, *date, *service, *hash;
    struct s3_pair query[2], fields[6];
    const char *signature;
} cases[] = {
    { "GET object",
      "GET",
      "/test.txt",
      "20130524T000000Z",
      "s3",
      EMPTY,
      { { NULL } },
      { HOST, { "range", "bytes=0-9" }, { "x-amz-content-sha256", EMPTY }, DAY },
      "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41" },
    { "PUT object",
      "PUT",
      "/test$file.text",
      "20130524T000000Z",
      "s3",
      "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
      { { NULL } },
      { { "date", "Fri, 24 May 2013 00:00:00 GMT" },
        HOST,
        DAY,
        { "x-amz-storage-class", "REDUCED_REDUNDANCY" },
        { "x-amz-content-sha256", "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072" } },
      "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd" },
    { "GET bucket lifecycle",
      "GET",
      "/",
      "20130524T000000Z",
      "s3",
      EMPTY,
      { { "lifecycle", "" } },
      { HOST, { "x-amz-content-sha256", EMPTY }, DAY },
      "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543" },
    { "GET bucket (list objects)",
      "GET",
      "/",
      "20130524T000000Z",
      "s3",
      EMPTY,
      { { "prefix", "J" }, { "max-keys", "2" } },
      { HOST, { "x-amz-content-sha256", EMPTY }, DAY },
      "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7" },
    { "get-vanilla",
      "GET",
      "/",
      "20150830T123600Z",
      "service",
      EMPTY,
      { { NULL } },
      { { "host", "example.amazonaws.com" }, { "x-amz-date", "20150830T123600Z" } },
      "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31" },
    { "get-vanilla-query-order-key-case",
      "GET",
      "/",
      "20150830T123600Z",
      "service",
      EMPTY,
      { { "Param2", "value2" }, { "Param1", "value1" } },
      { { "host", "example.amazonaws.com" }, { "x-amz-date", "20150830T123600Z" } },
      "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500" },
};

static size_t count(const struct s3_pair *v, size_t max)
{
    size_t n = 0;

    while (n < max && v[n].name)
        n++;
    return n;
}

static void test_published(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_release) struct buf out = { .max = KIB(4) };
        struct s3_credentials c = { .key_id = "AKIDEXAMPLE" };
        struct s3_request q = { .method = cases[i].method,
                                .path = str_from(cases[i].path),
                                .query = cases[i].query,
                                .nquery = count(cases[i].query, 2),
                                .fields = cases[i].fields,
                                .nfields = count(cases[i].fields, 6),
                                .payload_hash = cases[i].hash,
                                .date = cases[i].date,
                                .region = "us-east-1",
                                .service = cases[i].service };

        check_case = cases[i].name;
        snprintf(c.secret, sizeof c.secret, "wJalrXUtnFEMI/K7MDENG%cbPxRfiCYEXAMPLEKEY",
                 strcmp(cases[i].service, "s3") == 0 ? '/' : '+');
        CHECK(s3_sign(&c, &q, &out) == 0);
        CHECK(str_ends(buf_str(&out), str_from(cases[i].signature)));
        CHECK(str_starts(buf_str(&out), STR("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20")));
    }
    check_case = "";
}

static void test_credentials(void **state UNUSED)
{
    static const struct {
        const char *name, *text;
        int r;
    } files[] = {
        { "as AWS's tools write it", "[default]\naws_access_key_id = AK\naws_secret_access_key=s/e+c\n", 0 },
        { "with a token",
          "# mine\naws_access_key_id=AK\naws_secret_access_key=s/e+c\naws_session_token=t==", 0 },
        { "no secret", "aws_access_key_id = AK\n", E_SYNTAX },
        { "twice", "aws_access_key_id=AK\naws_access_key_id=AK\naws_secret_access_key=s\n", E_SYNTAX },
        { "something else", "aws_access_key_id=AK\naws_secret_access_key=s\nregion=x\n", E_SYNTAX },
        { "a blank inside", "aws_access_key_id=A K\naws_secret_access_key=s\n", E_SYNTAX },
        { "nothing", "", E_SYNTAX },
    };
    struct s3_credentials c;

    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        check_case = files[i].name;
        memset(&c, 0, sizeof c);
        CHECK(s3_credentials_parse(str_from(files[i].text), &c) == files[i].r);
        CHECK(files[i].r < 0 ? !c.key_id[0] : strcmp(c.key_id, "AK") == 0 && strcmp(c.secret, "s/e+c") == 0);
    }
    check_case = "";
    s3_credentials_wipe(&c);
    CHECK(!c.secret[0]);
}

static void test_text(void **state UNUSED)
{
    CLEANUP(buf_release) struct buf out = { .max = KIB(1) };
    const struct s3_pair q[] = { { "uploads", "" }, { "a", "x y/z" }, { "B", "\xc3\xa4~" } };
    char date[S3_DATE_LEN + 1];

    CHECK(s3_encode(STR("/a b/c$"), true, &out) == 0 && str_eq_z(buf_str(&out), "/a%20b/c%24"));
    buf_clear(&out);
    CHECK(s3_query(q, 3, &out) == 0 && str_eq_z(buf_str(&out), "B=%C3%A4~&a=x%20y%2Fz&uploads="));
    s3_date(1369353600123, date);
    CHECK(strcmp(date, "20130524T000000Z") == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_published), cmocka_unit_test(test_credentials),
                                        cmocka_unit_test(test_text) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
