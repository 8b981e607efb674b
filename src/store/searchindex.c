/* src/store/searchindex.c: candidates from the trigram index.
 *
 * A needle of three letters or more is in no text that lacks one of its trigrams. FTS5 with
 * detail=none knows no phrases, so the trigrams are asked for with AND. A needle of one or two letters
 * begins a trigram wherever it stands, since the indexed text ends with two line ends: it is in the
 * emails of all terms that begin with it. Up to three letters this is the answer and not a guess,
 * for TEXT, which asks for header and body alike.
 *
 * Common letters make a rare word as well, so what has all trigrams is asked for its runs of five letters
 * (grams.h) before it is a candidate.
 *
 * FTS5 reads U+FFFE and U+FFFF as U+FFFD, in texts and needles alike: a needle with U+FFFD is never
 * proven by the index. */
#include "src/store/search_private.h"
#include "lib/mime/charset.h"
#include "src/store/grams.h"

#define TRIGRAMS_MAX 16u        /* of one needle: more find nothing more, and each costs reading its list */
#define EMAIL_ID_MAX (1u << 28) /* beyond it (32 MiB of bits) the index is not asked */
#define POLL_ROWS    1024u
#define ENOUGH_ROWS  (16u * POLL_ROWS)
#define GRAMS_FROM   4u  /* so few texts are looked at at once */
#define GRAMS_SPARSE 16u /* where less than one of so many is wanted, each is looked up */

void idbits_release(struct idbits *b)
{
    free(b->w);
    *b = (struct idbits){ 0 };
}

static int idbits_set(struct idbits *b, int64_t id)
{
    size_t word = (size_t)id / 64;
    uint64_t bit = UINT64_C(1) << (id % 64);

    if (id < 0 || id >= EMAIL_ID_MAX)
        return E_LIMIT;
    if (word >= b->words) {
        size_t words = size_max(word + 1, b->words * 2 + 64);
        uint64_t *w = realloc(b->w, words * sizeof *w);

        if (!w)
            return E_NOMEM;
        memset(w + b->words, 0, (words - b->words) * sizeof *w);
        b->w = w;
        b->words = words;
    }
    b->count += !(b->w[word] & bit);
    b->w[word] |= bit;
    return 0;
}

bool idbits_has(const struct idbits *b, int64_t id)
{
    return id >= 0 && (size_t)id / 64 < b->words && (b->w[id / 64] >> (id % 64) & 1);
}

/* Rows of `st` are ids of emails. */
static int ids_collect(struct search *s, struct stmt *st, struct idbits *out)
{
    unsigned n = 0;
    int r;

    while ((r = stmt_step(st)) > 0) {
        if ((r = idbits_set(out, stmt_i64(st, 0))) < 0)
            return r;
        if (++n % POLL_ROWS == 0 && atomic_load_explicit(&s->stop, memory_order_relaxed))
            return E_CANCELED;
    }
    return r;
}

/* ---- from emails to messages ------------------------------------------------------------------ */

/* Few: each is looked up. */
static int uids_by_email(struct search *s, struct mailbox *box, const struct idbits *ids, struct uidset *out)
{
    static const char sql[] = "SELECT uid FROM message WHERE email_id = ?1 AND folder_id = ?2";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, sql, &st);

    for (size_t w = 0; w < ids->words && r >= 0; w++)
        for (uint64_t left = ids->w[w]; left && r >= 0; left &= left - 1) {
            stmt_reset(st);
            stmt_bind_i64(st, 1, (int64_t)(w * 64) + __builtin_ctzll(left));
            stmt_bind_u64(st, 2, s->folder_id);
            while ((r = stmt_step(st)) > 0)
                if ((r = uidset_push(out, (uint32_t)stmt_u64(st, 0), (uint32_t)stmt_u64(st, 0))) < 0)
                    return r;
        }
    uidset_normalize(out);
    return r;
}

