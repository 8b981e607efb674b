/* src/store/deliver.c: DELIVER and APPEND. A recipient's job finds the mailbox open or closed when its
 * turn in the lane comes. Open wants the message parsed first, which takes a trip to content; when the
 * job finds that it was not (closed when asked, open since), it comes back and is parsed. Nothing was
 * written then, so nothing can be doubled.
 *
 * A request that is repeated after our death names staged bytes that died with us. What it did before is
 * on disk with its operation id: then the answer is the same again, else E_GONE, and the bytes must come anew. */
#include "src/store/arrival.h"
#include "src/store/store.h"
#include "lib/base/hex.h"
#include "lib/base/rand.h"

#define AT_ONCE_MAX    8u
#define RECIPIENTS_MAX 1000u
#define PREPEND_MAX    KIB(16)
#define WANT_PARSE     1

struct deliver;

struct rcpt {
    struct job job;
    struct deliver *d;
    Store__Recipient *m;
    uint8_t operation[OPERATION_LEN], delivery[DELIVERY_ID_BYTES];
    struct arrival arrival;
    struct bytes_cat message;
    struct parsed parsed;
    bool is_parsed, duplicate, sealed;
    int result;
    struct lease_wait wait; /* for a larger lease; need: set in the lane with E_QUOTA */
    unsigned tries;
    struct actor *actor; /* a reference */
};

struct deliver {
    struct rpc_req *q;
    Store__DeliverRequest *m;
    struct staged *staged; /* a reference; NULL: a repeat whose bytes are gone */
    struct rcpt *v;
    size_t n, next, running;
    int status;
    bool looping;
    uint32_t duplicates;
};

/* ---- in the lane -------------------------------------------------------------------------------- */

static int rcpt_insert(struct rcpt *r, struct mailbox *box)
{
    CLEANUP(buf_release) struct buf ignored = { .max = KIB(64) };
    struct placement at = { .folder = STR("INBOX"),
                            .internal_ms = r->d->m->received_ms,
                            .limited = r->m->limited };
    Store__AppendResponse out = STORE__APPEND_RESPONSE__INIT;
    struct str op = str_of(r->operation, OPERATION_LEN), delivery = str_of(r->delivery, DELIVERY_ID_BYTES);
    char *keywords[ARRIVAL_KEYWORDS_MAX];
    struct email_in e;
    int known = mailbox_operation_find(box, op, STORE__OP__DELIVER, &ignored), s;

    if (known == 0 && !r->d->staged)
        return E_GONE;
    if (known == 0 && r->d->m->has_message_id)
        known = mailbox_delivery_find(box, delivery);
    r->duplicate = known > 0;
    if (known != 0)
        return known < 0 ? known : 0;
    if (!r->is_parsed)
        return WANT_PARSE;
    parsed_email(&r->parsed, &r->message.in, &e);
    arrival_place(&r->arrival, keywords, &at);
    at.judge = at.special_use != STORE__SPECIAL_USE__USE_SENT; /* the copy is its writer's own */
    s = mailbox_append(box, &e, &at, &out);
    r->wait.need = s == E_QUOTA ? mailbox_quota_short(box) : 0;
    if (s < 0 || (s = mailbox_operation_note(box, op, STORE__OP__DELIVER, STR(""))) < 0)
        return s;
    return r->d->m->has_message_id ? mailbox_delivery_note(box, delivery) : 0;
}

/* The public key as `.keys` had it when it was last read (we alone write that file), compared with what
 * the directory says of it now, every time. */
