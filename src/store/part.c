#include "src/store/part.h"
#include "src/store/drop.h"
#include "src/store/mailbox_private.h"
#include <sodium.h>

#define HASH_LEN    32u
#define SLICE_BYTES KIB(64)
#define LAST_DIGITS (BASE64_LINE_MAX + 8u) /* of a line at a slice's end */

/* What one pass over a leaf found. `kept` holds the part's bytes when there are no more than a row's. */
struct leaf_scan {
    const struct bytes_in *message;
    uint64_t start, end; /* of the leaf, in the message */
    bool base64;
    struct base64_form form;
    uint64_t encoded, bytes; /* in the message from `start`, and as a part */
    crypto_generichash_state state;
    uint8_t hash[HASH_LEN];
    struct buf in, out, kept;
};

static void leaf_scan_release(struct leaf_scan *s)
{
    explicit_bzero(&s->state, sizeof s->state);
    buf_release(&s->in);
    buf_release(&s->out);
    buf_release(&s->kept);
}

/* ---- the pass over a leaf ----------------------------------------------------------------------- */

static void scan_begin(struct leaf_scan *s)
{
    s->encoded = s->bytes = 0;
    s->kept.max = CHUNK_BYTES_MAX;
    buf_clear(&s->kept);
    crypto_generichash_init(&s->state, NULL, 0, HASH_LEN);
}

static int scan_take(struct leaf_scan *s, struct str bytes)
{
    crypto_generichash_update(&s->state, (const uint8_t *)bytes.p, bytes.n);
    s->bytes += bytes.n;
    if (s->bytes > CHUNK_BYTES_MAX) {
        buf_release(&s->kept);
        s->kept.max = 0;
        return 0;
    }
    return buf_puts(&s->kept, bytes);
}

/* [s->start + at, ...) of the leaf, at most n, into s->in. */
static int scan_slice(struct leaf_scan *s, uint64_t at, size_t n)
{
    uint64_t left = s->end - s->start - at;
    void *p;
    int r;

    if (left < n)
        n = (size_t)left;
    buf_clear(&s->in);
    if (!(p = buf_reserve(&s->in, n ? n : 1)))
        return E_NOMEM;
    if ((r = bytes_read(s->message, s->start + at, p, n)) < 0)
        return r;
    s->in.n = n;
    return 0;
}

/* Does encoding what was decoded give back what stood there? */
static bool comes_back(struct leaf_scan *s, struct str was, size_t n, bool end)
{
    char *again = s->out.p + n;
    size_t got = base64_encode(s->form, (const uint8_t *)s->out.p, n, end, again);

    return got == was.n && memcmp(again, was.p, got) == 0;
}

/* The units of one slice. 1: all were regular, go on; 0: the text ends here, or becomes irregular. */
static int scan_units(struct leaf_scan *s, uint64_t left)
{
    size_t unit = base64_unit_in(s->form), step = base64_unit_out(s->form), last = 0, n;
    struct str in = buf_str(&s->in);
    size_t units = base64_units_decode(s->form, in, (uint8_t *)s->out.p);
    int r;

    if (!comes_back(s, str_slice(in, 0, units * unit), units * step, false))
        return 0; /* (cannot be) */
    s->encoded += units * unit;
    if ((r = scan_take(s, str_of(s->out.p, units * step))) < 0)
        return r;
    if (units && units == in.n / unit && left > in.n)
        return 1;
    in = str_skip(in, units * unit);
    last = base64_last_decode(s->form, in, (uint8_t *)s->out.p, &n);
    if (last && comes_back(s, str_slice(in, 0, last), n, true)) {
        s->encoded += last;
        return scan_take(s, str_of(s->out.p, n));
    }
    if (s->encoded) /* the last line's end belongs to what follows */
        s->encoded -= s->form.eol;
    return 0;
}

