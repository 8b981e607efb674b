/* src/store/search_test.c: random mail and random questions, answered by the search and by a loop that
 * knows no index. LETTERLOCK_SEED repeats a run, LETTERLOCK_SEARCH_ROUNDS makes it longer. */
#include "lib/base/test.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/rand.h"
#include "lib/db/db.h"
#include "lib/mime/fold.h"
#include "lib/regex/fold.h"
#include "lib/regex/re2.h"
#include "src/store/chunk.h"
#include "src/store/index.h"
#include "src/store/search.h"
#include "src/store/searchset.h"
#include <stdio.h>

#define EMAILS_MAX 400
#define NODES      24
#define T(name)    STORE__SEARCH_KEY__TYPE__##name

static struct mailbox *box;
static uint64_t state;
static struct {
    struct buf head, body;
} texts[EMAILS_MAX + 1]; /* by email id */
static size_t ntexts;
static struct arena arena = { .max = MIB(64) };

static uint32_t rnd(uint32_t below)
{
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((state >> 33) % below);
}

static const char *const words[] = {
    "the",
    "there",
    "other",
    "mother",
    "moth",
    "a",
    "ab",
    "abc",
    "abcd",
    "bcd",
    "invoice",
    "voice",
    "Straße",
    "STRASSE",
    "café",
    "cafe",
    "naïve",
    "日本語",
    "日本",
    "本",
    "語の",
    "ﬁnal",
    "final",
    "\"q\"",
    "AND",
    "OR",
    "x*y",
    "-",
    "--",
    "e\xCC\x81",
    "π",
    "ΣΑΣ",
    "σας",
    "\xEF\xBF\xBD",
    "\xEF\xBF\xBE",
    "\xEF\xBF\xBFz",
    "1234",
    "12",
    "😀",
    "😀!",
};

static const char *word(void)
{
    return words[rnd(rnd(2) ? ARRAY_LEN(words) : 12)];
}

static void put_words(struct buf *b, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        CHECK(buf_putz(b, word()) == 0);
        if (rnd(4))
            CHECK(buf_putz(b, rnd(8) ? " " : "  \t") == 0);
    }
}

static void folded_line(struct buf *out, const char *label, uint32_t n)
{
    CLEANUP(buf_release) struct buf raw = { .max = MIB(2) };

    put_words(&raw, n);
    CHECK(buf_putz(out, label) == 0 && mime_fold_append(buf_str(&raw), out) == 0 && buf_putc(out, '\n') == 0);
}

static void make_text(struct buf *head, struct buf *body)
{
    static const char *const fields[] = { "subject: ", "from: ", "to: ", "x-list: ", "subject: " };

    head->max = MIB(1);
    body->max = MIB(2);
    for (uint32_t i = rnd(6); i; i--)
        folded_line(head, fields[rnd(ARRAY_LEN(fields))], rnd(5));
    for (uint32_t i = rnd(4); i; i--)
        folded_line(body, "", rnd(rnd(4) ? 8 : 60));
    if (rnd(25) == 0)
        for (uint32_t want = rnd(2) ? KIB(300) : KIB(520); body->n < want;)
            folded_line(body, "", 4000);
}

/* ---- a mailbox, changing ---------------------------------------------------------------------- */

static char *const folders[] = { "INBOX", "Archive" };