static int public_key_ready(struct rcpt *r)
{
    struct actor *a = r->job.actor;
    const uint8_t *mac = role_subkey(store.role, SUBKEY_KEYSTATE_MAC);
    int best = E_STALE;

    if (!a->have_public) {
        struct keyfile *kf = NULL;
        int s = keys_load(&store.files, a->id, &kf);

        if (s < 0)
            return s == E_NOTFOUND ? E_CORRUPT : s;
        keystate_of(kf, &a->known);
        memcpy(a->public_key, keyfile_public(kf, &a->public_generation), XWING_PUBLIC_BYTES);
        a->have_public = true;
        keyfile_free(&kf);
    }
    for (size_t i = 0; i < r->m->n_key_states && best < 0; i++) {
        struct keystate known;
        int s = keystate_open(pb_str(r->m->key_states[i]), mac, &known);

        best = s < 0 ? s : keystate_compare(&known, &a->known);
    }
    if (best < 0)
        a->have_public = false; /* look again next time: an operator may have mended it */
    return best < 0 ? best : 0;
}

/* Room for it under the lease of the temporary mailbox? What is there already needs none. */
static int temp_admit(struct rcpt *r, const struct temp_record *rec)
{
    struct actor *a = r->job.actor;
    struct quota_count q;
    int s = tempbox_known(a->temp, rec);

    r->wait.need = 0;
    if (s != 0 || !r->m->limited)
        return s < 0 ? s : 0;
    if ((s = tempbox_quota_get(a->temp, &q)) < 0)
        return s;
    if (q.used + r->message.in.bytes <= q.leased)
        return 0;
    r->wait.need = r->message.in.bytes;
    return E_QUOTA;
}

static int rcpt_seal(struct rcpt *r)
{
    struct actor *a = r->job.actor;
    struct temp_record rec = { .has_delivery = r->d->staged && r->d->m->has_message_id,
                               .received_ms = r->d->m->received_ms,
                               .arrival = &r->arrival };
    int s = public_key_ready(r);

    memcpy(rec.operation, r->operation, sizeof rec.operation);
    if (s == 0 && !r->d->staged) {
        s = tempbox_known(a->temp, &rec);
        r->duplicate = s > 0;
        return s == 0 ? E_GONE : s < 0 ? s : 0;
    }
    if (s < 0) {
        log_event(LOG_ALARM, "store.keys_refused", F_ERR(s));
        return s == E_CORRUPT ? E_STALE
                              : s; /* E_CORRUPT here is not the temporary file's: its group may go on */
    }
    memcpy(rec.delivery, r->delivery, sizeof rec.delivery);
    if ((s = temp_admit(r, &rec)) < 0)
        return s;
    s = tempbox_add(a->temp, a->public_key, a->public_generation, &rec, &r->message.in);
    r->duplicate = s > 0;
    r->sealed = true;
    return s < 0 ? s : 0;
}

static int rcpt_run(struct job *j, struct mailbox *box)
{
    struct rcpt *r = CONTAINER_OF(j, struct rcpt, job);

    return box ? rcpt_insert(r, box) : rcpt_seal(r);
}

/* ---- on the loop -------------------------------------------------------------------------------- */

static void deliver_go_on(struct deliver *d);

/* Each recipient's own result: who asks may answer for them one by one. */
static int answer_each(struct deliver *d, Store__DeliverResponse *resp)
{
    resp->results = ARENA_ARRAY(rpc_req_arena(d->q), d->n, int32_t);
    if (!resp->results)
        return E_NOMEM; /* then it is the answer of all: the worst of them */
    for (size_t i = 0; i < d->n; i++)
        resp->results[i] = d->v[i].result;
    resp->n_results = d->n;
    return 0;
}

