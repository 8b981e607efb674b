#include "src/courier/report.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/hex.h"
#include "lib/base/log.h"
#include "lib/base/rand.h"
#include "lib/mime/date.h"
#include "lib/mime/header.h"
#include "lib/mime/word.h"
#include "lib/smtp/command.h"
#include "src/common/report_words.h"

#define ORIGIN_FORWARDED 1u /* of courier.Origin */
#define ORIGIN_REPORT    2u
#define HEADER_MAX       KIB(64)
#define HOUR_MS          INT64_C(3600000)

static const struct {
    const char *action, *status; /* status: when the peer gave none */
} kinds[] = {
    [REPORT_FAILED] = { "failed", "5.0.0" },
    [REPORT_EXPIRED] = { "failed", "4.4.7" }, /* RFC 3463 3.5 */
    [REPORT_DELAYED] = { "delayed", "4.0.0" },
    [REPORT_RELAYED] = { "relayed", "2.0.0" },
    [REPORT_DELIVERED] = { "delivered", "2.0.0" },
    [REPORT_EXPANDED] = { "expanded", "2.0.0" },
};

struct entry {
    const struct queue_target *t;
    uint32_t code;
    struct str enhanced, text, peer;
};

struct report {
    const struct queue_message *m;
    enum report_about about;
    const struct report_words *words;
    struct entry *v;
    size_t n;
    const char *status; /* NULL: that of its kind */
    bool utf8;          /* its sender's side knows internationalized mail */
    bool arrived;       /* it never was in the queue: its header is m->prepend */
};

static struct {
    struct str hostname;
    uint64_t whole_bytes;
    int (*origin)(struct queue *q, struct str sender, struct buf *out);
} conf = { .hostname = { "localhost", 9 } };

void courier_report_open(struct str hostname, uint64_t whole_bytes)
{
    conf.hostname = hostname;
    conf.whole_bytes = whole_bytes;
}

void courier_report_origin(int (*origin)(struct queue *q, struct str sender, struct buf *out))
{
    conf.origin = origin;
}

/* ---- into the queue, piece by piece ---- */

struct writer {
    struct queue *q;
    uint64_t id, bytes;
    uint32_t number;
    struct buf b;
    bool high;
    int r; /* the first error; then nothing is written any more */
};

static void flush(struct writer *w)
{
    if (w->r < 0 || !w->b.n)
        return;
    w->r = queue_put(w->q, w->id, w->number++, buf_str(&w->b));
    w->bytes += w->b.n;
    buf_clear(&w->b);
}

static void put(struct writer *w, struct str s)
{
    while (s.n && w->r == 0) {
        size_t n = size_min(s.n, QUEUE_CHUNK_BYTES - w->b.n);

        for (size_t i = 0; i < n; i++)
            w->high |= (s.p[i] & 0x80) != 0;
        w->r = buf_append(&w->b, s.p, n);
        s = str_skip(s, n);
        if (w->b.n == QUEUE_CHUNK_BYTES)
            flush(w);
    }
}

static void PRINTF_LIKE(2, 3) say(struct writer *w, const char *fmt, ...)
{
    CLEANUP(buf_release) struct buf b = { .max = KIB(16) };
    va_list ap;

    if (w->r < 0)
        return;
    va_start(ap, fmt);
    w->r = buf_vprintf(&b, fmt, ap);
    va_end(ap);
    put(w, buf_str(&b));
}

static void say_date(struct writer *w, const char *name, int64_t ms, const char *end)
{
    CLEANUP(buf_release) struct buf b = { .max = 100 };

    if (w->r == 0)
        w->r = mime_date_format((struct mime_date){ .ms = ms }, &b);
    say(w, "%s%.*s%s", name, STR_ARG(buf_str(&b)), end);
}

/* ---- addresses ---- */

static bool is_clean(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
            return false;
    return true;
}

/* Whom the sender wrote to: where a person's mail is forwarded to is nobody's business. */
static struct str recipient_of(const struct report *p, const struct queue_target *t)
{
    return p->m->origin == ORIGIN_FORWARDED && t->alias.n ? t->alias : t->to;
}

