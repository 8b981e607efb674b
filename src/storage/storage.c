/* src/storage/storage.c
 *
 * The role that keeps objects elsewhere: S3. It alone has the credentials and dials the endpoints that the
 * configuration and its places name, at addresses that the resolver gave; the bytes that pass through it are closed already. It has no file and
 * no key of ours. Beside the relay, which dials whoever gets mail, since a peer that takes over the one shall not
 * have the credentials of the other. */
#include "lib/base/errors.h"
#include "lib/base/log.h"
#include "lib/s3/s3.h"
#include "proto/storage.pb-c.h"
#include "src/common/places.h"
#include "src/common/resolve.h"
#include "src/common/role.h"
#include "src/storage/conf.h"
#include <arpa/inet.h>
#include <stdio.h>

#define NAME_MAX_BYTES 127u
#define RESOLVE_MS     8000
#define LIST_BYTES_MAX (RPC_BODY_MAX - KIB(4))

static struct storage_conf conf;
/* A bucket, and a prefix in it: the configuration's, and those of storage.places. */
struct bucket {
    char name[PLACE_NAME_MAX + 1]; /* "": the configuration's */
    struct s3 *s3;
    uint16_t port;
    struct resolving {
        struct bucket *bucket;
        struct resolve *asked;
    } asked[2]; /* A, AAAA */
    struct buf addresses;
    uint32_t ttl_s;
};
static struct {
    struct role *role;
    struct http_client *http;
    struct bucket buckets[1 + PLACES_MAX];
    size_t n;
    uint64_t putting, getting;
} storage;

/* ---- names and addresses ---- */

static bool name_take(struct str s, char out[NAME_MAX_BYTES + 1])
{
    if (s.n == 0 || s.n > NAME_MAX_BYTES || s.p[0] == '/' || s.p[0] == '.')
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_digit(s.p[i]) && !(s.p[i] >= 'a' && s.p[i] <= 'z') && !strchr(".-/", s.p[i]))
            return false;
    memcpy(out, s.p, s.n);
    out[s.n] = '\0';
    return true;
}

static struct s3 *s3_of(ProtobufCBinaryData place)
{
    for (size_t i = 0; i < storage.n; i++)
        if (str_eq_z(pb_str(place), storage.buckets[i].name))
            return storage.buckets[i].s3;
    return NULL;
}

static bool may_dial(void *ctx UNUSED, const struct sockaddr *sa)
{
    for (size_t i = 0; i < storage.n; i++)
        if (s3_may_dial(storage.buckets[i].s3, sa))
            return true;
    return false;
}

static void address_add(struct bucket *b, const struct dns_record *r)
{
    char text[INET6_ADDRSTRLEN] = "";
    const char *comma = b->addresses.n ? "," : "";

    if (!inet_ntop(r->type == DNS_A ? AF_INET : AF_INET6, r->type == DNS_A ? r->a : r->aaaa, text,
                   sizeof text))
        return;
    if (buf_printf(&b->addresses, r->type == DNS_A ? "%s%s" : "%s[%s]", comma, text) < 0)
        return; /* those that fit are enough */
    b->ttl_s = r->ttl_s < b->ttl_s ? r->ttl_s : b->ttl_s;
}

static void resolved(void *ctx, const struct dns_answer *a)
{
    struct resolving *one = ctx;
    struct bucket *b = one->bucket;
    const char *text;

    one->asked = NULL;
    for (size_t k = 0; a->status == DNS_OK && k < a->n && k < 8; k++)
        address_add(b, &a->records[k]);
    if (b->asked[0].asked || b->asked[1].asked)
        return;
    text = buf_z(&b->addresses);
    if (!b->addresses.n || !text)
        s3_resolved(b->s3, E_UNAVAIL, "", 0);
    else
        s3_resolved(b->s3, 0, text, b->ttl_s);
}

