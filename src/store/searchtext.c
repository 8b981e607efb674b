/* src/store/searchtext.c: one message and one key: does it match? The text is read row by row, the
 * header lines first, and once for all keys that ask; of a body of several rows each is looked at
 * behind the end of the one before, so that no match is cut. */
#include "src/store/search_private.h"

#define T(name) STORE__SEARCH_KEY__TYPE__##name

/* ---- the text of an email --------------------------------------------------------------------- */

int reader_open(struct reader *t, struct mailbox *box, int64_t email_id)
{
    if (t->email_id == email_id)
        return 0;
    t->box = box;
    t->email_id = email_id;
    t->have_head = t->have_body = t->body_whole = false;
    buf_clear(&t->head);
    buf_clear(&t->body);
    return words_open(&t->words, box, email_id);
}

static int reader_decode(struct reader *t, struct buf *out)
{
    if (t->words.bytes > out->max - out->n)
        return 0; /* more header than anybody wrote by hand: what is beyond is not searched */
    return words_take(&t->words, out);
}

static int reader_again(struct reader *t);

int reader_head(struct reader *t)
{
    int r = !t->have_head && t->have_body ? reader_again(t) : 0;

    while (!t->have_head && t->words.on_row && t->words.part == 0 && r >= 0)
        if ((r = reader_decode(t, &t->head)) >= 0)
            r = words_next(&t->words);
    t->have_head = r >= 0;
    return r < 0 ? r : 0;
}

/* From the begin. */
static int reader_again(struct reader *t)
{
    int64_t id = t->email_id;

    t->email_id = 0;
    return reader_open(t, t->box, id);
}

/* To the first row of the body, without a look at the header lines. */
static int reader_skip(struct reader *t)
{
    int r = 0;

    while (t->words.on_row && t->words.part == 0 && r >= 0)
        r = words_next(&t->words);
    return r < 0 ? r : 0;
}

/* Is the needle in the body? Rows are read until it is found; of a body of one row, once for all. */
static int body_has(struct reader *t, struct str needle)
{
    int r;

    if (t->have_body && t->body_whole)
        return t->body.n && memmem(t->body.p, t->body.n, needle.p, needle.n) != NULL;
    if (t->have_body && (r = reader_again(t)) < 0) /* another key left it in the middle of a long body */
        return r;
    if ((r = reader_skip(t)) < 0)
        return r;
    t->have_body = t->body_whole = true;
    while (t->words.on_row) {
        if (t->body.n >= needle.n) {
            buf_drop(&t->body, t->body.n - (needle.n - 1));
            t->body_whole = false;
        }
        if ((r = reader_decode(t, &t->body)) < 0 || (r = words_next(&t->words)) < 0)
            return r;
        t->body_whole = t->body_whole && !t->words.on_row;
        if (memmem(t->body.p, t->body.n, needle.p, needle.n))
            return 1;
    }
    return 0;
}

static int text_has(struct reader *t, struct str needle)
{
    int r = reader_head(t);

    if (r < 0)
        return r;
    if (t->head.n && memmem(t->head.p, t->head.n, needle.p, needle.n))
        return 1;
    return body_has(t, needle);
}

/* Lines are "name: value" (lib/mime/text.h), the name folded. */
static bool line_matches(struct str line, struct str name, struct str needle)
{
    struct str value;

    if (line.n <= name.n || line.p[name.n] != ':' || memcmp(line.p, name.p, name.n) != 0)
        return false;
    value = str_skip(line, name.n + 1);
    if (value.n && value.p[0] == ' ')
        value = str_skip(value, 1);
    return needle.n == 0 || (value.n >= needle.n && memmem(value.p, value.n, needle.p, needle.n));
}

static int header_has(struct reader *t, struct str name, struct str needle)
{
    int r = reader_head(t);
    struct str rest = buf_str(&t->head), line;

    if (r < 0)
        return r;
    while (rest.n) {
        str_cut(rest, '\n', &line, &rest);
        if (line_matches(line, name, needle))
            return 1;
    }
    return 0;
}

/* The body as far as expressions look at it. */
int reader_body(struct reader *t)
{
    int r = t->have_body && !t->body_whole ? reader_again(t) : 0;

    if (r < 0 || t->have_body || (r = reader_skip(t)) < 0)
        return r < 0 ? r : 0;
    t->have_body = true;
    while (t->words.on_row && t->body.n < REGEX_BODY_MAX && r >= 0)
        if ((r = reader_decode(t, &t->body)) >= 0)
            r = words_next(&t->words);
    t->body_whole = !t->words.on_row;
    return r < 0 ? r : 0;
}

