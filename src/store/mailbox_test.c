#include "lib/base/test.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/hex.h"
#include "lib/base/rand.h"
#include "src/store/index.h"
#include "src/store/chunk.h"
#include "src/store/mailbox.h"
#include <unistd.h>

#define AT(name) str_pb(STR(name))

static struct mailbox *box;
static struct arena arena = { .max = MIB(64) };

static int setup(void **state)
{
    (void)state;
    clock_fake(INT64_C(1787000000000));
    return mailbox_open_memory(&box);
}

static int teardown(void **state)
{
    (void)state;
    mailbox_close(&box);
    arena_release(&arena);
    clock_real();
    return 0;
}

/* Append with body text = the body itself, already "folded". */
static int append_as(const char *folder, struct str header, struct str body, uint32_t flags, char **keywords,
                     size_t nkeywords, const char *message_id, Store__AppendResponse *out)
{
    CLEANUP(buf_release) struct buf lines = { .max = MIB(1) };
    struct bytes_mem msg, text;
    struct bytes_cat whole, all_text;
    struct email_in e = { .header_bytes = header.n,
                          .structure = STR("structure"),
                          .has_sent = true,
                          .sent_ms = clock_wall_ms() - 1000,
                          .message_id = str_from(message_id) };
    struct placement at = { .folder = str_from(folder),
                            .flags = flags,
                            .keywords = keywords,
                            .nkeywords = nkeywords,
                            .internal_ms = clock_wall_ms() };
    int r;

    for (size_t i = 0; i < header.n; i++)
        if (header.p[i] != '\r' && buf_putc(&lines, ascii_lower(header.p[i])) < 0)
            return E_NOMEM;
    e.message = bytes_cat_init(&whole, header, bytes_mem_init(&msg, body));
    e.text = bytes_cat_init(&all_text, buf_str(&lines), bytes_mem_init(&text, body));
    e.text_header_bytes = lines.n;
    if ((r = mailbox_begin(box)) < 0 || (r = mailbox_append(box, &e, &at, out)) < 0) {
        mailbox_rollback(box);
        return r;
    }
    return mailbox_commit(box);
}

static uint32_t append(const char *folder, const char *body)
{
    Store__AppendResponse out = STORE__APPEND_RESPONSE__INIT;

    CHECK(append_as(folder, STR("Subject: hello\r\nX-Y: z\r\n\r\n"), str_from(body), 0, NULL, 0, NULL,
                    &out) == 0);
    return out.uid;
}

static const Store__Folder *folder_named(const char *name, bool counts)
{
    Store__FoldersRequest q = STORE__FOLDERS_REQUEST__INIT;
    Store__FoldersResponse *r = ARENA_NEW(&arena, Store__FoldersResponse);

    store__folders_response__init(r);
    q.name = str_pb(str_from(name));
    q.counts = counts;
    return mailbox_folders(box, &arena, &q, r) == 0 ? r->folders[0] : NULL;
}

/* Everything FETCH says of these UIDs: rows counted, bytes gathered. */
static size_t fetch_all(uint64_t folder, uint32_t *ranges, size_t n, uint32_t want, uint64_t offset,
                        uint64_t length, size_t room, struct buf *bytes, Store__Row **last_row)
{
    CLEANUP(buf_release) struct buf out = { .max = MIB(4) };
    Store__FetchRequest q = STORE__FETCH_REQUEST__INIT;
    struct fetch f;
    size_t rows = 0;
    int r;

    q.folder_id = folder;
    q.uid_ranges = ranges;
    q.n_uid_ranges = n;
    q.want = want;
    q.offset = offset;
    q.length = length;
    CHECK(fetch_init(&f, &q) == 0);
    do {
        size_t at = 0;

        buf_clear(&out);
        r = mailbox_fetch(box, &f, room, &out);
        CHECK(r >= 0);
        CHECK(out.n <= room + KIB(64) + 5000);
        while (at < out.n) {
            uint32_t len = le32_get((const uint8_t *)out.p + at + 1);

            if (out.p[at] == 1) {
                rows++;
                if (last_row)
                    CHECK((*last_row = store__row__unpack(NULL, len, (const uint8_t *)out.p + at + 5)) !=
                          NULL);
            } else {
                CHECK(len <= KIB(64) && buf_append(bytes, out.p + at + 5, len) == 0);
            }
            at += 5 + len;
        }
        CHECK(at == out.n);
    } while (r > 0);
    fetch_release(&f);
    return rows;
}

static void test_defaults(void **state)
{
    Store__FoldersRequest q = STORE__FOLDERS_REQUEST__INIT;
    Store__FoldersResponse r = STORE__FOLDERS_RESPONSE__INIT;
    static const char *const names[] = { "INBOX", "Archive", "Drafts", "Junk", "Sent", "Trash" };

    (void)state;
    CHECK(mailbox_folders(box, &arena, &q, &r) == 0);
    CHECK(r.n_folders == 6);
    for (size_t i = 0; i < 6; i++)
        CHECK(str_eq_z(pb_str(r.folders[i]->name), names[i]) && r.folders[i]->subscribed &&
              !r.folders[i]->noselect);
    CHECK(r.folders[4]->special_use == STORE__SPECIAL_USE__USE_SENT);
    CHECK(r.folders[0]->uidvalidity != r.folders[1]->uidvalidity);
}