static void resolve(void *ctx, struct s3 *s, const char *host)
{
    static const uint16_t types[] = { DNS_A, DNS_AAAA };
    struct bucket *b = ctx;

    buf_clear(&b->addresses);
    b->ttl_s = UINT32_MAX;
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        struct dns_question q = { str_from(host), types[i] };

        b->asked[i] = (struct resolving){ .bucket = b };
        b->asked[i].asked =
            resolve_ask(role_link(storage.role, ROLE_RESOLVER), &q, RESOLVE_MS, resolved, &b->asked[i]);
    }
    if (!b->asked[0].asked && !b->asked[1].asked)
        s3_resolved(s, E_NOMEM, "", 0);
}

static void request_failed(void *ctx, const char *what, int status, int http, const char *code)
{
    const struct bucket *b = ctx;

    log_event(LOG_ERROR, "storage.request_failed", F_Z("request", what), F_ERR(status), F_I64("http", http),
              F_Z("code", code), F_Z("place", b->name));
}

/* ---- PUT ---- */

struct putting {
    struct rpc_req *q;
    struct s3_put *put;
    struct buf wait; /* came, and there was no room */
    bool cancelled, extra;
};

static void put_pump(struct putting *p)
{
    while (p->put && p->wait.n) {
        size_t n = size_min(s3_put_room(p->put), p->wait.n);

        if (n == 0)
            return;
        s3_put_data(p->put, str_of(p->wait.p, n));
        buf_drop(&p->wait, n);
        rpc_req_consumed(p->q, n);
    }
}

static void put_room(void *ctx)
{
    put_pump(ctx);
}

static void put_done(void *ctx, int status, struct str version)
{
    Storage__PutResponse m = STORAGE__PUT_RESPONSE__INIT;
    struct putting *p = ctx;

    p->put = NULL;
    storage.putting--;
    m.versioned = version.n > 0;
    m.version = str_pb(version);
    rpc_req_on_data(p->q, NULL, NULL);
    rpc_reply(p->q, p->extra ? E_TOO_BIG : status, &m.base, NULL);
    buf_release(&p->wait);
    free(p);
}

static void put_data(void *ctx, struct str data, bool end UNUSED)
{
    struct putting *p = ctx;

    if (p->extra || !p->put)
        return;
    if (buf_append(&p->wait, data.p, data.n) < 0) {
        p->extra = true;
        s3_put_cancel(p->put);
        return;
    }
    put_pump(p);
}

static void put_cancelled(void *ctx)
{
    struct putting *p = ctx;

    s3_put_cancel(p->put);
}

static int op_put(struct rpc_req *q, struct str body)
{
    Storage__PutRequest *m = RPC_UNPACK(rpc_req_arena(q), body, storage__put_request);
    char name[NAME_MAX_BYTES + 1];
    struct putting *p;
    struct s3 *s;

    if (!m || !name_take(pb_str(m->name), name))
        return E_SYNTAX;
    if (!(s = s3_of(m->place)))
        return E_UNAVAIL;
    if (!(p = calloc(1, sizeof *p)))
        return E_NOMEM;
    p->q = q;
    p->wait.max = 2 * RPC_WINDOW;
    rpc_req_on_data(q, put_data, p);
    rpc_req_on_cancel(q, put_cancelled, p);
    if (!(p->put = s3_put_new(s, name, m->bytes, put_room, put_done, p))) {
        free(p);
        return E_NOMEM;
    }
    storage.putting++;
    return 0;
}

/* ---- GET ---- */

struct getting {
    struct rpc_req *q;
    struct s3_get *get;
    struct buf window;
    size_t sent; /* of the window */
};

static void get_end(struct getting *g, int status)
{
    storage.getting--;
    rpc_req_on_room(g->q, NULL, NULL);
    rpc_reply(g->q, status, NULL, NULL);
    buf_release(&g->window);
    free(g);
}

static void get_done(void *ctx, int status)
{
    get_end(ctx, status);
}

