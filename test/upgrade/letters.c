#include "test/upgrade/letters.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/hex.h"
#include "lib/mime/structure.h"
#include "lib/mime/text.h"
#include "lib/mime/thread.h"
#include "test/upgrade/sample.h"
#include <stdio.h>

/* ---- letters ---- */

#define HEAD                                                           \
    "From: Ann Example <ann@example.test>\r\nTo: bob@example.test\r\n" \
    "Date: Mon, 17 Aug 2026 10:11:12 +0200\r\n"

static const char *const letters[] = {
    NULL,
    HEAD "Message-ID: <one@example.test>\r\nSubject: The garden\r\n\r\nThe quick unicorn1 jumps.\r\n",
    HEAD "Message-ID: <two@example.test>\r\nIn-Reply-To: <one@example.test>\r\n"
         "References: <one@example.test>\r\nSubject: Re: =?utf-8?q?The_g=C3=A4rden?=\r\n"
         "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
         "Gr\xc3\xbc\xc3\x9f"
         "e, unicorn2.\r\n",
    HEAD
    "Message-ID: <three@example.test>\r\nSubject: A file\r\nMIME-Version: 1.0\r\n"
    "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nSee unicorn3.\r\n"
    "--b\r\nContent-Type: application/octet-stream; name=a.bin\r\nContent-Transfer-Encoding: base64\r\n"
    "Content-Disposition: attachment; filename=a.bin\r\n\r\n",
    HEAD "Message-ID: <four@example.test>\r\nSubject: Pages\r\nContent-Type: text/html\r\n\r\n"
         "<p>A <b>unicorn4</b> &amp; more</p>\r\n",
    HEAD "Message-ID: <five@example.test>\r\nSubject: A long one\r\n\r\n",
    HEAD "Message-ID: <six@example.test>\r\nSubject: It goes\r\n\r\nunicorn6 leaves.\r\n",
    HEAD "Message-ID: <seven@example.test>\r\nSubject: Pieces\r\nContent-Type: text/html\r\n\r\n",
};

void letter_make(unsigned n, struct buf *out)
{
    uint32_t x = 12345;

    buf_clear(out);
    CHECK(n >= 1 && n < ARRAY_LEN(letters) && buf_putz(out, letters[n]) == 0);
    for (unsigned i = 0; n == 3 && i < 2400; i++) { /* 57 bytes a line: what every program writes */
        static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

        x = x * 1664525u + 1013904223u;
        CHECK(buf_putc(out, digits[x >> 26]) == 0 && (i % 76 != 75 || buf_putz(out, "\r\n") == 0));
    }
    if (n == 3)
        CHECK(buf_putz(out, "\r\n--b--\r\n") == 0);
    for (unsigned i = 0; n == 7 && i < 2000;
         i++) { /* what it shares with its text is short, and there is much of it */
        x = x * 1664525u + 1013904223u;
        CHECK((i % 10 || buf_putz(out, "&amp;") == 0) && buf_putc(out, (char)('a' + (x >> 24) % 26)) == 0);
    }
    for (unsigned i = 0; n == 5 && i < 6000; i++)
        CHECK(buf_printf(out, "Line %u of a letter that needs more than one row. unicorn5\r\n", i) == 0);
}

static int take_text(void *user, struct str text)
{
    return buf_puts(user, text);
}