static void test_append_and_bytes(void **state)
{
    static const size_t sizes[] = { 0, 1, 100, KIB(64), KIB(256) - 26, KIB(256), KIB(256) + 1, MIB(1) + 77 };
    const Store__Folder *inbox = folder_named("INBOX", false);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
        for (int kind = 0; kind < 2; kind++) {
            CLEANUP(buf_release) struct buf body = { .max = MIB(4) }, got = { .max = MIB(4) };
            struct str header = STR("Subject: hello\r\nFrom: x\r\n\r\n");
            Store__AppendResponse out = STORE__APPEND_RESPONSE__INIT;
            Store__Row *row = NULL;
            uint32_t range[2];

            CHECK(buf_reserve(&body, sizes[i] + 1));
            if (kind == 0)
                rand_bytes(body.p, sizes[i]);
            for (size_t k = 0; kind == 1 && k < sizes[i]; k++)
                body.p[k] = "lorem ipsum dolor sit amet\r\n"[k % 28];
            body.n = sizes[i];
            CHECK(append_as("INBOX", header, buf_str(&body), 0, NULL, 0, NULL, &out) == 0);
            range[0] = range[1] = out.uid;
            CHECK(fetch_all(inbox->id, range, 2,
                            STORE__WANT__BODY | STORE__WANT__META | STORE__WANT__STRUCTURE, 0, 0, KIB(256),
                            &got, &row) == 1);
            CHECK(row->bytes == header.n + body.n && row->header_bytes == header.n &&
                  row->data_bytes == got.n);
            CHECK(str_eq(pb_str(row->structure), STR("structure")));
            CHECK(row->email_id.len == 25 && row->thread_id.len == 25);
            store__row__free_unpacked(row, NULL);
            CHECK(got.n == header.n + body.n && memcmp(got.p, header.p, header.n) == 0);
            CHECK(body.n == 0 || memcmp(got.p + header.n, body.p, body.n) == 0);
            if (body.n > 300) { /* part of it */
                buf_clear(&got);
                fetch_all(inbox->id, range, 2, STORE__WANT__BODY, header.n + body.n / 2, 200, 1000, &got,
                          NULL);
                CHECK(got.n == 200 && memcmp(got.p, body.p + body.n / 2, 200) == 0);
            }
            buf_clear(&got);
            fetch_all(inbox->id, range, 2, STORE__WANT__HEADER, 0, 0, KIB(256), &got, NULL);
            CHECK(str_eq(buf_str(&got), header));
        }
}

static void test_large_header(void **state)
{
    CLEANUP(buf_release) struct buf header = { .max = MIB(4) }, got = { .max = MIB(4) };
    Store__AppendResponse out = STORE__APPEND_RESPONSE__INIT;
    uint32_t range[2];

    (void)state;
    while (header.n < KIB(600))
        CHECK(buf_printf(&header, "X-Field-%zu: value\r\n", header.n) == 0);
    CHECK(buf_putz(&header, "\r\n") == 0);
    CHECK(append_as("INBOX", buf_str(&header), STR("body"), 0, NULL, 0, NULL, &out) == 0);
    range[0] = range[1] = out.uid;
    fetch_all(folder_named("INBOX", false)->id, range, 2, STORE__WANT__BODY, 0, 0, KIB(64), &got, NULL);
    CHECK(got.n == header.n + 4 && memcmp(got.p, header.p, header.n) == 0);
}

static void test_select_and_recent(void **state)
{
    Store__SelectRequest q = STORE__SELECT_REQUEST__INIT;
    Store__SelectResponse r = STORE__SELECT_RESPONSE__INIT;
    char *kw[] = { "$Forwarded", "work" };
    Store__AppendResponse out = STORE__APPEND_RESPONSE__INIT;

    (void)state;
    append("INBOX", "one");
    CHECK(append_as("INBOX", STR("A: b\r\n\r\n"), STR("two"), STORE__FLAG__SEEN, kw, 2, NULL, &out) == 0);
    q.name = AT("INBOX");
    q.read_only = true;
    CHECK(mailbox_select(box, &arena, &q, &r) == 0);
    CHECK(r.n_uid_ranges == 2 && r.uid_ranges[0] == 1 && r.uid_ranges[1] == 2);
    CHECK(r.n_recent_ranges == 2 && r.first_unseen_uid == 1 && r.n_keywords == 2);
    CHECK(r.folder->messages == 2 && r.folder->unseen == 1 && r.folder->recent == 2);
    q.read_only = false;
    store__select_response__init(&r);
    CHECK(mailbox_select(box, &arena, &q, &r) == 0 && r.n_recent_ranges == 2);
    append("INBOX", "three"); /* its commit writes the claim */
    store__select_response__init(&r);
    CHECK(mailbox_select(box, &arena, &q, &r) == 0 && r.n_recent_ranges == 2 && r.recent_ranges[0] == 3);
}