static void deliver_answer(struct deliver *d)
{
    Store__DeliverResponse resp = STORE__DELIVER_RESPONSE__INIT;
    uint8_t raw[6];
    char text[13];

    rand_bytes(raw, sizeof raw);
    hex_encode(raw, sizeof raw, text);
    resp.queue_id = str_pb(str_of(text, 12));
    resp.duplicates = d->duplicates;
    if (d->m->each && answer_each(d, &resp) == 0)
        d->status = 0;
    log_event(LOG_INFO, d->status < 0 ? "store.deliver_failed" : "store.delivered", F_Z("queue_id", text),
              F_U64("bytes", d->staged ? d->staged->in.bytes : 0), F_U64("rcpts", d->n),
              F_U64("duplicates", d->duplicates),
              F_Z("error", d->status < 0 ? error_name(d->status) : "none"));
    for (size_t i = 0; i < d->n; i++) {
        parsed_release(&d->v[i].parsed);
        if (d->v[i].actor)
            actor_unref(d->v[i].actor);
    }
    free(d->v);
    if (d->staged && d->status == 0)
        staged_forget(d->staged); /* it has arrived */
    if (d->staged)
        staged_unref(d->staged);
    request_reply(d->q, d->status, d->status < 0 ? NULL : &resp.base, NULL);
    free(d);
}

static void rcpt_end(struct rcpt *r, int status)
{
    struct deliver *d = r->d;

    parsed_release(&r->parsed);
    r->result = status;
    d->running--;
    store.over_quota += status == E_QUOTA;
    if (status < 0)
        d->status = status; /* the others are still made: a repeat finds them, and doubles none */
    else if (r->duplicate)
        d->duplicates++, store.duplicates++;
    else if (r->sealed)
        store.delivered_sealed++;
    else
        store.delivered_open++;
    deliver_go_on(d);
}

static void rcpt_submit(struct rcpt *r);
static void rcpt_parse(struct rcpt *r);

static void rcpt_leased(struct lease_wait *w, int status)
{
    struct rcpt *r = CONTAINER_OF(w, struct rcpt, wait);

    if (status < 0) {
        rcpt_end(r, status);
        return;
    }
    if (!r->actor->lease.limited)
        r->m->limited = false; /* the limit has gone since the directory was asked for the alias */
    rcpt_submit(r);
}

static void rcpt_done(struct job *j)
{
    struct rcpt *r = CONTAINER_OF(j, struct rcpt, job);

    if (j->status == WANT_PARSE) {
        rcpt_parse(r);
    } else if (j->status == E_QUOTA && r->wait.need && r->tries++ < LEASE_TRIES_MAX) {
        r->wait.done = rcpt_leased;
        lease_want(r->actor, &r->wait);
    } else
        rcpt_end(r, j->status);
}

static void rcpt_submit(struct rcpt *r)
{
    int s;

    r->sealed = false;
    r->job = (struct job){ .kind = JOB_DELIVER, .repeatable = true, .run = rcpt_run, .done = rcpt_done };
    r->job.bytes = r->d->staged ? r->message.in.bytes : 0;
    if ((s = actor_submit(r->actor, &r->job)) < 0)
        rcpt_end(r, s);
}

static void rcpt_parsed(void *ctx, int status)
{
    struct rcpt *r = ctx;

    r->is_parsed = status == 0;
    if (status == 0)
        rcpt_submit(r);
    else
        rcpt_end(r, status);
}

static void rcpt_parse(struct rcpt *r)
{
    int s = parse_message(&r->message.in, spool_on_disk(r->d->staged->spool), &r->parsed, rcpt_parsed, r);

    if (s < 0)
        rcpt_end(r, s);
}

static void rcpt_begin(struct rcpt *r)
{
    struct deliver *d = r->d;

    if (!(r->actor = actor_get(r->m->mailbox_id.data))) {
        rcpt_end(r, E_NOMEM);
        return;
    }
    if (d->staged)
        bytes_cat_init(&r->message, pb_str(r->m->prepend), &d->staged->in);
    if (!d->staged)
        rcpt_submit(r);
    else if (r->actor->state == ACTOR_OPEN || r->actor->state == ACTOR_OPENING)
        rcpt_parse(r);
    else
        rcpt_submit(r);
}

