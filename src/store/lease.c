/* src/store/lease.c: quotas, as far as the directory is concerned. A mailbox that may grow no further under
 * the lease in its file asks for a larger one; what it does not use goes back when it closes, or when
 * others need it. While a lease lasts nobody is asked anything.
 *
 * A trip is one exchange, and a mailbox has one at a time:
 *
 *   see    in the lane: what the file uses and holds; giving back, that is written and synced first
 *   ask    the directory sets these values, absolute ones, and says what the file may hold
 *   note   in the lane: written and synced, and only now anybody fills it
 *
 * So the file never holds more than the directory has on its books, wherever the power goes: before
 * "note" the books have too much, and the next trip, which says what the file has, mends that. While the
 * directory is away leases are used up, and beyond them it is "try later". */
#include "src/store/store.h"

#define ASK_MS      5000
#define STOP_ASK_MS 1500
#define REPORT_MS   (10 * 60 * 1000)
#define UNUSED_MAX  64u

static const uint32_t steps[] = { 95, 90, 80 };

struct lease_trip {
    struct job job;
    struct actor *actor; /* a reference */
    uint64_t need;
    bool give, gave; /* gave: others were asked to give back already */
    bool alone;      /* for the first one that waits; else for all of them */
    /* seen */
    bool open, something; /* something: there is a first part */
    uint64_t generation;  /* of the first part */
    struct quota_count now;
    bool with_box; /* a second part: the closed mailbox itself */
    struct quota_count box;
    /* answered */
    int status;
    bool granted, never;
    struct quota_count then;
    uint8_t unused[UNUSED_MAX][MAILBOX_ID_LEN];
    size_t nunused, giving;
};

static void trip_start(struct actor *a);
static void trip_begin(struct lease_trip *t);

/* ---- see (lane) --------------------------------------------------------------------------------- */

static int box_give(struct mailbox *box, struct quota_count *q)
{
    uint64_t was = q->leased;
    int r;

    if (!q->limited || q->leased <= q->used)
        return 0;
    q->leased = q->used;
    if ((r = mailbox_begin(box)) == 0 && (r = mailbox_quota_set(box, q)) == 0 &&
        (r = mailbox_commit(box)) == 0)
        return 0;
    mailbox_rollback(box);
    q->leased = was;
    return r;
}

static int temp_give(struct tempbox *t, struct quota_count *q)
{
    int r;

    if (q->leased <= q->used)
        return 0;
    q->leased = q->used; /* when it fails nothing is reported: the trip ends */
    if ((r = tempbox_begin(t)) == 0 && (r = tempbox_quota_set(t, q)) == 0 && (r = tempbox_commit(t)) == 0)
        return 0;
    tempbox_rollback(t);
    return r;
}

/* A closed mailbox: its newest temporary one. None, and none is needed: nothing to say of it. */
static int see_temp(struct lease_trip *t)
{
    struct actor *a = t->actor;
    int r = a->temp ? 0 : tempbox_open(&store.files, a->id, &store.temp_keys, t->need > 0, &a->temp);

    if (r < 0)
        return r == E_NOTFOUND ? 0 : r;
    t->generation = tempbox_generation(a->temp);
    if ((r = tempbox_quota_get(a->temp, &t->now)) < 0 || (t->give && (r = temp_give(a->temp, &t->now)) < 0))
        return r;
    t->something = true;
    return 0;
}

static int see_run(struct job *j, struct mailbox *box)
{
    struct lease_trip *t = CONTAINER_OF(j, struct lease_trip, job);
    int r;

    t->open = box != NULL;
    if (!box)
        return see_temp(t);
    t->generation = 0;
    t->something = true;
    if ((r = mailbox_quota_get(box, &t->now)) < 0)
        return r;
    t->actor->lane_limited = t->now.limited;
    t->actor->quota_used = t->now.used;
    return t->give ? box_give(box, &t->now) : 0;
}

void lease_lane_open(struct actor *a, bool limited)
{
    struct quota_count q;

    a->lane_hint = limited;
    if (limited)
        mailbox_quota_hint(a->box);
    a->lane_limited = limited || mailbox_quota_get(a->box, &q) < 0 || q.limited;
}