int letter_append(struct mailbox *box, unsigned n, const char *folder, uint32_t flags, uint32_t *uid_out)
{
    CLEANUP(buf_release)
    struct buf bytes = { .max = MIB(1) }, text = { .max = MIB(4) }, tree = { .max = MIB(1) };
    CLEANUP(arena_release) struct arena a = { .max = MIB(4) };
    Store__AppendResponse out = STORE__APPEND_RESPONSE__INIT;
    struct placement at = { .folder = str_from(folder), .flags = flags, .internal_ms = clock_wall_ms() };
    struct mime_part *root = NULL;
    struct mime_text t;
    struct bytes_mem message, words;
    struct email_in e = { 0 };
    struct str ids, refs[4];
    int r;

    letter_make(n, &bytes);
    CHECK(mime_text_init(&t, &a, take_text, &text) == 0 && mime_text_feed(&t, buf_str(&bytes)) == 0 &&
          mime_text_finish(&t, &root) == 0 && mime_structure_pack(root, &a, &tree) == 0);
    e.message = bytes_mem_init(&message, buf_str(&bytes));
    e.text = bytes_mem_init(&words, buf_str(&text));
    e.header_bytes = root->body_start;
    e.text_header_bytes = t.header_bytes;
    e.structure = buf_str(&tree);
    e.has_sent = root->envelope->has_sent;
    e.sent_ms = root->envelope->sent.ms;
    e.sent_zone_min = root->envelope->sent.zone_min;
    ids = root->envelope->message_id;
    CHECK(mime_message_id_next(&ids, &e.message_id));
    ids = mime_text_references(&t);
    while (e.nreferences < ARRAY_LEN(refs) && mime_message_id_next(&ids, &refs[e.nreferences]))
        e.nreferences++;
    e.references = refs;
    if ((r = mailbox_begin(box)) < 0 || (r = mailbox_append(box, &e, &at, &out)) < 0 ||
        (r = mailbox_commit(box)) < 0)
        mailbox_rollback(box);
    mime_text_release(&t);
    if (uid_out)
        *uid_out = out.uid;
    return r;
}

/* ---- making ---- */

static uint64_t folder_id(struct mailbox *box, struct arena *a, const char *name, uint32_t *messages_out)
{
    Store__FoldersRequest q = STORE__FOLDERS_REQUEST__INIT;
    Store__FoldersResponse out = STORE__FOLDERS_RESPONSE__INIT;

    q.name = str_pb(str_from(name));
    q.counts = true;
    CHECK(mailbox_folders(box, a, &q, &out) == 0 && out.n_folders == 1);
    if (messages_out)
        *messages_out = out.folders[0]->messages;
    return out.folders[0]->id;
}

static void change(struct mailbox *box, struct arena *a, const char *folder, uint32_t uid, uint32_t flags,
                   char *keyword)
{
    Store__FlagStoreRequest q = STORE__FLAG_STORE_REQUEST__INIT;
    Store__FlagStoreResponse out = STORE__FLAG_STORE_RESPONSE__INIT;
    uint32_t ranges[2] = { uid, uid };

    q.folder_id = folder_id(box, a, folder, NULL);
    q.uid_ranges = ranges;
    q.n_uid_ranges = 2;
    q.mode = STORE__FLAG_STORE_REQUEST__MODE__ADD;
    q.flags = flags;
    q.keywords = &keyword;
    q.n_keywords = keyword != NULL;
    CHECK(mailbox_begin(box) == 0 && mailbox_flag_store(box, a, &q, &out) == 0 && mailbox_commit(box) == 0);
}

static void copy(struct mailbox *box, struct arena *a, const char *from, uint32_t uid, const char *to)
{
    Store__CopyRequest q = STORE__COPY_REQUEST__INIT;
    Store__CopyResponse out = STORE__COPY_RESPONSE__INIT;
    uint32_t ranges[2] = { uid, uid };

    q.folder_id = folder_id(box, a, from, NULL);
    q.uid_ranges = ranges;
    q.n_uid_ranges = 2;
    q.to = str_pb(str_from(to));
    CHECK(mailbox_begin(box) == 0 && mailbox_copy(box, a, &q, &out) == 0 && mailbox_commit(box) == 0);
}

static void expunge(struct mailbox *box, struct arena *a, const char *folder)
{
    Store__ExpungeRequest q = STORE__EXPUNGE_REQUEST__INIT;
    Store__ExpungeResponse out = STORE__EXPUNGE_RESPONSE__INIT;

    q.folder_id = folder_id(box, a, folder, NULL);
    CHECK(mailbox_begin(box) == 0 && mailbox_expunge(box, a, &q, &out) == 0 && mailbox_commit(box) == 0);
}

