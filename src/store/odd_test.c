/* src/store/odd_test.c: what nobody sends and somebody will: messages without anything in them, or with ten
 * thousand parts, numbers at the end of their range, names as long as they may be. Each comes back byte for byte
 * or is refused with nothing changed, and a whole check finds nothing. */
#include "lib/base/clock.h"
#include "lib/base/hex.h"
#include "lib/base/test.h"
#include "lib/mime/structure.h"
#include "lib/mime/text.h"
#include "src/store/check.h"
#include "src/store/index.h"
#include "src/store/mailbox_private.h"
#include "src/store/search.h"
#include <inttypes.h>
#include <stdio.h>

static struct mailbox *box;
static struct arena arena = { .max = MIB(64) };

static int setup(void **state UNUSED)
{
    clock_fake(INT64_C(1787000000000));
    return mailbox_open_memory(&box);
}

static int teardown(void **state UNUSED)
{
    mailbox_close(&box);
    arena_release(&arena);
    clock_real();
    return 0;
}

static int64_t count(const char *sql)
{
    int64_t n = -1;

    CHECK(db_get_i64(mailbox_db(box), sql, &n) == 0);
    return n;
}

/* ---- messages ------------------------------------------------------------------------------------ */

static int take(void *user, struct str text)
{
    return buf_puts(user, text);
}

struct parsed {
    struct arena a;
    struct buf text, structure;
    struct bytes_mem msg, mem;
    struct email_in e;
    struct email_ready ready;
};

/* As content reads it, cut into slices. */
static void parse(struct parsed *p, struct str message)
{
    struct mime_part *root = NULL;
    struct mime_text t;

    *p = (struct parsed){ .a = { .max = MIB(32) },
                          .text = { .max = MIB(32) },
                          .structure = { .max = MIME_STRUCTURE_MAX } };
    CHECK(mime_text_init(&t, &p->a, take, &p->text) == 0);
    for (size_t at = 0; at < message.n; at += 65521)
        CHECK(mime_text_feed(&t, str_slice(message, at, size_min(at + 65521, message.n))) == 0);
    CHECK(mime_text_finish(&t, &root) == 0 && mime_structure_pack(root, &p->a, &p->structure) == 0);
    p->e = (struct email_in){ .message = bytes_mem_init(&p->msg, message),
                              .text = bytes_mem_init(&p->mem, buf_str(&p->text)),
                              .structure = buf_str(&p->structure),
                              .header_bytes = root->body_start,
                              .text_header_bytes = t.header_bytes,
                              .message_id = STR_NONE };
    mime_text_release(&t);
}

static void parsed_free(struct parsed *p)
{
    buf_release(&p->text);
    buf_release(&p->structure);
    arena_release(&p->a);
}

static int append(struct str message, bool prepared, Store__AppendResponse *out)
{
    struct placement at = { .folder = STR("INBOX"), .internal_ms = clock_wall_ms() };
    struct parsed p;
    int r;

    parse(&p, message);
    if (prepared) {
        CHECK(email_prepare(&p.e, &p.ready) == 0);
        p.e.ready = &p.ready;
    }
    CHECK(mailbox_begin(box) == 0);
    if ((r = mailbox_append(box, &p.e, &at, out)) == 0)
        r = mailbox_commit(box);
    if (r < 0)
        mailbox_rollback(box);
    email_ready_release(&p.ready);
    parsed_free(&p);
    return r;
}

static uint64_t folder_id(const char *name)
{
    struct folder f = { 0 };

    CHECK(folder_by_name(box, str_from(name), &f) == 0);
    return f.id;
}

static void sound(void)
{
    static struct check c;
    int r;

    c = (struct check){ .whole = true };
    r = mailbox_check(box, &c, 0);
    for (size_t i = 0; i < c.n; i++)
        print_error("%s: %s\n", c.list[i].what, c.list[i].detail);
    CHECK(r == 0 && c.found == 0);
}

