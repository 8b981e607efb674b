/* src/courier/dkim.c: the keys that sign (RFC 6376, 8463): two a domain, made when it is added, exchanged with overlap.
 *
 * Private keys are sealed in the queue's file under a subkey of their own, and are in memory once something of
 * their domain was signed. */
#include "src/courier/courier.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/rand.h"
#include "lib/mailauth/arc.h"

#define KEYS_MAX 8u /* of a domain, in rotation */
#define SIGNERS  512u
#define DAY_MS   INT64_C(86400000)
#define AD_MAX   400u
#define PEM_MAX  KIB(8)

struct key {
    struct dkim_private *key;
    char selector[64];
    int64_t from_ms, until_ms; /* 0: no end */
};

struct signer {
    char domain[256];
    struct key keys[KEYS_MAX];
    size_t n;
    unsigned refs;
    bool stale;
};

static struct signer *signers[SIGNERS]; /* whoever comes later takes the place */

static size_t slot_of(struct str domain)
{
    uint32_t h = 2166136261u;

    for (size_t i = 0; i < domain.n; i++)
        h = (h ^ (uint8_t)ascii_lower(domain.p[i])) * 16777619u;
    return h % SIGNERS;
}

void courier_signer_put(struct signer *s)
{
    if (!s || --s->refs)
        return;
    for (size_t i = 0; i < s->n; i++)
        dkim_private_free(&s->keys[i].key);
    free(s);
}

static void forget(struct str domain)
{
    size_t i = slot_of(domain);

    courier_signer_put(signers[i]);
    signers[i] = NULL;
}

struct signer *courier_signer_get(struct str domain)
{
    struct signer *s = signers[slot_of(domain)];

    if (!s || !str_ieq(str_from(s->domain), domain))
        return NULL;
    s->refs++;
    return s;
}

void courier_signer_keep(struct signer *s)
{
    size_t i = slot_of(str_from(s->domain));

    courier_signer_put(signers[i]);
    signers[i] = s;
    s->refs++;
}

/* ---- the file ---- */

static struct str ad_of(char out[AD_MAX], struct str domain, const char *selector)
{
    snprintf(out, AD_MAX, "dkim %.*s %s", STR_ARG(domain), selector);
    return str_from(out);
}

static int key_open(struct str domain, struct stmt *st, struct key *k)
{
    uint8_t pem[PEM_MAX];
    char ad[AD_MAX];
    struct str box = stmt_str(st, 1), selector = stmt_str(st, 0);
    int r;

    if (selector.n >= sizeof k->selector || box.n <= BOX_OVERHEAD_BYTES ||
        box.n - BOX_OVERHEAD_BYTES > sizeof pem)
        return E_CORRUPT;
    memcpy(k->selector, selector.p, selector.n);
    k->selector[selector.n] = '\0';
    r = box_open(role_subkey(courier.role, SUBKEY_QUEUE_SECRETS), ad_of(ad, domain, k->selector), box, pem);
    if (r == 0)
        r = dkim_private_from_pem(str_of(pem, box.n - BOX_OVERHEAD_BYTES), &k->key);
    bytes_wipe(pem, sizeof pem);
    k->from_ms = stmt_i64(st, 2);
    k->until_ms = stmt_i64(st, 3);
    return r;
}

int courier_signer_load(struct queue *q, struct str domain, struct signer **out)
{
    static const char SQL[] =
        "SELECT selector, private, signs_from, signs_until FROM dkim_key WHERE domain = ?1 AND "
        "(signs_until = 0 OR signs_until > ?2) ORDER BY id";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    struct signer *s = calloc(1, sizeof *s);
    int r;

    if (!s || domain.n >= sizeof s->domain) {
        free(s);
        return E_NOMEM;
    }
    s->refs = 1;
    for (size_t i = 0; i < domain.n; i++)
        s->domain[i] = ascii_lower(domain.p[i]);
    if ((r = stmt_get(queue_db(q), SQL, &st)) == 0) {
        stmt_bind_str(st, 1, str_from(s->domain));
        stmt_bind_i64(st, 2, queue_now(q));
        while (s->n < KEYS_MAX && (r = stmt_step(st)) > 0)
            if ((r = key_open(str_from(s->domain), st, &s->keys[s->n])) == 0)
                s->n++;
            else
                break;
    }
    if (r < 0) {
        courier_signer_put(s);
        return r;
    }
    *out = s;
    return 0;
}

/* ---- signing: on a worker ---- */

int courier_sign(const struct signer *s, const struct queue_message *m, const Courier__Arc *arc,
                 struct mailauth_message *msg, int body, struct buf *out)
{
    int64_t now = queue_now(courier.queue);
    bool forwarded = m->origin == COURIER__ORIGIN__FORWARDED;
    int r = 0;

