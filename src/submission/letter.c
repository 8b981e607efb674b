#include "src/submission/letter.h"
#include "lib/base/errors.h"
#include "lib/mailauth/authres.h"
#include "lib/mime/address.h"
#include "lib/mime/header.h"

void letter_init(struct letter *l, struct str host)
{
    *l = (struct letter){ .host = host,
                          .head = { .max = LETTER_HEADER_MAX + KIB(2) },
                          .arena = { .max = 2 * LETTER_HEADER_MAX } };
    crypto_generichash_init(&l->hash, NULL, 0, LETTER_HASH_BYTES);
}

void letter_release(struct letter *l)
{
    buf_release(&l->head);
    arena_release(&l->arena);
}

/* How much of `in` belongs to the header block; `in_body` is set when its empty line is there. */
static size_t header_part(struct letter *l, struct str in)
{
    for (size_t i = 0; i < in.n; i++) {
        char c = in.p[i];

        if (c == '\n') {
            bool empty = l->line_at == 0 || (l->line_at == 1 && l->cr);

            l->line_at = 0;
            l->cr = false;
            if (empty) {
                l->in_body = true;
                return i + 1;
            }
            continue;
        }
        l->cr = c == '\r' && l->line_at == 0;
        l->line_at += l->line_at < 2;
    }
    return in.n;
}

static void note(struct letter *l, enum letter_fault fault)
{
    if (l->fault == LETTER_OK)
        l->fault = fault;
}

/* local@domain of one address of a list. */
static void take_address(struct letter *l, const struct mime_address *m)
{
    char *z;

    if (l->nas == ARRAY_LEN(l->as))
        note(l, LETTER_TOO_MANY);
    else if (mime_address_is_group(m) || !m->mailbox.n || !m->host.n)
        note(l, LETTER_BAD_ADDRESS);
    else if (!(z = arena_printf(&l->arena, "%.*s@%.*s", STR_ARG(m->mailbox), STR_ARG(m->host))))
        note(l, LETTER_TOO_MANY);
    else
        l->as[l->nas++] = str_from(z);
}

static size_t take_list(struct letter *l, struct str value)
{
    size_t n = 0;

    for (const struct mime_address *m = mime_address_parse(&l->arena, value); m; m = m->next, n++)
        take_address(l, m);
    return n;
}

struct seen {
    unsigned from, sender;
    size_t authors, senders;
};

/* False: it does not go on. */
static bool field_look(struct letter *l, const struct mime_field *f, struct seen *seen, struct buf *bcc)
{
    if (str_ieq_z(f->name, "Bcc") || str_ieq_z(f->name, "Resent-Bcc")) { /* RFC 5322 3.6.3 */
        if (buf_puts(bcc, f->raw) < 0)
            buf_clear(bcc); /* too long for the copy in Sent: that goes without */
        return false;
    }
    if (str_ieq_z(f->name, "Return-Path")) /* RFC 5321 4.4: none but the last hop writes it */
        return false;
    if (str_ieq_z(f->name, "Authentication-Results"))
        return !authres_claims(f->value, l->host);
    if (str_ieq_z(f->name, "From")) {
        seen->from++;
        seen->authors += take_list(l, f->value);
    } else if (str_ieq_z(f->name, "Sender")) {
        seen->sender++;
        seen->senders += take_list(l, f->value);
    } else if (str_ieq_z(f->name, "Date")) {
        l->has_date = true;
    } else if (str_ieq_z(f->name, "Message-ID")) {
        l->has_message_id = true;
    }
    return true;
}

static void judge(struct letter *l, const struct seen *seen)
{
    if (seen->from == 0 || (seen->from == 1 && seen->authors == 0))
        note(l, LETTER_NO_FROM);
    if (seen->from > 1)
        note(l, LETTER_MANY_FROM);
    if (seen->sender > 1 || seen->senders > 1)
        note(l, LETTER_MANY_SENDER);
    if (seen->authors > 1 && seen->senders == 0) /* RFC 5322 3.6.2 */
        note(l, LETTER_NO_SENDER);
}

/* The block is whole: what stays moves up in its place. */
static int head_done(struct letter *l)
{
    CLEANUP(buf_release) struct buf bcc = { .max = KIB(8) };
    struct str block = buf_str(&l->head);
    struct mime_field f;
    struct seen seen = { 0 };
    size_t at = 0;

    while (mime_header_next(&block, &f)) {
        if (!field_look(l, &f, &seen, &bcc))
            continue;
        memmove(l->head.p + at, f.raw.p, f.raw.n);
        at += f.raw.n;
    }
    memmove(l->head.p + at, block.p, block.n);
    l->head.n = at + block.n;
    judge(l, &seen);
    l->bcc = bcc.n ? arena_dup(&l->arena, buf_str(&bcc)) : STR("");
    return 0;
}

int letter_feed(struct letter *l, struct str in, struct str *out)
{
    size_t n;
    int r;

    crypto_generichash_update(&l->hash, (const unsigned char *)in.p, in.n);
    if (l->in_body) {
        *out = in;
        return 0;
    }
    n = header_part(l, in);
    if (l->head.n + n > LETTER_HEADER_MAX)
        return E_TOO_BIG;
    if ((r = buf_puts(&l->head, str_slice(in, 0, n))) < 0)
        return r;
    *out = STR("");
    if (!l->in_body)
        return 0;
    if ((r = head_done(l)) < 0)
        return r;
    /* the beginning of the body came with it: at most one slice */
    l->head.max = LETTER_HEADER_MAX + KIB(64);
    if ((r = buf_puts(&l->head, str_skip(in, n))) < 0)
        return r;
    *out = buf_str(&l->head);
    return 0;
}

int letter_end(struct letter *l, struct str *out)
{
    int r;

    *out = STR("");
    if (l->in_body)
        return 0;
    l->in_body = true;
    if ((r = head_done(l)) < 0)
        return r;
    *out = buf_str(&l->head);
    return 0;
}

void letter_hash(struct letter *l, uint8_t out[LETTER_HASH_BYTES])
{
    crypto_generichash_final(&l->hash, out, LETTER_HASH_BYTES);
}