static void get_pump(void *ctx)
{
    struct getting *g = ctx;

    while (g->sent < g->window.n) {
        size_t n = size_min(size_min(rpc_req_room(g->q), RPC_DATA_MAX), g->window.n - g->sent);

        if (n == 0)
            return;
        if (rpc_req_send(g->q, str_of(g->window.p + g->sent, n)) < 0) {
            s3_get_cancel(g->get);
            get_end(g, E_NOMEM);
            return;
        }
        g->sent += n;
    }
    if (!g->window.n)
        return;
    buf_clear(&g->window);
    s3_get_next(g->get);
}

static void get_window(void *ctx, struct str bytes)
{
    struct getting *g = ctx;

    g->sent = 0;
    if (buf_puts(&g->window, bytes) == 0) {
        get_pump(g);
        return;
    }
    s3_get_cancel(g->get);
    get_end(g, E_NOMEM);
}

static void get_cancelled(void *ctx)
{
    struct getting *g = ctx;

    s3_get_cancel(g->get);
    get_end(g, E_CANCELED);
}

static int op_get(struct rpc_req *q, struct str body)
{
    Storage__GetRequest *m = RPC_UNPACK(rpc_req_arena(q), body, storage__get_request);
    char name[NAME_MAX_BYTES + 1];
    struct getting *g;
    struct s3 *s;

    if (!m || !name_take(pb_str(m->name), name))
        return E_SYNTAX;
    if (!(s = s3_of(m->place)))
        return E_UNAVAIL;
    if (!(g = calloc(1, sizeof *g)))
        return E_NOMEM;
    g->q = q;
    g->window.max = S3_WINDOW;
    g->get = s3_get_new(s, name, m->at, m->max ? m->max : UINT64_MAX, get_window, get_done, g);
    if (!g->get) {
        free(g);
        return E_NOMEM;
    }
    rpc_req_on_cancel(q, get_cancelled, g);
    rpc_req_on_room(q, get_pump, g);
    storage.getting++;
    return 0;
}

/* ---- LIST and DELETE ---- */

struct calling {
    struct rpc_req *q;
    struct s3_call *call;
    bool by_folder;
};

static void call_cancelled(void *ctx)
{
    struct calling *c = ctx;

    s3_call_cancel(c->call);
    rpc_reply(c->q, E_CANCELED, NULL, NULL);
    free(c);
}

/* NULL: the arena of the request is used up, or this is nothing of ours. */
static Storage__Entry *entry_of(struct arena *a, const struct s3_entry *e)
{
    Storage__Entry *out = ARENA_NEW(a, Storage__Entry);
    struct str name = e->is_folder ? str_slice(e->key, 0, e->key.n - 1) : e->key;
    char text[NAME_MAX_BYTES + 1];

    if (!out || !name_take(name, text))
        return NULL;
    storage__entry__init(out);
    out->name = str_pb(name);
    out->bytes = e->bytes;
    out->version = str_pb(e->version);
    out->folder = e->is_folder;
    out->mark = e->is_marker;
    return out;
}

static void list_done(void *ctx, int status, const struct s3_page *page)
{
    Storage__ListResponse m = STORAGE__LIST_RESPONSE__INIT;
    struct calling *c = ctx;
    struct arena *a = rpc_req_arena(c->q);

    if (status == 0 && page->n && !(m.entries = ARENA_ARRAY(a, page->n, Storage__Entry *)))
        status = E_NOMEM;
    for (const struct s3_entry *e = status == 0 ? page->list : NULL; e; e = e->next)
        if ((m.entries[m.n_entries] = entry_of(a, e)))
            m.n_entries++;
    if (status == 0) {
        m.more = page->more;
        m.after = str_pb(page->next);
        m.after_version = str_pb(page->next_version);
        if (storage__list_response__get_packed_size(&m) > LIST_BYTES_MAX)
            status = E_LIMIT;
    }
    rpc_reply(c->q, status, status < 0 ? NULL : &m.base, NULL);
    free(c);
}

