/* Addresses, rows, and requests through the operations' table, on a database in memory. */
#include "lib/base/test.h"
#include "lib/base/errors.h"
#include "lib/rpc/rpc.h"
#include "src/directory/cache.h"
#include "src/directory/ops.h"

static const struct {
    const char *in, *local, *domain, *text;
    int r;
} addresses[] = {
    { "Hello@Example.TEST", "hello", "example.test", "Hello@example.test", 0 },
    { "\"Hello\"@example.test", "hello", "example.test", "Hello@example.test", 0 },
    { "\"a b\"@example.test", "a b", "example.test", "\"a b\"@example.test", 0 },
    { "x@Bücher.example", "x", "xn--bcher-kva.example", "x@xn--bcher-kva.example", 0 },
    { "x@xn--bcher-kva.example", "x", "xn--bcher-kva.example", "x@xn--bcher-kva.example", 0 },
    { "Zoe\xcc\x88@example.test", "zo\xc3\xab", "example.test", "Zo\xc3\xab@example.test", 0 },
    { "Z\xc3\x96@example.test", "z\xc3\x96", "example.test", "Z\xc3\x96@example.test",
      0 }, /* ASCII case only */
    { "x@[127.0.0.1]", NULL, NULL, NULL, E_SYNTAX },
    { "x", NULL, NULL, NULL, E_SYNTAX },
    { "x@", NULL, NULL, NULL, E_SYNTAX },
    { "@example.test", NULL, NULL, NULL, E_SYNTAX },
    { "x@exa mple.test", NULL, NULL, NULL, E_SYNTAX },
    { "x\xff@example.test", NULL, NULL, NULL, E_SYNTAX },
};

static void test_addresses(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
        struct arena a = { .max = KIB(64) };
        struct address got;
        int r = address_parse(&a, str_from(addresses[i].in), &got);

        check_case = addresses[i].in;
        CHECK(r == addresses[i].r);
        CHECK(r < 0 || str_eq_z(got.local, addresses[i].local));
        CHECK(r < 0 || str_eq_z(got.domain, addresses[i].domain));
        CHECK(r < 0 || str_eq_z(got.text, addresses[i].text));
        arena_release(&a);
    }
    check_case = "";
}

/* One request through the table, packed and unpacked like the real ones. */
static int ask(struct db *db, struct arena *a, uint32_t op, const ProtobufCMessage *m, const void *answer)
{
    CLEANUP(buf_release) struct buf b = { .max = MIB(1) };
    const struct directory_op *o = directory_op_of(op);
    size_t n = protobuf_c_message_get_packed_size(m);
    uint8_t *p = buf_reserve(&b, n + 1);
    struct directory_answer out = { NULL, STR_NONE };
    void *request;
    int r;

    b.n = protobuf_c_message_pack(m, p);
    request = rpc_unpack(o->request, a, buf_str(&b));
    CHECK(request);
    r = o->run(db, a, request, &out);
    if (r == 0 && answer)
        memcpy((void *)(uintptr_t)answer, &out.body, sizeof out.body);
    return r;
}

static int domain_op(struct db *db, struct arena *a, uint32_t op, const char *name)
{
    Directory__DomainRequest q = DIRECTORY__DOMAIN_REQUEST__INIT;

    q.domain = str_pb(str_from(name));
    return ask(db, a, op, &q.base, NULL);
}

static int alias_op(struct db *db, struct arena *a, uint32_t op, const char *address, Directory__Alias **out)
{
    Directory__AliasRequest q = DIRECTORY__ALIAS_REQUEST__INIT;

    q.address = str_pb(str_from(address));
    return ask(db, a, op, &q.base, out);
}

static Directory__ResolveResponse *resolve(struct db *db, struct arena *a, const char *address)
{
    Directory__ResolveRequest q = DIRECTORY__RESOLVE_REQUEST__INIT;
    Directory__ResolveResponse *m = NULL;

    q.address = str_pb(str_from(address));
    CHECK(ask(db, a, DIRECTORY__OP__RESOLVE, &q.base, &m) == 0);
    return m;
}

#define ID_A     STR("aaaaaaaaaaaa")
#define ID_B     STR("bbbbbbbbbbbb")
#define STATE(c) STR(c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c)

static int key_op(struct db *db, struct arena *a, uint32_t op, struct str id, struct str key_state)
{
    Directory__KeystateRequest q = DIRECTORY__KEYSTATE_REQUEST__INIT;

    q.mailbox_id = str_pb(id);
    q.key_state = str_pb(key_state);
    return ask(db, a, op, &q.base, NULL);
}

