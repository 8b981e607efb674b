/* src/store/junk_learn.c: the counts of the person's classifier: learnt from letters that wait in junk_queue, looked
 * up for those that come. A letter is known by a hash of its words and its Message-ID: copied, moved from elsewhere
 * or restored it is the same, counts once, and what it counted as before is taken back first. */
#include "lib/spam/bayes.h"
#include "src/store/junk.h"
#include "src/store/mailbox_private.h"
#include "src/store/words.h"

struct model {
    uint8_t key[SPAM_KEY_BYTES];
    int64_t junk, ham, tokens, senders;
};

static int model_read(struct mailbox *box, struct model *out)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, "SELECT key, junk, ham, tokens, senders FROM junk_model", &st);

    if (r < 0 || (r = stmt_step(st)) <= 0)
        return r < 0 ? r : E_CORRUPT;
    if (!stmt_bytes(st, 0, out->key, sizeof out->key))
        return E_CORRUPT;
    out->junk = stmt_i64(st, 1);
    out->ham = stmt_i64(st, 2);
    out->tokens = stmt_i64(st, 3);
    out->senders = stmt_i64(st, 4);
    return 0;
}

static int model_write(struct mailbox *box, const struct model *m)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, "UPDATE junk_model SET junk = ?1, ham = ?2, tokens = ?3, senders = ?4", &st);

    if (r < 0)
        return r;
    stmt_bind_i64(st, 1, m->junk);
    stmt_bind_i64(st, 2, m->ham);
    stmt_bind_i64(st, 3, m->tokens);
    stmt_bind_i64(st, 4, m->senders);
    return stmt_run(st);
}

int junk_key(struct mailbox *box, uint8_t out[SPAM_KEY_BYTES])
{
    struct model m;
    int r = model_read(box, &m);

    if (r == 0)
        memcpy(out, m.key, SPAM_KEY_BYTES);
    return r;
}

/* ---- counting ---------------------------------------------------------------------------------------- */

/* 1: a row was added. */
static int count_one(struct stmt *update, struct stmt *insert, struct mailbox *box, int64_t what,
                     int64_t junk, int64_t ham)
{
    struct stmt *const both[] = { update, insert };
    int r = 0;

    for (size_t i = 0; i < 2; i++) {
        stmt_reset(both[i]);
        stmt_bind_i64(both[i], 1, what);
        stmt_bind_i64(both[i], 2, junk);
        stmt_bind_i64(both[i], 3, ham);
        if ((r = stmt_run(both[i])) < 0 || (i == 0 && db_changes(box->db) > 0) || junk + ham < 0)
            return r;
    }
    return 1;
}

static int count_tokens(struct mailbox *box, struct model *m, const struct person_letter *l, int64_t junk,
                        int64_t ham)
{
    static const char update[] =
        "UPDATE junk_token SET junk = max(junk + ?2, 0), ham = max(ham + ?3, 0) WHERE token = ?1";
    CLEANUP(stmt_release) struct stmt *up = NULL, *in = NULL;
    int r;

    if ((r = stmt_get(box->db, update, &up)) < 0 ||
        (r = stmt_get(box->db, "INSERT INTO junk_token VALUES (?1, ?2, ?3)", &in)) < 0)
        return r;
    for (size_t i = 0; i < l->n && r >= 0; i++)
        if ((r = count_one(up, in, box, l->tokens[i], junk, ham)) > 0)
            m->tokens++;
    return r < 0 ? r : 0;
}

static int count_sender(struct mailbox *box, struct model *m, int64_t sender, int64_t junk, int64_t ham)
{
    static const char update[] =
        "UPDATE junk_sender SET junk = max(junk + ?2, 0), ham = max(ham + ?3, 0) WHERE sender = ?1";
    CLEANUP(stmt_release) struct stmt *up = NULL, *in = NULL;
    int r;

    if (!sender)
        return 0;
    if ((r = stmt_get(box->db, update, &up)) < 0 ||
        (r = stmt_get(box->db, "INSERT INTO junk_sender VALUES (?1, 0, ?2, ?3)", &in)) < 0 ||
        (r = count_one(up, in, box, sender, junk, ham)) <= 0)
        return r;
    m->senders++;
    return 0;
}

