/* src/store/search.c: SEARCH. The folder's rows are read once into memory (48 bytes a message); a key
 * takes the set of messages that are still in question and leaves those that match, so an AND asks
 * its dear keys (text) only about what its cheap ones left. Text matches by substring, as RFC 9051
 * 6.4.4 has it: needle and text went through the same folding. */
#include "src/store/mailbox_private.h"
#include "lib/mime/fold.h"

#define MESSAGES_MAX 4000000u
#define DEPTH_MAX    32u
#define NEEDLE_MAX   KIB(8)
#define HEADERS_MAX  MIB(4) /* header lines of one message that are searched */

struct cand {
    uint32_t uid, flags;
    uint64_t modseq, bytes;
    int64_t email_id, internal_ms, saved_ms;
};

struct search {
    struct mailbox *box;
    uint64_t folder_id;
    struct cand *v;
    size_t n, cap;
    unsigned depth;
};

/* One bit a message. */
struct bits {
    uint64_t *w;
    size_t words;
};

static bool bit_get(const struct bits *b, size_t i)
{
    return b->w[i / 64] >> (i % 64) & 1;
}

static void bit_set(struct bits *b, size_t i)
{
    b->w[i / 64] |= UINT64_C(1) << (i % 64);
}

static int bits_new(const struct search *s, struct bits *b)
{
    b->words = s->n / 64 + 1;
    b->w = calloc(b->words, sizeof *b->w);
    return b->w ? 0 : E_NOMEM;
}

static void bits_release(struct bits *b)
{
    free(b->w);
    b->w = NULL;
}

static int64_t ms_of(struct str iso)
{
    int64_t ms = 0;

    return clock_from_iso(iso.p, iso.n, &ms) ? ms : 0;
}

static int load(struct search *s)
{
    static const char sql[] = "SELECT uid, flags, modseq, bytes, email_id, internal, saved FROM message "
                              "WHERE folder_id = ?1 ORDER BY uid";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(s->box->db, sql, &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, s->folder_id);
    while ((r = stmt_step(st)) > 0) {
        if (s->n == s->cap) {
            size_t cap = s->cap ? s->cap * 2 : 256;
            struct cand *v = cap > MESSAGES_MAX ? NULL : realloc(s->v, cap * sizeof *v);

            if (!v)
                return cap > MESSAGES_MAX ? E_LIMIT : E_NOMEM;
            s->v = v;
            s->cap = cap;
        }
        s->v[s->n++] = (struct cand){ .uid = (uint32_t)stmt_u64(st, 0),
                                      .flags = (uint32_t)stmt_u64(st, 1),
                                      .modseq = stmt_u64(st, 2),
                                      .bytes = stmt_u64(st, 3),
                                      .email_id = stmt_i64(st, 4),
                                      .internal_ms = ms_of(stmt_str(st, 5)),
                                      .saved_ms = ms_of(stmt_str(st, 6)) };
    }
    return r;
}

/* Set the bit of this UID, when it is in question. */
static void mark_uid(const struct search *s, uint32_t uid, const struct bits *in, struct bits *out)
{
    size_t lo = 0, hi = s->n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (s->v[mid].uid < uid)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo < s->n && s->v[lo].uid == uid && bit_get(in, lo))
        bit_set(out, lo);
}

/* ---- keys that a row answers ------------------------------------------------------------------ */

static bool row_matches(const Store__SearchKey *k, const struct cand *c)
{
    uint64_t n = k->number < 0 ? 0 : (uint64_t)k->number;

    switch (k->type) {
    case STORE__SEARCH_KEY__TYPE__ALL: return true;
    case STORE__SEARCH_KEY__TYPE__UID: return uidset_has(k->uid_ranges, k->n_uid_ranges, c->uid);
    case STORE__SEARCH_KEY__TYPE__FLAGS_SET: return (c->flags & n) == n;
    case STORE__SEARCH_KEY__TYPE__LARGER: return c->bytes > n;
    case STORE__SEARCH_KEY__TYPE__SMALLER: return c->bytes < n;
    case STORE__SEARCH_KEY__TYPE__INTERNAL_FROM: return c->internal_ms >= k->number;
    case STORE__SEARCH_KEY__TYPE__INTERNAL_BEFORE: return c->internal_ms < k->number;
    case STORE__SEARCH_KEY__TYPE__SAVED_FROM: return c->saved_ms >= k->number;
    case STORE__SEARCH_KEY__TYPE__SAVED_BEFORE: return c->saved_ms < k->number;
    case STORE__SEARCH_KEY__TYPE__MODSEQ: return c->modseq >= n;
    default: return false;
    }
}