static bool matches(const struct node *n, struct str s)
{
    return regex_has(n->regex, s.p ? s.p : "", s.n) == 1;
}

/* The end of the last line is none of another, empty one. */
static struct str without_end(const struct buf *b)
{
    return str_of(b->p, b->n && b->p[b->n - 1] == '\n' ? b->n - 1 : b->n);
}

/* Do its lines match? Texts of old have a space before the end of a line, which is none to `$`. */
static int lines_match(struct reader *t, const struct node *n, const struct buf *text)
{
    struct str rest = without_end(text), line;
    int r = 0;

    if (!rest.n || (!memmem(rest.p, rest.n, " \n", 2) && rest.p[rest.n - 1] != ' '))
        return matches(n, rest);
    buf_clear(&t->trimmed);
    t->trimmed.max = text->max;
    while (str_cut(rest, '\n', &line, &rest) && r >= 0)
        if ((r = buf_puts(&t->trimmed, str_trim(line))) >= 0)
            r = buf_putc(&t->trimmed, '\n');
    if (r >= 0)
        r = buf_puts(&t->trimmed, str_trim(line));
    return r < 0 ? r : matches(n, buf_str(&t->trimmed));
}

static int regex_field(struct reader *t, const struct node *n)
{
    struct str rest = buf_str(&t->head), line, field, value, name = buf_str(&n->name);

    while (rest.n) {
        str_cut(rest, '\n', &line, &rest);
        if (line.n <= name.n || !str_cut(line, ':', &field, &value) || !str_eq(field, name))
            continue;
        if (matches(n, str_trim(value)))
            return 1;
    }
    return 0;
}

static int decide_regex(struct reader *t, const struct node *n)
{
    struct str name = buf_str(&n->name);
    bool text = str_eq_z(name, "text"), body = str_eq_z(name, "body");
    int r = body ? 0 : reader_head(t);

    if (r < 0 || !(text || body || str_eq_z(name, "header")))
        return r < 0 ? r : regex_field(t, n);
    if (!body && (r = lines_match(t, n, &t->head)) != 0)
        return r;
    if (!body && !text)
        return 0;
    return (r = reader_body(t)) < 0 ? r : lines_match(t, n, &t->body);
}

static int decide_text(struct mailbox *box, struct node *n, struct subject *m)
{
    struct str needle = buf_str(&n->needle);
    struct reader *t = m->reader;
    int r = reader_open(t, box, m->email_id);

    if (r < 0)
        return r;
    if (n->fuzzy)
        return fuzzy_decide(n, m);
    if (n->k->type == T(HEADER))
        return header_has(t, buf_str(&n->name), needle);
    if (n->regex)
        return decide_regex(t, n);
    if (!needle.n)
        return 1;
    return n->k->type == T(TEXT) ? text_has(t, needle) : body_has(t, needle);
}

/* ---- what other tables say -------------------------------------------------------------------- */

static int decide_sent(struct mailbox *box, const struct node *n, const struct subject *m)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, "SELECT sent, sent_zone FROM email WHERE id = ?1 AND sent IS NOT NULL", &st);

    if (r < 0)
        return r;
    stmt_bind_i64(st, 1, m->email_id);
    if ((r = stmt_step(st)) <= 0)
        return r;
    return (iso_ms(stmt_str(st, 0)) + stmt_i64(st, 1) * 60000 >= n->number) == (n->k->type == T(SENT_FROM));
}

static int decide_keyword(struct search *s, struct mailbox *box, const struct node *n,
                          const struct subject *m)
{
    static const char sql[] =
        "SELECT 1 FROM message_keyword WHERE folder_id = ?1 AND uid = ?2 AND keyword_id = ?3";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int64_t id = 0;
    int r = keyword_id(box, pb_str(n->k->text), false, &id);

    if (r < 0 || (r = stmt_get(box->db, sql, &st)) < 0)
        return r == E_NOTFOUND ? 0 : r;
    stmt_bind_u64(st, 1, s->folder_id);
    stmt_bind_u64(st, 2, m->uid);
    stmt_bind_i64(st, 3, id);
    return stmt_step(st);
}