static const char *text_of(struct rpc_req *q, ProtobufCBinaryData b)
{
    return b.len > S3_TOKEN_LEN || memchr(b.data ? b.data : (const uint8_t *)"", 0, b.len)
               ? NULL
               : arena_dupz(rpc_req_arena(q), pb_str(b));
}

static int begun(struct rpc_req *q, struct calling *c)
{
    if (!c->call) {
        free(c);
        return E_NOMEM;
    }
    rpc_req_on_cancel(q, call_cancelled, c);
    return 0;
}

static int op_list(struct rpc_req *q, struct str body)
{
    Storage__ListRequest *m = RPC_UNPACK(rpc_req_arena(q), body, storage__list_request);
    const char *after = m ? text_of(q, m->after) : NULL, *version = m ? text_of(q, m->after_version) : NULL;
    char prefix[NAME_MAX_BYTES + 1] = "";
    struct calling *c;
    struct s3 *s;

    if (!after || !version || (unsigned)m->kind > S3_UPLOADS ||
        (m->prefix.len && !name_take(pb_str(m->prefix), prefix)))
        return E_SYNTAX;
    if (!(s = s3_of(m->place)))
        return E_UNAVAIL;
    if (!(c = calloc(1, sizeof *c)))
        return E_NOMEM;
    c->q = q;
    c->call = s3_list(s, (enum s3_listed)m->kind, prefix, m->by_folder, after, version, list_done, c);
    return begun(q, c);
}

static void delete_done(void *ctx, int status)
{
    struct calling *c = ctx;

    rpc_reply(c->q, status, NULL, NULL);
    free(c);
}

static int op_delete(struct rpc_req *q, struct str body)
{
    Storage__DeleteRequest *m = RPC_UNPACK(rpc_req_arena(q), body, storage__delete_request);
    const char *version = m ? text_of(q, m->version) : NULL;
    char name[NAME_MAX_BYTES + 1];
    struct calling *c;
    struct s3 *s;

    if (!version || !name_take(pb_str(m->name), name) || (unsigned)m->kind > S3_UPLOADS ||
        (m->kind != STORAGE__KIND__OBJECTS) != (version[0] != '\0'))
        return E_SYNTAX;
    if (!(s = s3_of(m->place)))
        return E_UNAVAIL;
    if (!(c = calloc(1, sizeof *c)))
        return E_NOMEM;
    c->q = q;
    c->call = s3_delete(s, (enum s3_listed)m->kind, name, version, delete_done, c);
    return begun(q, c);
}

/* ---- STATUS ---- */

static int op_status(struct rpc_req *q, struct str body UNUSED)
{
    Storage__StatusResponse m = STORAGE__STATUS_RESPONSE__INIT;

    for (size_t i = 0; i < storage.n; i++) {
        struct s3_counts n = s3_counts(storage.buckets[i].s3);

        m.requests += n.requests;
        m.repeated += n.repeated;
        m.failed += n.failed;
        m.sent_bytes += n.sent_bytes;
        m.got_bytes += n.got_bytes;
    }
    m.putting = storage.putting;
    m.getting = storage.getting;
    rpc_reply(q, 0, &m.base, NULL);
    return 0;
}

static const struct rpc_op ops[] = {
    [STORAGE__OP__STATUS] = { .run = op_status, .from = FROM(STORE) | FROM(JOBS) | FROM(CTL) },
    [STORAGE__OP__PUT] = { .run = op_put, .from = FROM(STORE), .flags = RPC_UP },
    [STORAGE__OP__GET] = { .run = op_get, .from = FROM(STORE), .flags = RPC_DOWN },
    [STORAGE__OP__LIST] = { .run = op_list, .from = FROM(STORE) },
    [STORAGE__OP__DELETE] = { .run = op_delete, .from = FROM(STORE) },
};
static const struct rpc_service service = { .name = "storage", .ops = ops, .nops = ARRAY_LEN(ops) };