static int eval_row(struct search *s, const Store__SearchKey *k, const struct bits *in, struct bits *out)
{
    if (k->type == STORE__SEARCH_KEY__TYPE__UID && uidset_check(k->uid_ranges, k->n_uid_ranges) < 0)
        return E_SYNTAX;
    for (size_t i = 0; i < s->n; i++)
        if (bit_get(in, i) && row_matches(k, &s->v[i]))
            bit_set(out, i);
    return 0;
}

/* ---- keys that another table answers ---------------------------------------------------------- */

/* RFC 9051 6.4.4: "disregarding time and timezone", so the day is that of the Date field's own zone. */
static int eval_sent(struct search *s, const Store__SearchKey *k, const struct bits *in, struct bits *out)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    bool from = k->type == STORE__SEARCH_KEY__TYPE__SENT_FROM;
    int r = stmt_get(s->box->db, "SELECT sent, sent_zone FROM email WHERE id = ?1 AND sent IS NOT NULL", &st);

    for (size_t i = 0; i < s->n && r >= 0; i++) {
        if (!bit_get(in, i))
            continue;
        stmt_reset(st);
        stmt_bind_i64(st, 1, s->v[i].email_id);
        if ((r = stmt_step(st)) <= 0)
            continue;
        if ((ms_of(stmt_str(st, 0)) + stmt_i64(st, 1) * 60000 >= k->number) == from)
            bit_set(out, i);
    }
    return r < 0 ? r : 0;
}

/* Rows of `st` are UIDs. */
static int mark_all(struct search *s, struct stmt *st, const struct bits *in, struct bits *out)
{
    int r;

    while ((r = stmt_step(st)) > 0)
        mark_uid(s, (uint32_t)stmt_u64(st, 0), in, out);
    return r;
}

static int eval_keyword(struct search *s, const Store__SearchKey *k, const struct bits *in, struct bits *out)
{
    static const char sql[] = "SELECT uid FROM message_keyword WHERE keyword_id = ?1 AND folder_id = ?2";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int64_t id = 0;
    int r = keyword_id(s->box, pb_str(k->text), false, &id);

    if (r < 0)
        return r == E_NOTFOUND ? 0 : r;
    if ((r = stmt_get(s->box->db, sql, &st)) < 0)
        return r;
    stmt_bind_i64(st, 1, id);
    stmt_bind_u64(st, 2, s->folder_id);
    return mark_all(s, st, in, out);
}

static int eval_object(struct search *s, const Store__SearchKey *k, const struct bits *in, struct bits *out)
{
    static const char by_email[] = "SELECT m.uid FROM email e JOIN message m ON m.email_id = e.id "
                                   "WHERE e.object_id = ?1 AND m.folder_id = ?2";
    static const char by_thread[] = "SELECT m.uid FROM email e JOIN message m ON m.email_id = e.id "
                                    "WHERE e.thread_id = ?1 AND m.folder_id = ?2";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    bool email = k->type == STORE__SEARCH_KEY__TYPE__EMAIL_ID;
    uint8_t id[12];
    int r;

    if (!object_id_parse(pb_str(k->text), email ? 'M' : 'T', id))
        return 0;
    if ((r = stmt_get(s->box->db, email ? by_email : by_thread, &st)) < 0)
        return r;
    stmt_bind_blob(st, 1, str_of(id, sizeof id));
    stmt_bind_u64(st, 2, s->folder_id);
    return mark_all(s, st, in, out);
}

/* ---- text ------------------------------------------------------------------------------------- */

struct needle {
    struct buf text;
    struct str name; /* HEADER: the field */
    int part;        /* 0 header lines, 1 body */
};

/* Rows of the message's text of one part, decoded one after the other into `piece`, each behind the
 * last needle.n - 1 bytes of the one before, so that no match is cut. 1: found. */
static int part_has(struct search *s, int64_t email_id, int part, struct str needle, struct buf *piece)
{
    static const char sql[] =
        "SELECT codec, bytes, data FROM email_text WHERE id BETWEEN ?1 AND ?2 AND part = ?3 "
        "ORDER BY id";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int64_t first = email_id * (INT64_C(1) << ROW_SHIFT);
    int r = stmt_get(s->box->db, sql, &st);

    if (r < 0)
        return r;
    stmt_bind_i64(st, 1, first);
    stmt_bind_i64(st, 2, first + ROWS_MAX);
    stmt_bind_i64(st, 3, part);
    buf_clear(piece);
    while ((r = stmt_step(st)) > 0) {
        if (piece->n >= needle.n)
            buf_drop(piece, piece->n - (needle.n - 1));
        if ((r = chunk_decode(stmt_i64(st, 0), stmt_str(st, 2), (size_t)stmt_u64(st, 1), piece)) < 0)
            return r;
        if (memmem(piece->p, piece->n, needle.p, needle.n))
            return 1;
    }
    return r;
}

