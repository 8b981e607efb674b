#include "lib/base/test.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/rand.h"
#include "src/store/backup.h"

#define DAY  INT64_C(86400000)
#define NOON INT64_C(1787054400000) /* a Tuesday: 2026-08-18T12:00:00Z */

static void check_rule(const char *name, struct backup_rule rule, const int *days_ago, size_t n,
                       const char *kept)
{
    int64_t taken[400] = { 0 };
    bool keep[400];
    char got[401] = "";

    check_case = name;
    for (size_t i = 0; i < n; i++)
        taken[i] = NOON - days_ago[i] * DAY - (int64_t)i;
    backup_rule_apply(&rule, taken, n, keep);
    for (size_t i = 0; i < n; i++)
        got[i] = keep[i] ? 'x' : '.';
    CHECK(strcmp(got, kept) == 0);
    check_case = "";
}

static void test_rule(void **state UNUSED)
{
    const struct backup_rule usual = { 7, 4, 6 }, none = { 0, 0, 0 }, days = { 2, 0, 0 }, weeks = { 0, 2, 0 };
    int every[300];

    check_rule("none there", usual, NULL, 0, "");
    check_rule("only the last", none, (int[]){ 0, 1, 2 }, 3, "x..");
    check_rule("the last of a day", days, (int[]){ 0, 0, 0, 1, 1, 2 }, 6, "x..x..");
    check_rule("days that have one", days, (int[]){ 3, 90, 200 }, 3, "xx.");
    check_rule("weeks begin on Monday", weeks, (int[]){ 0, 1, 2, 8, 9 }, 5, "x.x..");
    for (int i = 0; i < 300; i++)
        every[i] = i;
    {
        int64_t taken[300];
        bool keep[300];
        size_t n = 0;

        for (int i = 0; i < 300; i++)
            taken[i] = NOON - every[i] * DAY;
        backup_rule_apply(&usual, taken, 300, keep);
        for (int i = 0; i < 300; i++)
            n += keep[i];
        CHECK(keep[0] && keep[6] && !keep[7]);
        CHECK(n >= 7 + 3 + 4 && n <= 7 + 4 + 6);
    }
}

static void info_make(struct backup_info *i)
{
    *i = (struct backup_info){ .taken_ms = NOON, .changes = 42, .bytes = 123456, .generation = 3 };
    rand_bytes(i->id, sizeof i->id);
    rand_bytes(i->mailbox, sizeof i->mailbox);
    rand_bytes(i->hash, sizeof i->hash);
}

static void test_info(void **state UNUSED)
{
    CLEANUP(buf_release) struct buf text = { .max = KIB(4) };
    struct backup_info i, back;
    char version_1[KIB(4)];
    uint8_t key[KEY_BYTES], other[KEY_BYTES], service[KEY_BYTES];

    info_make(&i);
    i.hashed = FILEHASH_SHA256;
    rand_bytes(key, sizeof key);
    rand_bytes(other, sizeof other);
    rand_bytes(service, sizeof service);
    CHECK(backup_info_text(&i, key, service, &text) == 0);
    CHECK(backup_info_parse(buf_str(&text), &back) == 0 && memcmp(&i, &back, sizeof i) == 0);
    CHECK(backup_info_verify(&back, key) == 0 && backup_info_verify(&back, other) == E_CORRUPT);
    CHECK(backup_info_ours(&back, service) && !backup_info_ours(&back, key));
    back.taken_ms++;
    CHECK(backup_info_verify(&back, key) == E_CORRUPT && !backup_info_ours(&back, service));
    for (size_t n = 0; n < text.n; n++) /* cut anywhere: never taken for whole */
        CHECK(backup_info_parse(str_of(text.p, n), &back) == E_CORRUPT);
    for (size_t n = 0; n < text.n; n++) { /* and no changed byte passes both */
        CLEANUP(buf_release) struct buf bad = { .max = KIB(4) };

        CHECK(buf_puts(&bad, buf_str(&text)) == 0);
        bad.p[n] ^= 1;
        CHECK(backup_info_parse(buf_str(&bad), &back) < 0 || backup_info_verify(&back, key) < 0);
    }
    CHECK(str_starts(buf_str(&text), STR("letterlock backup 3\n")) && strstr(buf_z(&text), "\nsha256 "));
    CHECK(backup_info_parse(STR("letterlock backup 4\nwhatever\n"), &back) == E_VERSION);
    buf_clear(&text); /* as it was written before */
    CHECK(backup_info_text(&i, key, NULL, &text) == 0 &&
          str_starts(buf_str(&text), STR("letterlock backup 2\n")));
    CHECK(backup_info_parse(buf_str(&text), &back) == 0 && backup_info_verify(&back, key) == 0 &&
          !backup_info_ours(&back, service));
    memset(i.service, 0, sizeof i.service);
    i.hashed = FILEHASH_BLAKE2B; /* as it was written before */
    buf_clear(&text);
    CHECK(backup_info_text(&i, key, NULL, &text) == 0);
    CHECK(backup_info_parse(buf_str(&text), &back) == 0 && memcmp(&i, &back, sizeof i) == 0);
    CHECK(str_starts(buf_str(&text), STR("letterlock backup 1\n")) && strstr(buf_z(&text), "\nhash "));
    snprintf(version_1, sizeof version_1, "letterlock backup 2%s",
             buf_z(&text) + 19); /* a name that is the other one's */
    CHECK(backup_info_parse(str_from(version_1), &back) == E_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_rule), cmocka_unit_test(test_info) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