    for (size_t i = 0; i < s->n && r == 0; i++) {
        const struct key *k = &s->keys[i];
        struct dkim_signer d = { .key = k->key,
                                 .domain = str_from(s->domain),
                                 .selector = str_from(k->selector),
                                 .now_s = clock_wall_ms() / 1000 };

        if (k->from_ms > now || (k->until_ms && k->until_ms <= now))
            continue;
        if (!forwarded) {
            r = dkim_make(msg, &d, body, out);
        } else if (arc && arc->results.len && dkim_private_algorithm(k->key) == DKIM_RSA_SHA256) {
            struct arc_result chain = { .code = (enum arc_code)arc->chain,
                                        .sets = arc->sets,
                                        .sealed_fail = arc->sealed_fail };

            r = arc_seal(msg, &d, body, &chain, pb_str(arc->results), out);
            return r == E_DENIED || r == E_UNAVAIL || r == E_SYNTAX ? 0 : r; /* it goes without */
        }
    }
    return r == E_SYNTAX ? 0 : r; /* no From: nothing that could be signed */
}

/* ---- making them ---- */

struct making {
    struct lane_job job;
    struct work_job work;
    struct rpc_req *q;
    char domain[256];
    bool rotate, any;
    struct dkim_private *made[2];
    int status;
    Courier__DkimResponse m;
};

static int list_run(struct queue *q, struct making *k)
{
    static const char SQL[] =
        "SELECT selector, algorithm, record, created, signs_from, signs_until FROM dkim_key WHERE "
        "domain = ?1 AND (signs_until = 0 OR signs_until > ?2) ORDER BY id";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    struct arena *a = rpc_req_arena(k->q);
    int r;

    courier__dkim_response__init(&k->m);
    if (!(k->m.keys = ARENA_ARRAY(a, 32, Courier__DkimKey *)))
        return E_NOMEM;
    if ((r = stmt_get(queue_db(q), SQL, &st)) < 0)
        return r;
    stmt_bind_str(st, 1, str_from(k->domain));
    stmt_bind_i64(st, 2, queue_now(q) - 7 * DAY_MS); /* signatures of before are still verified */
    while (k->m.n_keys < 32 && (r = stmt_step(st)) > 0) {
        Courier__DkimKey *x = ARENA_NEW(a, Courier__DkimKey);

        if (!x)
            return E_NOMEM;
        courier__dkim_key__init(x);
        x->selector = str_pb(arena_dup(a, stmt_str(st, 0)));
        x->algorithm = str_pb(str_from(dkim_algorithm_name((enum dkim_algorithm)stmt_i64(st, 1))));
        x->record = str_pb(arena_dup(a, stmt_str(st, 2)));
        x->created_ms = stmt_i64(st, 3);
        x->signs_from_ms = stmt_i64(st, 4);
        x->signs_until_ms = stmt_i64(st, 5);
        k->m.keys[k->m.n_keys++] = x;
    }
    return r < 0 ? r : 0;
}

static int key_add(struct queue *q, struct making *k, const struct dkim_private *key, int64_t from)
{
    static const char SQL[] =
        "INSERT INTO dkim_key (domain, selector, algorithm, private, record, created, signs_from) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    CLEANUP(buf_release) struct buf pem = { .max = PEM_MAX }, record = { .max = PEM_MAX };
    CLEANUP(stmt_release) struct stmt *st = NULL;
    uint8_t box[PEM_MAX + BOX_OVERHEAD_BYTES];
    char selector[64], ad[AD_MAX];
    int r;

    snprintf(selector, sizeof selector, "ll%s%08x",
             dkim_private_algorithm(key) == DKIM_RSA_SHA256 ? "r" : "e", (unsigned)rand_u64());
    if ((r = dkim_private_to_pem(key, &pem)) < 0 || (r = dkim_private_record(key, &record)) < 0 ||
        (r = stmt_get(queue_db(q), SQL, &st)) < 0)
        return r;
    box_seal(role_subkey(courier.role, SUBKEY_QUEUE_SECRETS), ad_of(ad, str_from(k->domain), selector),
             buf_str(&pem), box);
    stmt_bind_str(st, 1, str_from(k->domain));
    stmt_bind_str(st, 2, str_from(selector));
    stmt_bind_i64(st, 3, dkim_private_algorithm(key));
    stmt_bind_blob(st, 4, str_of(box, pem.n + BOX_OVERHEAD_BYTES));
    stmt_bind_str(st, 5, buf_str(&record));
    stmt_bind_i64(st, 6, queue_now(q));
    stmt_bind_i64(st, 7, from);
    return stmt_run(st);
}