/* 1: as base64, a prefix that is nearly all of it (a list's footer, empty lines may follow); 0: not. */
static int scan_base64(struct leaf_scan *s)
{
    uint64_t all = s->end - s->start;
    size_t units, slice;
    int r;

    scan_begin(s);
    if ((r = scan_slice(s, 0, BASE64_LINE_MAX + 2)) < 0)
        return r;
    if (!base64_form_find(buf_str(&s->in), &s->form))
        return 0;
    units = SLICE_BYTES / base64_unit_in(s->form);
    slice = units * base64_unit_in(s->form);
    if (!buf_reserve(&s->out, 2 * slice + 2 * LAST_DIGITS))
        return E_NOMEM;
    do {
        uint64_t at = s->encoded;

        if ((r = scan_slice(s, at, slice)) < 0)
            return r;
        r = scan_units(s, all - at);
    } while (r > 0);
    if (r < 0)
        return r;
    return s->encoded >= PART_BASE64_MIN && all - s->encoded <= all / 8 &&
           base64_encoded_bytes(s->form, s->bytes) == s->encoded;
}

static int scan_raw(struct leaf_scan *s)
{
    uint64_t all = s->end - s->start;
    int r = 0;

    scan_begin(s);
    for (; s->encoded < all && r == 0; s->encoded += s->in.n)
        if ((r = scan_slice(s, s->encoded, SLICE_BYTES)) == 0)
            r = scan_take(s, buf_str(&s->in));
    return r;
}

static int scan_leaf(struct leaf_scan *s, bool base64)
{
    int r = base64 ? scan_base64(s) : 0;

    s->base64 = r > 0;
    if (r == 0 && s->end - s->start < PART_RAW_MIN)
        s->bytes = s->encoded = 0;
    else if (r == 0)
        r = scan_raw(s);
    if (r >= 0)
        crypto_generichash_final(&s->state, s->hash, HASH_LEN);
    return r < 0 ? r : 0;
}

/* ---- rows --------------------------------------------------------------------------------------- */

/* Bytes [at, at + n) of the part, from the message, for the second pass over a large one. */
static int scan_again(struct leaf_scan *s, uint64_t at, size_t n, struct str *out)
{
    size_t unit = base64_unit_in(s->form), step = base64_unit_out(s->form), got, units, last = 0;
    uint64_t first = at / step, end = (at + n + step - 1) / step * unit, from = first * unit;
    struct str in;
    int r;

    if (end > s->encoded)
        end = s->encoded;
    if ((r = scan_slice(s, s->base64 ? from : at, s->base64 ? (size_t)(end - from) : n)) < 0)
        return r;
    *out = in = buf_str(&s->in);
    if (!s->base64)
        return 0;
    buf_clear(&s->out);
    if (!buf_reserve(&s->out, in.n + LAST_DIGITS))
        return E_NOMEM;
    units = base64_units_decode(s->form, in, (uint8_t *)s->out.p);
    base64_last_decode(s->form, str_skip(in, units * unit), (uint8_t *)s->out.p + units * step, &last);
    got = units * step + last;
    *out = str_slice(str_of(s->out.p, got), (size_t)(at - first * step), (size_t)(at - first * step) + n);
    return out->n == n ? 0 : E_CORRUPT;
}

/* Row number n of the part, before it is compressed. */
static int row_bytes(struct leaf_scan *s, size_t n, struct str *out)
{
    uint64_t at = (uint64_t)n * CHUNK_BYTES_MAX;
    size_t take = s->bytes - at < CHUNK_BYTES_MAX ? (size_t)(s->bytes - at) : CHUNK_BYTES_MAX;

    *out = buf_str(&s->kept);
    return s->kept.n ? 0 : scan_again(s, at, take, out);
}

static size_t rows_of(uint64_t bytes)
{
    return (size_t)((bytes + CHUNK_BYTES_MAX - 1) / CHUNK_BYTES_MAX);
}

static int part_row_insert(struct mailbox *box, int64_t id, int64_t codec, size_t bytes, struct str data)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, "INSERT INTO part_row VALUES (?1, ?2, ?3, ?4)", &st);

    if (r < 0)
        return r;
    stmt_bind_i64(st, 1, id);
    stmt_bind_i64(st, 2, codec);
    stmt_bind_u64(st, 3, bytes);
    stmt_bind_blob(st, 4, data);
    return stmt_run(st);
}