static void append(void)
{
    Store__AppendResponse out = STORE__APPEND_RESPONSE__INIT;
    CLEANUP(buf_release) struct buf head = { 0 }, body = { 0 };
    struct bytes_mem msg, mem;
    struct bytes_cat all;
    char *kw[] = { rnd(2) ? "todo" : "later" };
    struct placement at = { .folder = str_from(folders[rnd(3) == 0]),
                            .flags = rnd(32),
                            .keywords = kw,
                            .nkeywords = rnd(2),
                            .internal_ms = clock_wall_ms() - (int64_t)rnd(1000000000) };
    struct email_in e = { .structure = STR("s"),
                          .has_sent = rnd(4) != 0,
                          .sent_ms = clock_wall_ms() - (int64_t)rnd(1000000000),
                          .sent_zone_min = (int32_t)rnd(1400) - 700 };
    int64_t id = 0;

    make_text(&head, &body);
    e.message = bytes_mem_init(&msg, str_slice(STR("0123456789abcdefghijklmnopqrstuvwxyz"), 0, 1 + rnd(30)));
    e.text = bytes_cat_init(&all, buf_str(&head), bytes_mem_init(&mem, buf_str(&body)));
    e.text_header_bytes = head.n;
    clock_fake_advance(rnd(100000000));
    CHECK(mailbox_begin(box) == 0 && mailbox_append(box, &e, &at, &out) == 0 && mailbox_commit(box) == 0);
    CHECK(db_get_i64(mailbox_db(box), "SELECT max(id) FROM email", &id) == 0 && id <= EMAILS_MAX);
    buf_release(&texts[id].head);
    buf_release(&texts[id].body);
    texts[id].head = head;
    texts[id].body = body;
    head = body = (struct buf){ 0 };
    ntexts = size_max(ntexts, (size_t)id + 1);
}

static uint64_t folder_id(const char *name)
{
    Store__FoldersRequest q = STORE__FOLDERS_REQUEST__INIT;
    Store__FoldersResponse r = STORE__FOLDERS_RESPONSE__INIT;

    q.name = str_pb(str_from(name));
    CHECK(mailbox_folders(box, &arena, &q, &r) == 0 && r.n_folders == 1);
    return r.folders[0]->id;
}

static void copy_some(void)
{
    Store__CopyRequest q = STORE__COPY_REQUEST__INIT;
    Store__CopyResponse r = STORE__COPY_RESPONSE__INIT;
    uint32_t range[2] = { 1 + rnd(50), 0 };

    range[1] = range[0] + rnd(4);
    q.folder_id = folder_id(folders[rnd(2)]);
    q.uid_ranges = range;
    q.n_uid_ranges = 2;
    q.to = str_pb(str_from(folders[rnd(2)]));
    CHECK(mailbox_begin(box) == 0 && mailbox_copy(box, &arena, &q, &r) == 0 && mailbox_commit(box) == 0);
}

static void expunge_some(void)
{
    Store__ExpungeRequest q = STORE__EXPUNGE_REQUEST__INIT;
    Store__ExpungeResponse r = STORE__EXPUNGE_RESPONSE__INIT;
    uint32_t range[2] = { 1 + rnd(60), 0 };

    range[1] = range[0] + rnd(10);
    q.folder_id = folder_id(folders[rnd(2)]);
    q.uid_ranges = range;
    q.n_uid_ranges = 2;
    CHECK(mailbox_begin(box) == 0 && mailbox_expunge(box, &arena, &q, &r) == 0 && mailbox_commit(box) == 0);
}

static void index_some(void)
{
    CHECK(mailbox_begin(box) == 0 && mailbox_index_step(box, rnd(2) ? 0 : 1000) >= 0);
    if (rnd(8))
        CHECK(mailbox_commit(box) == 0);
    else
        mailbox_rollback(box); /* as a crash would */
}

static void change(void)
{
    uint32_t what = rnd(20);

    if (what < 12)
        append();
    else if (what < 14)
        copy_some();
    else if (what < 16)
        expunge_some();
    else
        index_some();
}

/* ---- the loop that knows no index --------------------------------------------------------------- */

struct row {
    uint32_t uid, flags;
    uint64_t modseq, bytes;
    int64_t internal_ms, saved_ms, email, sent_ms, zone;
    bool has_sent;
};

static int64_t ms_of(struct str iso)
{
    int64_t ms = 0;

    return clock_from_iso(iso.p, iso.n, &ms) ? ms : 0;
}

static bool has(const struct buf *b, const struct buf *needle)
{
    return needle->n == 0 || (b->n && memmem(b->p, b->n, needle->p, needle->n));
}

