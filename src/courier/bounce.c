/* src/courier/bounce.c: reports of other servers about what was sent here.
 *
 * What a person submits leaves under "bounce+TOKEN@domain", of the domain of his own envelope sender. The token is the
 * message's number and a MAC over it and a random tag, so nobody makes one who has not seen it; what is needed to know
 * the message again is kept for QUEUE_SENT_DAYS (sql/queue/0006). What a report says counts for recipients that the
 * message had, and for no others. */
#include "lib/base/clock.h"
#include "lib/base/hex.h"
#include "lib/base/log.h"
#include "proto/content.pb-c.h"
#include "src/common/report.h"
#include "src/courier/courier.h"

#define PREFIX      STR("bounce+")
#define ID_BYTES    5u /* a message's number stays below 2^40 */
#define HASHED      8u /* bytes of a recipient */
#define ID_TEXT_MAX 255u

/* ---- the sender it leaves under ---- */

static void token_make(uint64_t id, const uint8_t tag[8], uint8_t out[SRS_TOKEN_BYTES])
{
    uint8_t text[16], hash[HASH_BYTES];

    for (int i = 0; i < 8; i++)
        text[i] = (uint8_t)(id >> (56 - 8 * i));
    memcpy(text + 8, tag, 8);
    kdf(hash, role_subkey(courier.role, SUBKEY_SRS), "letterlock bounce v1", str_of(text, sizeof text));
    memcpy(out, text + 8 - ID_BYTES, ID_BYTES);
    memcpy(out + ID_BYTES, hash, SRS_TOKEN_BYTES - ID_BYTES);
}

struct str courier_return_path(struct arena *a, const struct queue_message *m)
{
    uint8_t token[SRS_TOKEN_BYTES];
    char text[SRS_TOKEN_CHARS];
    ptrdiff_t at = str_rchr(m->sender, '@');
    struct str domain = str_skip(m->sender, (size_t)(at + 1));
    char *z;

    if (at < 0 || m->name.n != QUEUE_NAME_BYTES || m->id >> (8 * ID_BYTES) ||
        PREFIX.n + sizeof text + 1 + domain.n > SMTP_PATH_MAX - 2)
        return m->sender;
    token_make(m->id, (const uint8_t *)m->name.p + 8, token);
    srs_token_put(token, text);
    z = arena_printf(a, "bounce+%.*s@%.*s", (int)sizeof text, text, STR_ARG(domain));
    return z ? str_from(z) : m->sender;
}

int courier_sent_tagged(struct queue *q, const struct queue_message *m)
{
    CLEANUP(arena_release) struct arena a = { .max = KIB(128) };
    struct queue_sent s;

    if (!courier_conf.bounce_addresses || !courier_is_persons(m) || !m->sender.n)
        return 0;
    return queue_sent_find(q, &a, m->id, &s);
}

/* ---- what is kept of it ---- */

static void recipient_hash(uint64_t id, struct str key, uint8_t out[HASHED])
{
    uint8_t hash[HASH_BYTES], text[8];

    for (int i = 0; i < 8; i++)
        text[i] = (uint8_t)(id >> (56 - 8 * i));
    kdf2(hash, role_subkey(courier.role, SUBKEY_SRS), "letterlock sent v1", str_of(text, sizeof text), key);
    memcpy(out, hash, HASHED);
}

/* "Message-ID: <…>" of a header block, or of its beginning. */
static struct str message_id_of(struct str header)
{
    struct str line, name, value;

    while (header.n && header.p[0] != '\r') {
        if (!str_cut(header, '\n', &line, &header))
            return STR_NONE;
        if (!str_cut(line, ':', &name, &value) || !str_ieq_z(str_trim(name), "message-id"))
            continue;
        value = str_trim(value);
        if (!value.n && str_cut(header, '\n', &line, &header)) /* it stands on the next line */
            value = str_trim(line);
        return value.n <= ID_TEXT_MAX ? value : STR_NONE;
    }
    return STR_NONE;
}

int courier_sent_note(struct queue *q, const struct queue_message *m, const struct queue_target *t, size_t n,
                      struct str head)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(8) };
    struct queue_sent s = { .id = m->id, .sender = m->sender, .submitter = m->submitter };
    uint8_t *hashes = arena_array(&a, n, HASHED);
    size_t have = 0;
    struct str key;

    if (!courier_is_persons(m) || m->name.n != QUEUE_NAME_BYTES)
        return 0;
    if (!hashes)
        return E_NOMEM;
    for (size_t i = 0; i < n; i++)
        if (t[i].id && t[i].kind == COURIER__TARGET__KIND__ADDRESS &&
            courier_address_key(&a, t[i].to, &key) == 0)
            recipient_hash(m->id, key, hashes + HASHED * have++);
    if (have == 0)
        return 0;
    s.recipients = str_of(hashes, HASHED * have);
    s.message_id = message_id_of(m->prepend);
    if (!s.message_id.n)
        s.message_id = message_id_of(head);
    memcpy(s.tag, m->name.p + 8, sizeof s.tag);
    return queue_sent_add(q, &s);
}

