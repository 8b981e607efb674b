/* src/store/emailready.c: the rows of an email as they will stand, made before its mailbox is asked: by a
 * worker of its own, beside others, while the mailbox's one writer commits what came before. */
#include "src/store/mailbox_private.h"
#include "src/store/part.h"

#define ROWS_READY_MAX MIB(2) /* of parts; a larger message is never held whole */

static void row_release(struct ready_row *row)
{
    buf_release(&row->data);
    *row = (struct ready_row){ 0 };
}

void email_ready_release(struct email_ready *y)
{
    row_release(&y->top);
    row_release(&y->raw);
    row_release(&y->lines);
    row_release(&y->words);
    parts_ready_release(y);
    *y = (struct email_ready){ 0 };
}

static int row_keep(struct ready_row *row, const struct chunk *c, size_t bytes)
{
    int r;

    row->data.max = MAILBOX_STRUCTURE_MAX + CHUNK_BYTES_MAX;
    if ((r = buf_puts(&row->data, c->data)) < 0)
        return r;
    row->codec = (int)c->codec;
    row->bytes = bytes;
    return 0;
}

static int take(const struct bytes_in *in, uint64_t at, size_t n, struct buf *out)
{
    void *p = buf_reserve(out, n + 1);
    int r = p ? bytes_read(in, at, p, n) : E_NOMEM;

    if (r == 0)
        out->n += n;
    return r;
}

/* Structure and head in one frame: the one says again much of what stands in the other. The text's header
 * lines say nearly nothing else. */
static int top_make(const struct email_in *e, struct email_ready *y, struct buf *scratch)
{
    CLEANUP(buf_release) struct buf top = { .max = MAILBOX_STRUCTURE_MAX + CHUNK_BYTES_MAX + 1 };
    CLEANUP(buf_release) struct buf lines = { .max = CHUNK_BYTES_MAX + 1 };
    uint64_t n = e->text_header_bytes <= CHUNK_BYTES_MAX ? e->text_header_bytes : 0;
    struct chunk c;
    int r;

    if ((r = buf_puts(&top, e->structure)) < 0 || (r = take(e->message, 0, y->head_bytes, &top)) < 0 ||
        (r = chunk_encode(buf_str(&top), scratch, &c)) < 0 || (r = row_keep(&y->top, &c, top.n)) < 0 ||
        n == 0)
        return r;
    if ((r = take(e->text, 0, (size_t)n, &lines)) < 0 ||
        (r = chunk_encode_like(buf_str(&lines), str_skip(buf_str(&top), e->structure.n), scratch, &c)) < 0)
        return r;
    y->lines.like_bytes = chunk_is_like(c.codec) ? y->head_bytes : 0;
    return row_keep(&y->lines, &c, lines.n);
}

/* How much of the message behind the head is text, or said to be. */
static size_t like_find(const struct email_in *e, uint64_t head)
{
    struct str structure = e->structure;
    struct part_leaf leaf;
    uint64_t end = head;

    while (part_leaf_next(&structure, &leaf) > 0)
        if (leaf.start >= head && leaf.end <= e->message->bytes && !leaf.base64 && leaf.end > end &&
            leaf.end - head <= CHUNK_BYTES_MAX)
            end = leaf.end;
    return (size_t)(end - head);
}

/* The raw runs, when one row holds them. */
static int raw_make(const struct email_in *e, struct email_ready *y, struct buf *scratch)
{
    CLEANUP(buf_release)
    struct buf map = { .max = PART_MAP_MAX }, rest = { .max = CHUNK_BYTES_MAX + 1 };
    struct bytes_raw raw;
    struct chunk c;
    int r;

    if ((r = parts_prepare(e->message, e->structure, e->message->bytes <= ROWS_READY_MAX ? ROWS_READY_MAX : 0,
                           y, &map)) < 0 ||
        (r = bytes_raw_init(&raw, e->message, y->head_bytes, buf_str(&map))) < 0)
        return r;
    if (raw.in.bytes == 0 || raw.in.bytes > CHUNK_BYTES_MAX)
        return 0;
    if ((r = take(&raw.in, 0, (size_t)raw.in.bytes, &rest)) < 0 ||
        (r = chunk_encode_letter(buf_str(&rest), scratch, &c)) < 0)
        return r;
    return row_keep(&y->raw, &c, rest.n);
}

static int words_make(const struct email_in *e, struct email_ready *y, struct buf *scratch)
{
    CLEANUP(buf_release)
    struct buf like = { .max = CHUNK_BYTES_MAX + 1 }, text = { .max = CHUNK_BYTES_MAX + 1 };
    uint64_t words = e->text ? e->text->bytes - e->text_header_bytes : 0;
    struct chunk c;
    int r;

    if (words == 0 || words > CHUNK_BYTES_MAX)
        return 0;
    if ((r = take(e->message, y->head_bytes, like_find(e, y->head_bytes), &like)) < 0 ||
        (r = take(e->text, e->text_header_bytes, (size_t)words, &text)) < 0 ||
        (r = chunk_encode_like(buf_str(&text), buf_str(&like), scratch, &c)) < 0)
        return r;
    y->words.like_bytes = chunk_is_like(c.codec) ? like.n : 0;
    return row_keep(&y->words, &c, text.n);
}

int email_prepare(const struct email_in *e, struct email_ready *out)
{
    CLEANUP(buf_release) struct buf scratch = { .max = CHUNK_SCRATCH_MAX };
    uint64_t text_bytes = e->text ? e->text->bytes : 0;
    int r;

    *out = (struct email_ready){ 0 };
    if (e->structure.n > MAILBOX_STRUCTURE_MAX || e->header_bytes > e->message->bytes ||
        e->text_header_bytes > text_bytes)
        return E_RANGE;
    out->head_bytes = (size_t)(e->header_bytes < CHUNK_BYTES_MAX ? e->header_bytes : CHUNK_BYTES_MAX);
    if ((r = top_make(e, out, &scratch)) < 0 || (r = raw_make(e, out, &scratch)) < 0 ||
        (r = words_make(e, out, &scratch)) < 0)
        email_ready_release(out);
    return r < 0 ? r : 0;
}
