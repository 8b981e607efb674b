/* src/store/attach.c: a password (or a ticket) opens a mailbox. Passwords are tried by a pool: the
 * generated ones by the common one, since they cost microseconds, a person's own ones by a slow small
 * one with a bounded queue, and networks that somebody logged in from lately have one to themselves. */
#include "src/store/drop.h"
#include "src/store/findings.h"
#include "src/store/news.h"
#include <assert.h>
#include <sodium.h>

#define FIRST_BATCH_MS 150
#define DELAYED_MAX    4000u
#define FOLLOWING_MAX  4000u

struct attach {
    struct rpc_req *q;
    struct actor *actor; /* a reference */
    Store__AttachRequest *m;
    struct password password;
    struct ticket ticket;
    bool again;  /* REATTACH */
    bool verify; /* VERIFY: the slot opens, and that is all */
    uint32_t epoch;
    struct work_job work;
    struct timer timer; /* a penalty, or the first batch of what waits */
    bool delayed;       /* its timer is a penalty */
    struct attach *trying_next;
    uint8_t mac[PWCACHE_BYTES];
    struct attach *followers; /* the same password from the same network, meanwhile: linked by next */
    bool follows;
    int status;
    struct keyfile *kf;
    struct keyfile_keys keys;
    uint8_t state[KEYSTATE_BYTES];
    struct attach *next; /* in actor->waiting, or of those that follow */
};
static size_t ndelayed, nfollowing;

static void trying_end(struct attach *t)
{
    struct attach **at = &t->actor->trying;

    while (*at && *at != t)
        at = &(*at)->trying_next;
    if (*at)
        *at = t->trying_next;
}

static void attach_free(struct attach *t)
{
    assert(!t->followers && !t->follows);
    if (t->delayed)
        ndelayed--;
    trying_end(t);
    timer_release(&t->timer);
    keyfile_free(&t->kf);
    keyfile_keys_release(&t->keys);
    password_release(&t->password);
    ticket_release(&t->ticket);
    actor_unref(t->actor);
    explicit_bzero(t, sizeof *t);
    free(t);
}

static void attach_fail(struct attach *t, int r)
{
    request_reply(t->q, r, NULL, NULL);
    attach_free(t);
}

/* ---- the answer --------------------------------------------------------------------------------- */

static void attach_answer(struct attach *t, struct session *s)
{
    Store__AttachResponse resp = STORE__ATTACH_RESPONSE__INIT;
    uint8_t ticket[TICKET_BYTES];

    session_ticket(s, ticket);
    resp.session = str_pb(str_of(s->id, SESSION_LEN));
    resp.ticket = str_pb(str_of(ticket, sizeof ticket));
    resp.slot = s->slot;
    resp.mailbox_id = str_pb(str_of(t->actor->id, MAILBOX_ID_LEN));
    resp.drained = !t->actor->draining;
    request_reply(t->q, 0, &resp.base, NULL);
    explicit_bzero(ticket, sizeof ticket);
}

/* VERIFY ends here: no session, no ticket; the keys are wiped with t. */
static void verify_answer(struct attach *t)
{
    Store__VerifyResponse resp = STORE__VERIFY_RESPONSE__INIT;

    if (t->epoch != t->actor->epoch || t->actor->shut) {
        attach_fail(t, E_UNAVAIL);
        return;
    }
    resp.slot = t->keys.slot;
    request_reply(t->q, 0, &resp.base, NULL);
    attach_free(t);
}

static void verifier_note(struct actor *a, uint16_t slot, const struct password *p)
{
    if (a->nverifiers == ARRAY_LEN(a->verifiers))
        a->nverifiers = 0;
    a->verifiers[a->nverifiers].slot = slot;
    pwcache_make(store.boot_key, a->id, p, a->verifiers[a->nverifiers++].mac);
}

static void keystate_settled(void *ctx UNUSED, int status, struct str body UNUSED)
{
    if (status < 0)
        log_event(LOG_WARN, "store.keystate_commit_failed", F_ERR(status));
}

/* Two states are right while a change of keys is under way; whoever opened the file knows which one it
 * became, and finishes what a crash left (doc/contract.md, "Keys change"). */