static int count(struct mailbox *box, struct model *m, const struct person_letter *l, enum junk_class class,
                 int by)
{
    int64_t junk = class == JUNK_CLASS_JUNK ? by : 0, ham = class == JUNK_CLASS_HAM ? by : 0;
    int r;

    if (class == JUNK_CLASS_NONE)
        return 0;
    if ((r = count_tokens(box, m, l, junk, ham)) < 0)
        return r;
    m->junk = m->junk + junk > 0 ? m->junk + junk : 0;
    m->ham = m->ham + ham > 0 ? m->ham + ham : 0;
    return count_sender(box, m, l->sender, junk, ham);
}

/* ---- what was learnt already ---------------------------------------------------------------------------- */

static int learnt_as(struct mailbox *box, const struct person_letter *l, enum junk_class *out)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, "SELECT class FROM junk_learnt WHERE hash = ?1", &st);

    *out = JUNK_CLASS_NONE;
    if (r < 0)
        return r;
    stmt_bind_blob(st, 1, str_of(l->id, sizeof l->id));
    if ((r = stmt_step(st)) > 0)
        *out = (enum junk_class)stmt_i64(st, 0);
    return r < 0 ? r : 0;
}

static int learnt_forget_old(struct mailbox *box)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r =
        stmt_get(box->db, "DELETE FROM junk_learnt WHERE id <= (SELECT max(id) FROM junk_learnt) - ?1", &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, JUNK_LEARNT_MAX);
    return stmt_run(st);
}

static int learnt_note(struct mailbox *box, const struct person_letter *l, enum junk_class class)
{
    static const char add[] = "INSERT INTO junk_learnt (hash, class) VALUES (?1, ?2) "
                              "ON CONFLICT (hash) DO UPDATE SET class = ?2";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    bool none = class == JUNK_CLASS_NONE;
    int r = stmt_get(box->db, none ? "DELETE FROM junk_learnt WHERE hash = ?1" : add, &st);

    if (r < 0)
        return r;
    stmt_bind_blob(st, 1, str_of(l->id, sizeof l->id));
    if (!none)
        stmt_bind_i64(st, 2, class);
    return (r = stmt_run(st)) < 0 ? r : learnt_forget_old(box);
}

/* 1: it was of another class. */
static int become(struct mailbox *box, struct model *m, const struct person_letter *l, enum junk_class was,
                  enum junk_class now)
{
    int r;

    if (was == now || l->n == 0)
        return 0;
    if ((r = count(box, m, l, was, -1)) < 0 || (r = count(box, m, l, now, 1)) < 0 ||
        (r = learnt_note(box, l, now)) < 0)
        return r;
    return 1;
}

int junk_learn(struct mailbox *box, const struct person_letter *l, enum junk_class class)
{
    enum junk_class was;
    struct model m;
    int r, w;

    if ((r = model_read(box, &m)) < 0 || (r = learnt_as(box, l, &was)) < 0 ||
        (r = become(box, &m, l, was, class)) <= 0)
        return r;
    return (w = model_write(box, &m)) < 0 ? w : r;
}

/* ---- room ---------------------------------------------------------------------------------------------- */

static int run_both(struct mailbox *box, const char *const sql[2])
{
    int r = db_run(box->db, sql[0]);

    return r < 0 ? r : db_run(box->db, sql[1]);
}

static int rows_count(struct mailbox *box, struct model *m)
{
    int r = db_get_i64(box->db, "SELECT count(*) FROM junk_token", &m->tokens);

    return r < 0 ? r : db_get_i64(box->db, "SELECT count(*) FROM junk_sender", &m->senders);
}

/* What one letter had says least. When that is not enough, all counts are halved, the letters' too: then there is
 * more of it the next time. */
static int make_room(struct mailbox *box, struct model *m)
{
    static const char *const rare[] = { "DELETE FROM junk_token WHERE junk + ham <= 1",
                                        "DELETE FROM junk_sender WHERE written = 0 AND junk + ham <= 1" };
    static const char *const halve[] = { "UPDATE junk_token SET junk = junk / 2, ham = ham / 2",
                                         "UPDATE junk_sender SET junk = junk / 2, ham = ham / 2" };
    int r;

    if (m->tokens <= (int64_t)JUNK_TOKENS_MAX && m->senders <= (int64_t)JUNK_SENDERS_MAX)
        return 0;
    if ((r = run_both(box, rare)) < 0 || (r = rows_count(box, m)) < 0 ||
        m->tokens <= (int64_t)JUNK_TOKENS_MAX / 4 * 3)
        return r;
    m->junk /= 2;
    m->ham /= 2;
    return run_both(box, halve);
}