static const uint8_t op_id[16] = { 1, 2 }, delivery_id[32] = { 3, 4 };

void letters_make(void)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(4) };
    Store__FolderRequest work = STORE__FOLDER_REQUEST__INIT;
    Store__FoldersResponse made = STORE__FOLDERS_RESPONSE__INIT;
    struct mailbox_options o = { .flags = MAILBOX_CREATE };
    struct mailbox_meta m = { .id = { 1, 2, 3, 4 }, .generation = 2, .key_state = { .max = KIB(1) } };
    struct mailbox *box = NULL;

    CHECK(buf_putz(&m.key_state, "a state of the keys") == 0);
    CHECK(mailbox_open(LETTERS_PATH, sample_key, &o, &m, &box) == 0);
    work.name = str_pb(STR("Work/2026"));
    CHECK(mailbox_begin(box) == 0 && mailbox_folder_create(box, &a, &work, &made) == 0 &&
          mailbox_commit(box) == 0);
    for (unsigned n = 1; n <= 3; n++)
        CHECK(letter_append(box, n, "INBOX", n == 1 ? STORE__FLAG__SEEN : 0, NULL) == 0);
    CHECK(letter_append(box, 4, "Work/2026", 0, NULL) == 0 &&
          letter_append(box, 5, "Archive", 0, NULL) == 0 && letter_append(box, 6, "INBOX", 0, NULL) == 0);
    change(box, &a, "INBOX", 1, 0, (char *)(uintptr_t) "$Work");
    change(box, &a, "INBOX", 3, STORE__FLAG__FLAGGED, NULL);
    copy(box, &a, "INBOX", 1, "Archive");
    change(box, &a, "INBOX", 4, STORE__FLAG__DELETED, NULL);
    expunge(box, &a, "INBOX");
    CHECK(mailbox_begin(box) == 0 && mailbox_operation_note(box, str_of(op_id, 16), 20, STR("answer")) == 0 &&
          mailbox_delivery_note(box, str_of(delivery_id, 32)) == 0 && mailbox_drained_set(box, 5, 6) == 0 &&
          mailbox_commit(box) == 0);
    buf_release(&m.key_state);
    CHECK(mailbox_close(&box) == 0);
}

/* ---- checking ---- */

static const struct place {
    const char *folder;
    uint32_t uid, flags;
    unsigned letter;
} places[] = {
    { "INBOX", 1, STORE__FLAG__SEEN, 1 },
    { "INBOX", 2, 0, 2 },
    { "INBOX", 3, STORE__FLAG__FLAGGED, 3 },
    { "Work/2026", 1, 0, 4 },
    { "Archive", 1, 0, 5 },
    { "Archive", 2, STORE__FLAG__SEEN, 1 },
};

static void row_check(const struct place *p, const uint8_t *at, size_t len, size_t letter_bytes)
{
    Store__Row *row = store__row__unpack(NULL, len, at);

    CHECK(row && row->uid == p->uid && row->flags == p->flags && row->bytes == letter_bytes);
    CHECK(row->email_id.len == 25 && row->thread_id.len == 25 && row->internal_date_ms == clock_wall_ms());
    CHECK(p->letter != 1 || p->folder[0] != 'I' ||
          (row->n_keywords == 1 && strcmp(row->keywords[0], "$Work") == 0));
    store__row__free_unpacked(row, NULL);
}