static void keystate_settle(const struct attach *t)
{
    Directory__KeystateRequest q = DIRECTORY__KEYSTATE_REQUEST__INIT;
    struct rpc_ask ask = { .op = DIRECTORY__OP__KEYSTATE_COMMIT,
                           .body = &q.base,
                           .deadline_ms = 30000,
                           .changes = true,
                           .done = keystate_settled };

    if (t->again || t->m->n_key_states < 2 || t->actor->key_busy)
        return;
    q.mailbox_id = str_pb(str_of(t->actor->id, MAILBOX_ID_LEN));
    q.key_state = str_pb(str_of(t->state, sizeof t->state));
    if (!rpc_link_ask(role_link(store.role, ROLE_DIRECTORY), &ask))
        log_event(LOG_WARN, "store.keystate_commit_failed", F_ERR(E_NOMEM));
}

/* The mailbox is open: the login becomes a session, unless keys changed while it waited: the slot may be
 * revoked, and who exchanges the files waits for the last session to end. */
static void attach_finish(struct attach *t, uint16_t slot)
{
    struct actor *a = t->actor;
    struct session *s;
    bool late = t->epoch != a->epoch || a->shut;

    bool crowded = !t->again && a->nsessions >= store_conf.alias_connections;

    if (late || crowded || rpc_req_cancelled(t->q)) {
        actor_ref(a);
        attach_fail(t, late ? E_UNAVAIL : crowded ? E_LIMIT : E_CANCELED);
        actor_close_soon(a);
        actor_unref(a);
        return;
    }
    if (t->again && (s = session_find(str_of(t->ticket.session, SESSION_LEN))) != NULL)
        session_end(s); /* the same client on a new connection, faster than the old one's end */
    if (!(s = session_new(a, rpc_req_peer(t->q), slot, t->again ? t->ticket.session : NULL))) {
        attach_fail(t, E_NOMEM);
        return;
    }
    attach_answer(t, s);
    attach_free(t);
    lease_tell(a);
}

void attach_flush(struct actor *a, int r)
{
    struct attach *t = a->waiting, *next;

    if (r == 0 && a->state != ACTOR_OPEN)
        return; /* they wait for it to open */
    a->waiting = NULL;
    for (; t; t = next) {
        next = t->next;
        if (r < 0)
            attach_fail(t, r);
        else
            attach_finish(t, t->keys.slot);
    }
}

static void first_batch_late(struct timer *timer)
{
    struct attach *t = CONTAINER_OF(timer, struct attach, timer), **at = &t->actor->waiting;

    while (*at && *at != t)
        at = &(*at)->next;
    if (!*at)
        return;
    *at = t->next;
    attach_finish(t, t->keys.slot);
}

/* The first ones wait for the first batch of what came while nobody was here, but not for long. */
static void attach_wait_drain(struct actor *a)
{
    for (struct attach *t = a->waiting; t; t = t->next) {
        timer_release(&t->timer);
        if (timer_init(&t->timer, store.loop, first_batch_late) == 0)
            timer_set(&t->timer, FIRST_BATCH_MS);
    }
}

/* ---- opening ------------------------------------------------------------------------------------ */

struct opening {
    struct job job;
    struct keyfile *kf;
    struct keyfile_keys keys;
    uint32_t generation; /* whose key opened it */
    bool limited;
};

static int seeds_take(struct actor *a, const struct keyfile *kf, const struct keyfile_keys *keys)
{
    uint32_t generation;

    for (size_t i = 0; i < SEEDS_MAX && (generation = keyfile_mailbox_key_at(kf, i)) != 0; i++) {
        uint8_t *p = secret_alloc(store.slab);
        int r;

        if (!p)
            return E_NOMEM;
        if ((r = keyfile_mailbox_seed(kf, keys, generation, p)) < 0) {
            secret_free(store.slab, p);
            return r;
        }
        a->seeds[a->nseeds++] = (struct seed){ generation, p };
    }
    return 0;
}

/* `.keys` was read before the lane's turn came, and what ran in it since (mailbox keys forgotten, a password
 * changed) may have written another one: that one counts, when it holds the same data key and slot. */
