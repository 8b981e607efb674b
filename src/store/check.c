#include "src/store/check.h"
#include "lib/mime/structure.h"
#include "src/store/grams.h"
#include "src/store/mailbox_private.h"
#include "src/store/words.h"
#include <stdio.h>

PRINTF_LIKE(3, 4) static void found(struct check *c, const char *what, const char *fmt, ...)
{
    struct check_finding *f = c->n < CHECK_FINDINGS_MAX ? &c->list[c->n++] : NULL;
    va_list ap;

    c->found++;
    if (!f)
        return;
    f->what = what;
    va_start(ap, fmt);
    vsnprintf(f->detail, sizeof f->detail, fmt, ap);
    va_end(ap);
}

/* ---- questions in SQL: every row is a finding, in words --------------------------------------------- */

static const struct question {
    const char *what, *sql;
} questions[] = {
    { "foreign keys",
      "SELECT format('a row of %s (%d) names one of %s that is not there', \"table\", rowid, parent) "
      "FROM pragma_foreign_key_check" },
    { "meta", "SELECT format('%d rows in meta', count(*)) FROM meta HAVING count(*) <> 1" },
    { "counts",
      "SELECT format('folder %d says %d messages and %d bytes, has %d and %d', id, messages, bytes, n, b) "
      "FROM (SELECT f.id, f.messages, f.bytes, "
      "(SELECT count(*) FROM message m WHERE m.folder_id = f.id) AS n, "
      "(SELECT coalesce(sum(m.bytes), 0) FROM message m WHERE m.folder_id = f.id) AS b FROM folder f) "
      "WHERE messages <> n OR bytes <> b" },
    { "threads",
      "SELECT format('the message ids that email %d noted are %d bytes', id, length(noted)) FROM email "
      "WHERE length(noted) % 16 <> 0" },
    { "sizes",
      "SELECT format('message %d in folder %d says %d bytes, its email %d', m.uid, m.folder_id, m.bytes, "
      "e.bytes) FROM message m JOIN email e ON e.id = m.email_id WHERE m.bytes <> e.bytes" },
    { "order",
      "SELECT format('message %d in folder %d is not found by its date', m.uid, m.folder_id) FROM folder f "
      "JOIN message m ON m.folder_id = f.id WHERE m.behind <> 0 AND m.uid < f.placed" },
    { "uids", "SELECT format('folder %d gives UID %d next and has %d', f.id, f.uidnext, max(m.uid)) "
              "FROM folder f JOIN message m ON m.folder_id = f.id GROUP BY f.id "
              "HAVING max(m.uid) >= f.uidnext" },
    { "recent",
      "SELECT format('folder %d: recent from %d, next is %d', id, first_recent_uid, uidnext) FROM folder "
      "WHERE first_recent_uid > uidnext" },
    { "uidvalidity",
      "SELECT format('folder %d has UIDVALIDITY %d, the last one given was %d', f.id, f.uidvalidity, "
      "m.uidvalidity) FROM folder f, meta m WHERE f.uidvalidity > m.uidvalidity" },
    { "modseq",
      "SELECT format('folder %d is at modseq %d, a message of it at %d', f.id, f.modseq, max(m.modseq)) "
      "FROM folder f JOIN message m ON m.folder_id = f.id GROUP BY f.id "
      "HAVING max(m.modseq) > f.modseq" },
    { "vanished",
      "SELECT format('folder %d: UIDs %d to %d vanished at modseq %d, which cannot be', v.folder_id, "
      "v.first_uid, v.last_uid, v.modseq) FROM vanished v JOIN folder f ON f.id = v.folder_id "
      "WHERE v.last_uid >= f.uidnext OR v.modseq > f.modseq OR v.modseq <= f.vanished_floor "
      "OR EXISTS (SELECT 1 FROM message m WHERE m.folder_id = v.folder_id "
      "AND m.uid BETWEEN v.first_uid AND v.last_uid)" },
    { "index", "SELECT format('email %d is neither in it nor waiting for it', e.id) FROM email e "
               "WHERE e.id <= (SELECT indexed_upto FROM meta) "
               "AND NOT EXISTS (SELECT 1 FROM unindexed u WHERE u.email_id = e.id) "
               "AND NOT EXISTS (SELECT 1 FROM search_index_docsize d WHERE d.id = e.id)" },
    { "order", "SELECT format('email %d is not found by its date', e.id) FROM email e "
               "WHERE e.sent IS NOT NULL AND e.id <= (SELECT indexed_upto FROM meta) "
               "AND NOT EXISTS (SELECT 1 FROM unindexed u WHERE u.email_id = e.id AND u.state = 0) "
               "AND NOT EXISTS (SELECT 1 FROM email_by_date d WHERE d.sent = e.sent AND d.email_id = e.id)" },
    { "order",
      "SELECT format('email %d is not found by its thread', e.id) FROM email e "
      "WHERE e.id <= (SELECT indexed_upto FROM meta) "
      "AND NOT EXISTS (SELECT 1 FROM unindexed u WHERE u.email_id = e.id AND u.state = 0) "
      "AND NOT EXISTS (SELECT 1 FROM email_by_thread t WHERE t.thread_id = e.thread_id AND t.email_id = e.id)" },
    { "order", "SELECT format('email %d is found by a date or thread and not there', o.email_id) "
               "FROM (SELECT email_id FROM email_by_date UNION SELECT email_id FROM email_by_thread) o "
               "WHERE NOT EXISTS (SELECT 1 FROM email e WHERE e.id = o.email_id)" },
    { "text", "SELECT format('that of email %d is like %d bytes, not %d', e.id, r.like_bytes, e.head_bytes) "
              "FROM email_raw r JOIN email e ON e.id = r.id >> 16 "
              "WHERE r.codec IN (4, 5) AND r.part = 0 AND r.like_bytes <> e.head_bytes" },
    { "index", "SELECT format('email %d is in it and not there', d.id) FROM search_index_docsize d "
               "WHERE NOT EXISTS (SELECT 1 FROM email e WHERE e.id = d.id)" },
    { "grams", "SELECT format('those of email %d are there, and it is not', g.email_id) FROM email_grams g "
               "WHERE NOT EXISTS (SELECT 1 FROM email e WHERE e.id = g.email_id)" },
    { "heads", "SELECT format('email %d has no head', e.id) FROM email e "
               "WHERE (SELECT count(*) FROM email_head h WHERE h.email_id = e.id) + "
               "(SELECT count(*) FROM email_top t WHERE t.email_id = e.id) + (e.top IS NOT NULL) <> 1" },
    { "dropping", "SELECT format('rows of email %d go, and it is there', d.id) FROM dropping d "
                  "JOIN email e ON e.id = d.id WHERE d.part = 0" },
    { "dropping", "SELECT format('rows of part %d go, and it is there', d.id) FROM dropping d "
                  "JOIN part p ON p.id = d.id WHERE d.part = 1" },
    { "junk", "SELECT format('%d rows in junk_model', count(*)) FROM junk_model HAVING count(*) <> 1" },
    { "junk",
      "SELECT format('junk_model says %d tokens and %d senders, there are %d and %d', tokens, senders, t, s) "
      "FROM junk_model, (SELECT (SELECT count(*) FROM junk_token) AS t, (SELECT count(*) FROM junk_sender) AS s) "
      "WHERE tokens <> t OR senders <> s" },
};

