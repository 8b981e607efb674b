/* src/common/smtp_data.c: the bytes of a message, from the client to the store's staging area, one slice at a
 * time, and what happens after the last one: verdict, commit, answer.
 *
 * A message that cannot be taken any more (bad bytes, too big, the store gone) is read on to its end and
 * dropped, so that the reply stands where the client expects it. Nothing is acknowledged here but by
 * smtp_session_delivered(0). */
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/log.h"
#include "src/common/smtp_session.h"

#define SLICE_MAX     KIB(32)
#define PROGRESS_STEP KIB(1) /* so many bytes move the timer: fewer are a drip */

static const struct smtp_reply say_go_on = { 354, NULL, "Go ahead, end with <CRLF>.<CRLF>" },
                               say_later = { 451, "4.3.0", "Temporary trouble on our side, try later" },
                               say_slow = { 421, "4.4.2", "That message takes too long, closing" },
                               say_flood = { 421, "4.3.4", "Still too big, closing" };

/* What a message is refused with, by what went wrong. Only what the client can change is 5xx. */
static const struct data_refusal {
    int error;
    struct smtp_reply reply;
} refusals[] = {
    { E_BARE_CR, { 550, "5.6.0", "Message refused: CR without LF (RFC 5321 2.3.8)" } },
    { E_BARE_LF, { 550, "5.6.0", "Message refused: LF without CR (RFC 5321 2.3.8)" } },
    { E_NUL, { 550, "5.6.0", "Message refused: NUL byte (only BINARYMIME may hold one)" } },
    { E_LINE_TOO_LONG, { 550, "5.6.0", "Message refused: line over 998 octets (RFC 5321 4.5.3.1.6)" } },
    { E_TOO_BIG, { 552, "5.3.4", "Message too big" } },
    { E_QUOTA, { 452, "4.3.1", "No room for this message now, try later" } },
};

static const struct smtp_reply *refusal_of(int error)
{
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++)
        if (refusals[i].error == error)
            return &refusals[i].reply;
    return &say_later;
}

/* An error of the store, made harmless: it may not look like the client's mistake. */
static int store_error(int status)
{
    switch (status) {
    case E_TOO_BIG: return E_TOO_BIG;
    case E_QUOTA:
    case E_FULL:
    case E_LIMIT: return E_QUOTA;
    default: return E_UNAVAIL;
    }
}

/* Of the service, that looks at the bytes as they pass: what it has no room for is no smaller next time. */
static int feed_error(int status)
{
    return status == E_LIMIT ? E_TOO_BIG : store_error(status);
}

static int data_error(const struct smtp_session *s)
{
    return s->chunking ? s->bdat.error : s->dot.error;
}

static void set_error(struct smtp_session *s, int e)
{
    int *error = s->chunking ? &s->bdat.error : &s->dot.error;

    if (!*error)
        *error = e;
    if (s->stage_open)
        s->io->cancel(s->ctx);
    s->stage_open = false;
}

/* RFC 2033 4.2: after the data each RCPT that was taken has an answer of its own. */
static unsigned answers_owed(const struct smtp_session *s)
{
    return !s->lmtp || s->state == SMTP_ST_COMMAND ? 1 : s->m.nanswers;
}

static void refuse_message(struct smtp_session *s, const struct smtp_reply *r, const char *why)
{
    unsigned owed = answers_owed(s);

    log_event(LOG_INFO, "mx.rejected", F_Z("id", s->m.id), F_U64("code", r->code), F_Z("why", why),
              F_U64("bytes", s->m.bytes), F_U64("rcpts", s->m.nrcpt));
    smtp_note_message(s, r->code, r->enh, str_from(r->text));
    smtp_transaction_end(s);
    smtp_enter(s, SMTP_ST_COMMAND);
    while (owed--)
        smtp_say(s, r);
    if (s->stopping && s->state == SMTP_ST_COMMAND)
        smtp_session_stop(s);
}

static int stage_start(struct smtp_session *s)
{
    int r = s->io->stage(s->ctx, s->conf->max_message_bytes, s->m.size_declared);

    if (r < 0)
        return r;
    s->stage_open = true;
    s->m.began_ms = clock_mono_ms();
    if (s->service->begin)
        s->service->begin(s);
    return 0;
}

void smtp_data_start(struct smtp_session *s)
{
    if (stage_start(s) < 0) {
        refuse_message(s, &say_later, "stage");
        return;
    }
    smtp_enter(s, SMTP_ST_DATA);
    smtp_say(s, &say_go_on);
}

static void send_on(struct smtp_session *s, struct str bytes)
{
    int r = bytes.n ? s->io->stage_send(s->ctx, bytes) : 0;

    if (r < 0)
        set_error(s, store_error(r));
    else
        s->m.staged += bytes.n;
}