static int settle_again(struct actor *a, struct opening *o)
{
    const uint8_t *key = o->generation == o->keys.generation ? o->keys.data_key : o->keys.next_key;
    CLEANUP(keyfile_free) struct keyfile *kf = NULL;
    struct keyfile_keys keys = { 0 };
    int r;

    if ((r = keys_load(&store.files, a->id, &kf)) < 0 ||
        (r = keyfile_open_key(kf, o->generation, key, o->keys.slot, &keys)) < 0)
        return r;
    if ((r = keybox_settle(a->box, kf, o->generation, role_subkey(store.role, SUBKEY_KEYSTATE_MAC))) < 0) {
        keyfile_keys_release(&keys);
        return r;
    }
    keyfile_keys_release(&o->keys);
    keyfile_free(&o->kf);
    o->keys = keys;
    o->kf = kf;
    kf = NULL;
    return 0;
}

static int open_run(struct job *j, struct mailbox *box UNUSED)
{
    struct opening *o = CONTAINER_OF(j, struct opening, job);
    struct actor *a = j->actor;
    struct db_error e = { 0 };
    CLEANUP(buf_release) struct buf why = { .max = KIB(4) };
    struct mailbox_options opt = { .flags = MAILBOX_COUNT_WAL,
                                   .cache_kib = (uint32_t)(store_conf.cache_bytes / 1024),
                                   .error = &e,
                                   .why = &why };
    int r = keys_mend(&store.files, a->id);

    if (r != 0)
        actor_log("store.keys_mended", a, r < 0 ? r : 0, NULL);
    if ((r = restore_rekey(a, o->kf, &o->keys)) < 0)
        actor_log("store.restored_not_rewritten", a, r, NULL);
    r = keybox_open(&store.files, o->kf, &o->keys, &opt, &a->box, &o->generation);
    if (r == 0)
        handle_adopt(store.handles, &a->writer, a->box);
    if (r == 0)
        lease_lane_open(a, o->limited);
    if (r < 0)
        actor_log("store.open_failed", a, r, &e);
    if (r == E_CORRUPT || r == E_VERSION) { /* not a wrong password: that opened no key */
        store.alarms++;
        finding_add(FINDING_CHECK, a->id, "cannot be opened: %s%s%.*s", error_text(r), why.n ? ": " : "",
                    STR_ARG(buf_str(&why)));
    }
    if (why.n)
        log_event(r < 0 ? LOG_ALARM : LOG_WARN, r < 0 ? "store.schema" : "store.schema_mended",
                  F_STR("why", buf_str(&why)));
    if (r == 0 && (r = keybox_settle(a->box, o->kf, o->generation,
                                     role_subkey(store.role, SUBKEY_KEYSTATE_MAC))) == E_STALE)
        r = settle_again(a, o) < 0 ? E_STALE : 0;
    if (a->box && r < 0)
        log_event(LOG_ALARM, "store.keys_older_than_mailbox", F_ERR(r));
    if (r == 0)
        r = restore_arrive(a);
    if (r >= 0)
        noting_box_check(a);
    a->drops_wait = r == 0 && mailbox_drop_waiting(a->box) > 0;
    if (r == 0 && (!(a->key = secret_alloc(store.slab))))
        r = E_NOMEM;
    if (r == 0) {
        memcpy(a->key, o->generation == o->keys.generation ? o->keys.data_key : o->keys.next_key, KEY_BYTES);
        r = seeds_take(a, o->kf, &o->keys);
    }
    if (r < 0)
        actor_lane_close(a);
    tempbox_close(&a->temp); /* drained from, not added to, while the mailbox is open */
    return r;
}

static void open_done(struct job *j)
{
    struct opening *o = CONTAINER_OF(j, struct opening, job);
    struct actor *a = j->actor;

    if (j->status == 0) {
        memcpy(a->data_key, o->generation == o->keys.generation ? o->keys.data_key : o->keys.next_key,
               KEY_BYTES);
        a->generation = o->generation;
        a->state = ACTOR_OPEN;
        a->cared_ms = 0;
        a->lease.drained = false;
        store.open_mailboxes++;
        attach_wait_drain(a);
        drain_start(a);
        if (a->drops_wait)
            drop_behind(a);
    } else {
        secret_free(store.slab, a->data_key);
        a->data_key = NULL;
        a->state = ACTOR_CLOSED;
        attach_flush(a, j->status);
    }
    keyfile_free(&o->kf);
    keyfile_keys_release(&o->keys);
    free(o);
}