/* Of a part whose rows nobody made: read once more, one at a time. */
static int part_rows_make(struct mailbox *box, int64_t id, const struct bytes_in *message,
                          const struct ready_part *p)
{
    CLEANUP(buf_release) struct buf scratch = { .max = CHUNK_SCRATCH_MAX };
    CLEANUP(leaf_scan_release)
    struct leaf_scan s = { .message = message,
                           .start = p->start,
                           .end = p->start + p->segment.bytes,
                           .base64 = p->segment.base64,
                           .form = p->segment.form,
                           .encoded = p->segment.bytes,
                           .bytes = p->bytes,
                           .in = { .max = MIB(1) },
                           .out = { .max = MIB(1) } };
    size_t n = rows_of(p->bytes);
    int r = n > ROWS_MAX ? E_TOO_BIG : 0;

    for (size_t i = 0; i < n && r == 0; i++) {
        struct str in;
        struct chunk c;

        if ((r = row_bytes(&s, i, &in)) == 0 && (r = chunk_encode(in, &scratch, &c)) == 0)
            r = part_row_insert(box, (id << ROW_SHIFT) + (int64_t)i, c.codec, in.n, c.data);
    }
    return r;
}

static int part_rows_insert(struct mailbox *box, int64_t id, const struct bytes_in *message,
                            const struct ready_part *p)
{
    int r = 0;

    if (!p->rows)
        return part_rows_make(box, id, message, p);
    for (size_t i = 0; i < p->nrows && r == 0; i++)
        r = part_row_insert(box, (id << ROW_SHIFT) + (int64_t)i, p->rows[i].codec, p->rows[i].bytes,
                            buf_str(&p->rows[i].data));
    return r;
}

/* ---- counting ----------------------------------------------------------------------------------- */

/* 1 and *id_out: it is here already. */
static int part_find(struct mailbox *box, const struct ready_part *p, int64_t *id_out)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, "SELECT id, bytes FROM part WHERE hash = ?1", &st);

    if (r < 0)
        return r;
    stmt_bind_blob(st, 1, str_of(p->hash, HASH_LEN));
    if ((r = stmt_step(st)) <= 0)
        return r;
    *id_out = stmt_i64(st, 0);
    return stmt_u64(st, 1) == p->bytes ? 1 : E_CORRUPT;
}

static int run_for(struct mailbox *box, const char *sql, int64_t a, int64_t b)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, sql, &st);

    if (r < 0)
        return r;
    stmt_bind_i64(st, 1, a);
    stmt_bind_i64(st, 2, b);
    return stmt_run(st);
}

static int part_insert(struct mailbox *box, const struct bytes_in *message, const struct ready_part *p,
                       int64_t *id_out)
{
    static const char sql[] = "INSERT INTO part (id, hash, refs, bytes) VALUES ("
                              "1 + max((SELECT coalesce(max(id), 0) FROM part), "
                              "(SELECT coalesce(max(id), 0) FROM dropping WHERE part = 1)), ?1, 1, ?2)";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, sql, &st);

    if (r < 0)
        return r;
    stmt_bind_blob(st, 1, str_of(p->hash, HASH_LEN));
    stmt_bind_u64(st, 2, p->bytes);
    if ((r = stmt_run(st)) < 0)
        return r;
    *id_out = db_last_rowid(box->db);
    return part_rows_insert(box, *id_out, message, p);
}

static int part_put(struct mailbox *box, const struct bytes_in *message, const struct ready_part *p,
                    int64_t *id_out)
{
    int r = part_find(box, p, id_out);

    if (r == 0)
        return part_insert(box, message, p, id_out);
    return r < 0 ? r : run_for(box, "UPDATE part SET refs = refs + ?2 WHERE id = ?1", *id_out, 1);
}

/* One reference less; it goes with the last one. */
static int part_drop(struct mailbox *box, int64_t id)
{
    static const char more[] = "UPDATE part SET refs = refs - ?2 WHERE id = ?1 AND refs > ?2";
    static const char rows[] = "DELETE FROM part_row WHERE id BETWEEN ?1 AND ?2";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int64_t first = id * (INT64_C(1) << ROW_SHIFT);
    int r = run_for(box, more, id, 1);

    if (r < 0 || db_changes(box->db) > 0 ||
        (r = stmt_get(box->db, "DELETE FROM part WHERE id = ?1 AND refs = 1 RETURNING bytes", &st)) < 0)
        return r;
    stmt_bind_i64(st, 1, id);
    if ((r = stmt_step(st)) <= 0)
        return r; /* it was never there: so the check says, too */
    if (drop_is_large(box, stmt_u64(st, 0)))
        return drop_later(box, true, id);
    return run_for(box, rows, first, first + ROWS_MAX);
}

/* ---- a whole email ------------------------------------------------------------------------------ */