static void test_flags(void **state)
{
    Store__FlagStoreRequest q = STORE__FLAG_STORE_REQUEST__INIT;
    Store__FlagStoreResponse r = STORE__FLAG_STORE_RESPONSE__INIT;
    uint32_t ranges[] = { 1, 3 };
    char *kw[] = { "Work" }, *other[] = { "x" };
    uint64_t first;
    Store__Row *row = NULL;
    CLEANUP(buf_release) struct buf none = { .max = 1 };

    (void)state;
    for (int i = 0; i < 3; i++)
        append("INBOX", "m");
    q.folder_id = folder_named("INBOX", false)->id;
    q.uid_ranges = ranges;
    q.n_uid_ranges = 2;
    q.mode = STORE__FLAG_STORE_REQUEST__MODE__ADD;
    q.flags = STORE__FLAG__SEEN;
    q.keywords = kw;
    q.n_keywords = 1;
    CHECK(mailbox_begin(box) == 0 && mailbox_flag_store(box, &arena, &q, &r) == 0 &&
          mailbox_commit(box) == 0);
    first = r.highest_modseq;
    CHECK(mailbox_begin(box) == 0 && mailbox_flag_store(box, &arena, &q, &r) == 0 &&
          mailbox_commit(box) == 0);
    CHECK(r.highest_modseq == first); /* nothing changed */
    q.mode = STORE__FLAG_STORE_REQUEST__MODE__SET;
    q.flags = STORE__FLAG__FLAGGED;
    q.keywords = other;
    ranges[0] = ranges[1] = 2;
    CHECK(mailbox_begin(box) == 0 && mailbox_flag_store(box, &arena, &q, &r) == 0 &&
          mailbox_commit(box) == 0);
    CHECK(r.highest_modseq == first + 1);
    fetch_all(q.folder_id, ranges, 2, 0, 0, 0, KIB(4), &none, &row);
    CHECK(row->flags == STORE__FLAG__FLAGGED && row->n_keywords == 1 && strcmp(row->keywords[0], "x") == 0);
    CHECK(row->modseq == first + 1);
    store__row__free_unpacked(row, NULL);
    ranges[0] = 1; /* UNCHANGEDSINCE leaves out the second */
    ranges[1] = 3;
    q.has_unchanged_since = true;
    q.unchanged_since = first;
    CHECK(mailbox_begin(box) == 0 && mailbox_flag_store(box, &arena, &q, &r) == 0 &&
          mailbox_commit(box) == 0);
    CHECK(r.n_modified_ranges == 2 && r.modified_ranges[0] == 2 && r.modified_ranges[1] == 2);
}

static int64_t rows_in(const char *sql)
{
    int64_t n = -1;

    CHECK(db_get_i64(mailbox_db(box), sql, &n) == 0);
    return n;
}

static void test_copy_move_expunge(void **state)
{
    Store__CopyRequest q = STORE__COPY_REQUEST__INIT;
    Store__CopyResponse r = STORE__COPY_RESPONSE__INIT;
    Store__ExpungeRequest xq = STORE__EXPUNGE_REQUEST__INIT;
    Store__ExpungeResponse xr = STORE__EXPUNGE_RESPONSE__INIT;
    char *kw[] = { "k" };
    Store__AppendResponse out = STORE__APPEND_RESPONSE__INIT;
    uint32_t ranges[] = { 1, 1, 3, UINT32_MAX };
    uint64_t inbox = folder_named("INBOX", false)->id, archive = folder_named("Archive", false)->id;

    (void)state;
    for (int i = 0; i < 3; i++)
        append("INBOX", "mmm");
    CHECK(append_as("INBOX", STR("A: b\r\n\r\n"), STR("two"), STORE__FLAG__DELETED, kw, 1, NULL, &out) == 0);
    q.folder_id = inbox;
    q.uid_ranges = ranges;
    q.n_uid_ranges = 4;
    q.to = AT("Archive");
    CHECK(mailbox_begin(box) == 0 && mailbox_copy(box, &arena, &q, &r) == 0 && mailbox_commit(box) == 0);
    CHECK(r.n_from_ranges == 4 && r.from_ranges[2] == 3 && r.from_ranges[3] == 4);
    CHECK(r.n_to_ranges == 2 && r.to_ranges[0] == 1 && r.to_ranges[1] == 3);
    CHECK(rows_in("SELECT count(*) FROM email") == 4 && rows_in("SELECT count(*) FROM message") == 7);
    q.move = true;
    q.to = AT("INBOX"); /* within the folder: new UIDs */
    store__copy_response__init(&r);
    CHECK(mailbox_begin(box) == 0 && mailbox_copy(box, &arena, &q, &r) == 0 && mailbox_commit(box) == 0);
    CHECK(r.n_to_ranges == 2 && r.to_ranges[0] == 5 && r.to_ranges[1] == 7);
    CHECK(folder_named("INBOX", true)->messages == 4 && folder_named("INBOX", true)->deleted == 1);
    xq.folder_id = inbox;
    CHECK(mailbox_begin(box) == 0 && mailbox_expunge(box, &arena, &xq, &xr) == 0 && mailbox_commit(box) == 0);
    CHECK(xr.n_vanished_ranges == 2 && xr.vanished_ranges[0] == 7);
    CHECK(rows_in("SELECT count(*) FROM email") == 4); /* the copy in Archive keeps it */
    xq.folder_id = archive;
    CHECK(mailbox_begin(box) == 0 && mailbox_expunge(box, &arena, &xq, &xr) == 0 && mailbox_commit(box) == 0);
    CHECK(rows_in("SELECT count(*) FROM email") == 3 &&
          rows_in("SELECT count(*) FROM email_raw WHERE part IS NULL") == 3);
    CHECK(rows_in("SELECT count(*) FROM message_keyword") == 0);
    CHECK(rows_in("SELECT count(top) FROM email") == 3 &&
          rows_in("SELECT count(*) FROM email_raw WHERE part >= 0") == 6);
}

