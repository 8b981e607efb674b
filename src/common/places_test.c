#include "lib/base/test.h"
#include "lib/base/errors.h"
#include "src/common/places.h"

static struct arena a = { .max = KIB(256) };

static int parse(const char *text, struct places *out)
{
    CLEANUP(buf_release) struct buf why = { .max = 200 };
    int r = places_parse(str_from(text), &a, out, &why);

    CHECK((r == E_SYNTAX) == (why.n > 0));
    return r;
}

static void reads(void **state)
{
    CLEANUP(buf_release) struct buf out = { .max = KIB(4) };
    struct places p;

    (void)state;
    CHECK(parse("", &p) == 0 && p.n == 0);
    CHECK(parse("# two\n[example]\ntarget = s3://b/p\nendpoint = https://h\nregion=eu\nstyle = path\n"
                "aws_access_key_id = A\naws_secret_access_key = S\n\n[disk-2]\ntarget = /mnt/x\n",
                &p) == 0);
    CHECK(p.n == 2 && strcmp(p.rows[0].name, "example") == 0 && strcmp(p.rows[0].target, "s3://b/p") == 0);
    CHECK(strcmp(p.rows[0].endpoint, "https://h") == 0 && strcmp(p.rows[0].region, "eu") == 0 &&
          p.rows[0].path_style);
    CHECK(str_eq_z(p.rows[0].credentials, "aws_access_key_id = A\naws_secret_access_key = S\n"));
    CHECK(strcmp(p.rows[1].region, "auto") == 0 && place_is_folder(&p.rows[1]) && !p.rows[1].credentials.n);
    /* What does not dial gets no credentials, and reads the same names and targets. */
    CHECK(places_public(&p, &out) == 0 && str_find(buf_str(&out), STR("aws_")) < 0);
    CHECK(places_parse(buf_str(&out), &a, &p, NULL) == 0 && p.n == 2 &&
          strcmp(p.rows[1].target, "/mnt/x") == 0);
    arena_reset(&a);
}

static void refuses(void **state)
{
    static const char *const texts[] = {
        "target = /x\n",
        "[Upper]\ntarget = /x\n",
        "[default]\ntarget = /x\n",
        "[a]\ntarget = /x\n[a]\ntarget = /y\n",
        "[a]\n",
        "[a]\ntarget = relative\n",
        "[a]\ntarget = /x\nstyle = other\n",
        "[a]\ntarget = /x\nunknown = 1\n",
        "[a\ntarget = /x\n",
        "[a]\nnonsense\n",
    };
    struct places p;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        check_case = texts[i];
        CHECK(parse(texts[i], &p) == E_SYNTAX);
    }
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(reads), cmocka_unit_test(refuses) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