/* Send on what was decoded. */
static void forward(struct smtp_session *s, int error)
{
    struct str bytes = buf_str(&s->body);
    int r;

    if (error) {
        set_error(s, error); /* gives the staging up at once */
        return;
    }
    trace_scan_feed(&s->m.scan, bytes);
    if (s->service->feed && bytes.n && (r = s->service->feed(s, bytes, &bytes)) < 0)
        set_error(s, feed_error(r));
    else
        send_on(s, bytes);
}

/* Time and bytes that a message may cost, whether we keep it or not. */
static void progress(struct smtp_session *s, size_t n, uint64_t seen)
{
    const struct smtp_reply *no = NULL;

    s->progress += n;
    if (clock_mono_ms() - s->m.began_ms > (int64_t)s->conf->message_timeout_ms)
        no = &say_slow;
    else if (data_error(s) && seen > 2 * s->conf->max_message_bytes)
        no = &say_flood;
    if (no) {
        smtp_say_last(s, no, "message");
        return;
    }
    if (s->progress >= PROGRESS_STEP) {
        s->progress = 0;
        s->io->timer(s->ctx, (int64_t)s->conf->data_timeout_ms);
    }
}

/* All bytes are here. */
static void message_complete(struct smtp_session *s)
{
    struct str rest = STR("");
    int error;

    if (s->service->end && !data_error(s)) {
        if ((error = s->service->end(s, &rest)) < 0)
            set_error(s, feed_error(error));
        else
            send_on(s, rest);
    }
    error = data_error(s);

    s->m.bytes = s->chunking ? s->bdat.bytes : s->dot.bytes;
    if (error) {
        refuse_message(s, refusal_of(error), error_name(error));
        return;
    }
    buf_release(&s->body);
    s->io->stage_end(s->ctx);
    smtp_enter(s, SMTP_ST_STAGING);
}

size_t smtp_data_input(struct smtp_session *s, struct str in)
{
    size_t used = 0, room = s->stage_open ? s->io->stage_room(s->ctx) : SIZE_MAX;
    int r;

    buf_clear(&s->body);
    r = dot_feed(&s->dot, str_slice(in, 0, size_min(room, SLICE_MAX)), &s->body, &used);
    s->m.bytes += used; /* on the wire, until the end tells better */
    forward(s, r);
    if (s->dot.state == DOT_END)
        message_complete(s);
    else
        progress(s, used, s->m.bytes);
    return used;
}

static void chunk_complete(struct smtp_session *s)
{
    CLEANUP(buf_release) struct buf text = { .max = 100 };
    const struct smtp_reply *refusal = s->chunk_refusal;

    if (refusal) {
        s->chunk_refusal = NULL;
        s->chunking = false;
        s->bdat = (struct bdat){ 0 };
        smtp_enter(s, SMTP_ST_COMMAND);
        smtp_refuse(s, refusal);
        return;
    }
    if (s->bdat.last || s->bdat.error) {
        message_complete(s); /* with an error: later chunks find no transaction, and are swallowed */
        return;
    }
    smtp_enter(s, SMTP_ST_COMMAND);
    if (buf_printf(&text, "%llu octets so far", (unsigned long long)s->bdat.bytes) == 0)
        smtp_say_text(s, 250, "2.0.0", buf_str(&text));
}

void smtp_chunk_swallow(struct smtp_session *s, uint64_t bytes, const struct smtp_reply *then)
{
    smtp_transaction_end(s);
    s->chunk_refusal = then;
    s->bdat = (struct bdat){ .binary = true, .error = E_CANCELED };
    s->chunking = true;
    s->m.began_ms = clock_mono_ms();
    bdat_chunk(&s->bdat, bytes, false);
    smtp_enter(s, SMTP_ST_CHUNK);
    if (bytes == 0)
        chunk_complete(s);
}

void smtp_chunk_start(struct smtp_session *s, uint64_t bytes, bool last)
{
    if (!s->chunking && stage_start(s) < 0) {
        smtp_chunk_swallow(s, bytes, &say_later);
        return;
    }
    s->chunking = true;
    bdat_chunk(&s->bdat, bytes, last);
    if (s->bdat.error)
        set_error(s, s->bdat.error);
    smtp_enter(s, SMTP_ST_CHUNK);
    if (bytes == 0) {
        if (s->bdat.error)
            set_error(s, s->bdat.error);
        chunk_complete(s);
    }
}

size_t smtp_chunk_input(struct smtp_session *s, struct str in)
{
    size_t used = 0, room = s->stage_open ? s->io->stage_room(s->ctx) : SIZE_MAX;
    int r;

    buf_clear(&s->body);
    r = bdat_feed(&s->bdat, str_slice(in, 0, size_min(room, SLICE_MAX)), &s->body, &used);
    forward(s, r);
    if (bdat_chunk_done(&s->bdat))
        chunk_complete(s);
    else
        progress(s, used, s->bdat.bytes);
    return used;
}