/* SQLite gives the highest id again when its email went: it waits for the index once more. */
static void test_id_again(void **state)
{
    Store__ExpungeRequest xq = STORE__EXPUNGE_REQUEST__INIT;
    Store__ExpungeResponse xr = STORE__EXPUNGE_RESPONSE__INIT;
    Store__AppendResponse out = STORE__APPEND_RESPONSE__INIT;
    uint64_t waiting = 9;

    (void)state;
    append("INBOX", "one");
    CHECK(append_as("INBOX", STR("A: b\r\n\r\n"), STR("two"), STORE__FLAG__DELETED, NULL, 0, NULL, &out) ==
          0);
    CHECK(mailbox_index_waiting(box, &waiting) == 0 && waiting == 2 &&
          rows_in("SELECT count(*) FROM unindexed") == 0);
    CHECK(mailbox_begin(box) == 0 && mailbox_index_step(box, 1000) == 2 && mailbox_commit(box) == 0);
    CHECK(mailbox_index_waiting(box, &waiting) == 0 && waiting == 0);
    xq.folder_id = folder_named("INBOX", false)->id;
    CHECK(mailbox_begin(box) == 0 && mailbox_expunge(box, &arena, &xq, &xr) == 0 && mailbox_commit(box) == 0);
    CHECK(rows_in("SELECT count(*) FROM search_index_docsize") == 1);
    append("INBOX", "three");
    CHECK(rows_in("SELECT max(id) FROM email") == 2 && rows_in("SELECT indexed_upto FROM meta") == 2);
    CHECK(mailbox_index_waiting(box, &waiting) == 0 && waiting == 1 &&
          rows_in("SELECT count(*) FROM unindexed") == 1);
    CHECK(mailbox_begin(box) == 0 && mailbox_index_step(box, 1000) == 1 && mailbox_commit(box) == 0);
    CHECK(mailbox_index_waiting(box, &waiting) == 0 && waiting == 0 &&
          rows_in("SELECT count(*) FROM unindexed") == 0);
    CHECK(rows_in("SELECT count(*) FROM search_index_docsize") == 2 &&
          rows_in("SELECT count(*) FROM email_by_thread") == 2);
}

static Store__SyncResponse *sync_since(uint64_t folder, uint64_t since, uint32_t limit)
{
    Store__SyncRequest q = STORE__SYNC_REQUEST__INIT;
    Store__SyncResponse *r = ARENA_NEW(&arena, Store__SyncResponse);

    store__sync_response__init(r);
    q.folder_id = folder;
    q.since_modseq = since;
    q.limit = limit;
    CHECK(mailbox_sync(box, &arena, &q, true, r) == 0);
    return r;
}

static void test_sync(void **state)
{
    Store__FlagStoreRequest q = STORE__FLAG_STORE_REQUEST__INIT;
    Store__FlagStoreResponse fr = STORE__FLAG_STORE_RESPONSE__INIT;
    Store__ExpungeRequest xq = STORE__EXPUNGE_REQUEST__INIT;
    Store__ExpungeResponse xr = STORE__EXPUNGE_RESPONSE__INIT;
    uint32_t ranges[] = { 2, 2 };
    uint64_t inbox = folder_named("INBOX", false)->id, since;
    Store__SyncResponse *r;

    (void)state;
    for (int i = 0; i < 4; i++)
        append("INBOX", "m");
    since = folder_named("INBOX", false)->highest_modseq;
    append("INBOX", "new");
    q.folder_id = inbox;
    q.uid_ranges = ranges;
    q.n_uid_ranges = 2;
    q.mode = STORE__FLAG_STORE_REQUEST__MODE__ADD;
    q.flags = STORE__FLAG__DELETED;
    CHECK(mailbox_begin(box) == 0 && mailbox_flag_store(box, &arena, &q, &fr) == 0 &&
          mailbox_commit(box) == 0);
    r = sync_since(inbox, since, 0);
    CHECK(r->n_changed == 1 && r->changed[0]->uid == 2 && r->n_added_ranges == 2 && r->added_ranges[0] == 5);
    CHECK(r->n_recent_ranges == 2 && r->n_vanished_ranges == 0 && !r->more && r->highest_modseq == since + 2);
    CHECK(sync_since(inbox, since, 0)->n_recent_ranges == 0);
    r = sync_since(inbox, since, 1); /* stops behind the first change */
    CHECK(r->more && r->highest_modseq == since + 1 && r->n_added_ranges == 2 && r->n_changed == 0);
    r = sync_since(inbox, r->highest_modseq, 1);
    CHECK(!r->more && r->n_changed == 1 && r->n_added_ranges == 0);
    xq.folder_id = inbox;
    CHECK(mailbox_begin(box) == 0 && mailbox_expunge(box, &arena, &xq, &xr) == 0 && mailbox_commit(box) == 0);
    r = sync_since(inbox, since, 0);
    CHECK(r->n_vanished_ranges == 2 && r->vanished_ranges[0] == 2 && r->n_changed == 0);
    CHECK(sync_since(999, 1, 0)->gone);
}

static void test_vanished_bound(void **state)
{
    Store__FlagStoreRequest q = STORE__FLAG_STORE_REQUEST__INIT;
    Store__FlagStoreResponse fr = STORE__FLAG_STORE_RESPONSE__INIT;
    Store__ExpungeRequest xq = STORE__EXPUNGE_REQUEST__INIT;
    Store__ExpungeResponse xr = STORE__EXPUNGE_RESPONSE__INIT;
    uint32_t ranges[] = { 1, UINT32_MAX };
    uint64_t inbox = folder_named("INBOX", false)->id;
    Store__SyncResponse *r;

    (void)state;
    for (int i = 0; i < 10; i++)
        append("INBOX", "m");
    CHECK(mailbox_begin(box) == 0);
    CHECK(db_run(mailbox_db(box),
                 "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 10500) "
                 "INSERT INTO vanished SELECT (SELECT id FROM folder WHERE name = 'INBOX'), n, n + 100, "
                 "n + 100 FROM c") == 0);
    CHECK(db_run(mailbox_db(box), "UPDATE folder SET modseq = 10500, uidnext = 20000 WHERE name = 'INBOX'") ==
          0);
    CHECK(db_run(mailbox_db(box), "INSERT INTO gap SELECT id, 11, 19999 FROM folder WHERE name = 'INBOX'") ==
          0);
    q.folder_id = xq.folder_id = inbox;
    q.uid_ranges = ranges;
    q.n_uid_ranges = 2;
    q.flags = STORE__FLAG__DELETED;
    q.mode = STORE__FLAG_STORE_REQUEST__MODE__ADD;
    CHECK(mailbox_flag_store(box, &arena, &q, &fr) == 0 && mailbox_expunge(box, &arena, &xq, &xr) == 0);
    CHECK(mailbox_commit(box) == 0);
    CHECK(rows_in("SELECT count(*) FROM vanished") <= MAILBOX_VANISHED_MAX / 2 + 1);
    r = sync_since(inbox, 5, 0); /* older than the log: all that is not there */
    CHECK(r->n_vanished_ranges == 2 && r->vanished_ranges[0] == 1 && r->vanished_ranges[1] == 19999);
}