static int bind_op(struct db *db, struct arena *a, uint64_t alias, struct str id, struct str key_state,
                   struct str replaces)
{
    Directory__BindRequest q = DIRECTORY__BIND_REQUEST__INIT;

    q.alias_id = alias;
    q.mailbox_id = str_pb(id);
    q.key_state = str_pb(key_state);
    q.replaces_mailbox_id = str_pb(replaces);
    return ask(db, a, DIRECTORY__OP__MAILBOX_BIND, &q.base, NULL);
}

#define RESULT(x) DIRECTORY__RESOLVE_RESPONSE__RESULT__##x

/* RFC 5321 4.5.1: without a domain; of several, one that can take mail. */
static void test_postmaster(void **state UNUSED)
{
    struct arena a = { .max = MIB(4) };
    Directory__Alias *m = NULL;
    struct db *db = NULL;

    CHECK(db_open_memory(&db) == 0 && accounts_migrate(db, NULL) == 0);
    CHECK(resolve(db, &a, "postmaster")->result == RESULT(NO_ALIAS));
    CHECK(domain_op(db, &a, DIRECTORY__OP__DOMAIN_ADD, "one.test") == 0);
    CHECK(domain_op(db, &a, DIRECTORY__OP__DOMAIN_ADD, "two.test") == 0);
    CHECK(resolve(db, &a, "Postmaster")->result == RESULT(NO_ALIAS));
    CHECK(alias_op(db, &a, DIRECTORY__OP__ALIAS_ADD, "postmaster@one.test", &m) == 0);
    CHECK(resolve(db, &a, "POSTMASTER")->result == RESULT(NOT_READY));
    CHECK(alias_op(db, &a, DIRECTORY__OP__ALIAS_ADD, "Postmaster@two.test", &m) == 0 &&
          bind_op(db, &a, m->alias_id, ID_A, STATE("s"), STR("")) == 0);
    CHECK(resolve(db, &a, "postMaster")->result == RESULT(OK));
    CHECK(str_ieq_z(pb_str(resolve(db, &a, "postmaster")->address), "postmaster@two.test"));
    CHECK(resolve(db, &a, "someone")->result == RESULT(NO_DOMAIN));
    arena_release(&a);
    CHECK(db_close(&db) == 0);
}

