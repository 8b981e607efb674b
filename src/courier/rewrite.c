/* src/courier/rewrite.c: a forward that was refused for the policy of its author's domain goes once more, under a From of
 * ours (doc/recipients.md). Neither SPF nor the author's signature, if it was broken on the way, speaks for a forward; a
 * From of our domain, signed by us, does. What the author wrote stands in Reply-To and X-Original-From. */
#include "lib/base/log.h"
#include "lib/mailauth/message.h"
#include "lib/mailauth/dkim.h"
#include "lib/mime/address.h"
#include "lib/mime/header.h"
#include "src/courier/courier.h"

#define MARK    "X-Original-From:"
#define ALL_MAX MIB(2) /* of what stands before the body */

struct again {
    const struct queue_claim *c;
    const struct queue_outcome *o;
    bool *which;
    size_t n;
    struct arena arena;
    /* while it is made */
    struct str header, rest; /* of the first piece */
    struct buf piece, first, prepend;
    struct queue_message m;
};

/* RFC 7372 3, RFC 7489 and what big providers write. */
static bool policy_refused(const struct queue_outcome *o)
{
    static const char *const codes[] = { "5.7.20", "5.7.21", "5.7.22", "5.7.23", "5.7.24", "5.7.26" };
    static const char *const words[] = { "dmarc", "spf", "dkim" };

    if (o->result != QUEUE_FAILED || o->code < 500)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(codes); i++)
        if (str_eq_z(o->enhanced, codes[i]))
            return true;
    if (o->enhanced.n && !str_starts(o->enhanced, STR("5.7.")))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (str_ifind(o->text, str_from(words[i])) >= 0)
            return true;
    return false;
}

/* What we put before it shows whether it was rewritten. */
static bool was_rewritten(struct str prepend)
{
    return mime_header_find(prepend, STR("X-Original-From")).p != NULL;
}

static bool is_phrase(struct str name)
{
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] < ' ' || name.p[i] > '~' || strchr("\"\\<>@,;:()[]", name.p[i]))
            return false;
    return name.n > 0 && name.n < 200;
}

/* Name "via example.org" <address>: an encoded name stays one. */
static int from_put(struct again *g, const struct mime_address *was, struct str address)
{
    struct str domain = g->c->m.signer;

    if (is_phrase(was->name) && str_find(was->name, STR("=?")) >= 0)
        return buf_printf(&g->prepend, "From: %.*s\r\n \"via %.*s\"\r\n <%.*s>\r\n", STR_ARG(was->name),
                          STR_ARG(domain), STR_ARG(address));
    if (is_phrase(was->name))
        return buf_printf(&g->prepend, "From: \"%.*s via %.*s\"\r\n <%.*s>\r\n", STR_ARG(was->name),
                          STR_ARG(domain), STR_ARG(address));
    return buf_printf(&g->prepend, "From: \"%.*s at %.*s via %.*s\"\r\n <%.*s>\r\n", STR_ARG(was->mailbox),
                      STR_ARG(was->host), STR_ARG(domain), STR_ARG(address));
}

/* The address is one of ours that leads to the author, as the forward's sender is (SRS). */
static int own_address(struct queue *q, struct again *g, const struct mime_address *was, struct str *out)
{
    struct queue_message m = { .signer = g->c->m.signer };
    char *z = arena_printf(&g->arena, "%.*s@%.*s", STR_ARG(was->mailbox), STR_ARG(was->host));
    uint8_t token[SRS_TOKEN_BYTES];
    int r;

    if (!z)
        return E_NOMEM;
    m.sender = str_from(z);
    if ((r = courier_srs_forward(&g->arena, &m, token)) < 0)
        return r;
    if (str_eq_z(m.sender, z) || !is_phrase(was->mailbox) || !is_phrase(was->host))
        return E_SYNTAX; /* it is ours already, or nothing that could be written */
    *out = m.sender;
    return r == 1 ? queue_srs_keep(q, str_of(token, sizeof token), str_from(z)) : 0;
}

static int header_read(struct queue *q, struct again *g)
{
    ptrdiff_t end;
    int r = queue_piece(q, g->c->m.id, 0, &g->piece);

    if (r <= 0)
        return r < 0 ? r : E_SYNTAX;
    if ((end = str_find(buf_str(&g->piece), STR("\r\n\r\n"))) < 0)
        return E_SYNTAX;
    g->header = str_slice(buf_str(&g->piece), 0, (size_t)end + 2);
    g->rest = str_skip(buf_str(&g->piece), (size_t)end + 2);
    return 0;
}

static int header_write(struct queue *q, struct again *g)
{
    static const struct str from[] = { STR("From") }, arc[] = { STR("ARC-Seal"), STR("ARC-Message-Signature"),
                                                                STR("ARC-Authentication-Results") };
    struct str value = mime_header_find(g->header, STR("From")), address;
    const struct mime_address *was = value.p ? mime_address_parse(&g->arena, value) : NULL;
    int r;

    if (!was || was->next || !was->host.p || !was->host.n)
        return E_SYNTAX;
    /* Our seal was over the From that it had. */
    if ((r = own_address(q, g, was, &address)) < 0 ||
        (r = mime_header_filter(g->c->m.prepend, arc, ARRAY_LEN(arc), true, &g->prepend)) < 0 ||
        (r = from_put(g, was, address)) < 0)
        return r;
    if (!mime_header_find(g->header, STR("Reply-To")).p &&
        (r = buf_printf(&g->prepend, "Reply-To:%.*s\r\n", STR_ARG(value))) < 0)
        return r;
    if ((r = buf_printf(&g->prepend, MARK "%.*s\r\n", STR_ARG(value))) < 0 ||
        (r = mime_header_filter(g->header, from, 1, true, &g->first)) < 0)
        return r;
    return buf_puts(&g->first, g->rest);
}