static int ask(struct mailbox *box, const struct question *q, struct check *c)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, q->sql, &st);

    while (r >= 0 && (r = stmt_step(st)) > 0)
        found(c, q->what, "%.*s", STR_ARG(stmt_str(st, 0)));
    return r;
}

/* What is left over harms nobody, and may be swept. */
static const struct question leftovers[] = {
    { "orphans",
      "SELECT id FROM email e WHERE NOT EXISTS (SELECT 1 FROM message m WHERE m.email_id = e.id)" },
    { "body rows without an email",
      "SELECT id FROM email_body b WHERE NOT EXISTS (SELECT 1 FROM email e WHERE e.id = b.id >> 16) "
      "AND NOT EXISTS (SELECT 1 FROM dropping d WHERE d.part = 0 AND d.id = b.id >> 16)" },
    { "raw rows without an email",
      "SELECT id FROM email_raw b WHERE NOT EXISTS (SELECT 1 FROM email e WHERE e.id = b.id >> 16) "
      "AND NOT EXISTS (SELECT 1 FROM dropping d WHERE d.part = 0 AND d.id = b.id >> 16)" },
    { "text rows without an email",
      "SELECT id FROM email_text t WHERE NOT EXISTS (SELECT 1 FROM email e WHERE e.id = t.id >> 16) "
      "AND NOT EXISTS (SELECT 1 FROM dropping d WHERE d.part = 0 AND d.id = t.id >> 16)" },
    { "words without an email",
      "SELECT id FROM email_words w WHERE NOT EXISTS (SELECT 1 FROM email e WHERE e.id = w.id >> 16) "
      "AND NOT EXISTS (SELECT 1 FROM dropping d WHERE d.part = 0 AND d.id = w.id >> 16)" },
};