static int header_lines(struct search *s, int64_t email_id, struct buf *out)
{
    static const char sql[] =
        "SELECT codec, bytes, data FROM email_text WHERE id BETWEEN ?1 AND ?2 AND part = 0 "
        "ORDER BY id";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int64_t first = email_id * (INT64_C(1) << ROW_SHIFT);
    int r = stmt_get(s->box->db, sql, &st);

    if (r < 0)
        return r;
    stmt_bind_i64(st, 1, first);
    stmt_bind_i64(st, 2, first + ROWS_MAX);
    buf_clear(out);
    while ((r = stmt_step(st)) > 0 && out->n + CHUNK_BYTES_MAX <= out->max)
        if ((r = chunk_decode(stmt_i64(st, 0), stmt_str(st, 2), (size_t)stmt_u64(st, 1), out)) < 0)
            return r;
    return r < 0 ? r : 0;
}

/* Lines are "name: value" (lib/mime/text.h), the name in lower case. */
static bool line_matches(struct str line, struct str name, struct str needle)
{
    struct str field, value;

    if (!str_cut(line, ':', &field, &value) || !str_ieq(field, name))
        return false;
    if (value.n && value.p[0] == ' ')
        value = str_skip(value, 1);
    return needle.n == 0 || (value.n >= needle.n && memmem(value.p, value.n, needle.p, needle.n));
}

static int header_has(struct search *s, int64_t email_id, const struct needle *k, struct buf *lines)
{
    int r = header_lines(s, email_id, lines);
    struct str rest = buf_str(lines), line;

    if (r < 0)
        return r;
    while (rest.n) {
        str_cut(rest, '\n', &line, &rest);
        if (line_matches(line, k->name, buf_str(&k->text)))
            return 1;
    }
    return 0;
}

static int text_matches(struct search *s, const Store__SearchKey *k, const struct needle *n, int64_t email_id,
                        struct buf *piece)
{
    int r = 0;

    if (k->type == STORE__SEARCH_KEY__TYPE__HEADER)
        return header_has(s, email_id, n, piece);
    if (n->text.n == 0)
        return 1;
    if (k->type == STORE__SEARCH_KEY__TYPE__TEXT)
        r = part_has(s, email_id, 0, buf_str(&n->text), piece);
    return r ? r : part_has(s, email_id, 1, buf_str(&n->text), piece);
}

static int eval_text(struct search *s, const Store__SearchKey *k, const struct bits *in, struct bits *out)
{
    CLEANUP(buf_release) struct buf piece = { .max = HEADERS_MAX };
    struct needle n = { .text = { .max = NEEDLE_MAX * MIME_FOLD_GROWTH }, .name = pb_str(k->name) };
    int r = k->text.len > NEEDLE_MAX ? E_LIMIT : mime_fold_append(pb_str(k->text), &n.text);

    for (size_t i = 0; i < s->n && r >= 0; i++)
        if (bit_get(in, i) && (r = text_matches(s, k, &n, s->v[i].email_id, &piece)) > 0)
            bit_set(out, i);
    buf_release(&n.text);
    return r < 0 ? r : 0;
}

/* ---- the tree --------------------------------------------------------------------------------- */

static int eval(struct search *s, const Store__SearchKey *k, const struct bits *in, struct bits *out);

static bool is_dear(const Store__SearchKey *k)
{
    bool dear = k->type == STORE__SEARCH_KEY__TYPE__HEADER || k->type == STORE__SEARCH_KEY__TYPE__BODY ||
                k->type == STORE__SEARCH_KEY__TYPE__TEXT;

    for (size_t i = 0; i < k->n_children && !dear; i++)
        dear = is_dear(k->children[i]);
    return dear;
}

static int eval_and(struct search *s, const Store__SearchKey *k, const struct bits *in, struct bits *out)
{
    int r = 0;

    memcpy(out->w, in->w, in->words * sizeof *in->w);
    for (int dear = 0; dear < 2; dear++)
        for (size_t i = 0; i < k->n_children && r >= 0; i++) {
            CLEANUP(bits_release) struct bits left = { 0 };

            if (is_dear(k->children[i]) != (dear == 1))
                continue;
            if ((r = bits_new(s, &left)) == 0 && (r = eval(s, k->children[i], out, &left)) == 0)
                memcpy(out->w, left.w, left.words * sizeof *left.w);
        }
    return r;
}