/* FETCH of [offset, offset + length) in records that fit `room`: the bytes. */
static void fetched(const char *folder, uint32_t uid, uint64_t offset, uint64_t length, size_t room,
                    struct buf *bytes)
{
    CLEANUP(buf_release) struct buf out = { .max = MIB(4) };
    Store__FetchRequest q = STORE__FETCH_REQUEST__INIT;
    uint32_t range[] = { uid, uid };
    struct fetch f;
    int r;

    q.folder_id = folder_id(folder);
    q.uid_ranges = range;
    q.n_uid_ranges = 2;
    q.want = STORE__WANT__BODY;
    q.offset = offset;
    q.length = length;
    CHECK(fetch_init(&f, &q) == 0);
    do {
        buf_clear(&out);
        CHECK((r = mailbox_fetch(box, &f, room, &out)) >= 0);
        for (size_t at = 0; at < out.n;) {
            uint32_t len = le32_get((const uint8_t *)out.p + at + 1);

            if (out.p[at] != 1)
                CHECK(buf_append(bytes, out.p + at + 5, len) == 0);
            at += 5 + len;
        }
    } while (r > 0);
    fetch_release(&f);
}

static void same_bytes(const char *folder, uint32_t uid, struct str want)
{
    static const uint64_t offsets[] = { 0, 1, 65535, 65536, 262144, 1 << 20 };
    CLEANUP(buf_release) struct buf got = { .max = MIB(16) };

    for (size_t i = 0; i < ARRAY_LEN(offsets); i++) {
        uint64_t at = offsets[i];

        buf_clear(&got);
        fetched(folder, uid, at, 0, KIB(64), &got);
        CHECK(str_eq(buf_str(&got), str_slice(want, size_min((size_t)at, want.n), want.n)));
        buf_clear(&got);
        fetched(folder, uid, at, 7, KIB(64), &got);
        CHECK(str_eq(buf_str(&got),
                     str_slice(want, size_min((size_t)at, want.n), size_min((size_t)at + 7, want.n))));
    }
    buf_clear(&got);
    fetched(folder, uid, want.n, 0, KIB(64), &got); /* at its end, behind it, as far behind as can be said */
    fetched(folder, uid, (uint64_t)want.n + 1, 10, KIB(64), &got);
    fetched(folder, uid, UINT64_MAX, UINT64_MAX, KIB(64), &got);
    fetched(folder, uid, UINT64_MAX - 3, 10, KIB(64), &got);
    CHECK(got.n == 0);
}

static void put_zeros(struct buf *b)
{
    for (int i = 0; i < 100000; i++)
        CHECK(buf_putc(b, '\0') == 0);
}

static void put_nothing(struct buf *b UNUSED)
{
}

static void put_line(struct buf *b)
{
    CHECK(buf_putz(b, "Subject: ") == 0);
    for (size_t i = 0; i < MIB(1); i++)
        CHECK(buf_putc(b, (char)('a' + i % 26)) == 0);
    CHECK(buf_putz(b, "\r\n\r\nbody\r\n") == 0);
}

static void put_parts(struct buf *b)
{
    CHECK(buf_putz(b, "Content-Type: multipart/mixed; boundary=b\r\n\r\n") == 0);
    for (int i = 0; i < 10000; i++)
        CHECK(buf_printf(b, "--b\r\nX-N: %d\r\n\r\npart %d\r\n", i, i) == 0);
    CHECK(buf_putz(b, "--b--\r\n") == 0);
}

static void put_encoded_parts(struct buf *b) /* large enough to be parts of their own, one like the other */
{
    CHECK(buf_putz(b, "Content-Type: multipart/mixed; boundary=b\r\n\r\n") == 0);
    for (int i = 0; i < 900; i++) {
        CHECK(buf_putz(b, "--b\r\nContent-Transfer-Encoding: base64\r\n\r\n") == 0);
        for (int k = 0; k < 130; k++)
            CHECK(
                buf_putz(
                    b, "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB\r\n") ==
                0);
        CHECK(buf_putz(b, "QQ==\r\n") == 0);
    }
}

