/* src/store/sort.c: SORT (RFC 5256, RFC 5957). Keys were made when an email came, so no
 * header is read here: rows of what was found go into memory with the keys that are asked for. */
#include "src/store/mailbox_private.h"
#include "lib/base/hex.h"
#include <sodium.h>

#define REF_BYTES    16u
#define REFS_MAX     (SORT_REFS_BYTES / REF_BYTES - 1)
#define CRITERIA_MAX 16u
#define MEMORY_MAX   MIB(512) /* of one SORT */

/* ---- arrival ---------------------------------------------------------------------------------- */

/* Quotes in the local part mean nothing (RFC 5256 3, REFERENCES). */
static void ref_hash(struct str id, uint8_t out[REF_BYTES])
{
    crypto_generichash_state h;

    crypto_generichash_init(&h, NULL, 0, REF_BYTES);
    for (size_t i = 0, from = 0; i <= id.n; i++)
        if (i == id.n || id.p[i] == '"' || id.p[i] == '\\') {
            crypto_generichash_update(&h, (const uint8_t *)id.p + from, i - from);
            from = i + 1;
        }
    crypto_generichash_final(&h, out, REF_BYTES);
}

void sort_bind(struct stmt *st, int at, const struct email_in *e, uint8_t refs[SORT_REFS_BYTES])
{
    const struct str texts[] = { e->sort.subject, e->sort.from,         e->sort.to,
                                 e->sort.cc,      e->sort.display_from, e->sort.display_to };
    static const int column[] = { 0, 2, 3, 4, 5, 6 };
    size_t n = 1, skip = e->nreferences > REFS_MAX ? e->nreferences - REFS_MAX : 0;

    memset(refs, 0, REF_BYTES);
    if (e->message_id.n)
        ref_hash(e->message_id, refs);
    for (size_t i = 0; i + skip < e->nreferences; i++) /* the first and the newest: RFC 5256 leaves it open */
        ref_hash(e->references[i ? i + skip : 0], refs + n++ * REF_BYTES);
    stmt_bind_i64(st, at + 1, e->sort.reply);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        stmt_bind_str(st, at + column[i], texts[i].n ? texts[i] : STR(""));
    stmt_bind_blob(st, at + 7, str_of(refs, n * REF_BYTES));
}

int sort_insert(struct mailbox *box, int64_t email_id, const struct email_in *e)
{
    static const char sql[] = "INSERT INTO email_sort VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    uint8_t refs[SORT_REFS_BYTES];
    int r = stmt_get(box->db, sql, &st);

    if (r < 0)
        return r;
    stmt_bind_i64(st, 1, email_id);
    sort_bind(st, 2, e, refs);
    return stmt_run(st);
}

/* ---- SORT ------------------------------------------------------------------------------------- */

union value {
    int64_t number;
    struct str text; /* in the arena */
};

struct item {
    uint32_t uid, relevance;
    union value v[];
};

struct sorter {
    struct mailbox *box;
    const Store__SortRequest *q;
    struct arena texts;
    char *items; /* n of item_bytes */
    size_t n, item_bytes;
};

static bool is_text(Store__SortRequest__Key key)
{
    return key != STORE__SORT_REQUEST__KEY__ARRIVAL && key != STORE__SORT_REQUEST__KEY__DATE &&
           key != STORE__SORT_REQUEST__KEY__SIZE && key != STORE__SORT_REQUEST__KEY__RELEVANCE;
}

/* Column of the row, for every key. */
static const int columns[] = {
    [STORE__SORT_REQUEST__KEY__ARRIVAL] = 1,   [STORE__SORT_REQUEST__KEY__SIZE] = 2,
    [STORE__SORT_REQUEST__KEY__DATE] = 3,      [STORE__SORT_REQUEST__KEY__SUBJECT] = 4,
    [STORE__SORT_REQUEST__KEY__FROM] = 5,      [STORE__SORT_REQUEST__KEY__TO] = 6,
    [STORE__SORT_REQUEST__KEY__CC] = 7,        [STORE__SORT_REQUEST__KEY__DISPLAYFROM] = 8,
    [STORE__SORT_REQUEST__KEY__DISPLAYTO] = 9, [STORE__SORT_REQUEST__KEY__RELEVANCE] = 0,
};

static int item_fill(struct sorter *s, struct stmt *st, uint32_t relevance)
{
    struct item *it = (struct item *)(void *)(s->items + s->n * s->item_bytes);

    it->uid = (uint32_t)stmt_u64(st, 0);
    it->relevance = relevance;
    for (size_t i = 0; i < s->q->n_criteria; i++) {
        Store__SortRequest__Key key = s->q->criteria[i]->key;
        bool number = key == STORE__SORT_REQUEST__KEY__SIZE || key == STORE__SORT_REQUEST__KEY__RELEVANCE;
        struct str text = number ? STR_NONE : stmt_str(st, columns[key]);

        if (key == STORE__SORT_REQUEST__KEY__RELEVANCE)
            it->v[i].number = -(int64_t)relevance; /* RFC 6203 6: the best first */
        else if (key == STORE__SORT_REQUEST__KEY__SIZE)
            it->v[i].number = stmt_i64(st, columns[key]);
        else if (is_text(key) && !(it->v[i].text = arena_dup(&s->texts, text)).p)
            return E_LIMIT;
        else if (!is_text(key) && !clock_from_iso(text.p, text.n, &it->v[i].number))
            it->v[i].number = 0;
    }
    s->n++;
    return 0;
}