static void test_life_of_an_alias(void **state)
{
    struct arena a = { .max = MIB(4) };
    Directory__Alias *m = NULL;
    struct db *db = NULL;

    (void)state;
    CHECK(db_open_memory(&db) == 0 && accounts_migrate(db, NULL) == 0);
    CHECK(resolve(db, &a, "hello@example.test")->result == RESULT(NO_DOMAIN));
    CHECK(alias_op(db, &a, DIRECTORY__OP__ALIAS_ADD, "hello@example.test", NULL) == E_NOTFOUND);
    CHECK(domain_op(db, &a, DIRECTORY__OP__DOMAIN_ADD, "Example.TEST") == 0);
    CHECK(domain_op(db, &a, DIRECTORY__OP__DOMAIN_ADD, "example.test") == E_EXISTS);
    CHECK(domain_op(db, &a, DIRECTORY__OP__DOMAIN_ADD, "no domain") == E_SYNTAX);
    CHECK(domain_op(db, &a, DIRECTORY__OP__DOMAIN_ADD, "localhost") == E_RANGE);
    CHECK(domain_op(db, &a, DIRECTORY__OP__DOMAIN_ADD, "192.0.2.1") == E_RANGE);
    CHECK(resolve(db, &a, "hello@example.test")->result == RESULT(NO_ALIAS));
    CHECK(resolve(db, &a, "nonsense")->result == RESULT(NO_DOMAIN));
    CHECK(alias_op(db, &a, DIRECTORY__OP__ALIAS_ADD, "Hello@Example.test", &m) == 0 &&
          m->mailbox_id.len == 0);
    CHECK(alias_op(db, &a, DIRECTORY__OP__ALIAS_ADD, "hELLO@example.test", NULL) == E_EXISTS);
    CHECK(resolve(db, &a, "hello@example.test")->result == RESULT(NOT_READY));
    CHECK(domain_op(db, &a, DIRECTORY__OP__DOMAIN_REMOVE, "example.test") == E_BUSY);

    /* keys: bind, prepare, commit, each safe to repeat */
    CHECK(bind_op(db, &a, m->alias_id, ID_A, STATE("1"), ID_B) == E_STALE);
    CHECK(bind_op(db, &a, 4711, ID_A, STATE("1"), STR("")) == E_NOTFOUND);
    CHECK(bind_op(db, &a, m->alias_id, ID_A, STR("short"), STR("")) == E_SYNTAX);
    CHECK(bind_op(db, &a, m->alias_id, ID_A, STATE("1"), STR("")) == 0);
    CHECK(bind_op(db, &a, m->alias_id, ID_A, STATE("1"), STR("")) == 0);
    CHECK(resolve(db, &a, "HELLO@example.test")->n_key_states == 1);
    CHECK(key_op(db, &a, DIRECTORY__OP__KEYSTATE_COMMIT, ID_A, STATE("2")) == E_NOTFOUND);
    CHECK(key_op(db, &a, DIRECTORY__OP__KEYSTATE_PREPARE, ID_A, STATE("2")) == 0);
    CHECK(key_op(db, &a, DIRECTORY__OP__KEYSTATE_PREPARE, ID_A, STATE("2")) == 0);
    CHECK(key_op(db, &a, DIRECTORY__OP__KEYSTATE_PREPARE, ID_B, STATE("2")) == E_NOTFOUND);
    CHECK(resolve(db, &a, "hello@example.test")->n_key_states == 2);
    CHECK(str_eq(pb_str(resolve(db, &a, "hello@example.test")->key_states[0]), STATE("1")));
    CHECK(key_op(db, &a, DIRECTORY__OP__KEYSTATE_COMMIT, ID_A, STATE("2")) == 0);
    CHECK(key_op(db, &a, DIRECTORY__OP__KEYSTATE_COMMIT, ID_A, STATE("2")) == 0);
    CHECK(resolve(db, &a, "hello@example.test")->n_key_states == 1);
    CHECK(str_eq(pb_str(resolve(db, &a, "hello@example.test")->key_states[0]), STATE("2")));
    /* starting over: another mailbox takes the place of this one */
    CHECK(bind_op(db, &a, m->alias_id, ID_B, STATE("3"), ID_A) == 0);
    CHECK(resolve(db, &a, "hello@example.test")->n_key_states == 1);
    CHECK(str_eq(pb_str(resolve(db, &a, "hello@example.test")->mailbox_id), ID_B));

    CHECK(alias_op(db, &a, DIRECTORY__OP__ALIAS_REMOVE, "hello@example.test", &m) == 0);
    CHECK(str_eq(pb_str(m->mailbox_id), ID_B));
    CHECK(alias_op(db, &a, DIRECTORY__OP__ALIAS_SHOW, "hello@example.test", NULL) == E_NOTFOUND);
    CHECK(domain_op(db, &a, DIRECTORY__OP__DOMAIN_REMOVE, "example.test") == 0);
    CHECK(domain_op(db, &a, DIRECTORY__OP__DOMAIN_REMOVE, "example.test") == E_NOTFOUND);
    db_close(&db);
    arena_release(&a);
}

static void test_lists_page(void **state)
{
    Directory__ListRequest q = DIRECTORY__LIST_REQUEST__INIT;
    struct arena a = { .max = MIB(8) };
    Directory__AliasListResponse *m = NULL;
    Directory__DomainListResponse *d = NULL;
    struct db *db = NULL;
    char name[64];
    size_t seen = 0;

    (void)state;
    CHECK(db_open_memory(&db) == 0 && accounts_migrate(db, NULL) == 0);
    CHECK(domain_op(db, &a, DIRECTORY__OP__DOMAIN_ADD, "b.test") == 0);
    CHECK(domain_op(db, &a, DIRECTORY__OP__DOMAIN_ADD, "a.test") == 0);
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "user%02d@%c.test", i, i % 2 ? 'a' : 'b');
        CHECK(alias_op(db, &a, DIRECTORY__OP__ALIAS_ADD, name, NULL) == 0);
    }
    q.limit = 3;
    do {
        CHECK(ask(db, &a, DIRECTORY__OP__ALIAS_LIST, &q.base, &m) == 0);
        seen += m->n_aliases;
        if (m->n_aliases)
            q.after = m->aliases[m->n_aliases - 1]->address;
    } while (m->more);
    CHECK(seen == 20 && str_eq_z(pb_str(q.after), "user18@b.test"));
    q = (Directory__ListRequest)DIRECTORY__LIST_REQUEST__INIT;
    q.domain = str_pb(STR("a.test"));
    CHECK(ask(db, &a, DIRECTORY__OP__ALIAS_LIST, &q.base, &m) == 0 && m->n_aliases == 10 && !m->more);
    q = (Directory__ListRequest)DIRECTORY__LIST_REQUEST__INIT;
    CHECK(ask(db, &a, DIRECTORY__OP__DOMAIN_LIST, &q.base, &d) == 0 && d->n_domains == 2);
    CHECK(str_eq_z(pb_str(d->domains[0]->domain), "a.test") && d->domains[0]->aliases == 10);
    db_close(&db);
    arena_release(&a);
}