static bool header_has(const struct buf *head, struct str name, const struct buf *needle)
{
    struct str rest = buf_str(head), line, field, value;

    while (rest.n) {
        str_cut(rest, '\n', &line, &rest);
        if (!str_cut(line, ':', &field, &value) || !str_eq(field, name))
            continue;
        value = str_skip(value, 1);
        if (!needle->n || (value.n && memmem(value.p, value.n, needle->p, needle->n)))
            return true;
    }
    return false;
}

static bool text_matches(const Store__SearchKey *k, const struct row *m)
{
    CLEANUP(buf_release) struct buf needle = { .max = KIB(64) };

    CHECK(mime_fold_append(pb_str(k->text), &needle) == 0);
    if (k->type == T(HEADER))
        return header_has(&texts[m->email].head, pb_str(k->name), &needle);
    return has(&texts[m->email].body, &needle) || (k->type == T(TEXT) && has(&texts[m->email].head, &needle));
}

/* As the text of a message is to an expression: without the space before the end of a line. */
static bool lines_match(const struct regex *r, const struct buf *text)
{
    CLEANUP(buf_release) struct buf b = { .max = MIB(4) };

    for (size_t i = 0; i + 1 < text->n; i++)
        if (text->p[i] != ' ' || text->p[i + 1] != '\n')
            CHECK(buf_putc(&b, text->p[i]) == 0);
    return regex_has(r, b.p ? b.p : "", b.n);
}

static bool regex_matches(const Store__SearchKey *k, const struct row *m)
{
    CLEANUP(buf_release) struct buf p = { .max = KIB(64) };
    const struct buf *head = &texts[m->email].head, *body = &texts[m->email].body;
    struct str name = pb_str(k->name), rest = buf_str(head), line, field;
    struct regex *r;
    bool found = false;

    CHECK(regex_fold(pb_str(k->text), &p) == 0 && (r = regex_new(p.p ? p.p : "", p.n, NULL, 0)));
    if (str_eq_z(name, "body") || str_eq_z(name, "text"))
        found = lines_match(r, body);
    if (str_eq_z(name, "header") || str_eq_z(name, "text"))
        found |= lines_match(r, head);
    while (rest.n && !found) {
        str_cut(rest, '\n', &line, &rest);
        if (str_cut(line, ':', &field, &line) && str_eq(field, name))
            found = regex_has(r, str_trim(line).p, str_trim(line).n);
    }
    regex_free(&r);
    return found;
}

static bool keyword_matches(const Store__SearchKey *k, uint64_t folder, const struct row *m)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;

    CHECK(stmt_get(mailbox_db(box),
                   "SELECT 1 FROM message_keyword mk JOIN keyword k ON k.id = mk.keyword_id "
                   "WHERE folder_id = ?1 AND uid = ?2 AND k.name = ?3",
                   &st) == 0);
    stmt_bind_u64(st, 1, folder);
    stmt_bind_u64(st, 2, m->uid);
    stmt_bind_str(st, 3, pb_str(k->text));
    return stmt_step(st) == 1;
}

static bool matches(const Store__SearchKey *k, uint64_t folder, const struct row *m)
{
    int64_t n = k->number, sent = m->sent_ms + m->zone * 60000;

    switch (k->type) {
    case T(ALL): return true;
    case T(NONE): return false;
    case T(AND):
        for (size_t i = 0; i < k->n_children; i++)
            if (!matches(k->children[i], folder, m))
                return false;
        return true;
    case T(OR):
        for (size_t i = 0; i < k->n_children; i++)
            if (matches(k->children[i], folder, m))
                return true;
        return false;
    case T(NOT): return !matches(k->children[0], folder, m);
    case T(UID): return uidset_has(k->uid_ranges, k->n_uid_ranges, m->uid);
    case T(FLAGS_SET): return (m->flags & (uint32_t)n) == (uint32_t)n;
    case T(KEYWORD): return keyword_matches(k, folder, m);
    case T(LARGER): return (int64_t)m->bytes > n;
    case T(SMALLER): return (int64_t)m->bytes < n;
    case T(MODSEQ): return (int64_t)m->modseq >= n;
    case T(INTERNAL_FROM): return m->internal_ms >= n;
    case T(INTERNAL_BEFORE): return m->internal_ms < n;
    case T(SAVED_FROM): return m->saved_ms >= n;
    case T(SAVED_BEFORE): return m->saved_ms < n;
    case T(SENT_FROM): return m->has_sent && sent >= n;
    case T(SENT_BEFORE): return m->has_sent && sent < n;
    case T(REGEX): return regex_matches(k, m);
    default: return text_matches(k, m);
    }
}