/* What fails at once ends up here again: then the loop that is running goes on. */
static void deliver_go_on(struct deliver *d)
{
    if (d->looping)
        return;
    d->looping = true;
    while (d->running < AT_ONCE_MAX && d->next < d->n) {
        d->running++;
        rcpt_begin(&d->v[d->next++]);
    }
    d->looping = false;
    if (d->next == d->n && d->running == 0)
        deliver_answer(d);
}

/* ---- ids ---------------------------------------------------------------------------------------- */

/* "Did this message come already?": envelope sender, final recipient, the bytes as received. Without a
 * Message-ID the operation alone tells. */
static void ids_make(struct rcpt *r, struct str operation, size_t i)
{
    const uint8_t *key = role_subkey(store.role, SUBKEY_DELIVERY_ID);
    uint8_t sender[HASH_BYTES], address[HASH_BYTES], random[OPERATION_LEN], number[8], h[HASH_BYTES];
    CLEANUP(buf_release) struct buf all = { .max = 256 };

    kdf(sender, key, "letterlock envelope sender", pb_str(r->d->m->sender));
    /* who writes to himself gets the letter, and the copy of it */
    kdf(address, key,
        r->arrival.special_use == STORE__SPECIAL_USE__USE_SENT ? "letterlock sender's copy"
                                                               : "letterlock final recipient",
        pb_str(r->m->address));
    if (r->d->staged)
        memcpy(h, r->d->staged->hash, sizeof h);
    if (r->d->staged && buf_append(&all, sender, sizeof sender) == 0 &&
        buf_append(&all, address, sizeof address) == 0)
        kdf2(r->delivery, key, "letterlock delivery id", buf_str(&all), str_of(h, sizeof h));
    if (operation.n != OPERATION_LEN) {
        rand_bytes(random, sizeof random);
        operation = str_of(random, sizeof random);
    }
    le64_put(number, i);
    kdf2(h, key, "letterlock operation of a recipient", operation, str_of(number, sizeof number));
    memcpy(r->operation, h, sizeof r->operation);
}

static int deliver_check(const Store__DeliverRequest *m)
{
    if (m->n_recipients == 0 || m->n_recipients > RECIPIENTS_MAX)
        return m->n_recipients ? E_LIMIT : E_SYNTAX;
    for (size_t i = 0; i < m->n_recipients; i++) {
        const Store__Recipient *r = m->recipients[i];
        struct arrival a;
        int e;

        if (r->mailbox_id.len != MAILBOX_ID_LEN || r->prepend.len > PREPEND_MAX)
            return E_SYNTAX;
        if ((e = arrival_of(r, &a)) < 0 || (e = mailbox_keywords_check(r->keywords, r->n_keywords)) < 0)
            return e;
    }
    return 0;
}

int op_deliver(struct rpc_req *q, struct str body)
{
    Store__DeliverRequest *m = RPC_UNPACK(rpc_req_arena(q), body, store__deliver_request);
    struct deliver *d;
    struct staged *s;
    int r;

    if (!m || (r = deliver_check(m)) < 0)
        return m ? r : E_SYNTAX;
    if (store.stopping)
        return E_UNAVAIL;
    if (!(s = staged_find(q, pb_str(m->staging))) && !rpc_req_operation(q).n)
        return E_GONE; /* it died with a connection or the store: send it again */
    d = calloc(1, sizeof *d);
    if (d && !(d->v = calloc(m->n_recipients, sizeof *d->v))) {
        free(d);
        d = NULL;
    }
    if (!d)
        return E_NOMEM;
    d->q = q;
    d->m = m;
    d->staged = s;
    if (s)
        staged_ref(s);
    d->n = m->n_recipients;
    for (size_t i = 0; i < d->n; i++) {
        d->v[i].d = d;
        d->v[i].m = m->recipients[i];
        r = arrival_of(d->v[i].m, &d->v[i].arrival); /* was checked */
        ids_make(&d->v[i], rpc_req_operation(q), i);
    }
    request_begin();
    deliver_go_on(d);
    return 0;
}

/* ---- APPEND ------------------------------------------------------------------------------------- */