void parts_ready_release(struct email_ready *y)
{
    for (size_t i = 0; i < y->nparts; i++) {
        for (size_t k = 0; k < y->parts[i].nrows; k++)
            buf_release(&y->parts[i].rows[k].data);
        free(y->parts[i].rows);
    }
    free(y->parts);
    y->parts = NULL;
    y->nparts = 0;
}

/* What was made so far is in p->nrows: it goes with the email. */
static int rows_prepare(struct leaf_scan *s, struct ready_part *p)
{
    CLEANUP(buf_release) struct buf scratch = { .max = CHUNK_SCRATCH_MAX };
    size_t n = rows_of(s->bytes);
    int r = 0;

    if (!(p->rows = calloc(n, sizeof *p->rows)))
        return E_NOMEM;
    while (p->nrows < n && r == 0) {
        struct ready_row *row = &p->rows[p->nrows];
        struct str in;
        struct chunk c;

        row->data.max = CHUNK_BYTES_MAX;
        if ((r = row_bytes(s, p->nrows, &in)) < 0 || (r = chunk_encode(in, &scratch, &c)) < 0)
            break;
        p->nrows++;
        row->codec = (int)c.codec;
        row->bytes = in.n;
        r = buf_puts(&row->data, c.data);
    }
    return r;
}

static int part_add(struct email_ready *y, struct leaf_scan *s, uint64_t gap, uint64_t *rows_left)
{
    struct ready_part *v = realloc(y->parts, (y->nparts + 1) * sizeof *v), *p;

    if (!v)
        return E_NOMEM;
    y->parts = v;
    p = &v[y->nparts++];
    *p = (struct ready_part){
        .start = s->start,
        .segment = { .gap = gap, .bytes = s->encoded, .part = 1, .base64 = s->base64 },
        .bytes = s->bytes,
    };
    if (s->base64)
        p->segment.form = s->form;
    memcpy(p->hash, s->hash, sizeof p->hash);
    if (s->bytes > *rows_left)
        return 0;
    *rows_left -= s->bytes;
    return rows_prepare(s, p);
}

int parts_prepare(const struct bytes_in *message, struct str structure, uint64_t rows_max,
                  struct email_ready *y, struct buf *map)
{
    CLEANUP(leaf_scan_release)
    struct leaf_scan s = { .message = message, .in = { .max = MIB(1) }, .out = { .max = MIB(1) } };
    struct part_leaf leaf;
    uint64_t at = y->head_bytes;
    int r = 0;

    while (r == 0 && y->nparts < PART_SEGMENTS_MAX && part_leaf_next(&structure, &leaf) > 0) {
        if (leaf.start < at || leaf.end > message->bytes || !part_wanted(&leaf))
            continue; /* small, or not where a leaf can lie: it is as raw as all the rest */
        s.start = leaf.start;
        s.end = leaf.end;
        if ((r = scan_leaf(&s, leaf.base64)) < 0 || s.bytes == 0)
            continue;
        if ((r = part_add(y, &s, leaf.start - at, &rows_max)) == 0)
            r = segment_put(map, &y->parts[y->nparts - 1].segment);
        at = leaf.start + s.encoded;
    }
    return r;
}

int parts_put(struct mailbox *box, const struct bytes_in *message, const struct email_ready *y,
              struct buf *map)
{
    int r = 0;

    for (size_t i = 0; i < y->nparts && r == 0; i++) {
        struct segment seg = y->parts[i].segment;

        if ((r = part_put(box, message, &y->parts[i], &seg.part)) == 0)
            r = segment_put(map, &seg);
    }
    return r;
}

int parts_release(struct mailbox *box, struct str map)
{
    struct segment s;
    int r;

    while ((r = segment_take(&map, &s)) > 0)
        if ((r = part_drop(box, s.part)) < 0)
            break;
    return r;
}

/* ---- reading ------------------------------------------------------------------------------------ */

static int part_bytes(struct mailbox *box, int64_t id, uint64_t *out)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, "SELECT bytes FROM part WHERE id = ?1", &st);

    if (r < 0)
        return r;
    stmt_bind_i64(st, 1, id);
    if ((r = stmt_step(st)) <= 0)
        return r < 0 ? r : E_CORRUPT;
    *out = stmt_u64(st, 0);
    return 0;
}

