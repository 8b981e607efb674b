#include "lib/base/test.h"
#include "lib/base/errors.h"
#include "src/store/receipt.h"
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static char dir[64];
static struct files files = { .dir = -1 };
static const uint8_t id[MAILBOX_ID_LEN] = { 1, 2, 3 };

static int setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/letterlock-test-XXXXXX");
    return mkdtemp(dir) && (files.dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) >= 0 ? 0 : -1;
}

static int teardown(void **state)
{
    char command[128];

    (void)state;
    close(files.dir);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

static void is(struct receipt *r, const char *want)
{
    CLEANUP(buf_release) struct buf text = { .max = KIB(2) };
    size_t n, k = 0;

    for (const struct receipt_line *l = receipt_lines(r, &n); l; l = l->next, k++)
        CHECK(buf_printf(&text, "%s%s:%s:%llu", k ? " " : "", l->where, l->name,
                         (unsigned long long)l->bytes) == 0);
    check_case = want;
    CHECK(k == n && str_eq_z(buf_str(&text), want));
}

/* Cut off in the middle: who ends it says what those before removed, too. */
static void goes_on(void **state)
{
    struct receipt *r = NULL;

    (void)state;
    CHECK(receipt_open(&files, id, &r) == 0);
    is(r, "");
    receipt_plan(r, "backups", "a/keys", 7);
    receipt_plan(r, "backups", "a/1.sqlite", 100);
    receipt_plan(r, "data", "m", 50);
    receipt_plan(r, "data", "m-wal", 0);
    receipt_plan(r, "data", "m", 50);
    CHECK(receipt_settle(r) == 0);
    receipt_told(r, "backups", "a/keys version v2", 7);
    receipt_told(r, "backups", "a/keys version v1", 6);
    receipt_told(r, "data", "m", 50);
    receipt_told(r, "backups", "a/1.sqlite", 100);
    is(r,
       "backups:a/keys version v2:7 backups:a/keys version v1:6 data:m:50 backups:a/1.sqlite:100 data:m-wal:0");
    receipt_free(&r);

    CHECK(receipt_open(&files, id, &r) == 0); /* killed after the first two were gone */
    receipt_plan(r, "data", "m", 50);
    receipt_plan(r, "backups", "a/2.part", 9); /* new since */
    CHECK(receipt_settle(r) == 0);
    receipt_told(r, "data", "m", 50);
    receipt_told(r, "backups", "a/2.part", 9);
    is(r, "backups:a/keys:7 backups:a/1.sqlite:100 data:m-wal:0 data:m:50 backups:a/2.part:9");
    receipt_free(&r);
    CHECK(receipts_remove_old(&files, 0) == 0);
    CHECK(receipts_remove_old(&files, INT64_C(1) << 52) == 1);
    CHECK(receipt_open(&files, id, &r) == 0);
    is(r, "");
    receipt_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(goes_on) };

    return cmocka_run_group_tests(tests, setup, teardown);
}
