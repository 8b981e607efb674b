/* src/content/parse.c
 *
 * Folding can make text longer (one Arabic ligature becomes eighteen letters), so input waits while
 * output does: a slice is fed only when all text of the one before is on its way, and only then its
 * credit goes back to the store. */
#include "src/content/parse.h"
#include "lib/mime/collate.h"
#include "lib/mime/structure.h"
#include "lib/mime/text.h"
#include "lib/mime/thread.h"
#include "proto/content.pb-c.h"

#define SLICE          KIB(4)
#define TREE_MAX       MIB(2)
#define TEXT_WAIT_MAX  KIB(512) /* of one slice, far over what folding can make of it */
#define REFERENCES_MAX 100u     /* the last ones are those that count */
#define REPLIES_MAX    10u      /* of In-Reply-To */

struct parse {
    struct rpc_req *req;
    parse_done_fn *done;
    void *ctx;
    struct arena arena;
    struct mime_text text;
    struct buf in, out;
    size_t in_at;           /* of `in` fed already */
    struct mime_part *root; /* found at the end */
    bool ended;
};

static void parse_free(struct parse *p)
{
    mime_text_release(&p->text);
    arena_release(&p->arena);
    buf_release(&p->in);
    buf_release(&p->out);
    p->done(p->ctx);
    free(p);
}

static void parse_reply(struct parse *p, int status, const ProtobufCMessage *body)
{
    rpc_req_on_room(p->req, NULL, NULL);
    rpc_req_on_data(p->req, NULL, NULL);
    rpc_reply(p->req, status, body, NULL);
    parse_free(p);
}

static int take_text(void *user, struct str text)
{
    struct parse *p = user;

    return buf_puts(&p->out, text);
}

/* The References field, or In-Reply-To where there is none (RFC 5256 3, REFERENCES step 1). */
static size_t references_of(struct parse *p, const struct mime_envelope *e, ProtobufCBinaryData *ids)
{
    struct str all = mime_text_references(&p->text), id;
    size_t n = 0;

    while (mime_message_id_next(&all, &id)) {
        if (n == REFERENCES_MAX)
            memmove(ids + 1, ids + 2, (--n - 1) * sizeof *ids); /* the first and the newest are kept */
        ids[n++] = str_pb(id);
    }
    all = e ? e->in_reply_to : STR_NONE;
    if (n == 0 && mime_message_id_next(&all, &id))
        ids[n++] = str_pb(id);
    return n;
}

static size_t replies_of(const struct mime_envelope *e, ProtobufCBinaryData *ids)
{
    struct str all = e ? e->in_reply_to : STR_NONE, id;
    size_t n = 0;

    while (n < REPLIES_MAX && mime_message_id_next(&all, &id))
        ids[n++] = str_pb(id);
    return n;
}

/* A key that cannot be made is empty: it sorts first, and nobody's mail is refused for it. */
static void sort_keys(const struct mime_envelope *e, struct buf *keys, Content__SortKeys *out)
{
    static int (*const of[])(const struct mime_address *first, struct buf *out) = {
        mime_collate_mailbox, mime_collate_mailbox, mime_collate_mailbox,
        mime_collate_display, mime_collate_display,
    };
    const struct mime_address *first[] = { e->from, e->to, e->cc, e->from, e->to };
    ProtobufCBinaryData *to[] = { &out->from, &out->to, &out->cc, &out->display_from, &out->display_to };
    size_t ends[ARRAY_LEN(of) + 1] = { keys->n };

    for (size_t i = 0; i < ARRAY_LEN(of); i++) {
        if (of[i](first[i], keys) < 0)
            keys->n = ends[i];
        ends[i + 1] = keys->n;
    }
    for (size_t i = 0; i < ARRAY_LEN(of); i++) /* now that it grows no more */
        *to[i] = str_pb(str_slice(buf_str(keys), ends[i], ends[i + 1]));
}