static bool is_hidden(const struct report *p, const struct queue_target *t)
{
    return p->m->origin == ORIGIN_FORWARDED && t->alias.n;
}

/* utf-8-addr-xtext (RFC 6533 3): for who may not be shown UTF-8. s is well-formed: the queue took it as an address. */
static void say_xtext(struct writer *w, struct str s)
{
    for (size_t i = 0; i < s.n;) {
        unsigned char c = (unsigned char)s.p[i];
        size_t more = c < 0x80 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
        uint32_t u = c < 0x80 ? c : c & (0x3fu >> more);

        for (i++; more > 0 && i < s.n; more--, i++)
            u = u << 6 | ((unsigned char)s.p[i] & 0x3f);
        if (u > 0x20 && u < 0x7f && u != '\\' && u != '+' && u != '=')
            say(w, "%c", (int)u);
        else
            say(w, "\\x{%X}", (unsigned)u);
    }
}

static void say_address(struct writer *w, const struct report *p, const char *field, struct str address)
{
    if (str_is_ascii(address))
        say(w, "%s: rfc822; %.*s\r\n", field, STR_ARG(address));
    else if (p->utf8)
        say(w, "%s: utf-8; %.*s\r\n", field, STR_ARG(address));
    else {
        say(w, "%s: utf-8; ", field);
        say_xtext(w, address);
        say(w, "\r\n");
    }
}

/* ---- for people ---- */

static bool is_status(struct str s)
{
    return s.n >= 5 && s.p[0] >= '2' && s.p[0] <= '5' && s.p[1] == '.' && s.p[2] >= '0' && s.p[2] <= '9';
}

static void say_age(struct writer *w, const struct report_words *words, int64_t ms)
{
    int64_t hours = ms / HOUR_MS, days = hours / 24;

    if (days > 1)
        say(w, "%d %s", (int)days, words->days);
    else if (hours > 1)
        say(w, "%d %s", (int)hours, words->hours);
    else
        say(w, "%d %s", (int)(ms / 60000), words->minutes);
}

static void say_entry(struct writer *w, const struct report *p, const struct entry *e)
{
    const char *why = is_status(e->enhanced) ? report_words_why(p->words, e->enhanced) : NULL;

    say(w, "    %.*s\r\n", STR_ARG(recipient_of(p, e->t)));
    if (is_hidden(p, e->t) && e->code)
        say(w, "        %s%u\r\n", p->words->hidden_answered, e->code);
    else if (is_hidden(p, e->t))
        return;
    else if (e->code)
        say(w, "        %.*s%s%u %.*s%s%.*s\r\n",
            STR_ARG(e->peer.n ? e->peer : str_from(p->words->its_server)), p->words->answered, e->code,
            STR_ARG(e->enhanced), e->enhanced.n ? " " : "", STR_ARG(e->text));
    else if (e->text.n)
        say(w, "        %.*s\r\n", STR_ARG(e->text));
    if (why)
        say(w, "        %s\r\n", why);
}

static int64_t retry_until(const struct queue_message *m)
{
    return m->deliver_by_ms > 0 && !m->by_notify && m->deliver_by_ms < m->expires_ms ? m->deliver_by_ms
                                                                                     : m->expires_ms;
}

static void say_text(struct writer *w, const struct report *p)
{
    const struct report_words *words = p->words;

    say(w, "%s%.*s.\r\n\r\n", words->system, STR_ARG(conf.hostname));
    say_date(w, words->message_of, p->m->created_ms, "\r\n");
    say(w, "%s\r\n\r\n", words->begin[p->about]);
    for (size_t i = 0; i < p->n; i++)
        say_entry(w, p, &p->v[i]);
    say(w, "\r\n%s", words->end[p->about]);
    if (p->about == REPORT_EXPIRED) {
        say(w, "%s", words->tried);
        say_age(w, words, queue_now(w->q) - p->m->created_ms);
        say(w, "%s", words->no_more);
    } else if (p->about == REPORT_DELAYED) {
        say_date(w, "", retry_until(p->m), "\r\n");
        say(w, "%s", words->told);
    }
}