/* Many: the folder is read along. */
static int uids_by_folder(struct search *s, struct mailbox *box, const struct idbits *ids, struct uidset *out)
{
    static const char sql[] = "SELECT uid, email_id FROM message WHERE folder_id = ?1 ORDER BY uid";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, sql, &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, s->folder_id);
    while ((r = stmt_step(st)) > 0)
        if (idbits_has(ids, stmt_i64(st, 1)) && (r = uidset_add(out, (uint32_t)stmt_u64(st, 0))) < 0)
            return r;
    return r;
}

static int uids_of(struct search *s, struct mailbox *box, const struct idbits *ids, struct uidset *out)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, "SELECT messages FROM folder WHERE id = ?1", &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, s->folder_id);
    if ((r = stmt_step(st)) <= 0)
        return r;
    return ids->count * 8 < stmt_u64(st, 0) ? uids_by_email(s, box, ids, out)
                                            : uids_by_folder(s, box, ids, out);
}

int index_tail(struct search *s, struct mailbox *box, const struct uidset **out)
{
    CLEANUP(idbits_release) struct idbits ids = { 0 };
    CLEANUP(stmt_release) struct stmt *st = NULL;
    static const char sql[] = "SELECT email_id FROM unindexed UNION ALL "
                              "SELECT id FROM email WHERE id > (SELECT indexed_upto FROM meta) ORDER BY 1";
    int r = s->have_tail ? 0 : stmt_get(box->db, sql, &st);

    *out = &s->tail;
    if (r < 0 || s->have_tail)
        return r;
    if ((r = ids_collect(s, st, &ids)) < 0 || (r = uids_of(s, box, &ids, &s->tail)) < 0)
        return r;
    s->have_tail = true;
    return 0;
}

/* ---- needles ---------------------------------------------------------------------------------- */

static size_t char_bytes(struct str s)
{
    int n = mime_utf8_bytes((const unsigned char *)s.p, s.n);

    return n > 0 ? (size_t)n : 1;
}

size_t text_letters(struct str s)
{
    size_t n = 0;

    for (; s.n; s = str_skip(s, char_bytes(s)))
        n++;
    return n;
}

struct str text_trigram(struct str s)
{
    size_t n = 0;

    for (int i = 0; i < 3; i++) {
        if (n >= s.n)
            return STR("");
        n += char_bytes(str_skip(s, n));
    }
    return str_slice(s, 0, n);
}

/* U+FFFD to U+FFFF. */
static bool is_odd(struct str s)
{
    for (size_t i = 0; i + 2 < s.n; i++)
        if ((unsigned char)s.p[i] == 0xEF && (unsigned char)s.p[i + 1] == 0xBF &&
            (unsigned char)s.p[i + 2] >= 0xBD)
            return true;
    return false;
}

/* "abc" as FTS5 writes strings. */
int index_term_put(struct str tri, struct buf *expr)
{
    int r = expr->n ? buf_puts(expr, STR(" AND \"")) : buf_putc(expr, '"');

    for (size_t i = 0; i < tri.n && r >= 0; i++) {
        if (tri.p[i] == '"')
            r = buf_putc(expr, '"');
        if (r >= 0)
            r = buf_putc(expr, tri.p[i]);
    }
    return r < 0 ? r : buf_putc(expr, '"');
}

/* The trigrams of `needle`, `step` letters apart; at most `max`. */
static int terms_put(struct str needle, size_t step, size_t max, struct buf *expr)
{
    int r = 0;

    for (size_t i = 0, left = text_letters(needle); left >= 3 && max && r >= 0; i++, left--) {
        size_t a = char_bytes(needle), b = char_bytes(str_skip(needle, a)),
               c = char_bytes(str_skip(needle, a + b));

        if (i % step == 0 || left == 3) {
            r = index_term_put(str_slice(needle, 0, a + b + c), expr);
            max--;
        }
        needle = str_skip(needle, a);
    }
    return r;
}