#define DATE_NOW INT64_MIN

/* One message of it. */
struct appended {
    struct staged *staged; /* NULL: forgotten */
    struct parsed parsed;
    struct placement at;
};

struct append {
    struct job job;
    struct rpc_req *q;
    Store__AppendRequest *m;
    struct actor *actor;
    Store__AppendResponse resp;
    struct lease_wait wait;
    unsigned tries;
    size_t n, nparsed;
    struct appended v[];
};

static int append_repeat(struct append *p, struct mailbox *box, struct str op)
{
    CLEANUP(buf_release) struct buf packed = { .max = KIB(64) };
    Store__AppendResponse *was;
    int r = op.n ? mailbox_operation_find(box, op, STORE__OP__APPEND, &packed) : 0;

    if (r <= 0)
        return r;
    if (!(was = store__append_response__unpack(NULL, packed.n, (const uint8_t *)packed.p)))
        return E_CORRUPT;
    p->resp.uidvalidity = was->uidvalidity;
    p->resp.uid = was->uid;
    p->resp.folder_id = was->folder_id;
    p->resp.highest_modseq = was->highest_modseq;
    p->resp.replaced_modseq = was->replaced_modseq;
    store__append_response__free_unpacked(was, NULL);
    return 1;
}

/* Before what comes instead, so that only the difference counts against the quota (RFC 8508 3.4). */
static int append_replace(struct append *p, struct mailbox *box)
{
    CLEANUP(arena_release) struct arena a = { .max = KIB(256) };
    uint32_t uid[2] = { p->m->replaces_uid, p->m->replaces_uid };
    Store__ExpungeRequest q = STORE__EXPUNGE_REQUEST__INIT;
    Store__ExpungeResponse out = STORE__EXPUNGE_RESPONSE__INIT;
    int r;

    if (!p->m->replaces_uid)
        return 0;
    q.folder_id = p->m->replaces_folder_id;
    q.any = true;
    q.n_uid_ranges = 2;
    q.uid_ranges = uid;
    if ((r = mailbox_expunge(box, &a, &q, &out)) < 0)
        return r;
    p->resp.replaced_modseq = out.highest_modseq;
    return out.n_vanished_ranges ? 0 : E_RANGE;
}

/* All of it in one step, which is undone whole. */
static int append_all(struct append *p, struct mailbox *box)
{
    uint32_t first = 0;
    int r = append_replace(p, box);

    for (size_t i = 0; i < p->n && r == 0; i++) {
        struct appended *one = &p->v[i];
        struct email_in e;

        if (!one->staged)
            return E_GONE;
        parsed_email(&one->parsed, &one->staged->in, &e);
        if (one->at.internal_ms == DATE_NOW)
            one->at.internal_ms = clock_wall_ms();
        r = mailbox_append(box, &e, &one->at, &p->resp);
        first = first ? first : p->resp.uid;
    }
    p->resp.uid = first;
    return r;
}

static int append_run(struct job *j, struct mailbox *box)
{
    struct append *p = CONTAINER_OF(j, struct append, job);
    struct str op = rpc_req_operation(p->q);
    uint8_t packed[80];
    size_t n;
    int r = append_repeat(p, box, op);

    if (r != 0)
        return r < 0 ? r : 0;
    mailbox_by(box, p->m->session.data);
    r = append_all(p, box);
    p->wait.need = r == E_QUOTA ? mailbox_quota_short(box) : 0;
    if (r < 0 || !op.n)
        return r;
    n = store__append_response__get_packed_size(&p->resp);
    if (n > sizeof packed)
        return E_BUG;
    store__append_response__pack(&p->resp, packed);
    return mailbox_operation_note(box, op, STORE__OP__APPEND, str_of(packed, n));
}

static void append_parsed(void *ctx, int status);