static void put_deep(struct buf *b)
{
    for (int i = 0; i < 300; i++)
        CHECK(buf_printf(b, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i) == 0);
    CHECK(buf_putz(b, "\r\nat the bottom\r\n") == 0);
}

static void put_messages(struct buf *b)
{
    for (int i = 0; i < 300; i++)
        CHECK(buf_putz(b, "Content-Type: message/rfc822\r\n\r\n") == 0);
    CHECK(buf_putz(b, "Subject: innermost\r\n\r\nbody\r\n") == 0);
}

static void put_fields(struct buf *b)
{
    for (int i = 0; i < 40000; i++)
        CHECK(buf_printf(b, "X-%d: %d\r\n", i, i) == 0);
    CHECK(buf_putz(b, "\r\n") == 0);
}

static void put_high(struct buf *b)
{
    for (int i = 0; i < 70000; i++)
        CHECK(buf_putc(b, (char)(i * 7 % 256)) == 0);
}

static void put_row(struct buf *b) /* ends where a row of the file does */
{
    CHECK(buf_putz(b, "A: b\r\n\r\n") == 0);
    while (b->n < KIB(512) + 8)
        CHECK(buf_putc(b, (char)('a' + (b->n * b->n) % 23)) == 0);
}

static const struct odd {
    const char *name, *text; /* text NULL: what `put` makes */
    void (*put)(struct buf *b);
} odds[] = {
    { "nothing", NULL, put_nothing },
    { "one byte", "x", NULL },
    { "an empty line", "\r\n", NULL },
    { "a bare LF", "\n", NULL },
    { "a bare CR", "\r", NULL },
    { "a header without an end", "Subject: x", NULL },
    { "a header and no empty line", "Subject: x\r\n", NULL },
    { "a header alone", "Subject: x\r\n\r\n", NULL },
    { "no header", "\r\nbody", NULL },
    { "a colon", ":", NULL },
    { "a folded line first", " x\r\n\r\nbody", NULL },
    { "a boundary that is empty",
      "Content-Type: multipart/mixed; boundary=\"\"\r\n\r\n--\r\n\r\nx\r\n----\r\n", NULL },
    { "a multipart of nothing", "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b--", NULL },
    { "zeros", NULL, put_zeros },
    { "every byte", NULL, put_high },
    { "a header line of 1 MiB", NULL, put_line },
    { "40,000 fields", NULL, put_fields },
    { "10,000 parts", NULL, put_parts },
    { "900 encoded parts, all the same", NULL, put_encoded_parts },
    { "300 multiparts in each other", NULL, put_deep },
    { "300 messages in each other", NULL, put_messages },
    { "to the end of a row", NULL, put_row },
};