static void answer(struct parse *p)
{
    CLEANUP(buf_release) struct buf packed = { .max = MIME_STRUCTURE_MAX }, subject = { .max = KIB(16) };
    CLEANUP(buf_release) struct buf keys = { .max = KIB(16) }, title = { .max = KIB(16) };
    Content__SortKeys sort = CONTENT__SORT_KEYS__INIT;
    bool reply = false;
    Content__ParseResponse out = CONTENT__PARSE_RESPONSE__INIT;
    ProtobufCBinaryData ids[REFERENCES_MAX], replies[REPLIES_MAX];
    struct mime_part *root = p->root;
    struct str message_id, first;
    int r = mime_structure_pack(root, &p->arena, &packed);

    if (r == 0 && root->envelope && mime_subject_base(root->envelope->subject, &subject, &reply) < 0)
        buf_clear(&subject); /* too long to be a thread's name */
    if (r < 0) {
        parse_reply(p, r, NULL);
        return;
    }
    out.structure = str_pb(buf_str(&packed));
    out.header_bytes = root->body_start;
    out.text_header_bytes = p->text.header_bytes;
    out.subject_base = str_pb(buf_str(&subject));
    if (root->envelope) {
        sort_keys(root->envelope, &keys, &sort);
        if (mime_collate(buf_str(&subject), &title) == 0)
            sort.subject = str_pb(buf_str(&title));
        sort.reply = reply;
        out.sort = &sort;
        out.has_sent = root->envelope->has_sent;
        out.sent_ms = root->envelope->sent.ms;
        out.sent_zone_min = root->envelope->sent.zone_min;
        message_id = root->envelope->message_id;
        if (mime_message_id_next(&message_id, &first))
            out.message_id = str_pb(first);
    }
    out.preview = str_pb(mime_text_preview(&p->text));
    out.references = ids;
    out.n_references = references_of(p, root->envelope, ids);
    out.in_reply_to = replies;
    out.n_in_reply_to = replies_of(root->envelope, replies);
    parse_reply(p, 0, &out.base);
}

/* Text that waits goes out as far as there is room. 1 when none is left, 0 when it must wait. */
static int send_text(struct parse *p)
{
    while (p->out.n) {
        size_t n = size_min(p->out.n, rpc_req_room(p->req));
        int r;

        if (n == 0)
            return 0;
        if ((r = rpc_req_send(p->req, str_slice(buf_str(&p->out), 0, n))) < 0)
            return r;
        buf_drop(&p->out, n);
    }
    return 1;
}

/* One slice more; its text is in `out` then. 1, 0 when there is none, or an error. */
static int feed_slice(struct parse *p)
{
    struct str slice = str_slice(buf_str(&p->in), p->in_at, p->in_at + SLICE);
    int r;

    if (slice.n == 0)
        return 0;
    r = mime_text_feed(&p->text, slice);
    p->in_at += slice.n;
    if (r == 0)
        rpc_req_consumed(p->req, slice.n);
    return r < 0 ? r : 1;
}

/* When all came, the end of the text goes the way of what was before it; only then the answer. */
static void pump(void *ctx)
{
    struct parse *p = ctx;
    int r;

    while ((r = send_text(p)) > 0 && (r = feed_slice(p)) > 0)
        ;
    if (p->in_at == p->in.n) {
        buf_release(&p->in);
        p->in_at = 0;
    }
    if (r == 0 && p->ended && !p->root && p->in.n == 0 && (r = mime_text_finish(&p->text, &p->root)) == 0)
        r = send_text(p);
    if (r < 0)
        parse_reply(p, r, NULL);
    else if (p->root && p->out.n == 0)
        answer(p);
}

/* Credit bounds what was not fed yet to RPC_WINDOW; what was fed must not stand before it for long. */
static void take_data(void *ctx, struct str data, bool end)
{
    struct parse *p = ctx;

    if (p->in_at >= RPC_DATA_MAX) {
        buf_drop(&p->in, p->in_at);
        p->in_at = 0;
    }
    if (buf_puts(&p->in, data) < 0) {
        parse_reply(p, E_NOMEM, NULL);
        return;
    }
    p->ended = end;
    pump(p);
}

static void cancelled(void *ctx)
{
    parse_reply(ctx, E_CANCELED, NULL);
}

int parse_start(struct rpc_req *q, parse_done_fn *done, void *ctx)
{
    struct parse *p = calloc(1, sizeof *p);

    if (!p)
        return E_NOMEM;
    *p = (struct parse){
        .req = q,
        .done = done,
        .ctx = ctx,
        .arena = { .max = TREE_MAX },
        .in = { .max = RPC_WINDOW + RPC_DATA_MAX },
        .out = { .max = TEXT_WAIT_MAX },
    };
    if (mime_text_init(&p->text, &p->arena, take_text, p) < 0) {
        mime_text_release(&p->text);
        arena_release(&p->arena);
        free(p);
        return E_NOMEM;
    }
    rpc_req_on_data(q, take_data, p);
    rpc_req_on_room(q, pump, p);
    rpc_req_on_cancel(q, cancelled, p);
    return 0;
}