/* The former ones sign until the records of the new ones have spread. */
static int keys_add(struct queue *q, struct making *k)
{
    static const char OLD[] = "UPDATE dkim_key SET signs_until = ?2 WHERE domain = ?1 AND signs_until = 0";
    int64_t from = queue_now(q) + (k->any ? (int64_t)courier_conf.dkim_spread_ms : 0);
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r;

    if ((r = stmt_get(queue_db(q), OLD, &st)) < 0)
        return r;
    stmt_bind_str(st, 1, str_from(k->domain));
    stmt_bind_i64(st, 2, from);
    r = stmt_run(st);
    for (size_t i = 0; i < ARRAY_LEN(k->made) && r == 0; i++)
        r = key_add(q, k, k->made[i], from);
    return r;
}

static int make_run(struct queue *q, struct lane_job *j)
{
    struct making *k = CONTAINER_OF(j, struct making, job);
    int r;

    if (k->made[0] && (r = keys_add(q, k)) < 0)
        return r;
    return list_run(q, k);
}

static void make_end(struct making *k, int status)
{
    for (size_t i = 0; i < ARRAY_LEN(k->made); i++)
        if (k->made[i])
            dkim_private_free(&k->made[i]);
    forget(str_from(k->domain));
    courier_reply(k->q, status, status < 0 ? NULL : &k->m.base);
}

static void generate(struct work_job *w)
{
    struct making *k = CONTAINER_OF(w, struct making, work);

    k->status = dkim_private_generate(DKIM_RSA_SHA256, (unsigned)courier_conf.dkim_rsa_bits, &k->made[0]);
    if (k->status == 0)
        k->status = dkim_private_generate(DKIM_ED25519_SHA256, 0, &k->made[1]);
}

static void make_done(struct lane_job *j, int status);

static void generated(struct work_job *w)
{
    struct making *k = CONTAINER_OF(w, struct making, work);

    k->job = (struct lane_job){ .run = make_run, .done = make_done };
    if (k->status < 0 || (k->status = lane_submit(&k->job)) < 0)
        make_end(k, k->status);
}

static void make_done(struct lane_job *j, int status)
{
    struct making *k = CONTAINER_OF(j, struct making, job);
    bool wants = rpc_req_op(k->q) == COURIER__OP__DKIM_ROTATE ||
                 (rpc_req_op(k->q) == COURIER__OP__DKIM_MAKE && k->m.n_keys == 0);

    if (status < 0 || k->made[0] || !wants) {
        make_end(k, status == 0 && k->m.n_keys == 0 ? E_NOTFOUND : status);
        return;
    }
    k->any = k->m.n_keys > 0;
    k->work = (struct work_job){ .run = generate, .done = generated };
    if ((status = work_submit(courier.pool, &k->work)) < 0)
        make_end(k, status);
}

static int forget_run(struct queue *q, struct lane_job *j)
{
    struct making *k = CONTAINER_OF(j, struct making, job);
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r;

    courier__dkim_response__init(&k->m);
    if ((r = stmt_get(queue_db(q), "DELETE FROM dkim_key WHERE domain = ?1", &st)) < 0)
        return r;
    stmt_bind_str(st, 1, str_from(k->domain));
    if ((r = stmt_run(st)) < 0 || (r = queue_bounce_webhook_set(q, str_from(k->domain), STR_NONE)) < 0 ||
        (r = queue_suppressed_forget(q, str_from(k->domain))) < 0)
        return r;
    return courier_webhook_key_forget(q, str_from(k->domain));
}

static void forgotten(struct lane_job *j, int status)
{
    make_end(CONTAINER_OF(j, struct making, job), status);
}

int courier_op_dkim(struct rpc_req *q, struct str body)
{
    Courier__DkimRequest *m = RPC_UNPACK(rpc_req_arena(q), body, courier__dkim_request);
    struct making *k = ARENA_NEW(rpc_req_arena(q), struct making);
    bool forgets = rpc_req_op(q) == COURIER__OP__DKIM_FORGET;
    int r;

    if (!m || !k)
        return m ? E_NOMEM : E_SYNTAX;
    if (m->domain.len == 0 || m->domain.len >= sizeof k->domain)
        return E_RANGE;
    k->q = q;
    for (size_t i = 0; i < m->domain.len; i++)
        k->domain[i] = ascii_lower((char)m->domain.data[i]);
    k->job =
        (struct lane_job){ .run = forgets ? forget_run : make_run, .done = forgets ? forgotten : make_done };
    if ((r = lane_submit(&k->job)) == 0)
        courier_begin();
    return r;
}