bool lease_lane_close(struct actor *a, struct quota_count *out)
{
    *out = (struct quota_count){ 0 };
    if (!a->box && a->lane_limited && actor_box_open(a) < 0)
        return false;
    a->lane_hint = false;
    if (!a->box) { /* nobody has changed it since it was seen */
        *out = a->quota_seen;
        a->quota_seen.folders = 0;
        return out->folders > 0;
    }
    if (mailbox_quota_get(a->box, out) < 0)
        return false;
    if (box_give(a->box, out) < 0)
        log_event(LOG_WARN, "store.lease_not_given_back");
    a->quota_seen.folders = 0;
    return true;
}

/* ---- the end of a trip -------------------------------------------------------------------------- */

/* Waits are called one after the other; each may make new ones, which stand behind these. */
static void waits_end(struct actor *a, int status, bool all)
{
    struct lease_wait *w = a->lease.waits, *next;

    if (!all && w) { /* a refusal is the first one's: others may want less */
        a->lease.waits = w->next;
        w->done(w, status);
        return;
    }
    a->lease.waits = NULL;
    for (; w; w = next) {
        next = w->next;
        w->done(w, status);
    }
}

static void givers_done(struct actor *a);

static void trip_end(struct lease_trip *t, int status, bool all)
{
    struct actor *a = t->actor;
    bool gave = t->give;

    a->lease.trip = NULL;
    if (t->something && !t->open)
        actor_temp_used(a);
    free(t);
    if (gave)
        givers_done(a);
    waits_end(a, status, all);
    if (a->lease.waits || a->lease.report)
        trip_start(a);
    actor_unref(a);
    store_stop_when_idle();
}

/* ---- others give back --------------------------------------------------------------------------- */

/* A trip that waits until those who hold more than they use have given it back. */
struct giver {
    struct giver *next;
    struct lease_trip *for_whom;
    struct actor *actor; /* a reference */
};
static struct giver *givers;

static void given(struct giver *g)
{
    struct lease_trip *t = g->for_whom;

    actor_unref(g->actor);
    free(g);
    if (--t->giving == 0)
        trip_begin(t);
}

/* What was asked of this mailbox has happened, or cannot. */
static void givers_done(struct actor *a)
{
    for (struct giver **at = &givers, *g; (g = *at) != NULL;) {
        if (g->actor != a) {
            at = &g->next;
            continue;
        }
        *at = g->next;
        given(g);
        at = &givers; /* anything may have happened */
    }
}

static void others_give(struct lease_trip *t)
{
    t->gave = true;
    t->giving = 1; /* ours, until all have been asked */
    for (size_t i = 0; i < t->nunused; i++) {
        struct actor *other = actor_get(t->unused[i]);
        struct giver *g = other ? calloc(1, sizeof *g) : NULL;

        if (!g || other->lease.waits) { /* who asks himself gives nothing: two would wait for each other */
            free(g);
            if (other)
                actor_unref(other);
            continue;
        }
        *g = (struct giver){ givers, t, other };
        givers = g;
        t->giving++;
        lease_report(other, true);
        if (!other->lease.trip)
            givers_done(other);
    }
    if (--t->giving == 0)
        trip_begin(t);
}

/* ---- note (lane) -------------------------------------------------------------------------------- */

static int note_box(struct lease_trip *t, struct mailbox *box)
{
    int r;

    if (t->generation != 0)
        return 0;
    t->actor->lane_limited = t->then.limited;
    t->actor->lane_hint = false;
    if ((r = mailbox_begin(box)) < 0 || (r = mailbox_quota_set(box, &t->then)) < 0 ||
        (r = mailbox_commit(box)) < 0)
        mailbox_rollback(box);
    return r;
}

static int note_temp(struct lease_trip *t)
{
    struct tempbox *temp = t->actor->temp;
    int r;

    if (!temp || tempbox_generation(temp) != t->generation)
        return 0; /* drained meanwhile: what was granted is forgotten with it */
    if ((r = tempbox_begin(temp)) < 0 || (r = tempbox_quota_set(temp, &t->then)) < 0 ||
        (r = tempbox_commit(temp)) < 0)
        tempbox_rollback(temp);
    return r;
}

static int note_run(struct job *j, struct mailbox *box)
{
    struct lease_trip *t = CONTAINER_OF(j, struct lease_trip, job);

    return box ? note_box(t, box) : note_temp(t);
}