static int leftovers_count(struct mailbox *box, const struct question *q, struct check *c)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, q->sql, &st);
    int64_t first = 0;
    uint64_t n = 0;

    while (r >= 0 && (r = stmt_step(st)) > 0)
        if (n++ == 0)
            first = stmt_i64(st, 0);
    if (n)
        found(c, q->what, "%llu, the first is %lld", (unsigned long long)n, (long long)first);
    c->leftovers += n > 0;
    c->orphans += n;
    return r;
}

static int step_questions(struct mailbox *box, struct check *c)
{
    size_t i = (size_t)c->cursor, n = ARRAY_LEN(questions);
    int r = i < n                          ? ask(box, &questions[i], c)
            : i < n + ARRAY_LEN(leftovers) ? leftovers_count(box, &leftovers[i - n], c)
                                           : 0;

    c->cursor++;
    return r < 0 ? r : (size_t)c->cursor < n + ARRAY_LEN(leftovers);
}

/* ---- pages -------------------------------------------------------------------------------------------- */

static int pages_said(struct stmt *st, struct check *c)
{
    int r;

    while ((r = stmt_step(st)) > 0) {
        struct str line = stmt_str(st, 0);

        if (str_eq(line, STR("ok")))
            continue;
        if ((r = db_verify_line(line)) < 0)
            return r;
        found(c, "pages", "%.*s", STR_ARG(line));
    }
    if (r == E_CORRUPT) /* not even that could be asked */
        found(c, "pages", "damaged");
    return r == E_CORRUPT ? 0 : r;
}

static int table_check(struct mailbox *box, struct str name, struct check *c)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, "SELECT * FROM pragma_integrity_check(?1)", &st);

    if (r < 0)
        return r;
    stmt_bind_str(st, 1, name);
    return pages_said(st, c);
}

/* A table at a time; the large ones are read row by row anyhow, later. */
static int step_pages(struct mailbox *box, struct check *c)
{
    static const char next[] =
        "SELECT rowid, name FROM sqlite_schema WHERE type = 'table' AND rowid > ?1 "
        "AND name NOT IN ('email_body', 'email_head', 'email_raw', 'email_text', 'email_top', "
        "'email_words', 'part_row') "
        "ORDER BY rowid LIMIT 1";
    CLEANUP(buf_release) struct buf name = { .max = KIB(4) };
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, c->whole ? "PRAGMA integrity_check" : next, &st);

    if (r < 0 || c->whole)
        return r < 0 ? r : pages_said(st, c);
    stmt_bind_i64(st, 1, c->cursor);
    if ((r = stmt_step(st)) <= 0)
        return r;
    c->cursor = stmt_i64(st, 0);
    if ((r = buf_puts(&name, stmt_str(st, 1))) < 0)
        return r;
    stmt_release(&st);
    return (r = table_check(box, buf_str(&name), c)) < 0 ? r : 1;
}

/* ---- what the emails are made of ------------------------------------------------------------------------ */

/* Is it damage, which is a finding, or could we not look? */
static bool is_damage(int r)
{
    return r == E_CORRUPT || r == E_GONE || r == E_LIMIT || r == E_RANGE;
}

