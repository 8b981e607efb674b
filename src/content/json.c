/* src/content/json.c
 *
 * Texts and attachments are written as JSON while they come, each into a buffer with its share of the limit; the
 * header and what stands around them when the end is known. Nothing goes down before. */
#include "src/content/json.h"
#include "lib/base/clock.h"
#include "lib/base/json.h"
#include "lib/mime/header.h"
#include "lib/mime/text.h"
#include "lib/mime/word.h"
#include "proto/content.pb-c.h"

#define TREE_MAX           MIB(2)
#define RAW_MAX            KIB(256) /* of the header, as it came */
#define FILENAME_MAX_BYTES KIB(2)   /* of an attachment */
#define SEGMENTS           7u
#define CLOSE_MAX          80u /* what ends an attachment */

enum leaf { LEAF_NONE, LEAF_TEXT, LEAF_HTML, LEAF_ATTACHED };

struct share {
    struct buf json;
    bool any, cut;
};

struct job {
    struct rpc_req *req;
    void (*done)(void *ctx);
    void *ctx;
    size_t content_max; /* where contents in `files` end */
    struct arena arena;
    struct mime_text text;
    struct buf raw, head;
    struct share plain, html, files;
    enum leaf leaf;
    uint64_t leaf_bytes;
    size_t content_at; /* in files: where the open quote of the content stands */
    bool listed, left_out;
    uint8_t carry[3];
    size_t ncarry;
    uint32_t nleft_out;
    struct str out[SEGMENTS];
    uint64_t nout;
    bool answered;
};

static void job_reply(struct job *j, int status, const ProtobufCMessage *body)
{
    rpc_req_on_data(j->req, NULL, NULL);
    rpc_req_on_room(j->req, NULL, NULL);
    rpc_reply(j->req, status, body, NULL);
    mime_text_release(&j->text);
    arena_release(&j->arena);
    buf_release(&j->raw);
    buf_release(&j->head);
    buf_release(&j->plain.json);
    buf_release(&j->html.json);
    buf_release(&j->files.json);
    j->done(j->ctx);
    free(j);
}

/* ---- base64 (RFC 4648 4), of what comes in pieces ---- */

static void base64_three(const uint8_t in[3], char out[4])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    out[0] = digits[in[0] >> 2];
    out[1] = digits[(in[0] & 3) << 4 | in[1] >> 4];
    out[2] = digits[(in[1] & 15) << 2 | in[2] >> 6];
    out[3] = digits[in[2] & 63];
}

static int base64_more(struct job *j, struct str s)
{
    struct buf *b = &j->files.json;
    size_t n = (j->ncarry + s.n) / 3, at = 0;
    char *p = buf_reserve(b, 4 * n + 4);

    if (!p)
        return E_LIMIT;
    for (size_t i = 0; i < n; i++) {
        while (j->ncarry < 3)
            j->carry[j->ncarry++] = (uint8_t)s.p[at++];
        base64_three(j->carry, p + 4 * i);
        j->ncarry = 0;
    }
    while (at < s.n)
        j->carry[j->ncarry++] = (uint8_t)s.p[at++];
    b->n += 4 * n;
    return 0;
}

static int base64_last(struct job *j)
{
    uint8_t in[3] = { 0 };
    char out[4];
    size_t n = j->ncarry;

    if (n == 0)
        return 0;
    memcpy(in, j->carry, n);
    base64_three(in, out);
    memset(out + n + 1, '=', 3 - n);
    j->ncarry = 0;
    return buf_append(&j->files.json, out, sizeof out);
}

/* ---- leaves, as they come ---- */

static bool is_enclosed(const struct mime_part *p)
{
    for (p = p->parent; p; p = p->parent)
        if (p->kind == MIME_MESSAGE)
            return true;
    return false;
}

static enum leaf leaf_of(const struct mime_part *p, struct str name)
{
    if (is_enclosed(p))
        return LEAF_NONE;
    if (name.n || str_ieq_z(p->disposition, "attachment"))
        return LEAF_ATTACHED;
    return mime_part_is(p, "text", "plain")  ? LEAF_TEXT
           : mime_part_is(p, "text", "html") ? LEAF_HTML
                                             : LEAF_ATTACHED;
}

static struct str or_null(struct str s)
{
    return s.n ? s : STR_NONE;
}