static void note_done(struct job *j)
{
    struct lease_trip *t = CONTAINER_OF(j, struct lease_trip, job);

    if (j->status < 0)
        actor_log("store.lease_not_noted", t->actor, j->status, NULL);
    trip_end(t,
             j->status < 0 ? E_UNAVAIL
             : t->granted  ? 0
             : t->never    ? E_TOO_BIG
                           : E_QUOTA,
             j->status < 0 || t->granted);
}

/* ---- the answer --------------------------------------------------------------------------------- */

void lease_tell(struct actor *a)
{
    for (struct session *s = a->sessions; s; s = s->next) {
        Store__QuotaStepEvent e = STORE__QUOTA_STEP_EVENT__INIT;

        if (s->percent == a->lease.percent)
            continue;
        s->percent = a->lease.percent;
        if (!s->percent)
            continue;
        e.session = str_pb(str_of(s->id, SESSION_LEN));
        e.percent = s->percent;
        if (rpc_push(s->peer, STORE__EVENT__QUOTA_STEP, &e.base) < 0)
            log_event(LOG_WARN, "store.peer_does_not_read");
    }
}

/* The highest step that a limit has passed. One that was told must be left by 2 % to be told again. */
static uint32_t step_of(const struct lease *l, uint32_t told)
{
    uint32_t step = 0;

    for (size_t i = 0; i < ARRAY_LEN(l->limits); i++) {
        const struct lease_limit *m = &l->limits[i];
        double part = !m->limited ? 0 : m->limit ? 100.0 * (double)m->taken / (double)m->limit : 100.0;

        for (size_t k = 0; k < ARRAY_LEN(steps); k++)
            if (steps[k] > step && part >= (double)steps[k] - (told >= steps[k] ? 2 : 0))
                step = steps[k];
    }
    return step;
}

static void steps_look(struct actor *a, uint32_t told)
{
    char id[2 * MAILBOX_ID_LEN + 1];

    a->lease.percent = step_of(&a->lease, told);
    a->lease.tight = a->lease.percent > 0;
    if (a->lease.percent > told) {
        hex_encode(a->id, MAILBOX_ID_LEN, id);
        log_event(LOG_WARN, "store.quota_step", F_Z("mailbox", id), F_U64("percent", a->lease.percent));
        store.quota_warnings++;
    }
    lease_tell(a);
}

static void answer_take(struct lease_trip *t, const Directory__LeaseResponse *m)
{
    struct lease *l = &t->actor->lease;

    t->then = t->now;
    t->then.limited = m->limited;
    t->then.leased = t->something ? m->leased : 0;
    t->never = m->never;
    t->granted = !m->limited || m->leased >= t->now.used + t->need;
    for (; t->nunused < m->n_unused && t->nunused < UNUSED_MAX; t->nunused++) {
        if (m->unused[t->nunused].len != MAILBOX_ID_LEN)
            break;
        memcpy(t->unused[t->nunused], m->unused[t->nunused].data, MAILBOX_ID_LEN);
    }
    l->known = true;
    l->limited = m->limited;
    memset(l->limits, 0, sizeof l->limits);
    for (size_t i = 0; i < m->n_scopes; i++)
        if ((size_t)m->scopes[i]->kind < ARRAY_LEN(l->limits))
            l->limits[m->scopes[i]->kind] =
                (struct lease_limit){ true, m->scopes[i]->limit, m->scopes[i]->taken };
    steps_look(t->actor, t->now.step);
    t->then.step = l->percent;
}

/* Something to write into the file? */
static bool to_note(const struct lease_trip *t)
{
    if (!t->something)
        return false;
    return t->then.step != t->now.step || (t->then.limited && t->then.leased != t->now.leased) ||
           (t->open && t->then.limited != t->now.limited);
}

/* What the directory knows of the mailbox itself now. */
static void reported(const struct lease_trip *t)
{
    struct lease *l = &t->actor->lease;

    l->reported_ms = clock_mono_ms();
    if (t->open && t->actor->state == ACTOR_OPEN) { /* else it was closed since, and `last` is newer */
        l->last = t->then;
        l->closed = false;
    }
    if (t->with_box && t->box.used == l->last.used && t->box.leased == l->last.leased &&
        t->box.messages == l->last.messages)
        l->closed = false;
}

/* For all who wait it was too much: for the first one alone, then. */
static bool ask_alone(struct lease_trip *t)
{
    struct lease_wait *w = t->actor->lease.waits;

    if (t->alone || !w || t->need <= w->need)
        return false;
    t->alone = true;
    t->need = w->need;
    trip_begin(t);
    return true;
}