/* Each as it comes and prepared by a worker, copied and moved, indexed, and removed again. */
static void test_messages(void **state UNUSED)
{
    CLEANUP(buf_release) struct buf b = { .max = MIB(16) };

    for (size_t i = 0; i < 2 * ARRAY_LEN(odds); i++) {
        const struct odd *o = &odds[i / 2];
        Store__AppendResponse out = STORE__APPEND_RESPONSE__INIT;
        Store__CopyRequest q = STORE__COPY_REQUEST__INIT;
        Store__CopyResponse copied = STORE__COPY_RESPONSE__INIT;
        uint32_t range[2];
        int r;

        check_case = o->name;
        buf_clear(&b);
        if (o->text)
            CHECK(buf_putz(&b, o->text) == 0);
        else
            o->put(&b);
        CHECK((r = append(buf_str(&b), i % 2, &out)) == 0);
        same_bytes("INBOX", out.uid, buf_str(&b));
        range[0] = range[1] = out.uid;
        q.folder_id = folder_id("INBOX");
        q.uid_ranges = range;
        q.n_uid_ranges = 2;
        q.to = str_pb(STR("Archive"));
        CHECK(mailbox_begin(box) == 0 && mailbox_copy(box, &arena, &q, &copied) == 0);
        q.move = true;
        q.to = str_pb(STR("Trash"));
        CHECK(mailbox_copy(box, &arena, &q, &copied) == 0 && mailbox_commit(box) == 0);
        same_bytes("Trash", copied.to_ranges[0], buf_str(&b));
        sound();
        CHECK(mailbox_begin(box) == 0 && (r = mailbox_index_step(box, INT32_MAX)) >= 0 &&
              mailbox_commit(box) == 0);
        sound();
    }
    check_case = "";
    for (size_t i = 0; i < 2; i++) {
        uint32_t all[] = { 1, UINT32_MAX };
        Store__FlagStoreRequest f = STORE__FLAG_STORE_REQUEST__INIT;
        Store__FlagStoreResponse stored = STORE__FLAG_STORE_RESPONSE__INIT;
        Store__ExpungeRequest e = STORE__EXPUNGE_REQUEST__INIT;
        Store__ExpungeResponse gone = STORE__EXPUNGE_RESPONSE__INIT;

        f.folder_id = e.folder_id = folder_id(i ? "Trash" : "Archive");
        f.uid_ranges = e.uid_ranges = all;
        f.n_uid_ranges = e.n_uid_ranges = 2;
        f.mode = STORE__FLAG_STORE_REQUEST__MODE__ADD;
        f.flags = STORE__FLAG__DELETED;
        CHECK(mailbox_begin(box) == 0 && mailbox_flag_store(box, &arena, &f, &stored) == 0 &&
              mailbox_expunge(box, &arena, &e, &gone) == 0 && mailbox_commit(box) == 0);
        sound();
    }
    CHECK(count("SELECT (SELECT count(*) FROM email) + (SELECT count(*) FROM part) + (SELECT count(*) FROM "
                "message)") == 0);
}

/* ---- numbers at the end of their range -------------------------------------------------------------- */

static const struct str LETTER = { "Subject: word\r\n\r\nbody\r\n", 23 };

static void run(const char *sql)
{
    CHECK(db_run(mailbox_db(box), sql) == 0);
}

static size_t found(uint64_t folder, Store__SearchKey *k)
{
    Store__SearchRequest q = STORE__SEARCH_REQUEST__INIT;
    Store__SearchResponse out = STORE__SEARCH_RESPONSE__INIT;
    struct search *s = NULL;
    size_t n = 0;
    int r;

    q.folder_id = folder;
    q.key = k;
    CHECK(search_new(&q, &s) == 0);
    while ((r = search_step(s, box, INT32_MAX)) > 0)
        ;
    CHECK(r == 0 && search_answer(s, box, &arena, &out) == 0);
    for (size_t i = 0; i + 1 < out.n_uid_ranges; i += 2)
        n += out.uid_ranges[i + 1] - out.uid_ranges[i] + 1;
    search_free(&s);
    return n;
}

static size_t range_sum(const uint32_t *v, size_t n)
{
    size_t sum = 0;

    for (size_t i = 0; i + 1 < n; i += 2)
        sum += v[i + 1] - v[i] + (size_t)1;
    return sum;
}