/* ---- for programs (RFC 3464 2) ---- */

/* ORCPT as it came is xtext, what stands here is not (RFC 3461 6.3 d); the escapes of "utf-8;" are its own (RFC 6533 3). */
static void say_original(struct writer *w, const struct report *p, struct str orcpt)
{
    CLEANUP(buf_release) struct buf plain = { .max = KIB(4) };
    struct str type, address;

    if (!orcpt.n || !is_clean(orcpt) || !str_cut(orcpt, ';', &type, &address) || !address.n)
        return;
    if (!str_is_ascii(orcpt)) {
        say_address(w, p, "Original-Recipient", address);
        return;
    }
    if (!str_ieq(type, STR("utf-8")) && smtp_xtext_decode(address, &plain) == 0 && is_clean(buf_str(&plain)))
        address = buf_str(&plain);
    say(w, "Original-Recipient: %.*s; %.*s\r\n", STR_ARG(type), STR_ARG(address));
}

static void say_recipient(struct writer *w, const struct report *p, const struct entry *e)
{
    struct str name, rest;

    say(w, "\r\n");
    say_original(w, p, e->t->orcpt);
    say_address(w, p, "Final-Recipient", recipient_of(p, e->t));
    say(w, "Action: %s\r\n", kinds[p->about].action);
    if (is_status(e->enhanced))
        say(w, "Status: %.*s\r\n", STR_ARG(e->enhanced));
    else
        say(w, "Status: %s\r\n", p->status ? p->status : kinds[p->about].status); /* RFC 2852 4.1.4 */
    if (e->peer.n && !is_hidden(p, e->t)) {
        str_cut(e->peer, ' ', &name, &rest);
        say(w, "Remote-MTA: dns; %.*s\r\n", STR_ARG(name.n ? name : e->peer));
    }
    if (e->code && is_hidden(p, e->t))
        say(w, "Diagnostic-Code: smtp; %u %.*s\r\n", e->code, STR_ARG(e->enhanced));
    else if (e->code)
        say(w, "Diagnostic-Code: smtp; %u %.*s%s%.*s\r\n", e->code, STR_ARG(e->enhanced),
            e->enhanced.n ? " " : "", STR_ARG(e->text));
    else if (e->text.n && !is_hidden(p, e->t))
        say(w, "Diagnostic-Code: x-letterlock; %.*s\r\n", STR_ARG(e->text));
    if (p->about == REPORT_DELAYED)
        say_date(w, "Will-Retry-Until: ", retry_until(p->m), "\r\n");
    else if (!p->arrived)
        say_date(w, "Last-Attempt-Date: ", queue_now(w->q), "\r\n");
}

static void say_status(struct writer *w, const struct report *p)
{
    if (p->m->envid.n && is_clean(p->m->envid) && str_is_ascii(p->m->envid))
        say(w, "Original-Envelope-Id: %.*s\r\n", STR_ARG(p->m->envid));
    say(w, "Reporting-MTA: dns; %.*s\r\n", STR_ARG(conf.hostname));
    say_date(w, "Arrival-Date: ", p->m->created_ms, "\r\n");
    for (size_t i = 0; i < p->n; i++)
        say_recipient(w, p, &p->v[i]);
}

/* ---- the message it is about ---- */

static void say_whole(struct writer *w, const struct queue_message *m)
{
    CLEANUP(buf_release) struct buf piece = { .max = QUEUE_CHUNK_BYTES + KIB(4) };
    int r = 1;

    put(w, m->prepend);
    for (uint32_t i = 0; r > 0 && w->r == 0; i++) {
        buf_clear(&piece);
        if ((r = queue_piece(w->q, m->id, i, &piece)) > 0)
            put(w, buf_str(&piece));
    }
    if (r < 0)
        w->r = r;
}

/* Up to the empty line; of a very large one, whole lines of its beginning. In b. */
static int header_of(struct queue *q, const struct queue_message *m, struct buf *b, struct str *out)
{
    ptrdiff_t end;
    int r;

    if ((r = buf_puts(b, m->prepend)) < 0 || (m->id && (r = queue_piece(q, m->id, 0, b)) < 0))
        return r;
    *out = str_slice(buf_str(b), 0, HEADER_MAX);
    if ((end = str_find(*out, STR("\r\n\r\n"))) >= 0 || (end = str_rchr(*out, '\r')) >= 0)
        *out = str_slice(*out, 0, (size_t)end + 2);
    return 0;
}