static int create(const char *name)
{
    Store__FolderRequest q = STORE__FOLDER_REQUEST__INIT;
    Store__FoldersResponse r = STORE__FOLDERS_RESPONSE__INIT;
    int e;

    q.name = str_pb(str_from(name));
    CHECK(mailbox_begin(box) == 0);
    if ((e = mailbox_folder_create(box, &arena, &q, &r)) < 0)
        mailbox_rollback(box);
    return e < 0 ? e : mailbox_commit(box);
}

static int remove_folder(const char *name)
{
    Store__FolderRequest q = STORE__FOLDER_REQUEST__INIT;
    int e;

    q.name = str_pb(str_from(name));
    CHECK(mailbox_begin(box) == 0);
    if ((e = mailbox_folder_delete(box, &q)) < 0)
        mailbox_rollback(box);
    return e < 0 ? e : mailbox_commit(box);
}

static int rename_folder(const char *from, const char *to)
{
    Store__RenameRequest q = STORE__RENAME_REQUEST__INIT;
    int e;

    q.from = str_pb(str_from(from));
    q.to = str_pb(str_from(to));
    CHECK(mailbox_begin(box) == 0);
    if ((e = mailbox_folder_rename(box, &q)) < 0)
        mailbox_rollback(box);
    return e < 0 ? e : mailbox_commit(box);
}

static void test_folders(void **state)
{
    static const char *const bad[] = { "", "/a", "a/", "a//b", "inbox", "a\nb", "\xff", "\xc0\xaf" };
    uint32_t before;
    const Store__Folder *f;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        check_case = bad[i];
        CHECK(create(bad[i]) == E_SYNTAX);
    }
    check_case = "";
    CHECK(create("a/b/c") == 0 && create("a/b") == E_EXISTS);
    CHECK(folder_named("a", false)->id != 0 && folder_named("a", false)->has_children);
    append("a/b", "m");
    before = folder_named("a/b", false)->uidvalidity;
    CHECK(remove_folder("a/b") == 0);
    f = folder_named("a/b", false);
    CHECK(f && f->id == 0 && f->noselect && f->has_children);
    CHECK(rows_in("SELECT count(*) FROM email") == 0);
    CHECK(remove_folder("a/b") == E_NOTFOUND && remove_folder("INBOX") == E_DENIED);
    CHECK(create("a/b") == 0 && folder_named("a/b", false)->uidvalidity > before);
    append("a/b/c", "m");
    CHECK(rename_folder("a", "a/x") == E_RANGE && rename_folder("a", "Sent") == E_EXISTS);
    CHECK(rename_folder("nope", "x") == E_NOTFOUND);
    CHECK(rename_folder("a", "p/q") == 0);
    CHECK(!folder_named("a", false) && folder_named("p", false)->id &&
          folder_named("p/q/b/c", true)->messages == 1);
    append("INBOX", "to be moved");
    CHECK(rename_folder("INBOX", "old") == 0);
    CHECK(folder_named("INBOX", true)->messages == 0 && folder_named("old", true)->messages == 1);
}

static void test_subscriptions(void **state)
{
    Store__SubscribeRequest q = STORE__SUBSCRIBE_REQUEST__INIT;
    Store__FoldersRequest fq = STORE__FOLDERS_REQUEST__INIT;
    Store__FoldersResponse r = STORE__FOLDERS_RESPONSE__INIT;

    (void)state;
    q.name = AT("gone");
    q.subscribed = true;
    CHECK(mailbox_begin(box) == 0 && mailbox_subscribe(box, &q) == 0 && mailbox_commit(box) == 0);
    CHECK(folder_named("gone", false)->subscribed && folder_named("gone", false)->id == 0);
    CHECK(mailbox_folders(box, &arena, &fq, &r) == 0 && r.n_folders == 7);
    q.subscribed = false;
    CHECK(mailbox_begin(box) == 0 && mailbox_subscribe(box, &q) == 0 && mailbox_commit(box) == 0);
    CHECK(!folder_named("gone", false));
}

/* Which UIDs match, as a bit mask of UIDs 1 to 31. */
static uint32_t found(Store__SearchKey *k)
{
    Store__SearchRequest q = STORE__SEARCH_REQUEST__INIT;
    Store__SearchResponse r = STORE__SEARCH_RESPONSE__INIT;
    uint32_t mask = 0;

    q.folder_id = folder_named("INBOX", false)->id;
    q.key = k;
    CHECK(mailbox_search(box, &arena, &q, &r) == 0);
    for (size_t i = 0; i + 1 < r.n_uid_ranges; i += 2)
        for (uint32_t u = r.uid_ranges[i]; u <= r.uid_ranges[i + 1]; u++)
            mask |= BIT(u);
    return mask;
}

