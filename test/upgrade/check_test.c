#include "src/store/check.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "src/store/index.h"
#include "test/upgrade/letters.h"
#include "test/upgrade/sample.h"
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAY_MS INT64_C(86400000)

static struct mailbox *box;
static struct check check;

static void open_box(void)
{
    struct mailbox_options o = { 0 };

    CHECK(mailbox_open(LETTERS_PATH, sample_key, &o, NULL, &box) == 0);
}

static void begin(void)
{
    sample_begin();
    letters_make();
    open_box();
    CHECK(letter_append(box, 7, "Sent", 0, NULL) == 0); /* the one with text of codec 4 */
    for (int r = 1; r > 0;)                             /* the text index, too */
        CHECK(mailbox_begin(box) == 0 && (r = mailbox_index_step(box, 1000)) >= 0 &&
              mailbox_commit(box) == 0);
}

static void end(void)
{
    CHECK(mailbox_close(&box) == 0);
    sample_end();
}

/* Past constraints, as damage would. */
static void spoil(const char *sql)
{
    sqlite3 *s = db_sqlite(mailbox_db(box));
    int before = sqlite3_total_changes(s);
    char *error = NULL;

    sqlite3_db_config(s, SQLITE_DBCONFIG_ENABLE_FKEY, 0, NULL);
    sqlite3_exec(s, "PRAGMA ignore_check_constraints=ON", NULL, NULL, NULL);
    if (sqlite3_exec(s, sql, NULL, NULL, &error) != SQLITE_OK)
        print_error("%s: %s\n", sql, error);
    CHECK(!error && sqlite3_total_changes(s) > before); /* what spoils nothing shows nothing */
    sqlite3_exec(s, "PRAGMA ignore_check_constraints=OFF", NULL, NULL, NULL);
    sqlite3_db_config(s, SQLITE_DBCONFIG_ENABLE_FKEY, 1, NULL);
}

static void run(bool whole, int64_t slice_ms)
{
    int r;

    check = (struct check){ .whole = whole };
    while ((r = mailbox_check(box, &check, slice_ms)) > 0)
        clock_fake_advance(1);
    CHECK(r == 0);
}

static bool has(const char *what)
{
    for (size_t i = 0; i < check.n; i++)
        if (strcmp(check.list[i].what, what) == 0)
            return true;
    return false;
}

static void test_clean(void **state)
{
    (void)state;
    for (int whole = 0; whole < 2; whole++) {
        begin();
        run(whole, whole ? 0 : 1);
        for (size_t i = 0; i < check.n; i++)
            print_error("%s: %s\n", check.list[i].what, check.list[i].detail);
        CHECK(check.found == 0 && check.emails == 6 && check.messages == 7 && check.folders == 7 + 1);
        CHECK(check.bytes > 300000);
        end();
    }
}