/* ---- a batch --------------------------------------------------------------------------------------------- */

struct batch {
    struct mailbox *box;
    struct model model;
    struct words words;
    struct buf row, part[2]; /* header lines, body */
    struct buf message_id;
    struct person_letter letter;
    struct {
        int64_t email_id;
        enum junk_wish wish;
    } waiting[JUNK_BATCH_MAX];
};

static void batch_free(struct batch **bp)
{
    struct batch *b = *bp;

    if (!b)
        return;
    words_release(&b->words);
    buf_release(&b->row);
    buf_release(&b->part[0]);
    buf_release(&b->part[1]);
    buf_release(&b->message_id);
    explicit_bzero(b, sizeof *b);
    free(b);
}

static int waiting_read(struct batch *b)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int n = 0,
        r = stmt_get(b->box->db, "SELECT email_id, wish FROM junk_queue ORDER BY email_id LIMIT ?1", &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, JUNK_BATCH_MAX);
    while (n < (int)JUNK_BATCH_MAX && (r = stmt_step(st)) > 0) {
        b->waiting[n].email_id = stmt_i64(st, 0);
        b->waiting[n++].wish = (enum junk_wish)stmt_i64(st, 1);
    }
    return r < 0 ? r : n;
}

int mailbox_junk_waiting(struct mailbox *box)
{
    int64_t any = 0;
    int r = db_get_i64(box->db, "SELECT EXISTS (SELECT 1 FROM junk_queue)", &any);

    return r < 0 ? r : any != 0;
}

/* The beginnings of both parts of its text. */
static int text_read(struct batch *b, int64_t email_id)
{
    struct words *w = &b->words;
    int r = words_open(w, b->box, email_id);

    buf_clear(&b->part[0]);
    buf_clear(&b->part[1]);
    for (; r >= 0 && w->on_row && b->part[1].n < PERSON_TEXT_MAX; r = r < 0 ? r : words_next(w)) {
        struct buf *to = &b->part[w->part != 0];

        buf_clear(&b->row);
        if (to->n < PERSON_TEXT_MAX && (r = words_take(w, &b->row)) >= 0)
            r = buf_puts(to, str_slice(buf_str(&b->row), 0, size_min(b->row.n, PERSON_TEXT_MAX - to->n)));
    }
    words_close(w);
    return r;
}

static int message_id_read(struct batch *b, int64_t email_id)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(b->box->db, "SELECT message_id FROM email WHERE id = ?1", &st);

    buf_clear(&b->message_id);
    if (r < 0)
        return r;
    stmt_bind_i64(st, 1, email_id);
    if ((r = stmt_step(st)) <= 0)
        return r < 0 ? r : E_GONE;
    return buf_puts(&b->message_id, stmt_str(st, 0));
}

static int written_to(struct batch *b)
{
    static const char update[] = "UPDATE junk_sender SET written = 1 WHERE sender = ?1";
    static const char add[] = "INSERT INTO junk_sender VALUES (?1, 1, 0, 0)";
    int64_t to[PERSON_SENT_MAX];
    size_t n = person_recipients(b->model.key, buf_str(&b->part[0]), to);
    int r = 0;

    if (b->model.senders >= (int64_t)JUNK_SENDERS_MAX * 2)
        return 0; /* whoever writes to so many knows none of them */
    for (size_t i = 0; i < n && r >= 0; i++)
        for (int k = 0; k < 2 && r >= 0; k++) {
            CLEANUP(stmt_release) struct stmt *st = NULL;

            if ((r = stmt_get(b->box->db, k ? add : update, &st)) < 0)
                break;
            stmt_bind_i64(st, 1, to[i]);
            if ((r = stmt_run(st)) >= 0 && k == 0 && db_changes(b->box->db) > 0)
                break;
            b->model.senders += k;
        }
    return r;
}

static enum junk_class wished(enum junk_wish wish, enum junk_class was)
{
    switch (wish) {
    case JUNK_WISH_JUNK: return JUNK_CLASS_JUNK;
    case JUNK_WISH_HAM: return JUNK_CLASS_HAM;
    case JUNK_WISH_NOT_JUNK: return was == JUNK_CLASS_JUNK ? JUNK_CLASS_NONE : was;
    case JUNK_WISH_NOT_HAM: return was == JUNK_CLASS_HAM ? JUNK_CLASS_NONE : was;
    case JUNK_WISH_MAYBE_HAM: return was == JUNK_CLASS_NONE ? JUNK_CLASS_HAM : was;
    case JUNK_WISH_SENT: break;
    }
    return was;
}