static Store__SearchKey *key(Store__SearchKey__Type type, const char *name, const char *text, int64_t number)
{
    Store__SearchKey *k = ARENA_NEW(&arena, Store__SearchKey);

    store__search_key__init(k);
    k->type = type;
    k->name = str_pb(str_from(name));
    k->text = str_pb(str_from(text));
    k->number = number;
    return k;
}

static Store__SearchKey *tree(Store__SearchKey__Type type, Store__SearchKey *a, Store__SearchKey *b)
{
    Store__SearchKey *k = key(type, NULL, NULL, 0);

    k->children = ARENA_ARRAY(&arena, 2, Store__SearchKey *);
    k->children[0] = a;
    k->children[1] = b;
    k->n_children = b ? 2 : 1;
    return k;
}

#define K(type, name, text, number) key(STORE__SEARCH_KEY__TYPE__##type, name, text, number)
#define T(type, a, b)               tree(STORE__SEARCH_KEY__TYPE__##type, a, b)

static void test_search(void **state)
{
    Store__AppendResponse out = STORE__APPEND_RESPONSE__INIT;
    CLEANUP(buf_release) struct buf large = { .max = MIB(2) };
    char *kw[] = { "Todo" };
    int64_t now = clock_wall_ms();

    (void)state;
    CHECK(append_as("INBOX", STR("Subject: Apples\r\nFrom: ann\r\n\r\n"), STR("green ones"),
                    STORE__FLAG__SEEN, NULL, 0, "<1@x>", &out) == 0);
    CHECK(append_as("INBOX", STR("Subject: Pears\r\nTo: ann\r\n\r\n"), STR("yellow green"), 0, kw, 1, "<2@x>",
                    &out) == 0);
    while (large.n < KIB(256) - 31) /* the needle lies across two rows */
        CHECK(buf_putz(&large, "z") == 0);
    CHECK(buf_putz(&large, "needle lies across two rows of the table, and then some") == 0);
    clock_fake_advance(86400000);
    CHECK(append_as("INBOX", STR("Subject: x\r\n\r\n"), buf_str(&large), STORE__FLAG__FLAGGED, NULL, 0,
                    "<3@x>", &out) == 0);
    CHECK(found(K(ALL, 0, 0, 0)) == 14 && found(K(NONE, 0, 0, 0)) == 0);
    CHECK(found(K(BODY, 0, "GREEN", 0)) == 6 && found(K(BODY, 0, "apples", 0)) == 0);
    CHECK(found(K(TEXT, 0, "Apples", 0)) == 2 && found(K(TEXT, 0, "", 0)) == 14);
    CHECK(found(K(BODY, 0, "needle lies across two rows of the table", 0)) == 8);
    CHECK(found(K(HEADER, "from", "ann", 0)) == 2 && found(K(HEADER, "to", "", 0)) == 4);
    CHECK(found(K(HEADER, "subject", "ears", 0)) == 4);
    CHECK(found(K(FLAGS_SET, 0, 0, STORE__FLAG__SEEN)) == 2 && found(K(KEYWORD, 0, "tODO", 0)) == 4);
    CHECK(found(K(KEYWORD, 0, "never", 0)) == 0);
    CHECK(found(K(LARGER, 0, 0, 1000)) == 8 && found(K(SMALLER, 0, 0, 1000)) == 6);
    CHECK(found(K(INTERNAL_FROM, 0, 0, now + 1)) == 8 && found(K(INTERNAL_BEFORE, 0, 0, now + 1)) == 6);
    CHECK(found(K(SENT_FROM, 0, 0, now)) == 8 && found(K(SENT_BEFORE, 0, 0, now)) == 6);
    CHECK(found(K(SAVED_FROM, 0, 0, now + 1)) == 8);
    CHECK(found(T(AND, K(BODY, 0, "green", 0), K(FLAGS_SET, 0, 0, 8))) == 2);
    CHECK(found(T(OR, K(BODY, 0, "yellow", 0), K(FLAGS_SET, 0, 0, 2))) == 12);
    CHECK(found(T(NOT, K(BODY, 0, "green", 0), NULL)) == 8);
    CHECK(found(T(AND, T(NOT, K(FLAGS_SET, 0, 0, 8), NULL),
                  T(OR, K(KEYWORD, 0, "todo", 0), K(ALL, 0, 0, 0)))) == 12);
}

static int64_t noted(const char *sql)
{
    int64_t n = -1;

    CHECK(db_get_i64(mailbox_db(box), sql, &n) == 0);
    return n;
}

static void test_once(void **state)
{
    CLEANUP(buf_release) struct buf result = { .max = KIB(1) };
    uint8_t id[32] = { 1, 2, 3 };

    (void)state;
    CHECK(mailbox_operation_find(box, str_of(id, 16), 20, &result) == 0);
    CHECK(mailbox_begin(box) == 0 && mailbox_operation_note(box, str_of(id, 16), 20, STR("answer")) == 0);
    CHECK(mailbox_delivery_note(box, str_of(id, 32)) == 0 && mailbox_commit(box) == 0);
    CHECK(mailbox_operation_find(box, str_of(id, 16), 20, &result) == 1 &&
          str_eq(buf_str(&result), STR("answer")));
    CHECK(mailbox_operation_find(box, str_of(id, 16), 21, &result) == E_DENIED);
    clock_fake_advance(MAILBOX_OPERATION_MS + 1000);
    CHECK(mailbox_begin(box) == 0 && mailbox_commit(box) == 0);
    CHECK(mailbox_operation_find(box, str_of(id, 16), 20, &result) == 0);
    CHECK(mailbox_delivery_find(box, str_of(id, 32)) == 1);
    clock_fake_advance(MAILBOX_DELIVERY_MS);
    CHECK(mailbox_begin(box) == 0 && mailbox_commit(box) == 0);
    CHECK(mailbox_delivery_find(box, str_of(id, 32)) == 0);
    CHECK(mailbox_begin(box) == 0);
    for (int i = 0; i < 256; i++) {
        memset(id, i, sizeof id);
        CHECK(mailbox_operation_note(box, str_of(id, 16), 20, STR("")) == 0);
        CHECK(mailbox_delivery_note(box, str_of(id, 32)) == 0);
    }
    CHECK(mailbox_commit(box) == 0 && noted("SELECT count(*) FROM delivery") >= 256);
    clock_fake_advance(MAILBOX_DELIVERY_MS);
    for (int i = 0; i < 64; i++) {
        clock_fake_advance(60000);
        CHECK(mailbox_begin(box) == 0 && mailbox_commit(box) == 0);
    }
    CHECK(noted("SELECT count(*) FROM operation") == 0 && noted("SELECT count(*) FROM delivery") == 0);
}