static void answer_slowly(const Store__SearchKey *k, uint64_t folder, struct uidset *out)
{
    static const char sql[] =
        "SELECT m.uid, m.flags, m.modseq, m.bytes, m.internal, m.saved, m.email_id, e.sent, "
        "e.sent_zone FROM message m JOIN email e ON e.id = m.email_id WHERE folder_id = ?1 ORDER BY uid";
    CLEANUP(stmt_release) struct stmt *st = NULL;

    CHECK(stmt_get(mailbox_db(box), sql, &st) == 0);
    stmt_bind_u64(st, 1, folder);
    while (stmt_step(st) > 0) {
        struct row m = { .uid = (uint32_t)stmt_u64(st, 0),
                         .flags = (uint32_t)stmt_u64(st, 1),
                         .modseq = stmt_u64(st, 2),
                         .bytes = stmt_u64(st, 3),
                         .internal_ms = ms_of(stmt_str(st, 4)),
                         .saved_ms = ms_of(stmt_str(st, 5)),
                         .email = stmt_i64(st, 6),
                         .has_sent = !stmt_is_null(st, 7),
                         .sent_ms = ms_of(stmt_str(st, 7)),
                         .zone = stmt_i64(st, 8) };

        if (matches(k, folder, &m))
            CHECK(uidset_add(out, m.uid) == 0);
    }
}

/* ---- questions ---------------------------------------------------------------------------------- */

/* A piece of what is there, of a word, or of nothing. */
static ProtobufCBinaryData needle(void)
{
    size_t id = rnd((uint32_t)ntexts);
    const struct buf *b = rnd(2) ? &texts[id].body : &texts[id].head;
    struct str s = str_from(word());

    if (b->n && rnd(2)) {
        size_t at = rnd((uint32_t)b->n), n = 1 + rnd(rnd(4) ? 6 : 60);

        while (at && ((unsigned char)b->p[at] & 0xC0) == 0x80)
            at--;
        s = str_slice(buf_str(b), at, at + n);
        while (s.n && s.n + at < b->n && ((unsigned char)s.p[s.n] & 0xC0) == 0x80)
            s.n--; /* whole letters */
    } else if (rnd(3) == 0) {
        s = str_slice(s, 0, rnd((uint32_t)s.n + 1));
    }
    return str_pb(arena_dup(&arena, s));
}

/* An expression that is one, whatever comes. */
static ProtobufCBinaryData expression(void)
{
    static const char *const between[] = { "",     ".",          ".*",  "[a-z]+", " ?", "(the|a)", "\\b",
                                           "+",    "*",          "?",   "{2}",    "|",  "$",       "^",
                                           "[^a]", "(?:bc|cd)*", "\\d", "\\.",    "(",  "\\" };
    CLEANUP(buf_release) struct buf b = { .max = KIB(4) };
    struct regex *r = NULL;

    while (!r) {
        CLEANUP(buf_release) struct buf folded = { .max = KIB(64) };

        buf_clear(&b);
        for (uint32_t i = 1 + rnd(3); i; i--)
            CHECK(buf_putz(&b, word()) == 0 && buf_putz(&b, between[rnd(ARRAY_LEN(between))]) == 0);
        CHECK(regex_fold(buf_str(&b), &folded) == 0);
        r = regex_new(folded.p ? folded.p : "", folded.n, NULL, 0);
    }
    regex_free(&r);
    return str_pb(arena_dup(&arena, buf_str(&b)));
}

