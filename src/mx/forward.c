#include "src/mx/forward.h"
#include "lib/base/errors.h"
#include "lib/base/log.h"
#include "lib/base/rand.h"
#include "lib/crypto/box.h"
#include "src/mx/service.h"
#include <jansson.h>
#include <sodium.h>
#include <stdlib.h>

#define LINE_MAX_HELD 640u /* "Delivered-To: " and an address */

struct mx_forwarding {
    crypto_generichash_state hash;
    uint8_t digest[HASH_BYTES];
    bool hashed; /* digest is made */
    char line[LINE_MAX_HELD];
    size_t line_n;
    bool header_over;
};

/* aligned as the hash wants it; the place of the block stands before it */
static struct mx_forwarding *forwarding_new(void)
{
    struct mx_forwarding *f = aligned_alloc(64, (sizeof *f + 63) & ~(size_t)63);

    if (f)
        memset(f, 0, sizeof *f);
    return f;
}

void mx_forward_begin(struct smtp_session *s)
{
    struct mx_forwarding *f;

    mx_forward_forget(s);
    if ((!s->m.forwards && !mx_dsn_wanted(s)) || !(f = forwarding_new()))
        return;
    crypto_generichash_init(&f->hash, NULL, 0, HASH_BYTES);
    mx_own(s)->forwarding = f;
}

void mx_forward_forget(struct smtp_session *s)
{
    struct mx_forwarding *f = mx_own(s)->forwarding;

    mx_own(s)->forwarding = NULL;
    if (f)
        sodium_memzero(f, sizeof *f);
    free(f);
}

/* ---- circles ---- */

static void line_over(struct smtp_session *s, struct mx_forwarding *f)
{
    struct str line = str_of(f->line, f->line_n), name, value;

    f->line_n = 0;
    if (str_trim(line).n == 0) {
        f->header_over = true;
        return;
    }
    if (!str_cut(line, ':', &name, &value) || !str_ieq_z(str_trim(name), "delivered-to"))
        return;
    for (struct smtp_forward *x = s->m.forwards; x; x = x->next)
        x->looped = x->looped || str_ieq(str_trim(value), x->alias);
}

static void scan(struct smtp_session *s, struct mx_forwarding *f, struct str in)
{
    while (in.n && !f->header_over) {
        const char *lf = memchr(in.p, '\n', in.n);
        size_t n = lf ? (size_t)(lf - in.p) + 1 : in.n, room = LINE_MAX_HELD - f->line_n;

        memcpy(f->line + f->line_n, in.p, n < room ? n : room);
        f->line_n += n < room ? n : room;
        if (lf)
            line_over(s, f);
        in = str_skip(in, n);
    }
}

void mx_forward_feed(struct smtp_session *s, struct str in)
{
    struct mx_forwarding *f = mx_own(s)->forwarding;

    if (!f)
        return;
    crypto_generichash_update(&f->hash, (const uint8_t *)in.p, in.n);
    scan(s, f, in);
}

const struct smtp_reply *mx_forward_verdict(struct smtp_session *s)
{
    static const struct smtp_reply loop = { 554, "5.4.6",
                                            "This message was here before: it goes in circles" };
    struct smtp_message *m = &s->m;
    unsigned n = 0;

    for (struct smtp_forward **at = &m->forwards; *at;) {
        if ((*at)->looped) {
            *at = (*at)->next;
            n++;
        } else {
            at = &(*at)->next;
        }
    }
    m->nforwards -= n;
    if (n)
        log_event(LOG_WARN, "mx.circle", F_Z("id", m->id), F_U64("forwards", n), F_U64("left", m->nforwards));
    return n && !m->forwards && !m->nboxes && !m->ndiscards ? &loop : NULL;
}

/* ---- ids ---- */

struct str mx_forward_digest(struct smtp_session *s)
{
    struct mx_forwarding *f = mx_own(s)->forwarding;

    if (!f)
        return STR_NONE;
    if (!f->hashed)
        crypto_generichash_final(&f->hash, f->digest, sizeof f->digest);
    f->hashed = true;
    return str_of(f->digest, sizeof f->digest);
}

int mx_forward_id(struct smtp_session *s, const struct smtp_forward *to, uint8_t out[MX_DELIVERY_ID_BYTES])
{
    CLEANUP(buf_release) struct buf names = { .max = KIB(8) };
    const uint8_t *key = mx_own(s)->delivery_key;
    struct str digest = mx_forward_digest(s);

    if (!digest.n)
        return E_NOMEM;
    if (!s->m.scan.has_message_id || !key) {
        rand_bytes(out, MX_DELIVERY_ID_BYTES);
        return 0;
    }
    if (buf_printf(&names, "%.*s\n%c\n%.*s", STR_ARG(s->m.sender_address), to->webhook ? 'w' : 'a',
                   STR_ARG(to->to)) < 0)
        return E_NOMEM;
    kdf2(out, key, "letterlock delivery id of a forward", buf_str(&names), digest);
    return 0;
}

/* ---- facts ---- */

static json_t *text_json(struct str s)
{
    json_t *j = s.n ? json_stringn(s.p, s.n) : NULL; /* NULL when it is no UTF-8 */

    return j ? j : json_null();
}

static json_t *dkim_json(const struct mailauth_check *c)
{
    json_t *list = json_array();

    for (size_t i = 0; i < c->message.nsignatures; i++) {
        const struct dkim_signature *g = &c->message.signatures[i];

        json_array_append_new(list, json_pack("{s:s, s:o, s:o}", "result", dkim_code_name(g->code), "domain",
                                              text_json(g->domain), "selector", text_json(g->selector)));
    }
    return list;
}

static json_t *auth_json(const struct smtp_session *s)
{
    const struct mx_auth *a = mx_own(s)->auth;
    const struct mailauth_check *c = a ? &a->check : NULL;

    if (!c || !c->done)
        return json_null();
    return json_pack("{s:{s:s, s:s}, s:o, s:{s:s, s:s, s:s}, s:s}", "spf", "result",
                     spf_code_name(c->spf.code), "domain", c->spf.domain, "dkim", dkim_json(c), "dmarc",
                     "result", dmarc_code_name(c->dmarc.code), "policy", dmarc_policy_name(c->dmarc.policy),
                     "domain", c->from_domain, "arc", arc_code_name(c->arc.code));
}

int mx_forward_facts(const struct smtp_session *s, struct str alias, struct buf *out)
{
    json_t *j = json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:o}", "sender", text_json(s->m.sender_address),
        "recipient", text_json(alias), "peer", text_json(s->peer_ip), "peer_name", text_json(s->peer_name),
        "helo", text_json(s->helo), "tls", text_json(s->tls ? str_from(s->tls_text) : STR_NONE), "received",
        json_integer(s->m.received_ms), "id", s->m.id, "authentication", auth_json(s));
    char *text = j ? json_dumps(j, JSON_COMPACT) : NULL;
    int r = text ? buf_putz(out, text) : E_NOMEM;

    json_decref(j);
    free(text);
    return r;
}