/* ---- back again ---- */

bool courier_bounce_is(struct str local)
{
    uint8_t token[SRS_TOKEN_BYTES];

    return str_istarts(local, PREFIX) && srs_token_get(str_skip(local, PREFIX.n), token);
}

int courier_bounce_find(struct queue *q, struct arena *a, struct str local, struct queue_sent *out)
{
    uint8_t token[SRS_TOKEN_BYTES], want[SRS_TOKEN_BYTES];
    uint64_t id = 0;
    int r;

    if (!str_istarts(local, PREFIX) || !srs_token_get(str_skip(local, PREFIX.n), token))
        return E_NOTFOUND;
    for (size_t i = 0; i < ID_BYTES; i++)
        id = id << 8 | token[i];
    if ((r = queue_sent_find(q, a, id, out)) <= 0)
        return r < 0 ? r : E_NOTFOUND;
    token_make(id, out->tag, want);
    return bytes_same(token, want, sizeof token) ? 0 : E_AUTH;
}

static bool was_recipient(const struct queue_sent *s, struct str key)
{
    uint8_t hash[HASHED];

    recipient_hash(s->id, key, hash);
    for (size_t i = 0; i + HASHED <= s->recipients.n; i += HASHED)
        if (memcmp(s->recipients.p + i, hash, HASHED) == 0)
            return true;
    return false;
}

/* Which of ours it speaks of: the one we wrote to stands in either field (RFC 3464 2.3.1, 2.3.2). */
static struct str recipient_of(const struct queue_sent *s, struct arena *a, const Content__ReportRecipient *x)
{
    const struct str names[] = { pb_str(x->original), pb_str(x->final) };
    struct str key;

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (names[i].n && courier_address_key(a, names[i], &key) == 0 && was_recipient(s, key))
            return names[i];
    return STR_NONE;
}

static int failed_one(struct queue *q, struct arena *a, const struct queue_sent *s, const char *id,
                      const Content__ReportRecipient *x, const Content__ReportResponse *m,
                      struct courier_bounce *out)
{
    struct queue_message of = { .origin = COURIER__ORIGIN__SUBMITTED,
                                .submitter = s->submitter,
                                .sender = s->sender };
    struct str to = recipient_of(s, a, x);
    int r;

    if (!str_ieq_z(pb_str(x->action), "failed") || !to.n)
        return 0;
    *out = (struct courier_bounce){ .submitter = s->submitter,
                                    .sender = s->sender,
                                    .recipient = to,
                                    .status = pb_str(x->status),
                                    .text = pb_str(x->diagnostic),
                                    .server = x->remote.len ? pb_str(x->remote) : pb_str(m->reporter),
                                    .source = "report",
                                    .message_id = s->message_id,
                                    .message = id };
    out->hard = courier_is_hard(0, out->status, out->text);
    if (out->hard && (r = courier_suppress(q, &of, to, 0, out->status, out->text)) < 0)
        return r;
    return (r = courier_bounce_event(q, out)) < 0 ? r : 1;
}

int courier_bounce_read(struct queue *q, struct arena *a, struct str address,
                        const Content__ReportResponse *m, struct courier_bounce **out, size_t *n_out)
{
    ptrdiff_t at = str_rchr(address, '@');
    uint8_t name[QUEUE_NAME_BYTES];
    struct queue_sent s;
    char *id;
    int r;

    *n_out = 0;
    if (m->n_recipients == 0 || at < 0)
        return 0;
    if ((r = courier_bounce_find(q, a, str_slice(address, 0, (size_t)at), &s)) < 0)
        return r == E_NOTFOUND || r == E_AUTH ? 0 : r;
    *out = ARENA_ARRAY(a, m->n_recipients, struct courier_bounce);
    id = arena_alloc(a, 2 * sizeof name + 1);
    if (!*out || !id)
        return E_NOMEM;
    for (int i = 0; i < 8; i++)
        name[i] = (uint8_t)(s.id >> (56 - 8 * i));
    memcpy(name + 8, s.tag, sizeof s.tag);
    hex_encode(name, sizeof name, id);
    for (size_t i = 0; i < m->n_recipients; i++) {
        if ((r = failed_one(q, a, &s, id, m->recipients[i], m, &(*out)[*n_out])) < 0)
            return r;
        *n_out += r > 0;
    }
    return 0;
}

void courier_bounce_tell(const struct courier_bounce *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        CLEANUP(buf_release) struct buf why = { .max = KIB(2) };
        struct note note = { .person = v[i].submitter,
                             .other = v[i].recipient,
                             .event = STR("bounced"),
                             .client = v[i].server,
                             .id = str_from(v[i].message) };

        if (buf_printf(&why, "%.*s %.*s", STR_ARG(v[i].status),
                       STR_ARG(str_slice(v[i].text, 0, QUEUE_ANSWER_MAX))) < 0)
            continue;
        note.why = str_trim(buf_str(&why));
        report_note(&note);
    }
}