/* Each piece of the body to the new message and past the signer. */
static int copy_all(struct queue *q, struct again *g, struct mailauth_message *msg)
{
    uint32_t number = 0, from = 1;
    struct str rest = buf_str(&g->first);
    int r = 0;

    for (; rest.n && r == 0; rest = str_skip(rest, QUEUE_CHUNK_BYTES))
        r = queue_put(q, g->m.id, number++, str_slice(rest, 0, QUEUE_CHUNK_BYTES));
    mailauth_message_feed(msg, buf_str(&g->prepend));
    mailauth_message_feed(msg, buf_str(&g->first));
    g->m.bytes = g->first.n;
    while (r == 0) {
        buf_clear(&g->piece);
        if ((r = queue_piece(q, g->c->m.id, from++, &g->piece)) <= 0)
            break;
        mailauth_message_feed(msg, buf_str(&g->piece));
        g->m.bytes += g->piece.n;
        r = queue_put(q, g->m.id, number++, buf_str(&g->piece));
    }
    mailauth_message_end(msg);
    return r;
}

static int sign(struct queue *q, struct again *g, struct mailauth_message *msg, int body, struct buf *out)
{
    struct queue_message as = g->m;
    struct signer *s = NULL;
    int r = courier_signer_load(q, g->m.signer, &s);

    if (r < 0)
        return r;
    as.origin = COURIER__ORIGIN__SUBMITTED; /* a signature of its own, not a seal */
    r = courier_sign(s, &as, NULL, msg, body, out);
    courier_signer_put(s);
    return r < 0 ? r : buf_puts(out, buf_str(&g->prepend));
}

static int put_signed(struct queue *q, struct again *g, struct buf *all)
{
    struct mailauth_message msg;
    int r, body;

    mailauth_message_init(&msg);
    if ((r = body = dkim_signer_want(&msg, false)) >= 0 && (r = copy_all(q, g, &msg)) == 0)
        r = sign(q, g, &msg, body, all);
    mailauth_message_release(&msg);
    return r;
}

static int add(struct queue *q, struct again *g, struct str prepend)
{
    struct queue_target *t = ARENA_ARRAY(&g->arena, g->n, struct queue_target);
    uint8_t name[QUEUE_NAME_BYTES];
    uint32_t duplicates;
    size_t n = 0;

    if (!t)
        return E_NOMEM;
    for (size_t i = 0; i < g->c->n; i++)
        if (g->which[i]) {
            t[n] = g->c->targets[i];
            t[n].dest = g->c->domain;
            t[n++].delivery_id = STR_NONE; /* it was seen */
        }
    g->m.prepend = prepend;
    g->m.bytes += prepend.n;
    return queue_add(q, &g->m, t, n, STR_NONE, name, &duplicates);
}

static int make(struct queue *q, void *arg)
{
    struct again *g = arg;
    CLEANUP(buf_release) struct buf all = { .max = ALL_MAX };
    int r;

    g->m = g->c->m;
    g->m.always = true;
    if ((r = header_read(q, g)) < 0 || (r = header_write(q, g)) < 0 ||
        (r = queue_draft(q, false, &g->m.id)) < 0 || (r = put_signed(q, g, &all)) < 0)
        return r;
    return add(q, g, buf_str(&all));
}

int courier_rewrite(struct queue *q, const struct queue_claim *c, struct queue_outcome *o)
{
    struct again g = { .c = c,
                       .o = o,
                       .arena = { .max = MIB(1) },
                       .piece = { .max = QUEUE_CHUNK_BYTES + KIB(4) },
                       .first = { .max = 2 * QUEUE_CHUNK_BYTES },
                       .prepend = { .max = ALL_MAX } };
    int r = 0;

    if (c->m.origin != COURIER__ORIGIN__FORWARDED || c->kind != COURIER__TARGET__KIND__ADDRESS ||
        !c->m.signer.n || was_rewritten(c->m.prepend) || !(g.which = ARENA_ARRAY(&g.arena, c->n, bool)))
        return 0;
    for (size_t i = 0; i < c->n; i++)
        g.n += g.which[i] = policy_refused(&o[i]);
    if (g.n > 0)
        r = queue_step(q, make, &g);
    for (size_t i = 0; i < c->n && g.n > 0 && r == 0; i++)
        o[i].again = g.which[i];
    buf_release(&g.piece);
    buf_release(&g.first);
    buf_release(&g.prepend);
    arena_release(&g.arena);
    return r == E_IO || r == E_NOMEM || r == E_BUSY ? r : 0; /* else it has failed, as it was */
}