static int bytes_check(struct mailbox *box, int64_t id, uint64_t bytes, struct check *c)
{
    CLEANUP(buf_release) struct buf piece = { .max = CHUNK_BYTES_MAX };
    uint64_t at = 0;
    int r = 0;

    while (at < bytes && r >= 0) {
        size_t n = (size_t)(bytes - at < CHUNK_BYTES_MAX ? bytes - at : CHUNK_BYTES_MAX);

        buf_clear(&piece);
        r = email_read(box, id, at, n, &piece);
        at += n;
    }
    if (!is_damage(r))
        return r < 0 ? r : 0;
    found(c, "bytes", "email %lld of %llu bytes cannot be read", (long long)id, (unsigned long long)bytes);
    return 0;
}

static int structure_check(struct mailbox *box, int64_t id, uint64_t bytes, uint64_t header_bytes,
                           struct check *c)
{
    CLEANUP(buf_release) struct buf packed = { .max = MAILBOX_STRUCTURE_MAX };
    CLEANUP(arena_release) struct arena a = { .max = MIB(8) };
    struct mime_part *root = NULL;
    int r = email_structure(box, id, &packed);

    if (r >= 0)
        r = mime_structure_unpack(&a, buf_str(&packed), &root);
    if (r < 0 && !is_damage(r))
        return r;
    if (r < 0)
        found(c, "structure", "that of email %lld cannot be read", (long long)id);
    else if (root->body_end > bytes || root->body_start != header_bytes)
        found(c, "structure", "that of email %lld is another message's", (long long)id);
    return 0;
}

static int step_emails(struct mailbox *box, struct check *c)
{
    static const char next[] = "SELECT id, bytes, header_bytes FROM email WHERE id > ?1 ORDER BY id LIMIT 1";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    uint64_t bytes, header;
    int r = stmt_get(box->db, next, &st);

    if (r < 0)
        return r;
    stmt_bind_i64(st, 1, c->cursor);
    if ((r = stmt_step(st)) <= 0)
        return r;
    c->cursor = stmt_i64(st, 0);
    bytes = stmt_u64(st, 1);
    header = stmt_u64(st, 2);
    stmt_release(&st);
    c->emails++;
    c->bytes += bytes;
    if ((r = bytes_check(box, c->cursor, bytes, c)) < 0)
        return r;
    return (r = structure_check(box, c->cursor, bytes, header, c)) < 0 ? r : 1;
}

/* Read all rows of an email's text; at most `rows` of them into `out`. */
static int text_read(struct mailbox *box, int64_t email_id, size_t rows, struct buf *out)
{
    CLEANUP(words_release) struct words w = { 0 };
    int r = words_open(&w, box, email_id);

    for (; r >= 0 && w.on_row && rows; rows--) {
        buf_clear(out);
        if ((r = words_take(&w, out)) >= 0)
            r = words_next(&w);
    }
    return r < 0 ? r : 0;
}

static int step_texts(struct mailbox *box, struct check *c)
{
    CLEANUP(buf_release) struct buf text = { .max = CHUNK_BYTES_MAX };
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, "SELECT id FROM email WHERE id > ?1 ORDER BY id LIMIT 1", &st);

    if (r < 0)
        return r;
    stmt_bind_i64(st, 1, c->cursor);
    if ((r = stmt_step(st)) <= 0)
        return r;
    c->cursor = stmt_i64(st, 0);
    r = text_read(box, c->cursor, SIZE_MAX, &text);
    if (r < 0 && !is_damage(r))
        return r;
    if (r < 0)
        found(c, "text", "the text of email %lld cannot be read", (long long)c->cursor);
    return 1;
}

/* ---- the text index ------------------------------------------------------------------------------------- */

static int index_has(struct mailbox *box, int64_t email_id, struct str trigram)
{
    static const char sql[] = "SELECT 1 FROM search_index WHERE rowid = ?1 AND search_index MATCH ?2";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    char phrase[16];
    int r = stmt_get(box->db, sql, &st);

    if (r < 0)
        return r;
    snprintf(phrase, sizeof phrase, "\"%.*s\"", STR_ARG(trigram));
    stmt_bind_i64(st, 1, email_id);
    stmt_bind_str(st, 2, str_from(phrase));
    return stmt_step(st);
}

/* Three letters of ASCII from `at` on: they are one trigram whatever stands around them. */
static struct str trigram_at(struct str text, size_t at)
{
    size_t run = 0;

