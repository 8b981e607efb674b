/* What is counted is what is there, whatever happened: random changes, undone and given up ones too. */
#include "lib/base/test.h"
#include "lib/base/errors.h"
#include "src/store/quota.h"

static uint32_t seed = 88172645;

static uint32_t dice(uint32_t n)
{
    seed ^= seed << 13, seed ^= seed >> 17, seed ^= seed << 5;
    return seed % n;
}

static void recount(struct mailbox *box)
{
    int64_t bytes = 0, messages = 0, folders = 0;
    struct quota_count q;

    CHECK(db_get_i64(mailbox_db(box), "SELECT coalesce(sum(bytes), 0) FROM message", &bytes) == 0);
    CHECK(db_get_i64(mailbox_db(box), "SELECT count(*) FROM message", &messages) == 0);
    CHECK(db_get_i64(mailbox_db(box), "SELECT count(*) FROM folder", &folders) == 0);
    CHECK(mailbox_quota_get(box, &q) == 0);
    CHECK(q.used == (uint64_t)bytes && q.messages == (uint64_t)messages && q.folders == (uint64_t)folders);
}

static int append(struct mailbox *box, size_t bytes, bool accepted)
{
    static const char text[4096] = "Subject: x\r\n\r\n";
    struct bytes_mem message;
    struct email_in e = { .header_bytes = 14 };
    struct placement at = { .folder = STR("INBOX"), .internal_ms = 1, .accepted = accepted };
    Store__AppendResponse out = STORE__APPEND_RESPONSE__INIT;

    e.message = bytes_mem_init(&message, str_of(text, bytes));
    return mailbox_append(box, &e, &at, &out);
}

static int change(struct mailbox *box, struct arena *a)
{
    static const char *const names[] = { "INBOX", "Archive", "Work", "Sent" };
    Store__CopyRequest copy = STORE__COPY_REQUEST__INIT;
    Store__CopyResponse copied = STORE__COPY_RESPONSE__INIT;
    Store__ExpungeRequest expunge = STORE__EXPUNGE_REQUEST__INIT;
    Store__ExpungeResponse expunged = STORE__EXPUNGE_RESPONSE__INIT;
    Store__FlagStoreRequest flags = STORE__FLAG_STORE_REQUEST__INIT;
    Store__FlagStoreResponse flagged = STORE__FLAG_STORE_RESPONSE__INIT;
    Store__FolderRequest folder = STORE__FOLDER_REQUEST__INIT;
    Store__FoldersResponse made = STORE__FOLDERS_RESPONSE__INIT;
    Store__RenameRequest rename = STORE__RENAME_REQUEST__INIT;
    uint32_t first = 1 + dice(20), range[2] = { first, first + dice(6) };

    copy.folder_id = flags.folder_id = expunge.folder_id = 1 + dice(4);
    copy.uid_ranges = flags.uid_ranges = range;
    copy.n_uid_ranges = flags.n_uid_ranges = 2;
    copy.to = folder.name = str_pb(str_from(names[dice(4)]));
    switch (dice(9)) {
    case 0:
    case 1:
    case 2: return append(box, 14 + dice(4000), dice(4) == 0);
    case 3: copy.move = true; return mailbox_copy(box, a, &copy, &copied);
    case 4: return mailbox_copy(box, a, &copy, &copied);
    case 5:
        flags.mode = STORE__FLAG_STORE_REQUEST__MODE__ADD;
        flags.flags = 4;
        return mailbox_flag_store(box, a, &flags, &flagged);
    case 6: return mailbox_expunge(box, a, &expunge, &expunged);
    case 7:
        return dice(2) ? mailbox_folder_create(box, a, &folder, &made) : mailbox_folder_delete(box, &folder);
    default:
        rename.from = str_pb(STR("INBOX"));
        rename.to = str_pb(STR("Old"));
        folder.name = rename.to;
        return dice(4) ? mailbox_folder_delete(box, &folder) : mailbox_folder_rename(box, &rename);
    }
}

static void test_counts(void **state)
{
    struct mailbox *box = NULL;

    (void)state;
    CHECK(mailbox_open_memory(&box) == 0);
    for (int i = 0; i < 1500; i++) {
        struct arena a = { .max = MIB(1) };

        CHECK(mailbox_begin(box) == 0);
        for (uint32_t n = 1 + dice(3); n > 0; n--) {
            CHECK(mailbox_step_begin(box) == 0);
            if (change(box, &a) < 0 || dice(5) == 0)
                mailbox_step_undo(box);
            else
                CHECK(mailbox_step_keep(box) == 0);
        }
        if (dice(6) == 0)
            mailbox_rollback(box);
        else
            CHECK(mailbox_commit(box) == 0);
        recount(box);
        arena_release(&a);
    }
    mailbox_close(&box);
}

static void test_admit(void **state)
{
    struct quota_count q = { .leased = 1000, .limited = true };
    struct mailbox *box = NULL;

    (void)state;
    CHECK(mailbox_open_memory(&box) == 0);
    CHECK(mailbox_begin(box) == 0);
    CHECK(append(box, 600, false) == 0); /* nobody limits it */
    mailbox_quota_hint(box);
    CHECK(append(box, 100, false) == E_QUOTA && mailbox_quota_short(box) == 100);
    CHECK(mailbox_quota_set(box, &q) == 0);
    CHECK(append(box, 401, false) == E_QUOTA && append(box, 400, false) == 0);
    CHECK(append(box, 300, true) == 0); /* it was accepted: its share of the lease comes along */
    CHECK(mailbox_quota_get(box, &q) == 0 && q.used == 1300 && q.leased == 1300);
    CHECK(append(box, 14, false) == E_QUOTA);
    CHECK(mailbox_commit(box) == 0);
    recount(box);
    mailbox_close(&box);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_counts), cmocka_unit_test(test_admit) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
