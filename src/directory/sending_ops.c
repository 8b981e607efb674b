/* src/directory/sending_ops.c: requests about sending, to rows and back. */
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/rpc/rpc.h"
#include "src/directory/ops.h"
#include "src/directory/sending.h"

#define AS_MAX 64u /* addresses that one message is sent as */

static bool may_send_as(struct arena *a, struct str own, struct str other, bool as_domain)
{
    struct address me, as;

    if (address_parse(a, own, &me) < 0 || address_parse(a, other, &as) < 0)
        return false;
    return str_eq(me.domain, as.domain) && (as_domain || str_eq(me.local, as.local));
}

static int resolve(struct db *db, struct arena *a, struct str address, Directory__ResolveResponse **out)
{
    struct directory_answer answer = { .body = NULL };
    Directory__ResolveRequest q = DIRECTORY__RESOLVE_REQUEST__INIT;
    int r;

    q.address = str_pb(address);
    r = directory_op_of(DIRECTORY__OP__RESOLVE)->run(db, a, &q, &answer);
    *out = (Directory__ResolveResponse *)(uintptr_t)answer.body;
    return r;
}

static void limits_of(const Directory__SenderRequest *q, int64_t limits[SENDING_KINDS][2])
{
    for (int k = 0; k < SENDING_KINDS; k++)
        limits[k][0] = limits[k][1] = SENDING_NO_LIMIT;
    for (size_t i = 0; i < q->n_limits; i++) {
        const Directory__SendLimit *l = q->limits[i];

        if (l->kind >= 0 && (int)l->kind < SENDING_KINDS) {
            limits[l->kind][0] =
                l->messages && l->messages < INT64_MAX ? (int64_t)l->messages : SENDING_NO_LIMIT;
            limits[l->kind][1] =
                l->recipients && l->recipients < INT64_MAX ? (int64_t)l->recipients : SENDING_NO_LIMIT;
        }
    }
}

static int count(struct db *db, const Directory__SenderRequest *q, const struct sending *s,
                 Directory__SenderResponse *m)
{
    struct sending_refusal no = { .limit = 0 };
    int r = sending_take(db, s, q->messages, q->recipients, q->back, clock_wall_ms(), &no);

    if (r != E_QUOTA)
        return r;
    m->refused = true;
    m->kind = (Directory__LeaseScope__Kind)no.kind;
    m->of_recipients = no.of_recipients;
    m->limit = no.limit;
    m->opens_ms = no.opens_ms;
    return 0;
}

int directory_run_sender(struct db *db, struct arena *a, const void *request, struct directory_answer *out)
{
    const Directory__SenderRequest *q = request;
    Directory__SenderResponse *m = directory_message(a, &directory__sender_response__descriptor);
    int64_t limits[SENDING_KINDS][2];
    struct sending s;
    int r;

    if (!m)
        return E_NOMEM;
    if (q->n_as > AS_MAX)
        return E_LIMIT;
    if ((r = resolve(db, a, pb_str(q->address), &m->who)) < 0)
        return r;
    out->body = &m->base;
    if (m->who->result != DIRECTORY__RESOLVE_RESPONSE__RESULT__OK)
        return 0;
    limits_of(q, limits);
    if ((r = sending_of(db, m->who->alias_id, limits, &s)) < 0)
        return r;
    m->as_domain = s.as_domain;
    m->copy = s.copy;
    m->language = str_pb(arena_dup(a, str_from(s.language)));
    for (size_t i = 0; i < q->n_as && !m->foreign; i++)
        if (!may_send_as(a, pb_str(m->who->address), pb_str(q->as[i]), s.as_domain))
            m->foreign = (uint32_t)i + 1;
    return m->foreign || !q->messages ? 0 : count(db, q, &s, m);
}

static int64_t number(bool set, int64_t v)
{
    return set ? v : SENDING_NOT_SAID;
}

/* language-tag of RFC 5646 2.1, its letters only. */
static bool is_language(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_alpha(s.p[i]) && (i == 0 || (!ascii_digit(s.p[i]) && s.p[i] != '-')))
            return false;
    return s.n <= SENDING_LANGUAGE_MAX;
}

static void answer_rule(const struct sending_rule *rule, struct arena *a, Directory__Sending *m)
{
    m->has_as_domain = rule->as_domain != SENDING_NOT_SAID;
    m->as_domain = rule->as_domain == 1;
    m->has_copy = rule->copy != SENDING_NOT_SAID;
    m->copy = rule->copy == 1;
    m->has_messages = rule->messages != SENDING_NOT_SAID;
    m->messages = m->has_messages ? rule->messages : 0;
    m->has_recipients = rule->recipients != SENDING_NOT_SAID;
    m->recipients = m->has_recipients ? rule->recipients : 0;
    m->language = str_pb(arena_dup(a, str_from(rule->language)));
}

int directory_run_sending(struct db *db, struct arena *a, const void *request, struct directory_answer *out)
{
    const Directory__SendingRequest *q = request;
    const Directory__Sending *s = q->set;
    Directory__Sending *m = directory_message(a, &directory__sending__descriptor);
    struct sending_rule rule,
        set = { SENDING_NOT_SAID, SENDING_NOT_SAID, SENDING_NOT_SAID, SENDING_NOT_SAID, "" };
    const bool forget[5] = { q->forget & 1, q->forget & 2, q->forget & 4, q->forget & 8, q->forget & 16 };
    struct address addr = { .local = STR_NONE };
    struct str name = pb_str(q->name);
    int r = 0;

    if (!m)
        return E_NOMEM;
    if (q->kind == DIRECTORY__LEASE_SCOPE__KIND__DOMAIN)
        r = address_domain(a, name, &name);
    else if (q->kind == DIRECTORY__LEASE_SCOPE__KIND__ALIAS)
        r = address_parse(a, name, &addr);
    else if (q->kind != DIRECTORY__LEASE_SCOPE__KIND__ACCOUNT)
        r = E_SYNTAX;
    if (r == 0 && s && (s->messages < -1 || s->recipients < -1))
        r = E_RANGE;
    if (r == 0 && s && !is_language(pb_str(s->language)))
        r = E_SYNTAX;
    if (r == 0 && s) {
        set = (struct sending_rule){ number(s->has_as_domain, s->as_domain), number(s->has_copy, s->copy),
                                     number(s->has_messages, s->messages),
                                     number(s->has_recipients, s->recipients), "" };
        snprintf(set.language, sizeof set.language, "%.*s", STR_ARG(pb_str(s->language)));
    }
    if (r < 0 || (r = sending_set(db, (enum sending_kind)q->kind, name, &addr, &set, forget, &rule)) < 0)
        return r;
    answer_rule(&rule, a, m);
    out->body = &m->base;
    return 0;
}
