/* src/store/parse.c: a message goes to content slice by slice, its text comes back at the same time
 * and waits in a spool. What is on disk is read and written by workers, never here. */
#include "src/store/store.h"

#define SLICE          KIB(64)
#define ATTEMPTS_MAX   6
#define AGAIN_MS       50
#define DEADLINE_MS    60000
#define TEXT_MAX       GIB(2)
#define REFERENCES_MAX 128u
#define PREVIEW_MAX    1024u /* 256 characters */

struct parse {
    const struct bytes_in *message;
    bool blocking;
    struct parsed *out;
    void (*done)(void *ctx, int status);
    void *ctx;
    struct rpc_call *call;
    struct timer again;
    int attempts, status;
    uint64_t sent;
    bool ended;   /* content has answered, or the call failed */
    bool reading; /* a worker fills `slice` */
    bool writing; /* a worker appends `text` */
    struct work_job read_job, write_job, ready_job;
    int read_status, write_status;
    struct buf slice, text, text_more;
};

static void parse_begin(struct parse *p);

static void parse_tell(struct parse *p)
{
    if (p->status < 0) {
        log_event(LOG_WARN, "store.content_failed", F_ERR(p->status));
        parsed_release(p->out);
    }
    p->done(p->ctx,
            p->status == E_BUSY || p->status == E_CLOSED || p->status == E_TIMEOUT ? E_UNAVAIL : p->status);
    free(p);
}

/* The rows are made here, beside others, while the mailbox's lane commits what came before. When they cannot
 * be made (no memory), the lane tries, or fails. */
static void ready_run(struct work_job *w)
{
    struct parse *p = CONTAINER_OF(w, struct parse, ready_job);
    struct email_in e;

    parsed_email(p->out, p->message, &e);
    if (email_prepare(&e, &p->out->ready) < 0)
        p->out->ready = (struct email_ready){ 0 };
}

static void ready_done(struct work_job *w)
{
    parse_tell(CONTAINER_OF(w, struct parse, ready_job));
}

static void parse_finish(struct parse *p)
{
    if (p->reading || p->writing || !p->ended)
        return;
    if (p->status == 0)
        p->status = p->write_status;
    if ((p->status == E_BUSY || p->status == E_CLOSED || p->status == E_TIMEOUT) &&
        ++p->attempts < ATTEMPTS_MAX) {
        timer_set(&p->again, AGAIN_MS * p->attempts);
        return;
    }
    timer_release(&p->again);
    buf_release(&p->slice);
    buf_release(&p->text);
    buf_release(&p->text_more);
    p->ready_job = (struct work_job){ .run = ready_run, .done = ready_done };
    if (p->status < 0 || work_submit(store.pool, &p->ready_job) < 0)
        parse_tell(p);
}

/* ---- up ----------------------------------------------------------------------------------------- */

static void parse_pump(struct parse *p);

static void parse_send(struct parse *p, size_t n)
{
    if (p->read_status < 0 || rpc_call_send(p->call, str_of(p->slice.p, n)) < 0) {
        rpc_call_cancel(p->call);
        p->call = NULL;
        p->status = p->read_status < 0 ? p->read_status : E_CLOSED;
        p->ended = true;
        return;
    }
    p->sent += n;
    if (p->sent == p->message->bytes)
        rpc_call_end(p->call);
}

static size_t slice_len(const struct parse *p)
{
    uint64_t left = p->message->bytes - p->sent;

    return left < SLICE ? (size_t)left : SLICE;
}

static void read_run(struct work_job *w)
{
    struct parse *p = CONTAINER_OF(w, struct parse, read_job);

    p->read_status = bytes_read(p->message, p->sent, p->slice.p, slice_len(p));
}

static void read_done(struct work_job *w)
{
    struct parse *p = CONTAINER_OF(w, struct parse, read_job);

    p->reading = false;
    if (!p->ended && p->call) {
        parse_send(p, slice_len(p));
        parse_pump(p);
    }
    parse_finish(p);
}