static int done_note(struct mailbox *box, int64_t email_id)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, "DELETE FROM junk_queue WHERE email_id = ?1", &st);

    if (r < 0)
        return r;
    stmt_bind_i64(st, 1, email_id);
    return stmt_run(st);
}

static int learn_one(struct batch *b, int64_t email_id, enum junk_wish wish)
{
    enum junk_class was;
    int r;

    if ((r = text_read(b, email_id)) < 0 || (r = message_id_read(b, email_id)) < 0)
        return r == E_GONE || r == E_CORRUPT ? done_note(b->box, email_id) : r; /* nobody can, ever */
    if (wish == JUNK_WISH_SENT && (r = written_to(b)) < 0)
        return r;
    if (wish != JUNK_WISH_SENT && ((r = person_read(b->model.key, buf_str(&b->part[0]), buf_str(&b->part[1]),
                                                    buf_str(&b->message_id), &b->letter)) < 0 ||
                                   (r = learnt_as(b->box, &b->letter, &was)) < 0 ||
                                   (r = become(b->box, &b->model, &b->letter, was, wished(wish, was))) < 0))
        return r;
    return done_note(b->box, email_id);
}

int mailbox_junk_step(struct mailbox *box, int64_t budget_ms)
{
    CLEANUP(batch_free) struct batch *b = calloc(1, sizeof *b);
    int64_t until = clock_mono_ms() + budget_ms;
    int n, done = 0, r;

    if (!b)
        return E_NOMEM;
    b->box = box;
    b->row.max = CHUNK_BYTES_MAX;
    b->part[0].max = b->part[1].max = PERSON_TEXT_MAX;
    b->message_id.max = KIB(64);
    if ((n = waiting_read(b)) <= 0 || (r = model_read(box, &b->model)) < 0)
        return n <= 0 ? n : r;
    while (done < n && (done == 0 || clock_mono_ms() < until)) {
        if ((r = learn_one(b, b->waiting[done].email_id, b->waiting[done].wish)) < 0)
            return r;
        done++;
    }
    if ((r = make_room(box, &b->model)) < 0 || (r = model_write(box, &b->model)) < 0)
        return r;
    return done;
}

/* ---- what comes ------------------------------------------------------------------------------------------- */

static int sender_read(struct mailbox *box, int64_t sender, struct person_sender *out)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, "SELECT written, junk, ham FROM junk_sender WHERE sender = ?1", &st);

    *out = (struct person_sender){ 0 };
    if (r < 0)
        return r;
    stmt_bind_i64(st, 1, sender);
    if ((r = stmt_step(st)) > 0)
        *out = (struct person_sender){ stmt_i64(st, 0) != 0, stmt_u64(st, 1), stmt_u64(st, 2) };
    return r < 0 ? r : 0;
}

static int counts_read(struct mailbox *box, const struct person_letter *l, struct bayes_count *out)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, "SELECT junk, ham FROM junk_token WHERE token = ?1", &st);

    for (size_t i = 0; i < l->n && r >= 0; i++) {
        stmt_reset(st);
        stmt_bind_i64(st, 1, l->tokens[i]);
        out[i] = (struct bayes_count){ 0 };
        if ((r = stmt_step(st)) > 0)
            out[i] = (struct bayes_count){ (uint32_t)stmt_u64(st, 0), (uint32_t)stmt_u64(st, 1) };
    }
    return r < 0 ? r : 0;
}

int junk_score(struct mailbox *box, const struct person_letter *l, double *out)
{
    struct bayes_count counts[PERSON_TOKENS_MAX];
    struct person_sender sender;
    struct model m;
    double p;
    int r;

    if ((r = model_read(box, &m)) < 0 || (r = counts_read(box, l, counts)) < 0 ||
        (r = sender_read(box, l->sender, &sender)) < 0)
        return r;
    p = bayes_score_own(counts, l->n, (uint64_t)m.junk, (uint64_t)m.ham, PERSON_LEAST);
    if (p < 0)
        return 0;
    *out = person_weigh(p, l, &sender);
    return 1;
}