static void say_header(struct writer *w, const struct queue_message *m)
{
    CLEANUP(buf_release) struct buf b = { .max = QUEUE_CHUNK_BYTES + MIB(1) };
    struct str s = STR_NONE;
    int r = header_of(w->q, m, &b, &s);

    if (r < 0)
        w->r = w->r < 0 ? w->r : r;
    else
        put(w, s);
}

/* What the person has set; else what the letter says of who wrote it; else English. */
static const struct report_words *words_of(struct queue *q, const struct queue_message *m)
{
    static const struct str fields[] = { { "Accept-Language", 15 }, { "Content-Language", 16 } };
    CLEANUP(buf_release) struct buf b = { .max = QUEUE_CHUNK_BYTES + MIB(1) };
    const struct report_words *w = report_words_find(m->language);
    struct str header = STR_NONE;

    if (!w && header_of(q, m, &b, &header) == 0)
        for (size_t i = 0; i < ARRAY_LEN(fields) && !w; i++)
            w = report_words_find(mime_header_find(header, fields[i]));
    return w ? w : report_words_at(0);
}

/* RET is about failures only (RFC 3461 4.3). */
static bool gives_whole(const struct report *p)
{
    const struct queue_message *m = p->m;

    if ((p->about != REPORT_FAILED && p->about != REPORT_EXPIRED) || m->requiretls || m->ret == SMTP_RET_HDRS)
        return false;
    return m->bytes <= (m->ret == SMTP_RET_FULL ? REPORT_WHOLE_MAX : conf.whole_bytes);
}

/* ---- all of it ---- */

static void say_subject(struct writer *w, struct str text)
{
    CLEANUP(buf_release) struct buf b = { .max = KIB(1) };

    if (w->r == 0)
        w->r = str_is_ascii(text) ? buf_puts(&b, text) : mime_word_encode(text, &b);
    say(w, "Subject: %.*s\r\n", STR_ARG(buf_str(&b)));
}

static void say_top(struct writer *w, const struct report *p, const char *boundary)
{
    uint8_t random[16];
    char id[33];

    rand_bytes(random, sizeof random);
    hex_encode(random, sizeof random, id);
    say(w, "From: Mail Delivery System <MAILER-DAEMON@%.*s>\r\n", STR_ARG(conf.hostname));
    say(w, "To: <%.*s>\r\n", STR_ARG(p->m->sender));
    say_subject(w, str_from(p->words->subject[p->about]));
    say_date(w, "Date: ", clock_wall_ms(), "\r\n");
    say(w, "Message-ID: <%s@%.*s>\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n", id,
        STR_ARG(conf.hostname)); /* RFC 3834 5 */
    if (p->m->tls_optional)
        say(w,
            "TLS-Required: No\r\n"); /* who would rather have his letter arrive than safely, this one too (RFC 8689 3) */
    say(w, "Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"%s\"\r\n\r\n",
        boundary);
}

static void say_all(struct writer *w, const struct report *p)
{
    bool whole = gives_whole(p);
    uint8_t random[16];
    char boundary[33];

    rand_bytes(random, sizeof random);
    hex_encode(random, sizeof random, boundary);
    say_top(w, p, boundary);
    say(w,
        "--%s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Language: %s\r\n"
        "Content-Transfer-Encoding: 8bit\r\n\r\n",
        boundary, p->words->tag);
    say_text(w, p);
    say(w, "\r\n--%s\r\nContent-Type: message/%s\r\nContent-Transfer-Encoding: %s\r\n\r\n", boundary,
        p->utf8 ? "global-delivery-status" : "delivery-status", p->utf8 ? "8bit" : "7bit");
    say_status(w, p);
    say(w, "\r\n--%s\r\nContent-Type: %s\r\nContent-Transfer-Encoding: 8bit\r\n\r\n", boundary,
        whole     ? p->utf8 ? "message/global" : "message/rfc822"
        : p->utf8 ? "message/global-headers"
                  : "text/rfc822-headers");
    if (whole)
        say_whole(w, p->m);
    else
        say_header(w, p->m);
    say(w, "\r\n--%s--\r\n", boundary);
    flush(w);
}