/* Every kind of damage is named, by the whole check and by the one in slices. */
static void test_damage(void **state)
{
    static const struct {
        const char *what, *sql, *detail;
    } rows[] = {
        { "foreign keys", "DELETE FROM folder WHERE name = 'Work/2026'",
          "a row of message (0) names one of folder that is not there" },
        { "counts", "UPDATE folder SET messages = 9 WHERE name = 'INBOX'",
          "folder 1 says 9 messages and 3391 bytes, has 3 and 3391" },
        { "threads", "UPDATE email SET noted = x'00' WHERE id = 1",
          "the message ids that email 1 noted are 1 bytes" },
        { "sizes", "UPDATE message SET bytes = bytes + 1 WHERE uid = 2 AND folder_id = 1", NULL },
        { "uids", "UPDATE folder SET uidnext = 2 WHERE name = 'INBOX'",
          "folder 1 gives UID 2 next and has 3" },
        { "recent", "UPDATE folder SET first_recent_uid = 100", NULL },
        { "uidvalidity", "UPDATE meta SET uidvalidity = 1", NULL },
        { "modseq", "UPDATE message SET modseq = 1000 WHERE uid = 1 AND folder_id = 1", NULL },
        { "vanished", "INSERT INTO vanished VALUES (1, 3, 2, 3)",
          "folder 1: UIDs 2 to 3 vanished at modseq 3, which cannot be" },
        { "heads", "UPDATE email SET top = NULL WHERE id = 1", "email 1 has no head" },
        { "bytes", "UPDATE email_raw SET data = x'00' WHERE id >> 16 = 2 AND part IS NULL", NULL },
        { "bytes", "DELETE FROM email_raw WHERE id >> 16 = 2 AND part IS NULL", NULL },
        { "structure", "UPDATE email SET structure_bytes = structure_bytes - 1 WHERE id = 1",
          "that of email 1 cannot be read" },
        { "parts", "UPDATE part SET refs = refs + 1", NULL },
        { "parts", "UPDATE part SET hash = zeroblob(32) WHERE id = 1", "1 are not what their hash says" },
        { "parts", "DELETE FROM part WHERE id = 1", NULL },
        { "raw rows without an email", "INSERT INTO email_raw VALUES (99 << 16, 0, 1, x'00', NULL, NULL)",
          NULL },
        { "text", "UPDATE email_raw SET codec = 1, data = x'00' WHERE part >= 0", NULL },
        { "text", "UPDATE email_raw SET like_bytes = like_bytes - 1 WHERE codec = 5 AND part = 0", NULL },
        { "text", "UPDATE email_raw SET like_bytes = like_bytes - 1 WHERE codec = 4", NULL },
        { "text", "UPDATE email_raw SET like_bytes = like_bytes / 2 WHERE codec = 5", NULL },
        { "index", "DELETE FROM search_index WHERE rowid = 1",
          "email 1 is neither in it nor waiting for it" },
        { "index",
          "UPDATE email_raw SET codec = 0, bytes = 9, data = CAST('zzqwxzzzz' AS BLOB) WHERE id >> 16 = 1 AND part >= 0",
          "the text of email 1 is not in it" },
        { "grams", "UPDATE email_grams SET bits = zeroblob(32) WHERE email_id = 1",
          "the text of email 1 has others" },
        { "grams", "INSERT INTO email_grams VALUES (99, zeroblob(16))",
          "those of email 99 are there, and it is not" },
        { "order", "DELETE FROM email_by_date WHERE email_id = 1", "email 1 is not found by its date" },
        { "order", "UPDATE message SET behind = 1 WHERE uid = 1 AND folder_id = 1",
          "message 1 in folder 1 is not found by its date" },
        { "order", "DELETE FROM email_by_thread WHERE email_id = 1", "email 1 is not found by its thread" },
        { "order", "INSERT INTO email_by_date VALUES ('x', 99)",
          "email 99 is found by a date or thread and not there" },
        { "junk", "UPDATE junk_model SET tokens = 1",
          "junk_model says 1 tokens and 0 senders, there are 0 and 0" },
        { "junk", "INSERT INTO junk_sender VALUES (1, 1, 0, 0)", NULL },
        { "junk", "DELETE FROM junk_model", "0 rows in junk_model" },
        { "orphans", "DELETE FROM message WHERE folder_id = (SELECT id FROM folder WHERE name = 'Work/2026')",
          "1, the first is 4" },
        { "body rows without an email", "INSERT INTO email_body VALUES (99 << 16, 0, 1, x'00')", NULL },
        { "text rows without an email", "INSERT INTO email_text VALUES (99 << 16, 0, 0, 1, x'00')", NULL },
        { "words without an email", "INSERT INTO email_words VALUES (99 << 16, 0, 0, 1, 0, x'00')", NULL },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        for (int whole = 0; whole < 2; whole++) {
            bool told = rows[i].detail == NULL;

            check_case = rows[i].sql;
            begin();
            spoil(rows[i].sql);
            run(whole, whole ? 0 : 1);
            for (size_t k = 0; k < check.n; k++)
                told |= rows[i].detail && strcmp(check.list[k].detail, rows[i].detail) == 0;
            if (!has(rows[i].what) || !told)
                for (size_t k = 0; k < check.n; k++)
                    print_error("%s: %s\n", check.list[k].what, check.list[k].detail);
            CHECK(has(rows[i].what) && told);
            end();
        }
    check_case = "";
}

/* One bit anywhere in the file: the page's tag tells. */
static void test_flipped(void **state)
{
    struct stat st;
    size_t told = 0;

    (void)state;
    for (int k = 1; k < 16; k++) {
        char byte;
        int fd = -1, r;

        begin();
        CHECK(mailbox_close(&box) == 0 && (fd = open(LETTERS_PATH, O_RDWR)) >= 0 && fstat(fd, &st) == 0);
        CHECK(pread(fd, &byte, 1, st.st_size * k / 16 + 77) == 1);
        byte ^= 16;
        CHECK(pwrite(fd, &byte, 1, st.st_size * k / 16 + 77) == 1 && close(fd) == 0);
        if ((r = mailbox_open(LETTERS_PATH, sample_key, &(struct mailbox_options){ 0 }, NULL, &box)) == 0) {
            run(k % 2 == 0, 0);
            told += has("pages") || has("bytes") || has("structure") || has("text");
        } else {
            told += r == E_CORRUPT;
        }
        end();
    }
    /* A page on the free list is not read by either; the whole check reads what is in use. */
    CHECK(told >= 13);
}

static void test_sweep(void **state)
{
    (void)state;
    begin();
    spoil("DELETE FROM message WHERE folder_id = (SELECT id FROM folder WHERE name = 'Work/2026');"
          "UPDATE folder SET messages = 0, bytes = 0 WHERE name = 'Work/2026';"
          "INSERT INTO email_body VALUES (99 << 16, 0, 1, x'00');"
          "INSERT INTO email_text VALUES (99 << 16, 0, 0, 1, x'00');"
          "INSERT INTO email_words VALUES (98 << 16, 0, 0, 1, 0, x'00')");
    run(true, 0);
    CHECK(check.orphans == 4 && check.found == 4);
    CHECK(mailbox_begin(box) == 0 && mailbox_sweep(box, 1) == 1 && mailbox_commit(box) == 0);
    CHECK(mailbox_begin(box) == 0 && mailbox_sweep(box, 100) == 3 && mailbox_commit(box) == 0);
    CHECK(mailbox_begin(box) == 0 && mailbox_sweep(box, 100) == 0 && mailbox_commit(box) == 0);
    run(true, 0);
    CHECK(check.found == 0);
    end();
}

static uint64_t messages(const char *folder)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(1) };
    Store__FoldersRequest q = STORE__FOLDERS_REQUEST__INIT;
    Store__FoldersResponse out = STORE__FOLDERS_RESPONSE__INIT;

    q.name = str_pb(str_from(folder));
    q.counts = true;
    CHECK(mailbox_folders(box, &a, &q, &out) == 0 && out.n_folders == 1);
    return out.folders[0]->messages;
}