static void test_steps(void **state)
{
    struct bytes_mem msg, text;
    struct email_in e = { .message = bytes_mem_init(&msg, STR("A: b\r\n\r\nx")),
                          .header_bytes = 8,
                          .text = bytes_mem_init(&text, STR("")) };
    struct placement at = { .folder = STR("INBOX") }, wrong = { .folder = STR("nope") };
    Store__AppendResponse out = STORE__APPEND_RESPONSE__INIT;
    struct mailbox_change changes[4];

    (void)state;
    CHECK(mailbox_begin(box) == 0);
    CHECK(mailbox_step_begin(box) == 0 && mailbox_append(box, &e, &at, &out) == 0 &&
          mailbox_step_keep(box) == 0);
    CHECK(mailbox_step_begin(box) == 0 && mailbox_append(box, &e, &at, &out) == 0);
    mailbox_step_undo(box);
    CHECK(mailbox_step_begin(box) == 0 && mailbox_append(box, &e, &wrong, &out) == E_NOTFOUND);
    mailbox_step_undo(box);
    CHECK(mailbox_commit(box) == 0);
    CHECK(folder_named("INBOX", true)->messages == 1 && folder_named("INBOX", false)->uidnext == 2);
    CHECK(mailbox_changes_take(box, changes, 4) == 1 &&
          changes[0].folder_id == folder_named("INBOX", false)->id);
}

static void test_threads(void **state)
{
    Store__AppendResponse out = STORE__APPEND_RESPONSE__INIT;
    struct bytes_mem msg, text;
    struct str ref = STR("<root@x>");
    struct email_in e = { .message = bytes_mem_init(&msg, STR("A: b\r\n\r\nx")),
                          .header_bytes = 8,
                          .text = bytes_mem_init(&text, STR("")),
                          .message_id = STR("<reply@x>"),
                          .references = &ref,
                          .nreferences = 1 };
    struct placement at = { .folder = STR("INBOX") };

    (void)state;
    CHECK(mailbox_begin(box) == 0 && mailbox_append(box, &e, &at, &out) == 0 && mailbox_commit(box) == 0);
    CHECK(append_as("INBOX", STR("A: b\r\n\r\n"), STR("root"), 0, NULL, 0, "<root@x>", &out) ==
          0); /* comes later */
    CHECK(append_as("INBOX", STR("A: b\r\n\r\n"), STR("other"), 0, NULL, 0, "<other@x>", &out) == 0);
    CHECK(rows_in("SELECT count(DISTINCT thread_id) FROM email") == 2);
}