static void commit(struct smtp_session *s)
{
    struct smtp_message *m = &s->m;
    const struct smtp_reply *no = NULL;
    const char *why = "";
    int r;

    m->received_ms = clock_wall_ms();
    m->hop = (struct trace_hop){
        .helo = s->helo,
        .peer_name = s->peer_name,
        .peer_ip = s->peer_ip,
        .by = s->hostname,
        .id = str_from(m->id),
        .tls = s->tls ? str_from(s->tls_text) : STR_NONE,
        .esmtp = s->esmtp,
        .lmtp = s->lmtp,
        .smtputf8 = m->smtputf8,
        .when_ms = m->received_ms,
    };
    if (s->service->verdict && (no = s->service->verdict(s, &why))) {
        refuse_message(s, no, why);
        return;
    }
    if (m->nboxes == 0 && !m->forwards) { /* for nobody who wants it: taken, and gone */
        log_event(LOG_INFO, "mx.discarded", F_Z("id", m->id), F_U64("bytes", m->bytes));
        smtp_enter(s, SMTP_ST_STORING);
        smtp_session_delivered(s, 0, str_from(m->id), 0);
        return;
    }
    if ((r = s->io->deliver(s->ctx, m)) < 0) {
        refuse_message(s, &say_later, error_name(r));
        return;
    }
    smtp_enter(s, SMTP_ST_STORING);
}

void smtp_session_staged(struct smtp_session *s, int status, uint64_t bytes)
{
    if (s->state == SMTP_ST_CLOSED || !s->stage_open)
        return;
    s->stage_open = false;
    if (status == 0 && (s->state != SMTP_ST_STAGING || bytes != s->m.staged)) {
        log_event(LOG_ALARM, "mx.staged_wrong", F_Z("id", s->m.id), F_U64("sent", s->m.staged),
                  F_U64("staged", bytes));
        status = E_BUG;
    }
    if (status < 0) {
        log_event(LOG_WARN, "mx.stage_failed", F_Z("id", s->m.id), F_ERR(status));
        set_error(s, store_error(status));
        if (s->state == SMTP_ST_STAGING)
            refuse_message(s, refusal_of(data_error(s)), error_name(status));
        return;
    }
    if (!s->service->settled || s->service->settled(s))
        commit(s);
    else
        smtp_enter(s, SMTP_ST_CHECKING);
}

void smtp_checked(struct smtp_session *s)
{
    commit(s);
}

static const struct smtp_reply full = { 452, "4.2.2", "A mailbox is full, try later" },
                               no_fit = { 552, "5.2.2", "Larger than all that mailbox may hold" };

/* What came as BINARYMIME, and can leave by no other way (RFC 3030 3): never, and before anything was stored. */
static bool is_binary(int status)
{
    return status == E_BARE_CR || status == E_BARE_LF || status == E_NUL;
}

/* One recipient's. */
static void answer_one(struct smtp_session *s, int status, struct str stored)
{
    if (status == 0)
        smtp_say_text(s, 250, "2.0.0", stored.n ? stored : STR("Ok"));
    else
        smtp_say(s, status == E_TOO_BIG ? &no_fit : status == E_QUOTA ? &full : &say_later);
}

void smtp_session_delivered(struct smtp_session *s, int status, struct str queue_id, uint32_t duplicates)
{
    CLEANUP(buf_release) struct buf text = { .max = 200 };
    const struct smtp_answer *at = NULL;

    if (s->state != SMTP_ST_STORING)
        return;
    if (status < 0) { /* whatever it was, the sender keeps the message and comes again */
        log_event(LOG_WARN, "mx.deliver_failed", F_Z("id", s->m.id), F_ERR(status));
        const struct smtp_reply *no = status == E_QUOTA || status == E_TOO_BIG ? &full
                                      : is_binary(status)                      ? refusal_of(status)
                                                                               : &say_later;

        /* Among several recipients some have it by now: "never" would tell them all the same. */
        refuse_message(s, status == E_TOO_BIG && s->m.nrcpt == 1 ? &no_fit : no, error_name(status));
        return;
    }
    log_event(LOG_INFO, "mx.accepted", F_Z("id", s->m.id), F_STR("queue_id", queue_id),
              F_U64("bytes", s->m.bytes), F_U64("rcpts", s->m.nrcpt), F_U64("duplicates", duplicates),
              F_U64("tls", s->tls), F_U64("twice", s->m.scan.twice), F_U64("eight_bit", s->m.scan.eight_bit),
              F_U64("took_ms", clock_mono_ms() - s->m.began_ms));
    smtp_note_message(s, 250, "2.0.0", STR_NONE);
    s->errors = s->junk = 0;
    if (buf_printf(&text, "Ok, stored as %.*s", STR_ARG(queue_id)) < 0)
        buf_clear(&text);
    for (unsigned i = 0; s->lmtp && i < s->m.nanswers; i++)
        answer_one(s, smtp_message_outcome(&s->m, i, &at), buf_str(&text));
    smtp_transaction_end(s);
    if (s->state == SMTP_ST_CLOSED)
        return;
    smtp_enter(s, SMTP_ST_COMMAND);
    if (!s->lmtp)
        answer_one(s, 0, buf_str(&text));
    if (s->stopping)
        smtp_session_stop(s);
}
