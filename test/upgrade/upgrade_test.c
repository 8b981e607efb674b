/* What every earlier version of each schema wrote is opened by today's program, and all is there. */
#include "test/upgrade/sample.h"
#include "lib/base/errors.h"
#include <stdio.h>

/* A file of every version but today's must be kept; today's is better kept than not. */
static void test_kept(void **state)
{
    bool lacking = false;

    (void)state;
    for (size_t i = 0; i < nsamples; i++)
        for (size_t v = 1; v < samples[i].set->n; v++) {
            CLEANUP(buf_release) struct buf text = { .max = MIB(64) };

            if (!dump_read(&samples[i], v, &text)) {
                lacking = true;
                print_error("test/data/schema/%s-%zu.sql is missing: run tools/schema-dump, look at what it "
                            "wrote, and commit it\n",
                            samples[i].name, v);
            }
        }
    CHECK(!lacking);
}

static void test_upgrade(void **state)
{
    char name[64];

    (void)state;
    for (size_t i = 0; i < nsamples; i++)
        for (size_t v = 1; v <= samples[i].set->n; v++) {
            CLEANUP(buf_release) struct buf text = { .max = MIB(64) };

            snprintf(name, sizeof name, "%s %zu", samples[i].name, v);
            check_case = name;
            if (!dump_read(&samples[i], v, &text))
                continue;
            sample_begin();
            dump_load(samples[i].path, buf_str(&text));
            samples[i].check();
            samples[i].check(); /* and once more, now that it is of today */
            sample_end();
            print_message("%s, version %zu: opened, and all is there\n", samples[i].name, v);
        }
    check_case = "";
}

/* The samples themselves, through text and back: else the test above proves little. */
static void test_round(void **state)
{
    (void)state;
    for (size_t i = 0; i < nsamples; i++) {
        CLEANUP(buf_release) struct buf text = { .max = MIB(64) };
        struct db_options o = { 0 };
        struct db *db = NULL;

        check_case = samples[i].name;
        sample_begin();
        samples[i].make();
        samples[i].check();
        CHECK(db_open(samples[i].path, sample_key, &o, &db) == 0);
        dump_write(db, &text);
        CHECK(db_close(&db) == 0);
        sample_end();
        sample_begin();
        dump_load(samples[i].path, buf_str(&text));
        samples[i].check();
        sample_end();
    }
    check_case = "";
}

/* A file of a newer program is refused, and not touched. */
static void test_newer(void **state)
{
    (void)state;
    for (size_t i = 0; i < nsamples; i++) {
        CLEANUP(buf_release) struct buf why = { .max = KIB(1) };
        struct migration_set older = *samples[i].set;
        struct db_options o = { 0 };
        struct db *db = NULL;

        check_case = samples[i].name;
        sample_begin();
        samples[i].make();
        CHECK(db_open(samples[i].path, sample_key, &o, &db) == 0);
        older.n--;
        CHECK(migrate_run(db, &older, &why) == E_VERSION);
        CHECK(str_starts(buf_str(&why), STR("written by a newer program: ")));
        CHECK(db_close(&db) == 0);
        samples[i].check();
        sample_end();
    }
    check_case = "";
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kept),
        cmocka_unit_test(test_upgrade),
        cmocka_unit_test(test_round),
        cmocka_unit_test(test_newer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