/* ---- life ---- */

/* A bucket more. The supervisor has read all of this too, and said why it is not good. */
static int bucket_add(const struct place_row *row)
{
    struct s3_conf c = { .path_style = row->path_style,
                         .part_bytes = conf.part_bytes,
                         .tries = (unsigned)conf.tries,
                         .backoff_ms = (int64_t)conf.backoff_ms,
                         .request_ms = (int64_t)conf.request_ms,
                         .stall_ms = (int64_t)conf.stall_ms };
    struct bucket *b = &storage.buckets[storage.n];
    const struct s3_owner owner = { .resolve = resolve, .failed = request_failed, .ctx = b };
    int e;

    *b = (struct bucket){ .addresses = { .max = KIB(1) - 1 } };
    snprintf(b->name, sizeof b->name, "%s", row->name);
    if ((e = s3_place_parse(str_from(row->target), str_from(row->endpoint), &c.place)) < 0)
        return e;
    snprintf(c.region, sizeof c.region, "%s", row->region);
    b->port = c.place.port;
    if ((e = s3_credentials_parse(row->credentials, &c.credentials)) == 0) {
        b->s3 = s3_new(role_loop(storage.role), storage.http, &c, &owner);
        e = b->s3 ? 0 : E_NOMEM;
    }
    storage.n += e == 0;
    s3_credentials_wipe(&c.credentials);
    return e;
}

static int buckets_add(struct role *r)
{
    const struct place_row own = { .name = "",
                                   .target = conf.target,
                                   .endpoint = conf.endpoint,
                                   .region = conf.region,
                                   .path_style = conf.style == STORAGE_PATH,
                                   .credentials = role_credentials(r) };
    CLEANUP(arena_release) struct arena a = { .max = KIB(256) }; /* freeing wipes */
    struct places p = { .n = 0 };
    int e = places_parse(role_places(r), &a, &p, NULL);

    if (e == 0 && conf.target[0])
        e = bucket_add(&own);
    for (size_t i = 0; i < p.n && e == 0; i++)
        if (!place_is_folder(&p.rows[i]))
            e = bucket_add(&p.rows[i]);
    return e;
}

static int storage_init(struct role *r)
{
    const char *err = NULL;
    int e = 0;

    storage.role = r;
    storage.http = http_client_new(role_loop(r), conf.ca_file, may_dial, NULL, &err);
    if (err)
        log_event(LOG_ERROR, "storage.no_authorities", F_Z("why", err), F_Z("file", conf.ca_file));
    if (!storage.http)
        e = err ? E_NOTFOUND : E_NOMEM;
    if (e == 0)
        e = buckets_add(r);
    role_credentials_wipe(r);
    return e;
}

static size_t storage_dials(struct role *r UNUSED, uint16_t *ports, size_t max)
{
    size_t n = 0;

    for (size_t i = 0; i < storage.n; i++) {
        size_t k = 0;

        while (k < n && ports[k] != storage.buckets[i].port)
            k++;
        if (k == n && n < max)
            ports[n++] = storage.buckets[i].port;
    }
    return n;
}

static void storage_stop(struct role *r)
{
    for (size_t i = 0; i < storage.n; i++)
        s3_free(&storage.buckets[i].s3);
    storage.n = 0;
    role_stopped(r);
}

const struct role_def storage_role = {
    .id = ROLE_STORAGE,
    .items = storage_conf_items,
    .nitems = STORAGE_CONF_ITEMS,
    .conf = &conf,
    .conf_bytes = sizeof conf,
    .service = &service,
    .asks = FROM(RESOLVER),
    .optional = true,
    .init = storage_init,
    .dials = storage_dials,
    .stop = storage_stop,
};