static int report_write(struct queue *q, void *arg)
{
    const struct report *p = arg;
    CLEANUP(arena_release) struct arena a = { .max = KIB(16) };
    struct writer w = { .q = q, .b = { .max = QUEUE_CHUNK_BYTES } };
    struct queue_target t = { .to = p->m->sender, .notify = SMTP_NOTIFY_NEVER };
    struct queue_message m = { .origin = ORIGIN_REPORT,
                               .requiretls = p->m->requiretls,
                               .tls_optional = p->m->tls_optional,
                               .always = !p->arrived };
    uint8_t name[QUEUE_NAME_BYTES];
    uint32_t duplicates = 0;
    int r;

    if ((r = courier_address_dest(&a, t.to, &t.dest)) < 0 || (r = queue_draft(q, false, &m.id)) < 0)
        return r;
    w.id = m.id;
    say_all(&w, p);
    buf_release(&w.b);
    if (w.r < 0)
        return w.r;
    m.bytes = w.bytes;
    m.eightbit = w.high;
    m.smtputf8 = !str_is_ascii(p->m->sender); /* it stands in To */
    return queue_add(q, &m, &t, 1, STR_NONE, name, &duplicates);
}

/* A forward left under a name of ours: who sent it hears, and not by way of our own MX. */
static int find_sender(struct queue *q, struct queue_message *m, struct buf *out)
{
    int r = m->origin == ORIGIN_FORWARDED && conf.origin ? conf.origin(q, m->sender, out) : E_NOTFOUND;

    if (r == 0)
        m->sender = buf_str(out);
    return r;
}

/* What cannot be reported must not keep the outcome from being noted. */
static int report_make(struct queue *q, struct report *p)
{
    CLEANUP(buf_release) struct buf sender = { .max = KIB(1) };
    struct queue_message m = *p->m;
    struct report to = *p;
    int r;

    if (p->n == 0)
        return 0;
    to.m = &m;
    to.words = words_of(q, &m);
    r = find_sender(q, &m, &sender);
    to.utf8 = m.smtputf8 || !str_is_ascii(m.sender);
    if (r != E_IO && r != E_NOMEM && r != E_BUSY)
        r = queue_step(q, report_write, &to);
    if (r == E_IO || r == E_NOMEM || r == E_BUSY || (p->arrived && r == E_FULL))
        return r;
    if (r < 0)
        log_event(LOG_ERROR, "courier.report_not_made", F_ERR(r), F_U64("message", p->m->id));
    return 0;
}

static bool hears(const struct queue_message *m)
{
    return m->sender.n > 0 &&
           m->origin != ORIGIN_REPORT; /* RFC 3464 2, RFC 5321 6.1: reports make no reports */
}

/* Did they ask for it? Nothing said: failures and delays are told (RFC 3461 4.1). */
static bool asked(const struct queue_target *t, uint32_t what)
{
    if (t->kind != 0) /* a webhook's trouble is its owner's */
        return false;
    return t->notify ? (t->notify & what) && !(t->notify & SMTP_NOTIFY_NEVER) : what != SMTP_NOTIFY_SUCCESS;
}