static int eval_or(struct search *s, const Store__SearchKey *k, const struct bits *in, struct bits *out)
{
    CLEANUP(bits_release) struct bits open = { 0 };
    int r = bits_new(s, &open);

    for (size_t i = 0; i < k->n_children && r >= 0; i++) {
        for (size_t w = 0; w < open.words; w++)
            open.w[w] = in->w[w] & ~out->w[w]; /* what matched already is not asked again */
        r = eval(s, k->children[i], &open, out);
    }
    return r;
}

static int eval_not(struct search *s, const Store__SearchKey *k, const struct bits *in, struct bits *out)
{
    CLEANUP(bits_release) struct bits yes = { 0 };
    int r = k->n_children == 1 ? bits_new(s, &yes) : E_SYNTAX;

    if (r < 0 || (r = eval(s, k->children[0], in, &yes)) < 0)
        return r;
    for (size_t w = 0; w < yes.words; w++)
        out->w[w] |= in->w[w] & ~yes.w[w];
    return 0;
}

/* Sets in `out` the bits of `in` that match; leaves the others of `out` as they are. */
static int eval(struct search *s, const Store__SearchKey *k, const struct bits *in, struct bits *out)
{
    int r;

    if (++s->depth > DEPTH_MAX)
        return E_LIMIT;
    switch (k->type) {
    case STORE__SEARCH_KEY__TYPE__AND: {
        CLEANUP(bits_release) struct bits all = { 0 };

        if ((r = bits_new(s, &all)) == 0 && (r = eval_and(s, k, in, &all)) == 0)
            for (size_t w = 0; w < all.words; w++)
                out->w[w] |= all.w[w];
        break;
    }
    case STORE__SEARCH_KEY__TYPE__OR: r = eval_or(s, k, in, out); break;
    case STORE__SEARCH_KEY__TYPE__NOT: r = eval_not(s, k, in, out); break;
    case STORE__SEARCH_KEY__TYPE__SENT_FROM:
    case STORE__SEARCH_KEY__TYPE__SENT_BEFORE: r = eval_sent(s, k, in, out); break;
    case STORE__SEARCH_KEY__TYPE__KEYWORD: r = eval_keyword(s, k, in, out); break;
    case STORE__SEARCH_KEY__TYPE__EMAIL_ID:
    case STORE__SEARCH_KEY__TYPE__THREAD_ID: r = eval_object(s, k, in, out); break;
    case STORE__SEARCH_KEY__TYPE__HEADER:
    case STORE__SEARCH_KEY__TYPE__BODY:
    case STORE__SEARCH_KEY__TYPE__TEXT: r = eval_text(s, k, in, out); break;
    case STORE__SEARCH_KEY__TYPE__NONE: r = 0; break;
    default: r = eval_row(s, k, in, out); break;
    }
    s->depth--;
    return r;
}

static int answer(const struct search *s, const struct bits *found, struct arena *a,
                  Store__SearchResponse *out)
{
    CLEANUP(uidset_release) struct uidset uids = { 0 };
    int r = 0;

    for (size_t i = 0; i < s->n && r >= 0; i++) {
        if (!bit_get(found, i))
            continue;
        r = uidset_add(&uids, s->v[i].uid);
        if (s->v[i].modseq > out->highest_modseq)
            out->highest_modseq = s->v[i].modseq;
    }
    return r < 0 ? r : uidset_export(&uids, a, &out->uid_ranges, &out->n_uid_ranges);
}

static void search_release(struct search *s)
{
    free(s->v);
}

int mailbox_search(struct mailbox *box, struct arena *a, const Store__SearchRequest *q,
                   Store__SearchResponse *out)
{
    CLEANUP(txn_end) struct txn snapshot = { 0 };
    CLEANUP(search_release) struct search s = { .box = box, .folder_id = q->folder_id };
    CLEANUP(bits_release) struct bits in = { 0 }, found = { 0 };
    struct folder f;
    int r = box->txn.db ? 0 : txn_begin_read(&snapshot, box->db);

    if (r < 0 || (r = folder_by_id(box, q->folder_id, &f)) < 0)
        return r;
    if (!q->key)
        return E_SYNTAX;
    if ((r = load(&s)) < 0 || (r = bits_new(&s, &in)) < 0 || (r = bits_new(&s, &found)) < 0)
        return r;
    for (size_t i = 0; i < s.n; i++)
        bit_set(&in, i);
    if ((r = eval(&s, q->key, &in, &found)) < 0)
        return r;
    return answer(&s, &found, a, out);
}