static int file_open(struct job *j, const struct mime_part *p, struct str name)
{
    struct buf *b = &j->files.json;
    CLEANUP(buf_release) struct buf type = { .max = KIB(1) };
    int r;

    if (buf_printf(&type, "%.*s/%.*s", STR_ARG(p->type), STR_ARG(p->subtype)) < 0)
        buf_clear(&type);
    for (size_t i = 0; i < type.n; i++)
        type.p[i] = ascii_lower(type.p[i]);
    if ((r = buf_putz(b, b->n ? ",{\"name\":" : "{\"name\":")) < 0 ||
        (r = json_put_string(b, or_null(name))) < 0 || (r = buf_putz(b, ",\"type\":")) < 0 ||
        (r = json_put_string(b, buf_str(&type))) < 0 || (r = buf_putz(b, ",\"disposition\":")) < 0 ||
        (r = json_put_string(b, or_null(str_slice(p->disposition, 0, 100)))) < 0 ||
        (r = buf_putz(b, ",\"content_id\":")) < 0 ||
        (r = json_put_string(b, or_null(str_slice(p->id, 0, 500)))) < 0)
        return r;
    return buf_putz(b, ",\"content\":\"");
}

/* An attachment is listed whole or not at all: room for its end is kept. */
static bool file_begin(struct job *j, const struct mime_part *p, struct str name)
{
    struct buf *b = &j->files.json;
    size_t before = b->n;

    if (file_open(j, p, name) < 0 || b->max - b->n < CLOSE_MAX) {
        b->n = before;
        j->files.cut = true;
        return false;
    }
    j->content_at = b->n - 1;
    return true;
}

static void file_end(struct job *j, uint64_t bytes, bool left_out)
{
    struct buf *b = &j->files.json;

    if (!left_out && (b->n + 4 > j->content_max || base64_last(j) < 0))
        left_out = true;
    if (left_out) {
        b->n = j->content_at;
        j->nleft_out++;
    }
    j->ncarry = 0;
    (void)!buf_printf(b, "%s,\"bytes\":%llu,\"left_out\":%s}", left_out ? "null" : "\"",
                      (unsigned long long)bytes, left_out ? "true" : "false");
}

static void share_put(struct share *s, struct str text)
{
    s->cut = s->cut || text.n * JSON_GROWS > s->json.max - s->json.n || json_put_text(&s->json, text) < 0;
}

static void leaf_begin(void *user, const struct mime_part *p)
{
    CLEANUP(buf_release) struct buf name = { .max = FILENAME_MAX_BYTES };
    struct job *j = user;
    struct share *s;

    if (mime_part_filename(p, &name) < 0)
        buf_clear(&name);
    j->leaf = leaf_of(p, buf_str(&name));
    j->leaf_bytes = 0;
    j->left_out = false;
    j->ncarry = 0;
    s = j->leaf == LEAF_TEXT ? &j->plain : &j->html;
    if (j->leaf == LEAF_ATTACHED)
        j->listed = file_begin(j, p, buf_str(&name));
    else if (j->leaf != LEAF_NONE) {
        if (s->any)
            share_put(s, STR("\n"));
        s->any = true;
    }
}

static void leaf_bytes(void *user, struct str decoded)
{
    struct job *j = user;

    j->leaf_bytes += decoded.n;
    if (j->leaf != LEAF_ATTACHED || !j->listed || j->left_out)
        return;
    if (j->files.json.n + decoded.n / 3 * 4 + 8 > j->content_max || base64_more(j, decoded) < 0) {
        j->left_out = true;
        j->files.json.n = j->content_at + 1;
    }
}

static void leaf_utf8(void *user, struct str text)
{
    struct job *j = user;

    if (j->leaf == LEAF_TEXT)
        share_put(&j->plain, text);
    else if (j->leaf == LEAF_HTML)
        share_put(&j->html, text);
}

static void leaf_end(void *user)
{
    struct job *j = user;

    if (j->leaf == LEAF_ATTACHED && j->listed)
        file_end(j, j->leaf_bytes, j->left_out);
    j->leaf = LEAF_NONE;
}

/* Enclosed messages are one attachment each, without their bytes. */
static void enclosed_list(struct job *j, const struct mime_part *root)
{
    for (const struct mime_part *p = root; p; p = mime_part_next(p)) {
        CLEANUP(buf_release) struct buf name = { .max = FILENAME_MAX_BYTES };

        if (p->kind != MIME_MESSAGE || is_enclosed(p))
            continue;
        if (mime_part_filename(p, &name) < 0)
            buf_clear(&name);
        if (file_begin(j, p, buf_str(&name)))
            file_end(j, p->body_end - p->body_start, true);
    }
}