static int decide_object(struct mailbox *box, const struct node *n, const struct subject *m)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    bool email = n->k->type == T(EMAIL_ID);
    uint8_t id[12];
    int r;

    if (!object_id_parse(pb_str(n->k->text), email ? 'M' : 'T', id))
        return 0;
    r = stmt_get(box->db,
                 email ? "SELECT 1 FROM email WHERE id = ?1 AND object_id = ?2"
                       : "SELECT 1 FROM email WHERE id = ?1 AND thread_id = ?2",
                 &st);
    if (r < 0)
        return r;
    stmt_bind_i64(st, 1, m->email_id);
    stmt_bind_blob(st, 2, str_of(id, sizeof id));
    return stmt_step(st);
}

/* ---- the message's row ------------------------------------------------------------------------ */

static bool row_matches(const struct node *k, const struct subject *m)
{
    uint64_t number = k->number < 0 ? 0 : (uint64_t)k->number;

    switch (k->k->type) {
    case T(FLAGS_SET): return (m->flags & number) == number;
    case T(LARGER): return k->number < 0 || m->bytes > number;
    case T(SMALLER): return m->bytes < number;
    case T(INTERNAL_FROM): return m->internal_ms >= k->number;
    case T(INTERNAL_BEFORE): return m->internal_ms < k->number;
    case T(SAVED_FROM): return m->saved_ms >= k->number;
    case T(SAVED_BEFORE): return m->saved_ms < k->number;
    case T(MODSEQ): return m->modseq >= number;
    default: return false;
    }
}

/* 0: it is gone. */
static int subject_load(struct search *s, struct mailbox *box, struct subject *m)
{
    static const char sql[] = "SELECT email_id, flags, modseq, bytes, internal, saved FROM message "
                              "WHERE folder_id = ?1 AND uid = ?2";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = m->email_id ? 1 : stmt_get(box->db, sql, &st);

    if (r != 0)
        return r;
    stmt_bind_u64(st, 1, s->folder_id);
    stmt_bind_u64(st, 2, m->uid);
    if ((r = stmt_step(st)) <= 0)
        return r;
    m->email_id = stmt_i64(st, 0);
    m->flags = (uint32_t)stmt_u64(st, 1);
    m->modseq = stmt_u64(st, 2);
    m->bytes = stmt_u64(st, 3);
    m->internal_ms = iso_ms(stmt_str(st, 4));
    m->saved_ms = iso_ms(stmt_str(st, 5));
    return 1;
}

static int decide_leaf(struct search *s, struct mailbox *box, struct node *n, struct subject *m)
{
    int r;

    if (n->planned && set_has(&n->yes, m->uid)) {
        if (n->fuzzy && s->scoring && (r = subject_load(s, box, m)) > 0)
            fuzzy_near(n, m);
        return 1;
    }
    if (n->planned && !set_has(&n->maybe, m->uid))
        return 0;
    if ((r = subject_load(s, box, m)) <= 0)
        return r;
    switch (n->k->type) {
    case T(HEADER):
    case T(BODY):
    case T(REGEX):
    case T(TEXT): return decide_text(box, n, m);
    case T(SENT_FROM):
    case T(SENT_BEFORE): return decide_sent(box, n, m);
    case T(KEYWORD): return decide_keyword(s, box, n, m);
    case T(EMAIL_ID):
    case T(THREAD_ID): return decide_object(box, n, m);
    default: return row_matches(n, m);
    }
}

/* What did not match says nothing of how well. */
static int unscored(struct subject *m, double score, double nearness, int r)
{
    m->score = score;
    m->nearness = nearness;
    return r;
}

/* Children are asked in the order in which they were planned, and no further than they were: so a
 * leaf's sets, which hold inside the bound it was planned with, are asked inside it only. Where a score is
 * wanted, OR goes on: a leaf that was planned for less has nothing to add outside of that. */
int node_decide(struct search *s, struct mailbox *box, struct node *n, struct subject *m)
{
    bool all = n->k->type == T(AND), any = false;
    double score = m->score, nearness = m->nearness;
    int r;

    if (n->k->type == T(NOT)) {
        r = node_decide(s, box, n->child[0], m);
        return unscored(m, score, nearness, r < 0 ? r : !r);
    }
    if (!all && n->k->type != T(OR)) {
        if ((r = decide_leaf(s, box, n, m)) > 0 && n->fuzzy && !n->planned)
            fuzzy_near(n, m);
        return r;
    }
    for (size_t i = 0; i < n->n; i++) {
        if ((r = node_decide(s, box, n->child[i], m)) < 0)
            return r;
        if (all && r == 0)
            return unscored(m, score, nearness, 0);
        any |= r > 0;
        if (any && !all && !s->scoring)
            return 1;
    }
    return all || any;
}