static void answered(void *ctx, int status, struct str body)
{
    CLEANUP(arena_release) struct arena arena = { .max = KIB(64) };
    struct lease_trip *t = ctx;
    Directory__LeaseResponse *m = NULL;

    if (status == 0 && !(m = RPC_UNPACK(&arena, body, directory__lease_response)))
        status = E_CORRUPT;
    if (status < 0) {
        log_event(LOG_WARN, "store.lease_failed", F_ERR(status));
        trip_end(t, E_UNAVAIL, true);
        return;
    }
    t->nunused = 0;
    answer_take(t, m);
    reported(t);
    if (!t->granted && !t->gave && t->nunused) {
        others_give(t);
        return;
    }
    if (!t->granted && ask_alone(t))
        return;
    t->actor->lease.tight |= !t->granted;
    t->job = (struct job){ .kind = JOB_ALONE, .run = note_run, .done = note_done };
    if (!to_note(t) || actor_submit(t->actor, &t->job) < 0)
        trip_end(t, t->granted ? 0 : t->never ? E_TOO_BIG : E_QUOTA, t->granted);
}

/* ---- ask ---------------------------------------------------------------------------------------- */

static void part_of(Directory__LeasePart *p, uint64_t generation, const struct quota_count *q)
{
    directory__lease_part__init(p);
    p->generation = generation;
    p->used = q->used;
    p->leased = q->limited && q->leased > q->used ? q->leased : q->used;
    p->messages = q->messages;
}

static void trip_ask(struct lease_trip *t)
{
    Directory__LeaseRequest q = DIRECTORY__LEASE_REQUEST__INIT;
    Directory__LeasePart parts[2], *v[2] = { &parts[0], &parts[1] };
    struct rpc_ask ask = { .op = DIRECTORY__OP__LEASE,
                           .body = &q.base,
                           .deadline_ms = store.stopping ? STOP_ASK_MS : ASK_MS,
                           .done = answered,
                           .ctx = t };

    if (t->something)
        part_of(&parts[q.n_parts++], t->generation, &t->now);
    if (t->with_box)
        part_of(&parts[q.n_parts++], 0, &t->box);
    q.mailbox_id = str_pb(str_of(t->actor->id, MAILBOX_ID_LEN));
    q.parts = v;
    q.need = t->need;
    q.only = t->open && t->actor->lease.drained;
    store.lease_requests++;
    if (!rpc_link_ask(role_link(store.role, ROLE_DIRECTORY), &ask))
        trip_end(t, E_UNAVAIL, true);
}

static void see_done(struct job *j)
{
    struct lease_trip *t = CONTAINER_OF(j, struct lease_trip, job);
    struct lease *l = &t->actor->lease;

    if (j->status < 0) {
        actor_log("store.quota_unreadable", t->actor, j->status, NULL);
        trip_end(t, E_UNAVAIL, true);
        return;
    }
    t->with_box = !t->open && l->closed;
    t->box = l->last;
    if (t->something || t->with_box)
        trip_ask(t);
    else
        trip_end(t, t->need ? E_UNAVAIL : 0, true);
}

/* Also again, when others have given back. */
static void trip_begin(struct lease_trip *t)
{
    t->something = false;
    t->job = (struct job){ .kind = JOB_ALONE, .run = see_run, .done = see_done };
    if (actor_submit(t->actor, &t->job) < 0)
        trip_end(t, E_UNAVAIL, true);
}

static void trip_start(struct actor *a)
{
    struct lease_trip *t;

    if (a->lease.trip)
        return;
    if (!(t = calloc(1, sizeof *t))) {
        waits_end(a, E_NOMEM, true);
        return;
    }
    actor_ref(a);
    t->actor = a;
    for (const struct lease_wait *w = a->lease.waits; w; w = w->next)
        t->need += w->need;
    t->give = a->lease.give;
    a->lease.trip = t;
    a->lease.report = a->lease.give = false;
    trip_begin(t);
}

void lease_want(struct actor *a, struct lease_wait *w)
{
    struct lease_wait **end = &a->lease.waits;

    while (*end)
        end = &(*end)->next;
    w->next = NULL;
    *end = w;
    trip_start(a);
}

void lease_report(struct actor *a, bool give)
{
    a->lease.report = true;
    a->lease.give |= give;
    trip_start(a);
}