/* The dearest statement that the criteria ask for. RFC 5256 2.2: without a Date the arrival counts. */
static const char *statement(const Store__SortRequest *q)
{
    static const char cheap[] = "SELECT uid, internal, bytes FROM message "
                                "WHERE folder_id = ?1 AND uid BETWEEN ?2 AND ?3 ORDER BY uid";
    static const char dates[] =
        "SELECT m.uid, m.internal, m.bytes, coalesce(e.sent, m.internal) FROM message m "
        "JOIN email e ON e.id = m.email_id "
        "WHERE m.folder_id = ?1 AND m.uid BETWEEN ?2 AND ?3 ORDER BY m.uid";
    static const char texts[] =
        "SELECT m.uid, m.internal, m.bytes, coalesce(e.sent, m.internal), coalesce(e.subject, s.subject), "
        "coalesce(e.from_box, s.from_box), coalesce(e.to_box, s.to_box), coalesce(e.cc_box, s.cc_box), "
        "coalesce(e.from_display, s.from_display), coalesce(e.to_display, s.to_display) "
        "FROM message m JOIN email e ON e.id = m.email_id "
        "LEFT JOIN email_sort s ON s.email_id = m.email_id AND e.subject IS NULL "
        "WHERE m.folder_id = ?1 AND m.uid BETWEEN ?2 AND ?3 ORDER BY m.uid";
    const char *sql = cheap;

    for (size_t i = 0; i < q->n_criteria; i++) {
        if (is_text(q->criteria[i]->key))
            return texts;
        if (q->criteria[i]->key == STORE__SORT_REQUEST__KEY__DATE)
            sql = dates;
    }
    return sql;
}

static int load(struct sorter *s, const Store__SearchResponse *found)
{
    uint64_t max = uidset_count(found->uid_ranges, found->n_uid_ranges), before = 0;
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(s->box->db, statement(s->q), &st);

    if (r < 0)
        return r;
    s->item_bytes = sizeof(struct item) + s->q->n_criteria * sizeof(union value);
    if (max * s->item_bytes > MEMORY_MAX)
        return E_LIMIT;
    if (!(s->items = malloc(max ? (size_t)max * s->item_bytes : 1)))
        return E_NOMEM;
    for (size_t i = 0; i + 1 < found->n_uid_ranges; i += 2) {
        stmt_reset(st);
        stmt_bind_u64(st, 1, s->q->folder_id);
        stmt_bind_u64(st, 2, found->uid_ranges[i]);
        stmt_bind_u64(st, 3, found->uid_ranges[i + 1]);
        while ((r = stmt_step(st)) > 0 && s->n < max) {
            uint64_t at = before + stmt_u64(st, 0) - found->uid_ranges[i];

            if ((r = item_fill(s, st, at < found->n_relevance ? found->relevance[at] : 0)) < 0)
                return r;
        }
        if (r < 0)
            return r;
        before += (uint64_t)found->uid_ranges[i + 1] - found->uid_ranges[i] + 1;
    }
    return 0;
}

static int item_cmp(const void *x, const void *y, void *ctx)
{
    const struct item *a = x, *b = y;
    const struct sorter *s = ctx;

    for (size_t i = 0; i < s->q->n_criteria; i++) {
        const Store__SortRequest__Criterion *c = s->q->criteria[i];
        int d = is_text(c->key) ? str_cmp(a->v[i].text, b->v[i].text)
                                : (a->v[i].number > b->v[i].number) - (a->v[i].number < b->v[i].number);

        if (d)
            return c->reverse ? -d : d;
    }
    return a->uid < b->uid ? -1 : a->uid > b->uid; /* RFC 5256 3: equal ones by number */
}

static void sorter_release(struct sorter *s)
{
    free(s->items);
    arena_release(&s->texts);
}

int mailbox_sort(struct mailbox *box, const Store__SortRequest *q, const Store__SearchResponse *found,
                 struct buf *out, Store__OrderResponse *resp)
{
    CLEANUP(sorter_release) struct sorter s = { .box = box, .q = q, .texts = { .max = MEMORY_MAX } };
    CLEANUP(txn_end) struct txn snapshot = { 0 };
    int r = box->txn.db ? 0 : txn_begin_read(&snapshot, box->db);

    if (r < 0)
        return r;
    if (q->n_criteria == 0 || q->n_criteria > CRITERIA_MAX)
        return E_LIMIT;
    for (size_t i = 0; i < q->n_criteria; i++)
        if ((size_t)q->criteria[i]->key >= ARRAY_LEN(columns))
            return E_SYNTAX;
    if ((r = load(&s, found)) < 0)
        return r;
    if (s.n)
        qsort_r(s.items, s.n, s.item_bytes, item_cmp, &s);
    for (size_t i = 0; i < s.n; i++) {
        const struct item *it = (const struct item *)(const void *)(s.items + i * s.item_bytes);
        uint8_t words[8];

        le32_put(words, it->uid);
        le32_put(words + 4, it->relevance);
        if ((r = buf_append(out, words, q->relevance ? 8 : 4)) < 0)
            return r;
    }
    resp->highest_modseq = found->highest_modseq;
    resp->count = s.n;
    return 0;
}