    for (; at < text.n; at++) {
        run = ascii_alpha(text.p[at]) ? run + 1 : 0;
        if (run == 3)
            return str_slice(text, at - 2, at + 1);
    }
    return STR_NONE;
}

/* Has the email those of a text of its own? Without a row it may have any. */
static int grams_check(struct mailbox *box, int64_t email_id, struct str text, struct check *c)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    uint32_t want[GRAMS_NEEDLE_MAX];
    int r = stmt_get(box->db, "SELECT bits FROM email_grams WHERE email_id = ?1", &st);

    if (r < 0)
        return r;
    stmt_bind_i64(st, 1, email_id);
    if ((r = stmt_step(st)) <= 0)
        return r;
    if (!grams_may_have(stmt_str(st, 0), want, grams_of(text, want, 0)))
        found(c, "grams", "the text of email %lld has others", (long long)email_id);
    return 0;
}

/* Its first row of text: are trigrams from here and there in the index? */
static int index_check(struct mailbox *box, int64_t email_id, struct check *c)
{
    CLEANUP(buf_release) struct buf text = { .max = CHUNK_BYTES_MAX };
    int r = text_read(box, email_id, 1, &text);

    if (r < 0)
        return is_damage(r) ? 0 : r; /* found elsewhere */
    for (size_t i = 0; i < 3; i++) {
        struct str t = trigram_at(buf_str(&text), text.n * i / 3);

        if (t.n && (r = index_has(box, email_id, t)) < 0)
            return r;
        if (t.n && r == 0) {
            found(c, "index", "the text of email %lld is not in it", (long long)email_id);
            return 0;
        }
    }
    for (size_t i = 0; i < 3 && r >= 0; i++)
        r = grams_check(box, email_id, str_skip(buf_str(&text), text.n * i / 3), c);
    return r < 0 ? r : 0;
}

static int step_index(struct mailbox *box, struct check *c)
{
    static const char next[] =
        "SELECT id FROM email e WHERE id > ?1 AND id <= (SELECT indexed_upto FROM meta) "
        "AND NOT EXISTS (SELECT 1 FROM unindexed u WHERE u.email_id = e.id) ORDER BY id LIMIT 1";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, next, &st);

    if (r < 0)
        return r;
    stmt_bind_i64(st, 1, c->cursor);
    if ((r = stmt_step(st)) <= 0)
        return r;
    c->cursor = stmt_i64(st, 0);
    stmt_release(&st);
    return (r = index_check(box, c->cursor, c)) < 0 ? r : 1;
}

#define PARTS_BUDGET MIB(4)

static int step_parts(struct mailbox *box, struct check *c)
{
    struct parts_check *p = &c->parts;
    int r = mailbox_parts_check(box, PARTS_BUDGET, p);

    if (r != 0)
        return r;
    if (p->wrong_bytes)
        found(c, "parts", "%llu are not what their hash says", (unsigned long long)p->wrong_bytes);
    if (p->wrong_counts)
        found(c, "parts", "%llu are named more or less often than counted",
              (unsigned long long)p->wrong_counts);
    if (p->wrong_maps)
        found(c, "parts", "%llu emails do not say which they have", (unsigned long long)p->wrong_maps);
    if (p->missing)
        found(c, "parts", "%llu are named and not there", (unsigned long long)p->missing);
    return 0;
}

static int step_sums(struct mailbox *box, struct check *c)
{
    int64_t folders = 0, messages = 0;
    int r;

    if ((r = db_get_i64(box->db, "SELECT count(*) FROM folder", &folders)) < 0 ||
        (r = db_get_i64(box->db, "SELECT count(*) FROM message", &messages)) < 0)
        return r;
    c->folders = (uint64_t)folders;
    c->messages = (uint64_t)messages;
    return 0;
}

/* ---- in order: what the later ones rest on comes first ----------------------------------------------------
 * A further kind of thing in a mailbox gets a row. A step takes c->cursor further and returns 1 while it has
 * more; it reports damage with found() and returns errors only for what it could not look at. */
static int (*const steps[])(struct mailbox *box, struct check *c) = {
    step_pages, step_questions, step_emails, step_texts, step_index, step_parts, step_sums,
};