int courier_report_done(struct queue *q, const struct queue_claim *c, const struct queue_outcome *o)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(1) };
    struct report failed = { .m = &c->m, .about = REPORT_FAILED },
                  relayed = { .m = &c->m, .about = REPORT_RELAYED };
    int r;

    if (!hears(&c->m))
        return 0;
    failed.v = ARENA_ARRAY(&a, c->n, struct entry);
    relayed.v = ARENA_ARRAY(&a, c->n, struct entry);
    if (!failed.v || !relayed.v)
        return E_NOMEM;
    for (size_t i = 0; i < c->n; i++) {
        const struct entry e = { &c->targets[i], o[i].code, o[i].enhanced, o[i].text, o[i].peer };

        if (o[i].result == QUEUE_FAILED && !o[i].again && asked(e.t, SMTP_NOTIFY_FAILURE))
            failed.v[failed.n++] = e;
        else if (o[i].result == QUEUE_DELIVERED && (!o[i].relayed || c->m.origin == ORIGIN_FORWARDED) &&
                 asked(e.t, SMTP_NOTIFY_SUCCESS))
            /* who knows DSN tells by himself (RFC 3461 5.2.2), when he was told to: courier_notify_onward */
            relayed.v[relayed.n++] = e;
    }
    return (r = report_make(q, &failed)) < 0 ? r : report_make(q, &relayed);
}

/* Those that wait, with what was last said. */
static int report_waiting(struct queue *q, struct report *p, const struct queue_target *t, size_t n,
                          uint32_t what)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(4) };

    if (!hears(p->m))
        return 0;
    if (!(p->v = ARENA_ARRAY(&a, n, struct entry)))
        return E_NOMEM;
    for (size_t i = 0; i < n; i++)
        if ((t[i].state != QUEUE_HELD || queue_is_aside(&t[i])) &&
            (p->about == REPORT_DELAYED || t[i].state != QUEUE_UNDER_WAY) && asked(&t[i], what))
            p->v[p->n++] = (struct entry){ .t = &t[i], .code = t[i].code, .text = t[i].answer };
    return report_make(q, p);
}

/* DELIVERBY with mode N: who said so hears of it whatever NOTIFY says but NEVER (RFC 2852 4.1.4). */
int courier_report_late(struct queue *q, const struct queue_message *m, const struct queue_target *t,
                        size_t n)
{
    bool due = m->by_notify && m->deliver_by_ms > 0 && queue_now(q) >= m->deliver_by_ms;
    struct report p = { .m = m, .about = REPORT_DELAYED };

    return report_waiting(
        q, &p, t, n, due ? SMTP_NOTIFY_DELAY | SMTP_NOTIFY_FAILURE | SMTP_NOTIFY_SUCCESS : SMTP_NOTIFY_DELAY);
}

int courier_report_expired(struct queue *q, const struct queue_message *m, const struct queue_target *t,
                           size_t n)
{
    struct report p = { .m = m,
                        .about = REPORT_EXPIRED,
                        .status = queue_now(q) < m->expires_ms ? "5.4.7" : NULL };

    return report_waiting(q, &p, t, n, SMTP_NOTIFY_FAILURE);
}

/* ---- what came here and stays, or leads on ---- */

int courier_report_arrived(struct queue *q, const struct queue_message *m, const struct courier_arrival *v,
                           size_t n)
{
    static const enum report_about of[] = { [COURIER_DELIVERED] = REPORT_DELIVERED,
                                            [COURIER_EXPANDED] = REPORT_EXPANDED,
                                            [COURIER_RELAYED] = REPORT_RELAYED };
    CLEANUP(arena_release) struct arena a = { .max = MIB(4) };
    struct queue_target *t = ARENA_ARRAY(&a, n, struct queue_target);
    int r = 0;

    for (size_t k = 0; k < ARRAY_LEN(of) && r == 0 && hears(m); k++) {
        struct report p = { .m = m, .about = of[k], .arrived = true };

        if (!t || !(p.v = ARENA_ARRAY(&a, n, struct entry)))
            return E_NOMEM;
        for (size_t i = 0; i < n; i++) {
            if (v[i].action != k)
                continue;
            t[i] = (struct queue_target){ .to = v[i].to, .orcpt = v[i].orcpt };
            p.v[p.n++] = (struct entry){ .t = &t[i] };
        }
        r = report_make(q, &p);
    }
    return r;
}

uint32_t courier_notify_onward(const struct queue_message *m, uint32_t notify)
{
    if (m->origin != ORIGIN_FORWARDED || !(notify & SMTP_NOTIFY_SUCCESS))
        return notify;
    notify &= ~(uint32_t)SMTP_NOTIFY_SUCCESS;
    return notify ? notify : SMTP_NOTIFY_NEVER;
}