void lease_closed(struct actor *a, const struct quota_count *last)
{
    struct lease *l = &a->lease;
    bool same = l->known && !l->closed && l->last.used == last->used && l->last.messages == last->messages &&
                (!last->limited || l->last.leased == last->leased);

    l->drained = false;
    if (same)
        return;
    l->last = *last;
    l->closed = true;
    lease_report(a, false);
}

/* ---- from outside ------------------------------------------------------------------------------- */

static void every_open(bool (*wants)(const struct actor *a), bool give)
{
    size_t n = 0;
    uint64_t *ids = idmap_ids(&store.actors, &n);

    for (size_t i = 0; i < n; i++) {
        struct actor *a = idmap_get(&store.actors, ids[i]);

        if (a && a->state == ACTOR_OPEN && wants(a))
            lease_report(a, give);
    }
    free(ids);
}

static bool always(const struct actor *a UNUSED)
{
    return true;
}

void lease_limits_changed(void)
{
    every_open(always, true);
}

static bool is_old(const struct actor *a)
{
    return clock_mono_ms() - a->lease.reported_ms > REPORT_MS;
}

void lease_report_old(void)
{
    every_open(is_old, false);
}

/* ---- QUOTA -------------------------------------------------------------------------------------- */

struct asking {
    struct lease_wait wait;
    struct job job;
    struct rpc_req *q;
    struct actor *actor; /* a reference */
    struct quota_count now;
};

static void quota_answer(struct asking *k)
{
    static const char *const names[] = { "account", "domain", "mailbox" };
    Store__QuotaResponse m = STORE__QUOTA_RESPONSE__INIT;
    Store__QuotaRoot roots[ARRAY_LEN(names)], *v[ARRAY_LEN(names)];

    for (size_t i = ARRAY_LEN(names); i-- > 0;) { /* the mailbox first, it is always there */
        const struct lease_limit *l = &k->actor->lease.limits[i];
        Store__QuotaRoot *root = &roots[m.n_roots];

        if (!l->limited && i + 1 < ARRAY_LEN(names))
            continue;
        store__quota_root__init(root);
        root->name = str_pb(str_from(names[i]));
        root->limited = l->limited;
        root->limit = l->limit;
        root->used = i + 1 < ARRAY_LEN(names) ? l->taken : k->now.used;
        v[m.n_roots++] = root;
    }
    m.roots = v;
    m.messages = k->now.messages;
    m.messages_max = MAILBOX_MESSAGES_MAX;
    m.folders = k->now.folders;
    m.folders_max = MAILBOX_FOLDERS_MAX;
    request_reply(k->q, 0, &m.base, NULL);
}

static void asking_end(struct asking *k, int status)
{
    if (status == 0)
        quota_answer(k);
    else
        request_reply(k->q, status == E_CLOSED ? E_GONE : status, NULL, NULL);
    actor_unref(k->actor);
    free(k);
}

static int asking_run(struct job *j, struct mailbox *box)
{
    struct asking *k = CONTAINER_OF(j, struct asking, job);

    return box ? mailbox_quota_get(box, &k->now) : E_CLOSED;
}

static void asking_ran(struct job *j)
{
    asking_end(CONTAINER_OF(j, struct asking, job), j->status);
}

/* What the directory last said will do when it does not answer now. */
static void asking_asked(struct lease_wait *w, int status UNUSED)
{
    struct asking *k = CONTAINER_OF(w, struct asking, wait);
    int r;

    k->job = (struct job){ .kind = JOB_ALONE, .run = asking_run, .done = asking_ran };
    if ((r = actor_submit(k->actor, &k->job)) < 0)
        asking_end(k, r);
}

int op_quota(struct rpc_req *q, struct str body)
{
    Store__SessionRequest *m = RPC_UNPACK(rpc_req_arena(q), body, store__session_request);
    struct session *s = m ? session_of(q, pb_str(m->session)) : NULL;
    struct asking *k;

    if (!m)
        return E_SYNTAX;
    if (!s)
        return E_GONE;
    if (!(k = calloc(1, sizeof *k)))
        return E_NOMEM;
    k->q = q;
    k->actor = s->actor;
    k->wait.done = asking_asked;
    actor_ref(k->actor);
    request_begin();
    lease_want(k->actor, &k->wait);
    return 0;
}