int mailbox_check(struct mailbox *box, struct check *c, int64_t slice_ms)
{
    int64_t until = clock_mono_ms() + slice_ms;

    while (c->step < ARRAY_LEN(steps)) {
        int r = steps[c->step](box, c);

        if (r == E_CORRUPT) { /* a page that this step needs: the others still tell something */
            found(c, "pages", "damaged: step %u could not be finished", c->step);
            r = 0;
        }
        if (r < 0)
            return r;
        if (r == 0) {
            c->step++;
            c->cursor = 0;
        }
        if (slice_ms && clock_mono_ms() >= until)
            break;
    }
    return c->step < ARRAY_LEN(steps);
}

/* ---- sweeping ----------------------------------------------------------------------------------------------- */

/* Ids of up to max leftovers of this kind. How many. */
static int leftovers_list(struct mailbox *box, const struct question *q, int64_t *out, size_t max)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, q->sql, &st);
    size_t n = 0;

    while (r >= 0 && n < max && (r = stmt_step(st)) > 0)
        out[n++] = stmt_i64(st, 0);
    return r < 0 ? r : (int)n;
}

static int row_drop(struct mailbox *box, const char *sql, int64_t id)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, sql, &st);

    if (r < 0)
        return r;
    stmt_bind_i64(st, 1, id);
    return stmt_run(st);
}

int mailbox_sweep(struct mailbox *box, size_t max)
{
    static const char *const drops[] = { NULL, "DELETE FROM email_body WHERE id = ?1",
                                         "DELETE FROM email_raw WHERE id = ?1",
                                         "DELETE FROM email_text WHERE id = ?1",
                                         "DELETE FROM email_words WHERE id = ?1" };
    int64_t *ids = calloc(max, sizeof *ids);
    int swept = 0, r = ids ? 0 : E_NOMEM;

    for (size_t i = 0; i < ARRAY_LEN(leftovers) && r >= 0 && (size_t)swept < max; i++) {
        int n = leftovers_list(box, &leftovers[i], ids, max - (size_t)swept);

        r = n;
        for (int k = 0; k < n && r >= 0 && (swept == 0 || !mailbox_slice_full(box)); k++, swept++)
            r = drops[i] ? row_drop(box, drops[i], ids[k]) : email_drop_unused(box, ids[k]);
    }
    free(ids);
    return r < 0 ? r : swept;
}

/* ---- dates ---------------------------------------------------------------------------------------------------- */

static int64_t date_at(struct stmt *st, int col)
{
    struct str s = stmt_str(st, col);
    int64_t ms = 0;

    return clock_from_iso(s.p, s.n, &ms) ? ms : 0;
}

int mailbox_care_get(struct mailbox *box, struct care_dates *out)
{
    static const char sql[] =
        "SELECT m.created, c.checked, c.findings, c.step, c.position, c.found FROM meta m LEFT JOIN care c";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, sql, &st);

    *out = (struct care_dates){ 0 };
    if (r < 0 || (r = stmt_step(st)) <= 0)
        return r;
    out->created_ms = date_at(st, 0);
    out->checked_ms = date_at(st, 1);
    out->findings = stmt_u64(st, 2);
    out->step = (uint32_t)stmt_u64(st, 3);
    out->cursor = stmt_i64(st, 4);
    out->found = stmt_u64(st, 5);
    return 0;
}

int mailbox_care_set(struct mailbox *box, const struct care_dates *d)
{
    static const char sql[] = "INSERT OR REPLACE INTO care (one, checked, findings, step, position, found) "
                              "VALUES (1, ?1, ?2, ?3, ?4, ?5)";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    char checked[CLOCK_ISO_LEN + 1];
    int r = stmt_get(box->db, sql, &st);

    if (r < 0)
        return r;
    clock_iso(d->checked_ms, checked);
    stmt_bind_str_or_null(st, 1, d->checked_ms ? str_of(checked, CLOCK_ISO_LEN) : STR_NONE);
    stmt_bind_u64(st, 2, d->findings);
    stmt_bind_u64(st, 3, d->step);
    stmt_bind_i64(st, 4, d->cursor);
    stmt_bind_u64(st, 5, d->found);
    return stmt_run(st);
}
