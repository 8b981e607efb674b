/* src/store/junk.c: the person's classifier, seen from what happens to messages: what teaches it is noted, what
 * comes is judged. The counts: junk_learn.c. */
#include "src/store/junk.h"
#include "src/store/mailbox_private.h"

static int run_two(struct mailbox *box, const char *sql, int64_t a, int64_t b)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, sql, &st);

    if (r < 0)
        return r;
    stmt_bind_i64(st, 1, a);
    stmt_bind_i64(st, 2, b);
    return stmt_run(st);
}

/* ---- what teaches ------------------------------------------------------------------------------------ */

/* The last word counts; what is only guessed never takes another's place. */
int junk_wish(struct mailbox *box, int64_t email_id, enum junk_wish wish)
{
    static const char *const how[] = {
        [JUNK_WISH_JUNK] = "INSERT OR REPLACE INTO junk_queue VALUES (?1, ?2)",
        [JUNK_WISH_HAM] = "INSERT OR REPLACE INTO junk_queue VALUES (?1, ?2)",
        [JUNK_WISH_NOT_JUNK] = "INSERT INTO junk_queue VALUES (?1, ?2) "
                               "ON CONFLICT (email_id) DO UPDATE SET wish = ?2 WHERE wish <> 2",
        [JUNK_WISH_NOT_HAM] = "INSERT INTO junk_queue VALUES (?1, ?2) "
                              "ON CONFLICT (email_id) DO UPDATE SET wish = ?2 WHERE wish <> 1",
        [JUNK_WISH_MAYBE_HAM] = "INSERT OR IGNORE INTO junk_queue VALUES (?1, ?2)",
        [JUNK_WISH_SENT] = "INSERT OR IGNORE INTO junk_queue VALUES (?1, ?2)",
    };

    return run_two(box, how[wish], email_id, wish);
}

/* Out of Junk into the bin is no opinion: people empty it so. */
int junk_moved(struct mailbox *box, int64_t email_id, int from_use, int to_use)
{
    if (to_use == from_use)
        return 0;
    if (to_use == STORE__SPECIAL_USE__USE_JUNK)
        return junk_wish(box, email_id, JUNK_WISH_JUNK);
    if (from_use == STORE__SPECIAL_USE__USE_JUNK && to_use != STORE__SPECIAL_USE__USE_TRASH)
        return junk_wish(box, email_id, JUNK_WISH_HAM);
    return to_use == STORE__SPECIAL_USE__USE_SENT ? junk_wish(box, email_id, JUNK_WISH_SENT) : 0;
}

/* RFC 5788's, and what Thunderbird writes. */
static const struct {
    const char *name;
    int bit;
} marks[] = { { "$Junk", 1 }, { "Junk", 1 }, { "$NotJunk", 2 }, { "NonJunk", 2 } };

int junk_put(struct mailbox *box, int64_t email_id, int use, char *const *keywords, size_t n)
{
    int said = 0;

    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < ARRAY_LEN(marks); k++)
            said |= str_ieq_z(str_from(keywords[i]), marks[k].name) ? marks[k].bit : 0;
    if (said == 2 || said == 1)
        return junk_wish(box, email_id, said == 1 ? JUNK_WISH_JUNK : JUNK_WISH_HAM);
    if (use == STORE__SPECIAL_USE__USE_JUNK)
        return junk_wish(box, email_id, JUNK_WISH_JUNK);
    return use == STORE__SPECIAL_USE__USE_SENT ? junk_wish(box, email_id, JUNK_WISH_SENT) : 0;
}

int junk_marks_find(struct mailbox *box, struct junk_marks *out)
{
    *out = (struct junk_marks){ 0 };
    for (size_t k = 0; k < ARRAY_LEN(marks); k++) {
        int r = keyword_id(box, str_from(marks[k].name), false, &out->ids[out->n]);

        if (r == 0)
            out->bits[out->n++] = marks[k].bit;
        else if (r != E_NOTFOUND)
            return r;
    }
    return 0;
}