static int needle_terms(struct str needle, struct buf *expr)
{
    size_t n = text_letters(needle), terms = n < 3 ? 0 : n - 2;

    return terms_put(needle, terms > TRIGRAMS_MAX ? (terms + TRIGRAMS_MAX - 1) / TRIGRAMS_MAX : 1,
                     TRIGRAMS_MAX, expr);
}

static bool is_in_every_mail(struct str name)
{
    static const char *const names[] = { "from", "to", "subject", "date", "received", "message-id", "cc" };

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_eq_z(name, names[i]))
            return true;
    return false;
}

/* "list-id:" */
static int name_terms(struct str name, struct buf *expr)
{
    CLEANUP(buf_release) struct buf label = { .max = KIB(64) };
    int r;

    if (is_in_every_mail(name))
        return 0;
    if ((r = buf_puts(&label, name)) < 0 || (r = buf_putc(&label, ':')) < 0)
        return r;
    return needle_terms(buf_str(&label), expr);
}

static int ask_terms(struct search *s, struct mailbox *box, struct str expr, struct idbits *out)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, "SELECT rowid FROM search_index WHERE search_index MATCH ?1", &st);

    if (r < 0)
        return r;
    stmt_bind_str(st, 1, expr);
    return ids_collect(s, st, out);
}

/* Few enough emails are not found that a look at their texts costs less than reading on. */
static int nearly_all(struct mailbox *box, const struct idbits *found, int64_t *emails)
{
    int r = *emails ? 0 : db_get_i64(box->db, "SELECT count(*) FROM email", emails);

    return r < 0 ? r : *emails - (int64_t)found->count <= *emails / 64;
}

/* The emails of terms that begin with a letter that is nearly everywhere: reading ends when nearly all are
 * found, not after the last term. 1: it did. */
static int prefix_collect(struct search *s, struct mailbox *box, struct stmt *st, struct idbits *out)
{
    unsigned n = 0;
    int64_t emails = 0;
    int r;

    while ((r = stmt_step(st)) > 0) {
        if ((r = idbits_set(out, stmt_i64(st, 0))) < 0)
            return r;
        if (++n % POLL_ROWS)
            continue;
        if (atomic_load_explicit(&s->stop, memory_order_relaxed))
            return E_CANCELED;
        if (n % ENOUGH_ROWS == 0 && (r = nearly_all(box, out, &emails)) != 0)
            return r;
    }
    return r;
}

/* One or two letters: [needle, the next of its length) of the terms. 1: some were left out. */
static int ask_prefix(struct search *s, struct mailbox *box, struct str needle, bool exact,
                      struct idbits *out)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    char end[16];
    int r = stmt_get(box->db, "SELECT doc FROM search_term WHERE term >= ?1 AND term < ?2", &st);

    if (r < 0)
        return r;
    if (needle.n > sizeof end)
        return E_BUG;
    memcpy(end, needle.p, needle.n);
    end[needle.n - 1]++; /* no letter ends with 0x7F or 0xBF + 1 */
    stmt_bind_str(st, 1, needle);
    stmt_bind_str(st, 2, str_of(end, needle.n));
    return exact ? prefix_collect(s, box, st, out) : ids_collect(s, st, out);
}

int index_ask_prefix(struct search *s, struct mailbox *box, struct str needle, struct idbits *out)
{
    int r = is_odd(needle) ? 0 : ask_prefix(s, box, needle, false, out);

    return r == E_LIMIT ? 0 : r;
}

/* What stands in every match; and the field's name. */
static int regex_terms(const struct node *n, struct buf *expr)
{
    struct str rest = buf_str(&n->literals), piece;
    int r = 0;

    while (rest.n && r >= 0) {
        str_cut(rest, '\n', &piece, &rest);
        r = needle_terms(piece, expr);
    }
    if (r < 0 || is_whole_text(buf_str(&n->name)))
        return r;
    return name_terms(buf_str(&n->name), expr);
}

/* ---- runs of five letters ----------------------------------------------------------------------- */