static Store__SearchKey *question(unsigned depth)
{
    static const char *const fields[] = { "subject", "from", "to", "x-list", "x-none" };
    static const Store__SearchKey__Type leaves[] = {
        T(REGEX),     T(REGEX),       T(ALL),          T(UID),           T(FLAGS_SET),
        T(KEYWORD),   T(LARGER),      T(SMALLER),      T(INTERNAL_FROM), T(INTERNAL_BEFORE),
        T(SENT_FROM), T(SENT_BEFORE), T(HEADER),       T(BODY),          T(TEXT),
        T(MODSEQ),    T(SAVED_FROM),  T(SAVED_BEFORE), T(NONE),          T(TEXT),
        T(BODY),      T(HEADER),      T(TEXT),         T(TEXT),
    };
    Store__SearchKey *k = ARENA_NEW(&arena, Store__SearchKey);
    bool inner = depth < 3 && rnd(3) != 0;

    store__search_key__init(k);
    k->type = inner ? (Store__SearchKey__Type)(T(AND) + (int)rnd(3)) : leaves[rnd(ARRAY_LEN(leaves))];
    if (inner) {
        k->n_children = k->type == T(NOT) ? 1 : rnd(4);
        k->children = ARENA_ARRAY(&arena, 4, Store__SearchKey *);
        for (size_t i = 0; i < k->n_children; i++)
            k->children[i] = question(depth + 1);
        return k;
    }
    k->text = needle();
    k->name = str_pb(str_from(fields[rnd(ARRAY_LEN(fields))]));
    k->number = clock_wall_ms() - (int64_t)rnd(1000000000);
    if (k->type == T(REGEX)) {
        k->text = expression();
        if (rnd(2))
            k->name = str_pb(str_from(rnd(3) ? "text" : rnd(2) ? "body" : "header"));
    }
    if (k->type == T(KEYWORD))
        k->text = str_pb(str_from(rnd(3) ? "LATER" : rnd(2) ? "later" : "never"));
    if (k->type == T(FLAGS_SET))
        k->number = rnd(2) ? 1 << rnd(5) : (int)rnd(32);
    if (k->type == T(LARGER) || k->type == T(SMALLER))
        k->number = rnd(32);
    if (k->type == T(MODSEQ))
        k->number = rnd(100);
    if (k->type == T(UID)) {
        k->uid_ranges = ARENA_ARRAY(&arena, 4, uint32_t);
        k->n_uid_ranges = 2 * rnd(3);
        for (size_t i = 0, at = 0; i < k->n_uid_ranges; i++)
            k->uid_ranges[i] = (uint32_t)(at += 2 + rnd(40));
    }
    return k;
}

static void print(const Store__SearchKey *k)
{
    print_error("(%d name=%.*s text=\"%.*s\" number=%lld", (int)k->type, (int)k->name.len,
                (const char *)k->name.data, (int)k->text.len, (const char *)k->text.data,
                (long long)k->number);
    for (size_t i = 0; i < k->n_children; i++)
        print(k->children[i]);
    print_error(")");
}

static void answer_fast(const Store__SearchKey *k, uint64_t folder, Store__SearchResponse *out)
{
    Store__SearchRequest q = STORE__SEARCH_REQUEST__INIT;
    struct search *s = NULL;
    int64_t budget = rnd(2) ? 0 : 1000;
    int r;

    q.folder_id = folder;
    q.key = (Store__SearchKey *)(uintptr_t)k;
    CHECK(search_new(&q, &s) == 0);
    while ((r = search_step(s, box, budget)) > 0)
        CHECK(rnd(2) || search_help(s, box, budget) >= 0);
    while (r == 0 && (r = search_help(s, box, budget)) > 0)
        r = 0;
    CHECK(r == 0 && search_left(s) == 0 && search_answer(s, box, &arena, out) == 0);
    search_free(&s);
}