static void test_last_uids(void **state UNUSED)
{
    Store__SearchKey text = STORE__SEARCH_KEY__INIT, uids = STORE__SEARCH_KEY__INIT;
    Store__SyncRequest sync = STORE__SYNC_REQUEST__INIT;
    Store__SyncResponse news = STORE__SYNC_RESPONSE__INIT;
    Store__SelectRequest select = STORE__SELECT_REQUEST__INIT;
    Store__SelectResponse selected = STORE__SELECT_RESPONSE__INIT;
    Store__CopyRequest copy = STORE__COPY_REQUEST__INIT;
    Store__CopyResponse copied = STORE__COPY_RESPONSE__INIT;
    Store__AppendResponse out = STORE__APPEND_RESPONSE__INIT;
    uint32_t last[] = { UINT32_MAX - 1, UINT32_MAX }, all[] = { 1, UINT32_MAX };
    uint64_t inbox = folder_id("INBOX");
    struct uidset gone = { 0 };

    CHECK(append(LETTER, false, &out) == 0 && out.uid == 1);
    CHECK(uidset_add_range(&gone, 2, UINT32_MAX - 6) == 0 && mailbox_begin(box) == 0);
    run("UPDATE folder SET uidnext = 4294967290 WHERE name = 'INBOX'");
    CHECK(gap_add(box, inbox, &gone) == 0 && mailbox_commit(box) == 0);
    uidset_release(&gone);
    for (uint32_t uid = UINT32_MAX - 5; uid < UINT32_MAX; uid++)
        CHECK(append(LETTER, false, &out) == 0 && out.uid == uid);
    CHECK(append(LETTER, false, &out) == E_FULL && append(LETTER, true, &out) == E_FULL);
    sound();
    same_bytes("INBOX", UINT32_MAX - 1, LETTER);
    text.type = STORE__SEARCH_KEY__TYPE__TEXT;
    text.text = str_pb(STR("WORD"));
    uids.type = STORE__SEARCH_KEY__TYPE__UID;
    uids.uid_ranges = last;
    uids.n_uid_ranges = 2;
    CHECK(found(inbox, &text) == 6 && found(inbox, &uids) == 1);
    select.name = str_pb(STR("INBOX"));
    CHECK(mailbox_select(box, &arena, &select, &selected) == 0 && selected.folder->uidnext == UINT32_MAX);
    sync.folder_id = inbox;
    CHECK(mailbox_sync(box, &arena, &sync, false, &news) == 0 &&
          range_sum(news.added_ranges, news.n_added_ranges) == 6);
    copy.folder_id = inbox;
    copy.uid_ranges = all;
    copy.n_uid_ranges = 2;
    copy.to = str_pb(STR("Archive"));
    CHECK(mailbox_begin(box) == 0 && mailbox_copy(box, &arena, &copy, &copied) == 0 &&
          mailbox_commit(box) == 0);
    CHECK(range_sum(copied.from_ranges, copied.n_from_ranges) == 6);
    copy.folder_id = folder_id("Archive"); /* back, where there is no UID left */
    copy.to = str_pb(STR("INBOX"));
    for (int move = 0; move < 2; move++) {
        copy.move = move;
        CHECK(mailbox_begin(box) == 0 && mailbox_copy(box, &arena, &copy, &copied) == E_FULL);
        mailbox_rollback(box);
    }
    sound();
    copy.folder_id = inbox;
    copy.move = true;
    copy.to = str_pb(STR("Trash"));
    CHECK(mailbox_begin(box) == 0 && mailbox_copy(box, &arena, &copy, &copied) == 0 &&
          mailbox_commit(box) == 0);
    sync.since_modseq = news.highest_modseq;
    news = (Store__SyncResponse)STORE__SYNC_RESPONSE__INIT;
    CHECK(mailbox_sync(box, &arena, &sync, false, &news) == 0 &&
          range_sum(news.vanished_ranges, news.n_vanished_ranges) == 6);
    CHECK(append(LETTER, false, &out) == E_FULL && found(inbox, &text) == 0);
    sound();
}

static int flag(uint64_t folder, uint32_t flags, uint64_t unchanged_since)
{
    Store__FlagStoreRequest f = STORE__FLAG_STORE_REQUEST__INIT;
    Store__FlagStoreResponse stored = STORE__FLAG_STORE_RESPONSE__INIT;
    uint32_t all[] = { 1, UINT32_MAX };
    int r;

    f.folder_id = folder;
    f.uid_ranges = all;
    f.n_uid_ranges = 2;
    f.flags = flags;
    f.has_unchanged_since = true;
    f.unchanged_since = unchanged_since;
    CHECK(mailbox_begin(box) == 0);
    if ((r = mailbox_flag_store(box, &arena, &f, &stored)) == 0)
        r = mailbox_commit(box);
    if (r < 0)
        mailbox_rollback(box);
    return r;
}