static void parse_pump(struct parse *p)
{
    while (!p->ended && !p->reading && p->sent < p->message->bytes && rpc_call_room(p->call) > 0) {
        if (!p->blocking) {
            p->read_status = bytes_read(p->message, p->sent, p->slice.p, slice_len(p));
            parse_send(p, slice_len(p));
            continue;
        }
        p->read_job = (struct work_job){ .run = read_run, .done = read_done };
        p->reading = work_submit(store.pool, &p->read_job) == 0;
        if (!p->reading) {
            p->read_status = E_BUSY;
            parse_send(p, 0);
        }
    }
}

static void on_room(void *ctx)
{
    struct parse *p = ctx;

    parse_pump(p);
    parse_finish(p);
}

/* ---- down --------------------------------------------------------------------------------------- */

static void write_more(struct parse *p);

static void write_run(struct work_job *w)
{
    struct parse *p = CONTAINER_OF(w, struct parse, write_job);

    p->write_status = spool_append(p->out->text->spool, buf_str(&p->text));
}

static void write_done(struct work_job *w)
{
    struct parse *p = CONTAINER_OF(w, struct parse, write_job);

    p->writing = false;
    if (!p->ended && p->call)
        rpc_call_consumed(p->call, p->text.n);
    buf_clear(&p->text);
    write_more(p);
    parse_finish(p);
}

static void write_more(struct parse *p)
{
    struct buf swap = p->text;

    if (p->writing || p->text_more.n == 0 || p->write_status < 0)
        return;
    p->text = p->text_more;
    p->text_more = swap;
    buf_clear(&p->text_more);
    p->write_job = (struct work_job){ .run = write_run, .done = write_done };
    p->writing = true;
    if (work_submit(store.pool, &p->write_job) < 0) {
        p->writing = false;
        p->write_status = E_BUSY;
    }
}

static void on_data(void *ctx, struct str data)
{
    struct parse *p = ctx;
    struct spool *s = p->out->text->spool;

    if (!p->writing && !p->text_more.n && !spool_on_disk(s) && spool_size(s) + data.n <= SPOOL_MEMORY_MAX) {
        p->write_status = spool_append(s, data); /* memory only */
        rpc_call_consumed(p->call, data.n);
        return;
    }
    if (buf_puts(&p->text_more, data) < 0)
        p->write_status = E_LIMIT;
    write_more(p);
}

/* ---- the answer --------------------------------------------------------------------------------- */

static int take_answer(struct parsed *out, const struct parse *p, struct str body)
{
    Content__ParseResponse *m = RPC_UNPACK(&out->arena, body, content__parse_response);
    size_t n;

    if (!m || m->header_bytes > p->message->bytes || m->structure.len > MAILBOX_STRUCTURE_MAX)
        return E_BUG;
    n = size_min(m->n_references, REFERENCES_MAX);
    if (!(out->references = ARENA_ARRAY(&out->arena, n ? n : 1, struct str)))
        return E_NOMEM;
    for (size_t i = 0; i < n; i++)
        out->references[i] = pb_str(m->references[m->n_references - n + i]);
    m->n_references = n;
    if (!(out->in_reply_to = ARENA_ARRAY(&out->arena, m->n_in_reply_to ? m->n_in_reply_to : 1, struct str)))
        return E_NOMEM;
    for (size_t i = 0; i < m->n_in_reply_to; i++)
        out->in_reply_to[i] = pb_str(m->in_reply_to[i]);
    out->answer = m;
    return 0;
}

static void on_done(void *ctx, int status, struct str body)
{
    struct parse *p = ctx;

    p->call = NULL;
    p->ended = true;
    p->status = status < 0 ? status : take_answer(p->out, p, body);
    parse_finish(p);
}