/* Same answers? Where not, its parts are asked too. */
static bool agree(const Store__SearchKey *k, uint64_t folder)
{
    CLEANUP(uidset_release) struct uidset slow = { 0 };
    Store__SearchResponse fast = STORE__SEARCH_RESPONSE__INIT;

    answer_slowly(k, folder, &slow);
    answer_fast(k, folder, &fast);
    if (fast.n_uid_ranges == slow.n &&
        (!slow.n || memcmp(fast.uid_ranges, slow.v, slow.n * sizeof *slow.v) == 0))
        return true;
    print(k);
    print_error("\nslowly %llu messages, fast %llu\n", (unsigned long long)set_count(&slow),
                (unsigned long long)uidset_count(fast.uid_ranges, fast.n_uid_ranges));
    for (size_t i = 0; i < k->n_children; i++)
        agree(k->children[i], folder);
    return false;
}

static void ask(uint64_t seed)
{
    uint64_t folder = folder_id(folders[rnd(3) == 0]);

    if (!agree(question(0), folder)) {
        print_error("seed %llu\n", (unsigned long long)seed);
        CHECK(!"the index and the loop disagree");
    }
}

static void texts_release(void)
{
    for (size_t i = 0; i < ntexts; i++) {
        buf_release(&texts[i].head);
        buf_release(&texts[i].body);
    }
    memset(texts, 0, sizeof texts);
    ntexts = 0;
}

static void one_round(uint64_t seed)
{
    state = seed;
    clock_fake(INT64_C(1787000000000));
    CHECK(mailbox_open_memory(&box) == 0);
    for (int i = 0; i < 90; i++) {
        change();
        if (i < 20 || !ntexts)
            continue;
        for (int j = 0; j < 12; j++)
            ask(seed);
        arena_reset(&arena);
    }
    mailbox_close(&box);
    texts_release();
    clock_real();
}

static void test_differential(void **unused)
{
    const char *given = getenv("LETTERLOCK_SEED"), *more = getenv("LETTERLOCK_SEARCH_ROUNDS");
    uint64_t seed = given ? strtoull(given, NULL, 0) : rand_u64() >> 16;
    unsigned rounds = more ? (unsigned)strtoul(more, NULL, 0) : 6;
    char told[48];

    (void)unused;
    print_message("LETTERLOCK_SEED=%llu\n", (unsigned long long)seed);
    for (unsigned i = 0; i < rounds; i++)
        one_round(seed + i);
    snprintf(told, sizeof told, "LETTERLOCK_SEED=%llu", (unsigned long long)seed);
    runs_tell("against a model", "random questions to random mail, rounds of them", rounds, told);
    arena_release(&arena);
}

static void test_sets(void **unused)
{
    (void)unused;
    state = 7;
    for (int round = 0; round < 2000; round++) {
        CLEANUP(uidset_release) struct uidset a = { 0 }, b = { 0 }, x = { 0 }, y = { 0 }, z = { 0 };

        for (uint32_t i = 1; i < 40; i++) {
            if (rnd(3))
                CHECK(uidset_add(&a, i) == 0);
            if (rnd(3) == 0)
                CHECK(uidset_add(&b, i) == 0);
        }
        CHECK(set_and(&a, &b, &x) == 0 && set_or(&a, &b, &y) == 0 && set_minus(&a, &b, &z) == 0);
        for (uint32_t i = 1; i < 42; i++) {
            bool in_a = set_has(&a, i), in_b = set_has(&b, i);

            CHECK(set_has(&x, i) == (in_a && in_b) && set_has(&y, i) == (in_a || in_b));
            CHECK(set_has(&z, i) == (in_a && !in_b));
        }
        CHECK(uidset_check(x.v, x.n) == 0 && uidset_check(y.v, y.n) == 0 && uidset_check(z.v, z.n) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sets),
        cmocka_unit_test(test_differential),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