/* ---- the header ---- */

static int put_decoded(struct buf *b, struct str value)
{
    CLEANUP(buf_release) struct buf text = { .max = RAW_MAX * 4 };

    if (!value.p)
        return buf_putz(b, "null");
    if (mime_word_decode(value, &text) < 0)
        return json_put_string(b, str_trim(value));
    return json_put_string(b, text.n ? str_trim(buf_str(&text)) : STR(""));
}

static int put_addresses(struct buf *b, const char *key, const struct mime_address *a)
{
    bool any = false;
    int r = buf_printf(b, "\"%s\":[", key);

    for (; a && r == 0; a = a->next) {
        if (mime_address_is_group(a))
            continue;
        if ((r = buf_putz(b, any ? ",{\"name\":" : "{\"name\":")) < 0 ||
            (r = put_decoded(b, or_null(a->name))) < 0 || (r = buf_putz(b, ",\"address\":\"")) < 0 ||
            (r = json_put_text(b, a->mailbox)) < 0 || (a->host.n && (r = buf_putc(b, '@')) < 0) ||
            (r = json_put_text(b, a->host)) < 0)
            return r;
        r = buf_putz(b, "\"}");
        any = true;
    }
    return r < 0 ? r : buf_putz(b, "],");
}

/* As many fields as fit into half of the head; true: that was not all. */
static bool put_fields(struct buf *b, struct str header)
{
    struct mime_field f;
    bool any = false;

    while (mime_header_next(&header, &f)) {
        size_t before = b->n;

        if (!f.name.n)
            continue;
        if (buf_putz(b, any ? ",{\"name\":" : "{\"name\":") < 0 || json_put_string(b, f.name) < 0 ||
            buf_putz(b, ",\"value\":") < 0 || put_decoded(b, f.value) < 0 || buf_putc(b, '}') < 0 ||
            b->n > b->max / 2) {
            b->n = before;
            return true;
        }
        any = true;
    }
    return false;
}

static int put_envelope(struct buf *b, const struct mime_envelope *e, bool reply_to)
{
    char when[CLOCK_ISO_LEN + 1] = "";
    int r;

    if (e->has_sent)
        clock_iso(e->sent.ms, when);
    if ((r = put_addresses(b, "from", e->from)) < 0 || (r = put_addresses(b, "to", e->to)) < 0 ||
        (r = put_addresses(b, "cc", e->cc)) < 0 ||
        (r = put_addresses(b, "reply_to", reply_to ? e->reply_to : NULL)) < 0 ||
        (r = buf_putz(b, "\"subject\":")) < 0 || (r = put_decoded(b, e->subject)) < 0 ||
        (r = buf_putz(b, ",\"date\":")) < 0 ||
        (r = json_put_string(b, when[0] ? str_from(when) : STR_NONE)) < 0 ||
        (r = buf_putz(b, ",\"message_id\":")) < 0 ||
        (r = json_put_string(b, e->message_id.p ? str_trim(e->message_id) : STR_NONE)) < 0)
        return r;
    return buf_putc(b, ',');
}

static int put_head(struct job *j, const struct mime_part *root)
{
    struct str header = str_slice(buf_str(&j->raw), 0, (size_t)root->body_start);
    static const struct mime_envelope none;
    const struct mime_envelope *e = root->envelope ? root->envelope : &none;
    bool cut, reply_to = mime_header_find(header, STR("Reply-To")).p != NULL;
    struct buf *b = &j->head;
    size_t before;
    int r;

    if ((r = buf_putz(b, "{\"headers\":[")) < 0)
        return r;
    cut = put_fields(b, header) || root->body_start > j->raw.n;
    if ((r = buf_printf(b, "],\"headers_cut\":%s,", cut ? "true" : "false")) < 0)
        return r;
    before = b->n;
    if (put_envelope(b, e, reply_to) < 0) { /* thousands of addresses */
        b->n = before;
        if ((r = buf_putz(b, "\"from\":[],\"to\":[],\"cc\":[],\"reply_to\":[],\"subject\":null,\"date\":null,"
                             "\"message_id\":null,")) < 0)
            return r;
    }
    return buf_putz(b, "\"text\":");
}

/* ---- the answer ---- */