static void parse_begin(struct parse *p)
{
    Content__ParseRequest q = CONTENT__PARSE_REQUEST__INIT;
    struct rpc_ask ask = { .op = CONTENT__OP__PARSE,
                           .body = &q.base,
                           .deadline_ms = DEADLINE_MS,
                           .upload = true,
                           .download = true,
                           .done = on_done,
                           .on_data = on_data,
                           .on_room = on_room,
                           .ctx = p };

    parsed_release(p->out);
    *p->out = (struct parsed){ .arena = { .max = MIB(4) } };
    p->sent = 0;
    p->ended = false;
    p->status = p->read_status = p->write_status = 0;
    buf_clear(&p->text);
    buf_clear(&p->text_more);
    q.bytes = p->message->bytes;
    if (!(p->out->text = staged_new(TEXT_MAX)) ||
        !(p->call = rpc_link_ask(role_link(store.role, ROLE_CONTENT), &ask))) {
        p->ended = true;
        p->status = E_NOMEM;
        timer_set(&p->again, 0); /* never from inside parse_message */
        p->attempts = ATTEMPTS_MAX;
        return;
    }
    if (p->message->bytes == 0)
        rpc_call_end(p->call);
    parse_pump(p);
}

static void parse_again(struct timer *t)
{
    struct parse *p = CONTAINER_OF(t, struct parse, again);

    if (p->attempts >= ATTEMPTS_MAX || store.stopping)
        p->attempts = ATTEMPTS_MAX;
    else
        parse_begin(p);
    parse_finish(p);
}

int parse_message(const struct bytes_in *message, bool blocking, struct parsed *out,
                  void (*done)(void *ctx, int status), void *ctx)
{
    struct parse *p = calloc(1, sizeof *p);

    if (!p)
        return E_NOMEM;
    *p = (struct parse){ .message = message,
                         .blocking = blocking,
                         .out = out,
                         .done = done,
                         .ctx = ctx,
                         .slice = { .max = SLICE + 1 },
                         .text = { .max = 2 * RPC_WINDOW },
                         .text_more = { .max = 2 * RPC_WINDOW } };
    memset(out, 0, sizeof *out);
    if (!buf_reserve(&p->slice, slice_len(p) + 1) || timer_init(&p->again, store.loop, parse_again) < 0) {
        buf_release(&p->slice);
        free(p);
        return E_NOMEM;
    }
    parse_begin(p);
    if (p->ended && p->status < 0 && !timer_is_set(&p->again)) {
        timer_set(&p->again, 0);
        p->attempts = ATTEMPTS_MAX;
    }
    return 0;
}

void parsed_release(struct parsed *p)
{
    if (p->text)
        staged_unref(p->text);
    email_ready_release(&p->ready);
    arena_release(&p->arena);
    *p = (struct parsed){ .arena = { .max = 0 } };
}

void parsed_email(const struct parsed *p, const struct bytes_in *message, struct email_in *out)
{
    const Content__ParseResponse *m = p->answer;

    p->text->in.bytes = spool_size(p->text->spool);
    *out = (struct email_in){
        .message = message,
        .text = &p->text->in,
        .header_bytes = m->header_bytes,
        .text_header_bytes =
            m->text_header_bytes < p->text->in.bytes ? m->text_header_bytes : p->text->in.bytes,
        .structure = pb_str(m->structure),
        .has_sent = m->has_sent,
        .sent_ms = m->sent_ms,
        .sent_zone_min = m->sent_zone_min,
        .message_id = pb_str(m->message_id),
        .references = p->references,
        .nreferences = m->n_references,
        .in_reply_to = p->in_reply_to,
        .nin_reply_to = m->n_in_reply_to,
        .subject_base = pb_str(m->subject_base),
        .preview = m->preview.len && m->preview.len <= PREVIEW_MAX ? pb_str(m->preview) : STR(""),
        .ready = &p->ready,
    };
    if (m->sort)
        out->sort = (struct sort_in){ pb_str(m->sort->subject),
                                      pb_str(m->sort->from),
                                      pb_str(m->sort->to),
                                      pb_str(m->sort->cc),
                                      pb_str(m->sort->display_from),
                                      pb_str(m->sort->display_to),
                                      m->sort->reply };
}