static void test_cache(void **state)
{
    Directory__ResolveRequest q = DIRECTORY__RESOLVE_REQUEST__INIT;
    Directory__ResolveResponse m = DIRECTORY__RESOLVE_RESPONSE__INIT;
    struct arena a = { .max = KIB(64) };
    struct cache *c = cache_new();
    struct str key;

    (void)state;
    q.address = str_pb(STR("Hello@Example.test"));
    key = resolve_cache_key(&a, &q);
    CHECK(str_eq_z(key, "hello@example.test") && !cache_get(c, key).p);
    m.alias_id = 7;
    cache_put(c, key, &m.base);
    CHECK(cache_get(c, key).n > 0 && !cache_get(c, STR("other@example.test")).p);
    cache_put(c, key, &m.base);
    cache_clear(c);
    CHECK(!cache_get(c, key).p);
    cache_free(&c);
    arena_release(&a);
}

/* ---- limits and leases ---- */

#define BOX_A "\1\2\3\4\5\6\7\10\11\12\13\14"
#define BOX_B "\2\2\3\4\5\6\7\10\11\12\13\14"

static Directory__LeaseResponse *lease(struct db *db, struct arena *a, const char *box, uint64_t generation,
                                       uint64_t leased, uint64_t used, uint64_t need, bool only)
{
    Directory__LeasePart part = DIRECTORY__LEASE_PART__INIT, *parts[1] = { &part };
    Directory__LeaseRequest q = DIRECTORY__LEASE_REQUEST__INIT;
    Directory__LeaseResponse *m = NULL;

    part.generation = generation;
    part.leased = leased;
    part.used = used;
    part.messages = used ? 1 : 0;
    q.mailbox_id = str_pb(str_of(box, 12));
    q.parts = parts;
    q.n_parts = 1;
    q.need = need;
    q.only = only;
    CHECK(ask(db, a, DIRECTORY__OP__LEASE, &q.base, &m) == 0);
    return m;
}

static void limit(struct db *db, struct arena *a, Directory__LeaseScope__Kind kind, const char *name,
                  bool limited, uint64_t bytes)
{
    Directory__LimitRequest q = DIRECTORY__LIMIT_REQUEST__INIT;

    q.kind = kind;
    q.name = str_pb(str_from(name));
    q.limited = limited;
    q.limit = bytes;
    CHECK(ask(db, a, DIRECTORY__OP__LIMIT_SET, &q.base, NULL) == 0);
}

static void two_boxes(struct db *db, struct arena *a)
{
    static const char *const names[] = { "a@example.test", "b@example.test" };
    Directory__DomainRequest d = DIRECTORY__DOMAIN_REQUEST__INIT;

    d.domain = str_pb(STR("example.test"));
    CHECK(ask(db, a, DIRECTORY__OP__DOMAIN_ADD, &d.base, NULL) == 0);
    for (size_t i = 0; i < 2; i++) {
        Directory__AliasRequest q = DIRECTORY__ALIAS_REQUEST__INIT;
        Directory__BindRequest b = DIRECTORY__BIND_REQUEST__INIT;
        Directory__Alias *m = NULL;

        q.address = str_pb(str_from(names[i]));
        CHECK(ask(db, a, DIRECTORY__OP__ALIAS_ADD, &q.base, &m) == 0);
        b.alias_id = m->alias_id;
        b.mailbox_id = str_pb(str_of(i ? BOX_B : BOX_A, 12));
        b.key_state = str_pb(STR("0123456789abcdef"));
        CHECK(ask(db, a, DIRECTORY__OP__MAILBOX_BIND, &b.base, NULL) == 0);
    }
}