/* What came into Trash long ago goes, by the change log; what came lately, or elsewhere, stays. */
static void test_retention(void **state)
{
    struct mailbox_change changes[4];
    int64_t limit;

    (void)state;
    begin();
    for (unsigned i = 0; i < 5; i++)
        CHECK(letter_append(box, 1 + i % 2, "Trash", 0, NULL) == 0);
    CHECK(letter_append(box, 1, "Junk", 0, NULL) == 0);
    clock_fake_advance(10 * DAY_MS);
    CHECK(letter_append(box, 3, "Trash", 0, NULL) == 0);
    mailbox_changes_take(box, changes, 4);
    limit = clock_wall_ms() - 10 * DAY_MS;
    CHECK(mailbox_begin(box) == 0);
    CHECK(mailbox_retain(box, STORE__SPECIAL_USE__USE_TRASH, limit, 3) == 0);
    CHECK(mailbox_retain(box, STORE__SPECIAL_USE__USE_TRASH, limit + 1, 3) == 3);
    CHECK(mailbox_retain(box, STORE__SPECIAL_USE__USE_TRASH, limit + 1, 3) == 2);
    CHECK(mailbox_retain(box, STORE__SPECIAL_USE__USE_TRASH, limit + 1, 3) == 0);
    CHECK(mailbox_commit(box) == 0);
    CHECK(mailbox_changes_take(box, changes, 4) == 1);
    CHECK(messages("Trash") == 1 && messages("Junk") == 1 && messages("INBOX") == 3);
    run(true, 0);
    CHECK(check.found == 0);
    end();
}

static int64_t pragma(const char *sql)
{
    int64_t v = -1;

    CHECK(db_get_i64(mailbox_db(box), sql, &v) == 0);
    return v;
}

static void test_shrink(void **state)
{
    int64_t before, rounds = 0;
    int r;

    (void)state;
    begin();
    spoil("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) "
          "INSERT INTO email_body SELECT (500 << 16) + i, 0, 4000, randomblob(4000) FROM n;"
          "DELETE FROM email_body WHERE id >> 16 = 500");
    before = pragma("PRAGMA page_count");
    CHECK(pragma("PRAGMA freelist_count") > 900);
    for (; (r = mailbox_shrink(box, 100)) > 0; rounds++)
        ;
    CHECK(r == 0 && rounds >= 6);
    CHECK(pragma("PRAGMA freelist_count") < SHRINK_LEAST && pragma("PRAGMA page_count") < before - 700);
    CHECK(pragma("PRAGMA secure_delete") == 1);
    run(true, 0);
    CHECK(check.found == 0);
    end();
}

static void test_dates(void **state)
{
    struct care_dates d,
        set = { .checked_ms = 1787000000001, .findings = 3, .step = 2, .cursor = 77, .found = 1 };

    (void)state;
    begin();
    CHECK(mailbox_care_get(box, &d) == 0 && d.checked_ms == 0 && d.step == 0);
    CHECK(mailbox_begin(box) == 0 && mailbox_care_set(box, &set) == 0 && mailbox_commit(box) == 0);
    CHECK(mailbox_care_get(box, &d) == 0 && d.checked_ms == set.checked_ms && d.created_ms == 1787000000000 &&
          d.findings == 3 && d.step == 2 && d.cursor == 77 && d.found == 1);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clean), cmocka_unit_test(test_damage),    cmocka_unit_test(test_flipped),
        cmocka_unit_test(test_sweep), cmocka_unit_test(test_retention), cmocka_unit_test(test_shrink),
        cmocka_unit_test(test_dates),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