/* Append [at, at + n) of the part itself. */
static int part_rows_read(struct mailbox *box, int64_t id, uint64_t at, size_t n, struct buf *out)
{
    CLEANUP(buf_release) struct buf row = { .max = CHUNK_BYTES_MAX };
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, "SELECT codec, bytes, data FROM part_row WHERE id = ?1", &st);

    while (r >= 0 && n) {
        size_t off = (size_t)(at % CHUNK_BYTES_MAX), take;

        buf_clear(&row);
        stmt_reset(st);
        stmt_bind_i64(st, 1, (id << ROW_SHIFT) | (int64_t)(at / CHUNK_BYTES_MAX));
        if ((r = stmt_step(st)) <= 0)
            return r < 0 ? r : E_CORRUPT;
        if ((r = chunk_decode(stmt_i64(st, 0), stmt_str(st, 2), (size_t)stmt_u64(st, 1), &row)) < 0)
            return r;
        if (off >= row.n)
            return E_CORRUPT;
        take = size_min(n, row.n - off);
        r = buf_append(out, row.p + off, take);
        at += take;
        n -= take;
    }
    return r;
}

/* [at, at + n) of the encoded text: the units that hold it are decoded bytes of few rows. */
static int base64_read(struct mailbox *box, const struct segment *s, uint64_t bytes, uint64_t at, size_t n,
                       struct buf *out)
{
    CLEANUP(buf_release) struct buf plain = { .max = CHUNK_BYTES_MAX }, text = { .max = MIB(1) };
    size_t unit = base64_unit_in(s->form), step = base64_unit_out(s->form), got, want, skip;
    uint64_t first = at / unit, last = (at + n - 1) / unit, from = first * step, to = (last + 1) * step;
    bool end = to >= bytes;
    int r;

    if (end)
        to = bytes;
    want = (size_t)(to - from);
    skip = (size_t)(at - first * unit);
    if ((r = part_rows_read(box, s->part, from, want, &plain)) < 0)
        return r;
    if (!buf_reserve(&text, (want + 2) / 3 * 4 + (size_t)(last - first + 1) * s->form.eol))
        return E_NOMEM;
    got = base64_encode(s->form, (const uint8_t *)plain.p, want, end, text.p);
    return skip + n <= got ? buf_append(out, text.p + skip, n) : E_CORRUPT;
}

int part_read(struct mailbox *box, const struct segment *s, uint64_t at, size_t n, struct buf *out)
{
    uint64_t bytes = 0;
    int r = part_bytes(box, s->part, &bytes);

    if (r < 0)
        return r;
    if (s->bytes != (s->base64 ? base64_encoded_bytes(s->form, bytes) : bytes) || at > s->bytes ||
        n > s->bytes - at)
        return E_CORRUPT;
    return s->base64 ? base64_read(box, s, bytes, at, n, out) : part_rows_read(box, s->part, at, n, out);
}

/* ---- raw runs ----------------------------------------------------------------------------------- */

static int raw_read(const struct bytes_in *in, uint64_t off, void *p, size_t n)
{
    const struct bytes_raw *b = (const struct bytes_raw *)(const void *)in;
    struct str map = b->map;
    uint64_t from = b->head;
    struct segment s;
    int r = 0;

    while (n && r == 0) {
        size_t take = n;

        if ((r = segment_take(&map, &s)) < 0)
            return r;
        if (r > 0 && off >= s.gap) {
            off -= s.gap;
            from += s.gap + s.bytes;
            r = 0;
            continue;
        }
        if (r > 0 && s.gap - off < take)
            take = (size_t)(s.gap - off);
        r = bytes_read(b->message, from + off, p, take);
        p = (char *)p + take;
        n -= take;
        off += take;
        if (n) { /* on behind the part */
            off = 0;
            from += s.gap + s.bytes;
        }
    }
    return r;
}

int bytes_raw_init(struct bytes_raw *b, const struct bytes_in *message, uint64_t head, struct str map)
{
    uint64_t left = message->bytes - head;
    struct segment s;
    int r;

    *b = (struct bytes_raw){ .in = { .read = raw_read }, .message = message, .head = head, .map = map };
    while ((r = segment_take(&map, &s)) > 0) {
        if (s.gap > left || s.bytes > left - s.gap)
            return E_CORRUPT;
        left -= s.gap + s.bytes;
        b->in.bytes += s.gap;
    }
    b->in.bytes += left;
    return r;
}