static void test_file(void **state)
{
    char dir[] = "/tmp/letterlock-test-XXXXXX", path[64];
    uint8_t key[32] = { 7 }, wrong[32] = { 8 };
    struct mailbox_options o = { .flags = MAILBOX_CREATE }, again = { 0 },
                           reader = { .flags = MAILBOX_READER };
    struct mailbox_meta m = { .generation = 3, .key_state = { .max = 200 } },
                        got = { .key_state = { .max = 200 } };
    struct mailbox *file = NULL, *second = NULL, *memory = box;
    CLEANUP(buf_release) struct buf bytes = { .max = 100 };
    uint32_t range[] = { 1, 1 };

    (void)state;
    CHECK(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/x.sqlite", dir);
    CHECK(buf_putz(&m.key_state, "state") == 0);
    CHECK(mailbox_open(path, key, &again, NULL, &file) == E_NOTFOUND);
    CHECK(mailbox_open(path, key, &o, &m, &file) == 0 && mailbox_close(&file) == 0);
    CHECK(mailbox_open(path, wrong, &again, NULL, &file) == E_CORRUPT);
    CHECK(mailbox_open(path, key, &again, NULL, &file) == 0);
    CHECK(mailbox_meta_get(file, &got) == 0 && got.generation == 3 &&
          str_eq(buf_str(&got.key_state), STR("state")));
    box = file;
    append("INBOX", "seen by the reader");
    CHECK(mailbox_open(path, key, &reader, NULL, &second) == 0);
    box = second;
    CHECK(fetch_all(folder_named("INBOX", false)->id, range, 2, STORE__WANT__BODY, 0, 0, KIB(64), &bytes,
                    NULL) == 1);
    CHECK(str_ends(buf_str(&bytes), STR("seen by the reader")));
    box = memory;
    CHECK(mailbox_close(&second) == 0 && mailbox_close(&file) == 0);
    buf_release(&m.key_state);
    buf_release(&got.key_state);
    CHECK(unlink(path) == 0 && rmdir(dir) == 0); /* no -wal, no -shm left */
}

static void test_chunk(void **state)
{
    CLEANUP(buf_release)
    struct buf in = { .max = MIB(1) }, scratch = { .max = CHUNK_SCRATCH_MAX }, out = { .max = MIB(1) };
    struct chunk c;

    (void)state;
    for (size_t n = 0; n < KIB(256); n = n * 3 + 1)
        for (int random = 0; random < 2; random++) {
            buf_clear(&in);
            buf_clear(&out);
            CHECK(buf_reserve(&in, n + 1));
            memset(in.p, 'a', n);
            if (random)
                rand_bytes(in.p, n);
            in.n = n;
            CHECK(chunk_encode(buf_str(&in), &scratch, &c) == 0);
            CHECK(c.codec == (n < 64 || random ? CHUNK_RAW : n <= KIB(8) ? CHUNK_MAIL_1 : CHUNK_ZSTD));
            CHECK(chunk_decode(c.codec, c.data, n, &out) == 0 && str_eq(buf_str(&in), buf_str(&out)));
            CHECK(n == 0 || chunk_decode(c.codec, c.data, n + 1, &out) == E_CORRUPT);
        }
}

/* What is made with other bytes comes back with them, and only with them. */
static void test_chunk_like(void **state)
{
    static const struct str likes[] = {
        STR("Dear Anna,\r\nthe QUICK brown fox =E2=82=AC jumps o=\r\nver the lazy dog, again and again.\r\nYours"),
        STR("====\r\n=\r\n=A\r\n=4\n\r\r\n\n=C3=A4 and seventy more bytes, so that it is worth a frame, at last ="),
    };
    struct str in =
        STR("dear anna, the quick brown fox \xE2\x82\xAC jumps over the lazy dog, again and again. yours");
    CLEANUP(buf_release) struct buf scratch = { .max = CHUNK_SCRATCH_MAX }, out = { .max = KIB(1) };
    CLEANUP(chunk_decoder_release) struct chunk_decoder k = { 0 };
    struct chunk c;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(likes); i++) {
        buf_clear(&out);
        CHECK(chunk_encode_like(in, likes[i], &scratch, &c) == 0);
        CHECK(i > 0 || (c.codec == CHUNK_DELTA && c.data.n < 24));
        if (!chunk_is_like(c.codec))
            continue;
        CHECK(chunk_decode(c.codec, c.data, in.n, &out) == E_VERSION);
        CHECK(chunk_decode_like(&k, c.codec, c.data, in.n, likes[1 - i], &out) == E_CORRUPT ||
              !str_eq(buf_str(&out), in));
        buf_clear(&out);
        CHECK(chunk_decode_like(&k, c.codec, c.data, in.n, likes[i], &out) == 0 && str_eq(buf_str(&out), in));
    }
    CHECK(chunk_encode_letter(str_slice(likes[0], 0, 63), &scratch, &c) == 0 && c.codec == CHUNK_RAW);
    buf_clear(&out);
    for (int i = 0; i < 8; i++)
        CHECK(buf_puts(&out, STR("again and again the fox jumps; ")) == 0);
    CHECK(chunk_encode_letter(buf_str(&out), &scratch, &c) == 0 && c.codec == CHUNK_LZ4);
    CHECK(chunk_decode(c.codec, c.data, 248, &out) == 0 && out.n == 496 &&
          memcmp(out.p, out.p + 248, 248) == 0);
    CHECK(chunk_decode(c.codec, c.data, 247, &out) == E_CORRUPT);
    CHECK(chunk_decode(c.codec, c.data, 249, &out) == E_CORRUPT);
}

static void test_uidset(void **state)
{
    CLEANUP(uidset_release) struct uidset s = { 0 };
    const uint32_t good[] = { 1, 3, 5, 5 }, touching[] = { 1, 3, 3, 5 }, zero[] = { 0, 3 };

    (void)state;
    CHECK(uidset_check(good, 4) == 0 && uidset_check(touching, 4) < 0 && uidset_check(zero, 2) < 0);
    CHECK(uidset_check(good, 3) < 0);
    CHECK(uidset_push(&s, 9, 9) == 0 && uidset_push(&s, 1, 4) == 0 && uidset_push(&s, 3, 6) == 0);
    CHECK(uidset_push(&s, 7, 7) == 0);
    uidset_normalize(&s);
    CHECK(s.n == 4 && s.v[0] == 1 && s.v[1] == 7 && s.v[2] == 9 && uidset_count(s.v, s.n) == 8);
    CHECK(uidset_has(s.v, s.n, 7) && !uidset_has(s.v, s.n, 8) && uidset_has(s.v, s.n, 9));
    CHECK(uidset_add(&s, 9) == E_BUG && uidset_add(&s, 10) == 0 && s.n == 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chunk),
        cmocka_unit_test(test_chunk_like),
        cmocka_unit_test(test_uidset),
        cmocka_unit_test_setup_teardown(test_defaults, setup, teardown),
        cmocka_unit_test_setup_teardown(test_append_and_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_large_header, setup, teardown),
        cmocka_unit_test_setup_teardown(test_select_and_recent, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flags, setup, teardown),
        cmocka_unit_test_setup_teardown(test_copy_move_expunge, setup, teardown),
        cmocka_unit_test_setup_teardown(test_id_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sync, setup, teardown),
        cmocka_unit_test_setup_teardown(test_vanished_bound, setup, teardown),
        cmocka_unit_test_setup_teardown(test_folders, setup, teardown),
        cmocka_unit_test_setup_teardown(test_subscriptions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_search, setup, teardown),
        cmocka_unit_test_setup_teardown(test_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_steps, setup, teardown),
        cmocka_unit_test_setup_teardown(test_threads, setup, teardown),
        cmocka_unit_test_setup_teardown(test_file, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