int junk_marks_of(struct mailbox *box, const struct junk_marks *m, uint64_t folder_id, uint32_t uid)
{
    static const char sql[] = "SELECT keyword_id FROM message_keyword WHERE folder_id = ?1 AND uid = ?2 "
                              "AND keyword_id IN (?3, ?4, ?5, ?6)";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = m->n ? stmt_get(box->db, sql, &st) : 0, bits = 0;

    if (r < 0 || !m->n)
        return r;
    stmt_bind_u64(st, 1, folder_id);
    stmt_bind_u64(st, 2, uid);
    for (size_t k = 0; k < ARRAY_LEN(m->ids); k++)
        stmt_bind_i64(st, (int)k + 3, m->ids[k < m->n ? k : 0]);
    while ((r = stmt_step(st)) > 0)
        for (size_t k = 0; k < m->n; k++)
            bits |= stmt_i64(st, 0) == m->ids[k] ? m->bits[k] : 0;
    return r < 0 ? r : bits;
}

/* Clients take the one mark off and put the other on, in either order: what is put on decides. */
int junk_marked(struct mailbox *box, int64_t email_id, int before, int after, bool in_junk)
{
    int on = after & ~before, off = before & ~after;

    if (on == 1 || on == 2)
        return junk_wish(box, email_id, on == 1 ? JUNK_WISH_JUNK : JUNK_WISH_HAM);
    if (on == 0 && off == 1 && !in_junk)
        return junk_wish(box, email_id, JUNK_WISH_NOT_JUNK);
    return on == 0 && off == 2 ? junk_wish(box, email_id, JUNK_WISH_NOT_HAM) : 0;
}

/* ---- what comes ---------------------------------------------------------------------------------------- */

static int enough_learnt(struct mailbox *box)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, "SELECT junk >= ?1 AND ham >= ?1 FROM junk_model", &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, PERSON_LEAST);
    return (r = stmt_step(st)) <= 0 ? r : stmt_i64(st, 0) != 0;
}

/* `at` to at + n of the text, PERSON_TEXT_MAX at most, behind what is in `out`. */
static int text_take(const struct bytes_in *text, uint64_t at, uint64_t n, struct buf *out)
{
    size_t take = (size_t)(n < PERSON_TEXT_MAX ? n : PERSON_TEXT_MAX);
    char *to = take ? buf_reserve(out, take) : NULL;
    int r;

    if (!to)
        return take ? E_NOMEM : 0;
    if ((r = bytes_read(text, at, to, take)) == 0)
        out->n += take;
    return r;
}

static int letter_of(struct mailbox *box, const struct email_in *e, struct person_letter *out)
{
    CLEANUP(buf_release) struct buf lines = { .max = PERSON_TEXT_MAX }, body = { .max = PERSON_TEXT_MAX };
    uint64_t head = e->text_header_bytes;
    uint8_t key[SPAM_KEY_BYTES];
    int r;

    if ((r = junk_key(box, key)) < 0 || (r = text_take(e->text, 0, head, &lines)) < 0 ||
        (r = text_take(e->text, head, e->text->bytes - head, &body)) < 0)
        return r;
    return person_read(key, buf_str(&lines), buf_str(&body), e->message_id, out);
}

int junk_judge(struct mailbox *box, const struct email_in *e, int special_use, struct junk_opinion *out)
{
    bool to_junk = special_use == STORE__SPECIAL_USE__USE_JUNK;
    struct person_letter *l;
    enum person_verdict v = PERSON_SAYS_NOTHING;
    int r = enough_learnt(box);

    *out = (struct junk_opinion){ .special_use = special_use };
    if (r <= 0 || (special_use && !to_junk))
        return r < 0 ? r : 0;
    if (!(l = malloc(sizeof *l)))
        return E_NOMEM;
    if ((r = letter_of(box, e, l)) == 0 && (r = junk_score(box, l, &out->score)) > 0) {
        out->known = true;
        v = person_verdict(out->score, l, to_junk);
        out->placed = (int)v;
        if (v != PERSON_SAYS_NOTHING)
            out->special_use =
                v == PERSON_SAYS_JUNK ? STORE__SPECIAL_USE__USE_JUNK : STORE__SPECIAL_USE__USE_NONE;
    }
    free(l);
    return r < 0 ? r : 0;
}

int junk_judged(struct mailbox *box, int64_t email_id, const struct junk_opinion *o)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = o->known ? stmt_get(box->db, "INSERT INTO email_junk VALUES (?1, ?2, ?3)", &st) : 0;

    if (r < 0 || !o->known)
        return r;
    stmt_bind_i64(st, 1, email_id);
    stmt_bind_i64(st, 2, (int64_t)(o->score * 1e9));
    stmt_bind_i64(st, 3, o->placed);
    return stmt_run(st);
}