static void actor_open(struct actor *a, struct attach *t)
{
    struct opening *o = calloc(1, sizeof *o);
    int r = o ? 0 : E_NOMEM;

    if (store.open_mailboxes >= store_conf.mailboxes_open || store.stopping)
        r = E_UNAVAIL;
    if (r == 0 && !(a->data_key = secret_alloc(store.slab)))
        r = E_NOMEM;
    if (r == 0) {
        o->kf = t->kf;
        t->kf = NULL;
        o->keys = t->keys;
        o->limited = !t->again && t->m->limited;
        o->job = (struct job){ .kind = JOB_BARE, .run = open_run, .done = open_done };
        a->state = ACTOR_OPENING;
        if ((r = actor_submit(a, &o->job)) == 0)
            return;
        a->state = ACTOR_CLOSED;
        keyfile_free(&o->kf);
    }
    if (o)
        keyfile_keys_release(&o->keys);
    free(o);
    secret_free(store.slab, a->data_key);
    a->data_key = NULL;
    attach_flush(a, r);
}

/* ---- closing ------------------------------------------------------------------------------------ */

struct closing {
    struct job job;
    struct quota_count last;
    bool known;
};

static int close_run(struct job *j, struct mailbox *box UNUSED)
{
    struct closing *c = CONTAINER_OF(j, struct closing, job);

    care_at_close(j->actor);
    c->known = lease_lane_close(j->actor, &c->last);
    return actor_lane_close(j->actor);
}

static void close_done(struct job *j)
{
    struct closing *c = CONTAINER_OF(j, struct closing, job);
    struct actor *a = j->actor;

    if (j->status < 0)
        actor_log("store.close_failed", a, j->status, NULL);
    if (c->known)
        lease_closed(a, &c->last);
    free(c);
    secret_free(store.slab, a->data_key);
    a->data_key = NULL;
    explicit_bzero(a->verifiers, sizeof a->verifiers);
    a->nverifiers = 0;
    news_forget(a);
    a->state = ACTOR_CLOSED;
    store.open_mailboxes--;
    for (struct attach *t = a->waiting; t; t = t->next)
        if (t->kf) {
            actor_open(a, t);
            break;
        }
    store_stop_when_idle();
}

void actor_close_soon(struct actor *a)
{
    struct closing *c;

    if (a->state != ACTOR_OPEN || a->sessions || a->waiting) {
        a->close_wanted = false;
        return;
    }
    a->close_wanted = a->reading > 0 || a->dropping || a->changing || backup_before_close(a);
    if (a->reading || a->dropping || a->changing || !(c = calloc(1, sizeof *c)))
        return;
    c->job = (struct job){ .kind = JOB_BARE, .run = close_run, .done = close_done };
    a->state = ACTOR_CLOSING; /* whoever comes now waits in the lane behind it */
    if (actor_submit(a, &c->job) < 0) {
        a->state = ACTOR_OPEN;
        a->close_wanted = true;
        free(c);
    }
}

/* ---- the password ------------------------------------------------------------------------------- */

static int attach_try(struct attach *t)
{
    struct keys_known known = { .mac_key = role_subkey(store.role, SUBKEY_KEYSTATE_MAC) };
    int r = keys_load(&store.files, t->actor->id, &t->kf);

    if (r < 0)
        return r == E_NOTFOUND ? E_CORRUPT : r; /* the directory knows a mailbox, the disk does not */
    keys_state(t->kf, known.mac_key, t->state);
    if (t->again)
        return keyfile_open_key(t->kf, t->ticket.generation, t->ticket.data_key, t->ticket.slot, &t->keys);
    known.states = t->m->key_states;
    known.n = t->m->n_key_states;
    if ((r = keys_check(t->kf, &known)) < 0)
        return r;
    return keyfile_open(t->kf, &t->password, &t->keys);
}

static void attach_run(struct work_job *w)
{
    struct attach *t = CONTAINER_OF(w, struct attach, work);

    t->status = attach_try(t);
}

/* What the trial says of its network. */
static void attach_judge(const struct attach *t)
{
    struct str network = t->again ? STR_NONE : str_from(t->m->network);

    if (!t->again && t->status == 0)
        penalty_good(store.penalties, network, t->actor->id, clock_mono_ms());
    else if (!t->again && t->status != E_AUTH)
        penalty_back(store.penalties, network, t->actor->id);
}