static void place_check(struct mailbox *box, struct arena *a, const struct place *p)
{
    CLEANUP(buf_release)
    struct buf want = { .max = MIB(1) }, got = { .max = MIB(1) }, out = { .max = MIB(4) };
    CLEANUP(fetch_release) struct fetch f = { 0 };
    Store__FetchRequest q = STORE__FETCH_REQUEST__INIT;
    uint32_t ranges[2] = { p->uid, p->uid };
    int r;

    letter_make(p->letter, &want);
    q.folder_id = folder_id(box, a, p->folder, NULL);
    q.uid_ranges = ranges;
    q.n_uid_ranges = 2;
    q.want = STORE__WANT__META | STORE__WANT__STRUCTURE | STORE__WANT__BODY;
    CHECK(fetch_init(&f, &q) == 0);
    do {
        buf_clear(&out);
        CHECK((r = mailbox_fetch(box, &f, KIB(64), &out)) >= 0);
        for (size_t at = 0; at < out.n;) {
            uint32_t len = le32_get((const uint8_t *)out.p + at + 1);

            if (out.p[at] == 1)
                row_check(p, (const uint8_t *)out.p + at + 5, len, want.n);
            else
                CHECK(buf_append(&got, out.p + at + 5, len) == 0);
            at += 5 + len;
        }
    } while (r > 0);
    CHECK(str_eq(buf_str(&got), buf_str(&want)));
}

static void search_check(struct mailbox *box, struct arena *a, const struct place *p)
{
    Store__SearchRequest q = STORE__SEARCH_REQUEST__INIT;
    Store__SearchResponse out = STORE__SEARCH_RESPONSE__INIT;
    Store__SearchKey key = STORE__SEARCH_KEY__INIT;
    char word[16];

    snprintf(word, sizeof word, "unicorn%u", p->letter);
    key.type = STORE__SEARCH_KEY__TYPE__TEXT;
    key.text = str_pb(str_from(word));
    q.folder_id = folder_id(box, a, p->folder, NULL);
    q.key = &key;
    CHECK(mailbox_search(box, a, &q, &out) == 0);
    CHECK(out.n_uid_ranges == 2 && out.uid_ranges[0] == p->uid && out.uid_ranges[1] == p->uid);
}

static void log_check(struct mailbox *box, struct arena *a)
{
    CLEANUP(buf_release) struct buf answer = { .max = KIB(1) };
    Store__SyncRequest q = STORE__SYNC_REQUEST__INIT;
    Store__SyncResponse out = STORE__SYNC_RESPONSE__INIT;
    uint64_t seq = 0;

    q.folder_id = folder_id(box, a, "INBOX", NULL);
    q.since_modseq = 5;
    CHECK(mailbox_sync(box, a, &q, false, &out) == 0);
    CHECK(out.n_vanished_ranges == 2 && out.vanished_ranges[0] == 4 && out.vanished_ranges[1] == 4);
    CHECK(mailbox_operation_find(box, str_of(op_id, 16), 20, &answer) == 1 &&
          str_eq(buf_str(&answer), STR("answer")));
    CHECK(mailbox_delivery_find(box, str_of(delivery_id, 32)) == 1);
    CHECK(mailbox_drained_get(box, 5, &seq) == 0 && seq == 6);
}

void letters_check(void)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(8) };
    CLEANUP(buf_release) struct buf why = { .max = KIB(1) };
    struct mailbox_options o = { .why = &why };
    struct mailbox_meta m = { .key_state = { .max = KIB(1) } };
    struct mailbox *box = NULL;
    uint32_t messages = 0;

    CHECK(mailbox_open(LETTERS_PATH, sample_key, &o, NULL, &box) == 0 && why.n == 0);
    CHECK(db_verify(mailbox_db(box), NULL) == 0);
    CHECK(mailbox_meta_get(box, &m) == 0 && m.id[3] == 4 && m.generation == 2 &&
          str_eq(buf_str(&m.key_state), STR("a state of the keys")));
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        place_check(box, &a, &places[i]);
        search_check(box, &a, &places[i]);
    }
    log_check(box, &a);
    folder_id(box, &a, "INBOX", &messages);
    CHECK(messages == 3);
    buf_release(&m.key_state);
    CHECK(mailbox_close(&box) == 0);
}