static void pump(void *ctx)
{
    Content__JsonResponse m = CONTENT__JSON_RESPONSE__INIT;
    struct job *j = ctx;
    size_t i = 0, n;
    int r = 0;

    if (!j->answered)
        return;
    for (; i < SEGMENTS && r == 0; i++)
        while (j->out[i].n && r == 0) {
            if ((n = size_min(j->out[i].n, rpc_req_room(j->req))) == 0)
                return;
            r = rpc_req_send(j->req, str_slice(j->out[i], 0, n));
            j->out[i] = str_skip(j->out[i], n);
        }
    m.bytes = j->nout;
    m.left_out = j->nleft_out;
    job_reply(j, r, r < 0 ? NULL : &m.base);
}

static int share_close(struct share *s)
{
    if (!s->any) {
        buf_clear(&s->json);
        return buf_putz(&s->json, "null");
    }
    s->json.max += 2;
    return buf_putc(&s->json, '"');
}

static void answer(struct job *j, const struct mime_part *root)
{
    static const char *const words[] = { "false", "true" };
    char *middle, *end;
    int r;

    enclosed_list(j, root);
    if ((r = put_head(j, root)) < 0 || (r = share_close(&j->plain)) < 0 || (r = share_close(&j->html)) < 0) {
        job_reply(j, r, NULL);
        return;
    }
    middle = arena_printf(rpc_req_arena(j->req), ",\"text_cut\":%s,\"html\":", words[j->plain.cut]);
    end = arena_printf(rpc_req_arena(j->req), ",\"html_cut\":%s,\"attachments\":[", words[j->html.cut]);
    j->out[0] = buf_str(&j->head);
    j->out[1] = buf_str(&j->plain.json);
    j->out[2] = str_from(middle);
    j->out[3] = buf_str(&j->html.json);
    j->out[4] = str_from(end);
    j->out[5] = buf_str(&j->files.json);
    j->out[6] = j->files.cut ? STR("],\"attachments_cut\":true}") : STR("],\"attachments_cut\":false}");
    for (size_t i = 0; i < SEGMENTS; i++)
        j->nout += j->out[i].n;
    j->answered = true;
    if (!middle || !end)
        job_reply(j, E_NOMEM, NULL);
    else
        pump(j);
}

static int take_text(void *user UNUSED, struct str text UNUSED)
{
    return 0;
}

static void take_data(void *ctx, struct str data, bool end)
{
    struct job *j = ctx;
    struct mime_part *root = NULL;
    int r;

    if (buf_puts(&j->raw, str_slice(data, 0, j->raw.max - j->raw.n)) < 0) {
        job_reply(j, E_NOMEM, NULL);
        return;
    }
    r = mime_text_feed(&j->text, data);
    if (r >= 0 && end)
        r = mime_text_finish(&j->text, &root);
    if (r < 0)
        job_reply(j, r, NULL);
    else if (end)
        answer(j, root);
    else
        rpc_req_consumed(j->req, data.n);
}

static void cancelled(void *ctx)
{
    job_reply(ctx, E_CANCELED, NULL);
}

/* The limit's shares: an eighth for each text and the head, five eighths for attachments, of which a little is
 * kept for the names of those whose content has no room. */
static void shares(struct job *j, size_t limit)
{
    size_t eighth = limit / 8 - 64;

    j->head.max = j->plain.json.max = j->html.json.max = eighth;
    j->files.json.max = limit / 8 * 5 - 128;
    j->content_max = j->files.json.max - j->files.json.max / 8;
}

int json_start(struct rpc_req *q, size_t limit, void (*done)(void *ctx), void *ctx)
{
    static const struct mime_text_watch watch = {
        .leaf_begin = leaf_begin, .leaf = leaf_bytes, .utf8 = leaf_utf8, .leaf_end = leaf_end
    };
    struct job *j = calloc(1, sizeof *j);

    if (!j)
        return E_NOMEM;
    *j = (struct job){
        .req = q, .done = done, .ctx = ctx, .arena = { .max = TREE_MAX }, .raw = { .max = RAW_MAX }
    };
    shares(j, limit);
    if (mime_text_init(&j->text, &j->arena, take_text, j) < 0 || buf_putc(&j->plain.json, '"') < 0 ||
        buf_putc(&j->html.json, '"') < 0) {
        mime_text_release(&j->text);
        arena_release(&j->arena);
        buf_release(&j->plain.json);
        free(j);
        return E_NOMEM;
    }
    mime_text_also_watch(&j->text, &watch);
    rpc_req_on_data(q, take_data, j);
    rpc_req_on_room(q, pump, j);
    rpc_req_on_cancel(q, cancelled, j);
    return 0;
}