/* Those that follow learn what their leader did. */
static void followers_end(struct attach *t, int status)
{
    struct actor *a = t->actor;

    trying_end(t);
    for (struct attach *f = t->followers, *next; f; f = next) {
        next = f->next;
        f->next = NULL;
        nfollowing--;
        f->follows = false;
        f->keys.slot = t->keys.slot;
        if (status < 0) {
            attach_fail(f, status);
        } else if (f->verify) {
            verify_answer(f);
        } else if (a->state == ACTOR_OPEN) {
            attach_finish(f, f->keys.slot);
        } else {
            f->next = a->waiting;
            a->waiting = f;
        }
    }
    t->followers = NULL;
}

static void attach_ran(struct work_job *w)
{
    struct attach *t = CONTAINER_OF(w, struct attach, work);
    struct actor *a = t->actor;

    attach_judge(t);
    if (t->again && t->status == E_STALE)
        t->status = E_AUTH; /* the data key was changed since: log in anew */
    if (t->status == E_CORRUPT || t->status == E_STALE)
        log_event(LOG_ALARM, "store.keys_refused", F_ERR(t->status), F_U64("reattach", t->again));
    if (t->status == 0 && (t->epoch != a->epoch || a->shut))
        t->status = E_UNAVAIL; /* keys changed meanwhile: what we opened may be revoked */
    if (!t->again && t->status == 0 && (!t->verify || a->state == ACTOR_OPEN)) /* wiped when it closes */
        verifier_note(a, t->keys.slot, &t->password);
    followers_end(t, t->status);
    if (t->status < 0) {
        attach_fail(t, t->status);
        return;
    }
    if (t->verify) {
        verify_answer(t);
        return;
    }
    keystate_settle(t);
    if (a->state == ACTOR_OPEN) {
        attach_finish(t, t->keys.slot);
        return;
    }
    t->next = a->waiting;
    a->waiting = t;
    if (a->state == ACTOR_CLOSED)
        actor_open(a, t);
}

static void attach_submit(struct attach *t)
{
    bool slow = !t->again && t->password.kind == PASSWORD_OWN;
    struct work_pool *p = store.pool;
    int r;

    if (slow)
        p = store.derive[penalty_known(store.penalties, str_from(t->m->network), clock_mono_ms())];
    t->work = (struct work_job){ .run = attach_run, .done = attach_ran };
    if ((r = work_submit(p, &t->work)) < 0) {
        if (!t->again)
            penalty_back(store.penalties, str_from(t->m->network), t->actor->id);
        followers_end(t, E_UNAVAIL);
        attach_fail(t, E_UNAVAIL);
    }
}

/* Whoever logged in already with these very bytes, while the mailbox stays open, costs no derivation. Only after the
 * penalty: who guesses would ask here as often as he likes. */
static bool attach_cached(struct attach *t)
{
    struct actor *a = t->actor;

    if (a->state != ACTOR_OPEN || a->shut)
        return false;
    for (size_t i = 0; i < a->nverifiers; i++)
        if (pwcache_match(store.boot_key, a->id, &t->password, a->verifiers[i].mac)) {
            penalty_good(store.penalties, str_from(t->m->network), a->id, clock_mono_ms());
            t->keys.slot = a->verifiers[i].slot;
            followers_end(t, 0);
            if (t->verify)
                verify_answer(t);
            else
                attach_finish(t, t->keys.slot);
            return true;
        }
    return false;
}

static void attach_begin(struct attach *t)
{
    if (!attach_cached(t))
        attach_submit(t);
}

/* Who hung up meanwhile costs no derivation, and stays counted. */
static void penalty_over(struct timer *timer)
{
    struct attach *t = CONTAINER_OF(timer, struct attach, timer);

    t->delayed = false;
    ndelayed--;
    if (rpc_req_cancelled(t->q) && !t->followers)
        attach_fail(t, E_CANCELED);
    else
        attach_begin(t);
}

static struct attach *attach_new(struct rpc_req *q, const void *id)
{
    struct attach *t = calloc(1, sizeof *t);

    if (t && !(t->actor = actor_get(id))) {
        free(t);
        t = NULL;
    }
    if (t) {
        t->q = q;
        t->epoch = t->actor->epoch;
    }
    return t;
}