static void account(struct db *db, struct arena *a, uint64_t leased, uint64_t used)
{
    Directory__ListRequest q = DIRECTORY__LIST_REQUEST__INIT;
    Directory__AccountListResponse *m = NULL;

    q.domain = str_pb(STR("default"));
    CHECK(ask(db, a, DIRECTORY__OP__ACCOUNT_LIST, &q.base, &m) == 0);
    CHECK(m->n_accounts == 1 && m->accounts[0]->quota->leased == leased &&
          m->accounts[0]->quota->used == used);
}

static void test_leases(void **state)
{
    struct arena a = { .max = MIB(1) };
    struct db *db = NULL;
    Directory__LeaseResponse *m;

    (void)state;
    CHECK(db_open_memory(&db) == 0 && accounts_migrate(db, NULL) == 0);
    two_boxes(db, &a);
    m = lease(db, &a, BOX_A, 0, 0, 1000, 500, false);
    CHECK(!m->limited && m->leased == 1000); /* no limit: what is used is on the books, no more */
    CHECK(!resolve(db, &a, "a@example.test")->limited);
    limit(db, &a, DIRECTORY__LEASE_SCOPE__KIND__ACCOUNT, "default", true, MIB(1));
    m = lease(db, &a, BOX_A, 0, 1000, 1000, 500, false);
    CHECK(m->limited && m->leased == 1500 + (MIB(1) - 1500) / 8);
    account(db, &a, m->leased, 1000);
    CHECK(lease(db, &a, BOX_A, 0, 1000, 1000, 500, false)->leased == m->leased); /* repeated: the same */
    account(db, &a, m->leased, 1000);
    m = lease(db, &a, BOX_B, 7, 0, 0, MIB(1), false);
    CHECK(m->leased == 0 && !m->never && m->n_unused == 1); /* refused, and told who could give */
    CHECK(lease(db, &a, BOX_B, 7, 0, 0, MIB(1) + 1, false)->never);
    CHECK(resolve(db, &a, "b@example.test")->limit == MIB(1));
    lease(db, &a, BOX_A, 0, 1000, 1000, 0, false); /* gives back */
    account(db, &a, 1000, 1000);
    CHECK(resolve(db, &a, "b@example.test")->room == MIB(1) - 1000);
    m = lease(db, &a, BOX_B, 7, 0, 0, MIB(1) - 1000, false);
    CHECK(m->leased == MIB(1) - 1000 && resolve(db, &a, "b@example.test")->room == MIB(1) - 1000);
    CHECK(resolve(db, &a, "a@example.test")->room == 0);
    m = lease(db, &a, BOX_B, 0, 0, 100, 0, true); /* drained: the temporary part is gone */
    CHECK(m->n_scopes == 1 && m->scopes[0]->taken == 1100);
    account(db, &a, 1100, 1100);
    limit(db, &a, DIRECTORY__LEASE_SCOPE__KIND__ALIAS, "b@example.test", true, 50);
    m = lease(db, &a, BOX_B, 0, 100, 100, 1, false);
    CHECK(m->leased == 100 && m->n_scopes == 2); /* over already: keeps what it uses, gets no more */
    limit(db, &a, DIRECTORY__LEASE_SCOPE__KIND__ALIAS, "b@example.test", false, 0);
    limit(db, &a, DIRECTORY__LEASE_SCOPE__KIND__DOMAIN, "example.test", true, 0);
    CHECK(resolve(db, &a, "b@example.test")->limited && resolve(db, &a, "b@example.test")->room == 0);
    db_close(&db);
    arena_release(&a);
}

