/* src/courier/webhook_key.c: one secret a domain, that its webhooks are signed with: made when it is first needed,
 * sealed in the queue's file under a subkey of its own. */
#include "lib/base/hex.h"
#include "lib/base/rand.h"
#include "src/courier/courier.h"

#define AD_MAX        400u
#define KEY_RAW_BYTES (WEBHOOK_KEY_LEN / 2)

static bool lower(struct str domain, char out[256])
{
    if (domain.n == 0 || domain.n > 255)
        return false;
    for (size_t i = 0; i < domain.n; i++)
        out[i] = ascii_lower(domain.p[i]);
    out[domain.n] = '\0';
    return true;
}

static struct str ad_of(char out[AD_MAX], const char *domain)
{
    snprintf(out, AD_MAX, "webhook %s ", domain);
    return str_from(out);
}

static int key_find(struct queue *q, const char *domain, uint8_t raw[KEY_RAW_BYTES])
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    char ad[AD_MAX];
    struct str box;
    int r;

    if ((r = stmt_get(queue_db(q), "SELECT private FROM webhook_key WHERE domain = ?1", &st)) < 0)
        return r;
    stmt_bind_str(st, 1, str_from(domain));
    if ((r = stmt_step(st)) <= 0)
        return r;
    box = stmt_str(st, 0);
    if (box.n != KEY_RAW_BYTES + BOX_OVERHEAD_BYTES)
        return E_CORRUPT;
    r = box_open(role_subkey(courier.role, SUBKEY_QUEUE_SECRETS), ad_of(ad, domain), box, raw);
    return r < 0 ? r : 1;
}

static int key_make(struct queue *q, const char *domain, uint8_t raw[KEY_RAW_BYTES])
{
    static const char SQL[] = "INSERT INTO webhook_key (domain, private, created) VALUES (?1, ?2, ?3) "
                              "ON CONFLICT (domain) DO UPDATE SET private = ?2, created = ?3";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    uint8_t box[KEY_RAW_BYTES + BOX_OVERHEAD_BYTES];
    char ad[AD_MAX];
    int r;

    if ((r = stmt_get(queue_db(q), SQL, &st)) < 0)
        return r;
    rand_bytes(raw, KEY_RAW_BYTES);
    box_seal(role_subkey(courier.role, SUBKEY_QUEUE_SECRETS), ad_of(ad, domain), str_of(raw, KEY_RAW_BYTES),
             box);
    stmt_bind_str(st, 1, str_from(domain));
    stmt_bind_blob(st, 2, str_of(box, sizeof box));
    stmt_bind_i64(st, 3, queue_now(q));
    return stmt_run(st);
}

int courier_webhook_key(struct queue *q, struct str domain, bool rotate, char out[WEBHOOK_KEY_LEN + 1])
{
    uint8_t raw[KEY_RAW_BYTES];
    char name[256];
    int r;

    if (!lower(domain, name))
        return E_RANGE;
    r = rotate ? 0 : key_find(q, name, raw);
    if (r == 0)
        r = key_make(q, name, raw);
    if (r >= 0)
        hex_encode(raw, sizeof raw, out);
    bytes_wipe(raw, sizeof raw);
    return r < 0 ? r : 0;
}

int courier_webhook_key_forget(struct queue *q, struct str domain)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    char name[256];
    int r;

    if (!lower(domain, name))
        return E_RANGE;
    if ((r = stmt_get(queue_db(q), "DELETE FROM webhook_key WHERE domain = ?1", &st)) < 0)
        return r;
    stmt_bind_str(st, 1, str_from(name));
    return stmt_run(st);
}

/* ---- for people ---- */

struct showing {
    struct lane_job job;
    struct rpc_req *q;
    Courier__WebhookKeyRequest *m;
    char key[WEBHOOK_KEY_LEN + 1];
};

static int show_run(struct queue *q, struct lane_job *j)
{
    struct showing *s = CONTAINER_OF(j, struct showing, job);

    return courier_webhook_key(q, pb_str(s->m->domain), s->m->rotate, s->key);
}

static void show_done(struct lane_job *j, int status)
{
    struct showing *s = CONTAINER_OF(j, struct showing, job);
    Courier__WebhookKeyResponse m = COURIER__WEBHOOK_KEY_RESPONSE__INIT;
    char key[WEBHOOK_KEY_LEN + 1];

    memcpy(key, s->key, sizeof key);
    bytes_wipe(s->key, sizeof s->key);
    m.key = str_pb(str_from(key));
    courier_reply(s->q, status, status < 0 ? NULL : &m.base);
    bytes_wipe(key, sizeof key);
}

int courier_op_webhook_key(struct rpc_req *q, struct str body)
{
    Courier__WebhookKeyRequest *m = RPC_UNPACK(rpc_req_arena(q), body, courier__webhook_key_request);
    struct showing *s = ARENA_NEW(rpc_req_arena(q), struct showing);
    int r;

    if (!m || !s)
        return m ? E_NOMEM : E_SYNTAX;
    s->q = q;
    s->m = m;
    s->job = (struct lane_job){ .run = show_run, .done = show_done };
    if ((r = lane_submit(&s->job)) == 0)
        courier_begin();
    return r;
}