static void append_end(struct append *p, int status)
{
    store.over_quota += status == E_QUOTA;
    for (size_t i = 0; i < p->n; i++) {
        parsed_release(&p->v[i].parsed);
        if (p->v[i].staged && status == 0)
            staged_forget(p->v[i].staged);
        if (p->v[i].staged)
            staged_unref(p->v[i].staged);
    }
    actor_unref(p->actor);
    request_reply(p->q, status, status < 0 ? NULL : &p->resp.base, NULL);
    free(p);
}

static void append_leased(struct lease_wait *w, int status)
{
    append_parsed(CONTAINER_OF(w, struct append, wait), status == E_TOO_BIG ? E_QUOTA : status);
}

static void append_done(struct job *j)
{
    struct append *p = CONTAINER_OF(j, struct append, job);

    if (j->status != E_QUOTA || !p->wait.need || p->tries++ >= LEASE_TRIES_MAX) {
        append_end(p, j->status);
        return;
    }
    p->wait.done = append_leased;
    lease_want(p->actor, &p->wait);
}

/* One after the other; what was parsed waits in spools. */
static void append_parsed(void *ctx, int status)
{
    struct append *p = ctx;
    struct appended *one;

    while (status == 0 && p->nparsed < p->n) {
        one = &p->v[p->nparsed++];
        if (!one->staged)
            continue; /* a repeat after our death: what was done then is the answer */
        status = parse_message(&one->staged->in, spool_on_disk(one->staged->spool), &one->parsed,
                               append_parsed, p);
        if (status == 0)
            return;
    }
    p->job = (struct job){ .kind = JOB_WRITE, .repeatable = true, .run = append_run, .done = append_done };
    for (size_t i = 0; i < p->n; i++)
        p->job.bytes += p->v[i].staged ? p->v[i].staged->in.bytes : 0;
    if (status == 0)
        status = actor_submit(p->actor, &p->job);
    if (status < 0)
        append_end(p, status);
}

static bool append_find(struct append *p, size_t i, struct str staging, const struct placement *at)
{
    struct staged *g = staged_find(p->q, staging);

    p->v[i].at = *at;
    p->v[i].staged = g;
    if (g)
        staged_ref(g);
    return g != NULL;
}

/* False: some of it is not there any more. */
static bool append_find_all(struct append *p)
{
    Store__AppendRequest *m = p->m;
    struct placement at = { .folder = pb_str(m->to),
                            .flags = m->flags,
                            .keywords = m->keywords,
                            .nkeywords = m->n_keywords,
                            .internal_ms = m->has_date ? m->internal_date_ms : DATE_NOW };
    bool all = append_find(p, 0, pb_str(m->staging), &at);

    for (size_t i = 0; i < m->n_more; i++) {
        const Store__AppendRequest__Message *one = m->more[i];

        at.flags = one->flags;
        at.keywords = one->keywords;
        at.nkeywords = one->n_keywords;
        at.internal_ms = one->has_date ? one->internal_date_ms : DATE_NOW;
        all &= append_find(p, i + 1, pb_str(one->staging), &at);
    }
    return all;
}

int op_append(struct rpc_req *q, struct str body)
{
    Store__AppendRequest *m = RPC_UNPACK(rpc_req_arena(q), body, store__append_request);
    struct session *s = m ? session_of(q, pb_str(m->session)) : NULL;
    struct append *p;

    if (!m)
        return E_SYNTAX;
    if (!s)
        return E_GONE;
    if (!(p = calloc(1, sizeof *p + (1 + m->n_more) * sizeof p->v[0])))
        return E_NOMEM;
    p->q = q;
    p->m = m;
    p->actor = s->actor;
    p->n = 1 + m->n_more;
    p->resp = (Store__AppendResponse)STORE__APPEND_RESPONSE__INIT;
    actor_ref(s->actor);
    request_begin();
    if (!append_find_all(p) && !rpc_req_operation(q).n)
        append_end(p, E_GONE);
    else
        append_parsed(p, 0);
    return 0;
}