static void test_accounts(void **state)
{
    Directory__AccountRequest q = DIRECTORY__ACCOUNT_REQUEST__INIT;
    Directory__AliasRequest gone = DIRECTORY__ALIAS_REQUEST__INIT;
    struct arena a = { .max = MIB(1) };
    struct db *db = NULL;

    (void)state;
    CHECK(db_open_memory(&db) == 0 && accounts_migrate(db, NULL) == 0);
    two_boxes(db, &a);
    lease(db, &a, BOX_A, 0, 0, 1000, 0, false);
    lease(db, &a, BOX_B, 0, 0, 200, 0, false);
    account(db, &a, 1200, 1200);
    q.name = str_pb(STR("acme"));
    CHECK(ask(db, &a, DIRECTORY__OP__ACCOUNT_ADD, &q.base, NULL) == 0);
    CHECK(ask(db, &a, DIRECTORY__OP__ACCOUNT_ADD, &q.base, NULL) == E_EXISTS);
    q.member = str_pb(STR("b@example.test"));
    CHECK(ask(db, &a, DIRECTORY__OP__ACCOUNT_GIVE, &q.base, NULL) == 0);
    account(db, &a, 1000, 1000);
    CHECK(ask(db, &a, DIRECTORY__OP__ACCOUNT_REMOVE, &q.base, NULL) == E_BUSY);
    q.member = str_pb(STR("example.test"));
    CHECK(ask(db, &a, DIRECTORY__OP__ACCOUNT_GIVE, &q.base, NULL) == 0);
    account(db, &a, 0, 0);
    q.name = str_pb(STR("default"));
    CHECK(ask(db, &a, DIRECTORY__OP__ACCOUNT_GIVE, &q.base, NULL) == 0); /* b stays where it was put */
    account(db, &a, 1000, 1000);
    CHECK(ask(db, &a, DIRECTORY__OP__ACCOUNT_REMOVE, &q.base, NULL) == E_DENIED);
    q.name = str_pb(STR("no name"));
    CHECK(ask(db, &a, DIRECTORY__OP__ACCOUNT_ADD, &q.base, NULL) == E_SYNTAX);
    gone.address = str_pb(STR("a@example.test"));
    CHECK(ask(db, &a, DIRECTORY__OP__ALIAS_REMOVE, &gone.base, NULL) == 0);
    account(db, &a, 0, 0);
    db_close(&db);
    arena_release(&a);
}

/* ---- leases, whatever is lost on the way ---- */

/* Files of mailboxes as the store has them; what a crash takes is what was not written there. */
struct model_file {
    uint64_t used, leased;
};

static void model_write(struct model_file *f, uint64_t bytes)
{
    if (f->used + bytes <= f->leased)
        f->used += bytes;
}

/* One trip of src/store/lease.c, given up at a random place. */
static void model_trip(struct db *db, struct arena *a, const char *box, struct model_file *f, uint64_t need,
                       unsigned luck)
{
    Directory__LeaseResponse *m;

    if (need == 0)
        f->leased = f->used; /* gives back: in the file first */
    if (luck % 7 == 0)
        return; /* not sent */
    m = lease(db, a, box, 0, f->leased, f->used, need, false);
    if (luck % 5 == 0)
        return; /* the answer was lost, or the store before it noted it */
    f->leased = m->leased;
}

static void test_leases_lost(void **state)
{
    static const char *const boxes[] = { BOX_A, BOX_B };
    const uint64_t most = 100000;
    struct model_file files[2] = { { 0 } };
    struct db *db = NULL;
    uint32_t x = 2463534242;

    (void)state;
    CHECK(db_open_memory(&db) == 0 && accounts_migrate(db, NULL) == 0);
    for (int i = 0; i < 4000; i++) {
        struct arena a = { .max = MIB(1) };
        struct model_file *f;
        uint64_t bytes;

        x ^= x << 13, x ^= x >> 17, x ^= x << 5;
        if (i == 0) {
            two_boxes(db, &a);
            limit(db, &a, DIRECTORY__LEASE_SCOPE__KIND__ACCOUNT, "default", true, most);
        }
        f = &files[x & 1];
        bytes = (x >> 8) % 9000;
        if (x % 11 < 5)
            model_write(f, bytes);
        else if (x % 11 < 7)
            f->used -= f->used < bytes ? f->used : bytes;
        else
            model_trip(db, &a, boxes[x & 1], f, x % 11 == 10 ? 0 : bytes + 1, x >> 16);
        CHECK(files[0].used + files[1].used <= most && files[0].leased + files[1].leased <= most);
        arena_release(&a);
    }
    for (size_t i = 0; i < 2; i++) {
        struct arena a = { .max = MIB(1) };

        model_trip(db, &a, boxes[i], &files[i], 0, 1);
        arena_release(&a);
    }
    {
        struct arena a = { .max = MIB(1) };

        account(db, &a, files[0].used + files[1].used, files[0].used + files[1].used);
        arena_release(&a);
    }
    db_close(&db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_postmaster),
        cmocka_unit_test(test_life_of_an_alias),
        cmocka_unit_test(test_lists_page),
        cmocka_unit_test(test_cache),
        cmocka_unit_test(test_leases),
        cmocka_unit_test(test_accounts),
        cmocka_unit_test(test_leases_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