/* RFC 7162: 63 bits. The last change there can be is made, the next one is refused, reading goes on. */
static void test_last_modseq(void **state UNUSED)
{
    static const char end[] = "UPDATE folder SET modseq = 9223372036854775805 WHERE name = 'INBOX'";
    Store__SyncRequest sync = STORE__SYNC_REQUEST__INIT;
    Store__SyncResponse news = STORE__SYNC_RESPONSE__INIT;
    Store__VanishedRequest vanished = STORE__VANISHED_REQUEST__INIT;
    Store__VanishedResponse went = STORE__VANISHED_RESPONSE__INIT;
    Store__SearchKey k = STORE__SEARCH_KEY__INIT;
    Store__AppendResponse out = STORE__APPEND_RESPONSE__INIT;
    uint64_t inbox = folder_id("INBOX");
    uint32_t all[] = { 1, UINT32_MAX };
    int r;

    CHECK(append(LETTER, false, &out) == 0);
    run(end);
    CHECK(append(LETTER, false, &out) == 0 && out.highest_modseq == INT64_MAX - 1);
    CHECK(flag(inbox, STORE__FLAG__SEEN, UINT64_MAX) == 0);
    r = append(LETTER, false, &out);
    CHECK(r == E_RANGE || r == E_FULL || r == E_LIMIT);
    r = flag(inbox, STORE__FLAG__FLAGGED, UINT64_MAX);
    CHECK(r == E_RANGE || r == E_FULL || r == E_LIMIT);
    sound();
    sync.folder_id = vanished.folder_id = inbox;
    sync.since_modseq = INT64_MAX - 1;
    CHECK(mailbox_sync(box, &arena, &sync, false, &news) == 0 && news.n_changed == 2 &&
          news.highest_modseq == INT64_MAX);
    for (size_t i = 0; i < 3; i++) { /* what a client may claim to have seen */
        sync.since_modseq = vanished.since_modseq = (uint64_t)INT64_MAX + i * (UINT64_MAX / 4);
        vanished.uid_ranges = all;
        vanished.n_uid_ranges = 2;
        news = (Store__SyncResponse)STORE__SYNC_RESPONSE__INIT;
        r = mailbox_sync(box, &arena, &sync, false, &news);
        CHECK((r == 0 && news.n_changed == 0) || r == E_RANGE);
        r = mailbox_vanished(box, &arena, &vanished, &went);
        CHECK(r == 0 || r == E_RANGE);
    }
    k.type = STORE__SEARCH_KEY__TYPE__MODSEQ;
    k.number = INT64_MAX;
    CHECK(found(inbox, &k) == 2);
}

/* ---- names ------------------------------------------------------------------------------------------- */

static int create(struct str name)
{
    Store__FolderRequest q = STORE__FOLDER_REQUEST__INIT;
    Store__FoldersResponse out = STORE__FOLDERS_RESPONSE__INIT;
    int r = mailbox_begin(box);

    q.name = str_pb(name);
    if (r == 0 && (r = mailbox_folder_create(box, &arena, &q, &out)) == 0)
        r = mailbox_commit(box);
    if (r < 0)
        mailbox_rollback(box);
    return r;
}

static int rename_to(struct str from, struct str to)
{
    Store__RenameRequest q = STORE__RENAME_REQUEST__INIT;
    int r = mailbox_begin(box);

    q.from = str_pb(from);
    q.to = str_pb(to);
    if (r == 0 && (r = mailbox_folder_rename(box, &q)) == 0)
        r = mailbox_commit(box);
    if (r < 0)
        mailbox_rollback(box);
    return r;
}

static struct str name_of(char *to, size_t n, char c, size_t level) /* a '/' after every `level` */
{
    for (size_t i = 0; i < n; i++)
        to[i] = level && i % (level + 1) == level ? '/' : c;
    return str_of(to, n);
}