/* Several connections of one client log in side by side: what one of them learns is true of all. Neither a guess
 * more, nor a derivation. */
static bool attach_follow(struct attach *t)
{
    pwcache_make(store.boot_key, t->actor->id, &t->password, t->mac);
    for (struct attach *l = t->actor->trying; l; l = l->trying_next)
        if (l->verify == t->verify && sodium_memcmp(l->mac, t->mac, sizeof t->mac) == 0 &&
            strcmp(l->m->network, t->m->network) == 0) {
            t->next = l->followers;
            l->followers = t;
            t->follows = true;
            nfollowing++;
            return true;
        }
    t->trying_next = t->actor->trying;
    t->actor->trying = t;
    return false;
}

static void attach_penalize(struct attach *t)
{
    int64_t wait = penalty_take(store.penalties, str_from(t->m->network), t->actor->id, clock_mono_ms());

    if (wait == 0) {
        attach_begin(t);
    } else if (wait < 0 || ndelayed >= DELAYED_MAX || timer_init(&t->timer, store.loop, penalty_over) < 0) {
        attach_fail(t, E_UNAVAIL); /* what was taken stays counted: he comes too often */
    } else {
        t->delayed = true;
        ndelayed++;
        timer_set(&t->timer, wait);
    }
}

static int try_password(struct rpc_req *q, struct str body, bool verify)
{
    Store__AttachRequest *m = RPC_UNPACK(rpc_req_arena(q), body, store__attach_request);
    struct attach *t;
    int r;

    if (!m || m->mailbox_id.len != MAILBOX_ID_LEN)
        return E_SYNTAX;
    if (store.stopping)
        return E_UNAVAIL;
    if (!(t = attach_new(q, m->mailbox_id.data)))
        return E_NOMEM;
    t->m = m;
    t->verify = verify;
    r = password_parse(pb_str(m->password), &t->password);
    explicit_bzero(m->password.data, m->password.len);
    request_begin();
    if (r < 0) { /* garbage in the shape of a generated one dies at its checksum */
        penalty_bad(store.penalties, str_from(m->network), t->actor->id, clock_mono_ms());
        attach_fail(t, r == E_LIMIT ? E_AUTH : r);
        return 0;
    }
    if (nfollowing >= FOLLOWING_MAX)
        attach_fail(t, E_UNAVAIL);
    else if (!attach_follow(t))
        attach_penalize(t);
    return 0;
}

int op_attach(struct rpc_req *q, struct str body)
{
    return try_password(q, body, false);
}

/* The same penalties, the same pool: who guesses here guesses there. */
int op_verify(struct rpc_req *q, struct str body)
{
    return try_password(q, body, true);
}

int op_reattach(struct rpc_req *q, struct str body)
{
    Store__ReattachRequest *m = RPC_UNPACK(rpc_req_arena(q), body, store__reattach_request);
    struct ticket ticket;
    struct attach *t;
    int r;

    if (!m)
        return E_SYNTAX;
    if (store.stopping)
        return E_UNAVAIL;
    if ((r = ticket_open(pb_str(m->ticket), role_ticket_key(store.role), clock_wall_ms(), &ticket)) < 0)
        return E_AUTH;
    t = attach_new(q, ticket.mailbox);
    if (t) {
        t->ticket = ticket;
        t->again = true;
    }
    ticket_release(&ticket);
    if (!t)
        return E_NOMEM;
    request_begin();
    attach_submit(t);
    return 0;
}

int op_detach(struct rpc_req *q, struct str body)
{
    Store__SessionRequest *m = RPC_UNPACK(rpc_req_arena(q), body, store__session_request);
    struct session *s = m ? session_of(q, pb_str(m->session)) : NULL;

    if (!m)
        return E_SYNTAX;
    if (s)
        session_end(s);
    rpc_reply(q, 0, NULL, NULL);
    return 0;
}

int op_unselect(struct rpc_req *q, struct str body)
{
    Store__SessionRequest *m = RPC_UNPACK(rpc_req_arena(q), body, store__session_request);
    struct session *s = m ? session_of(q, pb_str(m->session)) : NULL;

    if (!m)
        return E_SYNTAX;
    if (!s)
        return E_GONE;
    s->selected = 0;
    rpc_reply(q, 0, NULL, NULL);
    return 0;
}