/* What every match has. */
static size_t grams_wanted(const struct node *n, uint32_t out[GRAMS_NEEDLE_MAX])
{
    struct str rest = buf_str(&n->literals), piece;
    size_t count = n->regex ? 0 : grams_of(buf_str(&n->needle), out, 0);

    while (n->regex && rest.n) {
        str_cut(rest, '\n', &piece, &rest);
        count = grams_of(piece, out, count);
    }
    return count;
}

struct gram_filter {
    struct search *s;
    struct idbits *ids;
    const uint32_t *want;
    size_t n;
    unsigned polled;
};

/* The row of `st`: email and bits. */
static int grams_decide(struct gram_filter *f, struct stmt *st)
{
    int64_t id = stmt_i64(st, 0);

    if (idbits_has(f->ids, id) && !grams_may_have(stmt_str(st, 1), f->want, f->n)) {
        f->ids->w[id / 64] &= ~(UINT64_C(1) << (id % 64));
        f->ids->count--;
    }
    return ++f->polled % POLL_ROWS == 0 && atomic_load_explicit(&f->s->stop, memory_order_relaxed)
               ? E_CANCELED
               : 0;
}

/* Rows from first to last. */
static int grams_between(struct gram_filter *f, struct stmt *st, int64_t first, int64_t last)
{
    int r;

    stmt_reset(st);
    stmt_bind_i64(st, 1, first);
    stmt_bind_i64(st, 2, last);
    while ((r = stmt_step(st)) > 0)
        if ((r = grams_decide(f, st)) < 0)
            return r;
    return r;
}

static int grams_sparse(struct gram_filter *f, struct stmt *st)
{
    int r = 0;

    for (size_t w = 0; w < f->ids->words && r >= 0; w++)
        for (uint64_t left = f->ids->w[w]; left && r >= 0; left &= left - 1) {
            int64_t id = (int64_t)(w * 64) + __builtin_ctzll(left);

            r = grams_between(f, st, id, id);
        }
    return r;
}

/* Emails that cannot match are taken out. */
static int grams_filter(struct search *s, struct mailbox *box, const struct node *n, struct idbits *ids)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    uint32_t want[GRAMS_NEEDLE_MAX];
    struct gram_filter f = { .s = s, .ids = ids, .want = want, .n = grams_wanted(n, want) };
    int r;

    if (!f.n || ids->count < GRAMS_FROM)
        return 0;
    r = stmt_get(box->db, "SELECT email_id, bits FROM email_grams WHERE email_id BETWEEN ?1 AND ?2", &st);
    if (r < 0)
        return r;
    return ids->count * GRAMS_SPARSE < ids->words * 64 ? grams_sparse(&f, st)
                                                       : grams_between(&f, st, 0, EMAIL_ID_MAX);
}

int index_candidates(struct search *s, struct mailbox *box, const struct node *n, struct candidates *out)
{
    CLEANUP(buf_release) struct buf expr = { .max = KIB(64) };
    CLEANUP(idbits_release) struct idbits ids = { 0 };
    struct str needle = buf_str(&n->needle);
    bool header = n->k->type == STORE__SEARCH_KEY__TYPE__HEADER;
    size_t letters = text_letters(needle);
    int r = n->regex ? regex_terms(n, &expr) : needle_terms(needle, &expr);

    out->exact = n->k->type == STORE__SEARCH_KEY__TYPE__TEXT && letters <= 3 && !is_odd(needle);
    if (r >= 0 && header)
        r = name_terms(buf_str(&n->name), &expr);
    if (r < 0)
        return r == E_LIMIT ? 0 : r;
    if (!expr.n && (header || !letters || is_odd(needle)))
        return 0;
    if (!expr.n)
        r = ask_prefix(s, box, needle, out->exact, &ids);
    else if ((r = ask_terms(s, box, buf_str(&expr), &ids)) >= 0)
        r = grams_filter(s, box, n, &ids);
    if (r < 0)
        return r == E_LIMIT ? 0 : r;
    out->some = r > 0;
    r = uids_of(s, box, &ids, &out->uids);
    return r < 0 ? r : 1;
}