static void test_names(void **state UNUSED)
{
    static const char longest[] = "SELECT max(length(CAST(name AS BLOB))) FROM folder";
    char a[1100], b[1100], deep[200];
    int64_t n;

    CHECK(create(name_of(a, 1000, 'x', 0)) == 0 && create(name_of(b, 1001, 'y', 0)) == E_LIMIT);
    CHECK(create(name_of(b, 999, 'y', 99)) == 0 && create(name_of(b, 999, 'y', 99)) == E_EXISTS);
    CHECK(count(longest) == 1000);
    for (size_t i = 0; i < 33; i++)
        memcpy(deep + 2 * i, "d/", 2);
    CHECK(create(str_of(deep, 63)) == 0 && create(str_of(deep, 65)) == E_LIMIT);
    /* A child that would pass the limit, in bytes or in levels, keeps the whole tree where it is. */
    n = count("SELECT count(*) FROM folder");
    CHECK(rename_to(STR("d"), name_of(b, 1000, 'z', 0)) == E_LIMIT);
    CHECK(rename_to(STR("d"), STR("p/q")) == E_LIMIT);
    CHECK(count("SELECT count(*) FROM folder") == n &&
          count("SELECT count(*) FROM folder WHERE name LIKE 'd%'") >= 32 &&
          count("SELECT count(*) FROM folder WHERE name IN ('p', 'p/q')") == 0);
    CHECK(rename_to(str_of(a, 1000), STR("short")) == 0 && rename_to(STR("short"), str_of(a, 1000)) == 0);
    CHECK(rename_to(STR("d"), STR("d/below/itself")) < 0 && rename_to(STR("d"), STR("d")) < 0);
    CHECK(create(STR("")) < 0 && create(STR("/")) < 0 && create(STR("a//b")) < 0 && create(STR("/a")) < 0);
    CHECK(create(STR("a\xff")) < 0 && create((struct str){ "a\0b", 3 }) < 0);
    CHECK(create(STR("inbox")) < 0 && create(STR("INBOX")) == E_EXISTS && create(STR("INBOX/child")) == 0);
    CHECK(create(STR("100% _\\'\"")) == 0 && rename_to(STR("100% _\\'\""), STR("%")) == 0);
    CHECK(create(STR("%/child")) == 0 && create(STR("other/child")) == 0 &&
          rename_to(STR("%"), STR("__")) == 0);
    CHECK(count("SELECT count(*) FROM folder WHERE name IN ('__/child', 'other/child')") == 2);
    sound();
}

/* As many keywords as a message may have come in two commands, more are refused or all of them go. */
static void test_keywords(void **state UNUSED)
{
    Store__FlagStoreRequest f = STORE__FLAG_STORE_REQUEST__INIT;
    Store__FlagStoreResponse stored = STORE__FLAG_STORE_RESPONSE__INIT;
    Store__AppendResponse out = STORE__APPEND_RESPONSE__INIT;
    uint32_t all[] = { 1, UINT32_MAX };
    char text[100][24], *names[100];

    CHECK(append(LETTER, false, &out) == 0);
    f.folder_id = folder_id("INBOX");
    f.uid_ranges = all;
    f.n_uid_ranges = 2;
    f.mode = STORE__FLAG_STORE_REQUEST__MODE__ADD;
    f.keywords = names;
    f.n_keywords = ARRAY_LEN(names);
    for (int round = 0; round < 9; round++) {
        for (size_t i = 0; i < ARRAY_LEN(names); i++) {
            snprintf(text[i], sizeof text[i], "key-%d-%zu", round, i);
            names[i] = text[i];
        }
        CHECK(mailbox_begin(box) == 0 && mailbox_flag_store(box, &arena, &f, &stored) == 0 &&
              mailbox_commit(box) == 0);
    }
    CHECK(count("SELECT count(*) FROM message_keyword") == 900);
    f.mode = STORE__FLAG_STORE_REQUEST__MODE__SET;
    f.n_keywords = 1;
    CHECK(mailbox_begin(box) == 0 && mailbox_flag_store(box, &arena, &f, &stored) == 0 &&
          mailbox_commit(box) == 0);
    CHECK(count("SELECT count(*) FROM message_keyword") == 1);
    sound();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_messages, setup, teardown),
        cmocka_unit_test_setup_teardown(test_last_uids, setup, teardown),
        cmocka_unit_test_setup_teardown(test_last_modseq, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_keywords, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
