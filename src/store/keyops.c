/* src/store/keyops.c: changes of keys. The order is safe at every crash (doc/contract.md): the
 * directory learns the new state (both are right), `.keys` is replaced, the mailbox notes it, the
 * directory forgets the old one. A new mailbox: files first, and the directory's BIND makes it the
 * alias's; what a crash leaves before is nobody's.
 *
 * Each request is a walk over stages; a stage runs in a pool, in the mailbox's lane, or asks the
 * directory. One change of a mailbox at a time. */
#include "src/store/shipop.h"
#include "src/store/keyop.h"
#include "src/store/places.h"
#include "lib/base/rand.h"
#include <assert.h>

#define SHIPPED_KEYS 4u
#define ASK_MS       30000
#define CLOSE_MS     20
#define CLOSE_MAX    1500 /* times CLOSE_MS */
#define TEMPS_MAX    64u

/* ---- walking ------------------------------------------------------------------------------------- */

static void keyop_free(struct keyop *k)
{
    timer_release(&k->timer);
    mailbox_close(&k->box);
    restore_abandon(k);
    purge_free(&k->purge);
    free(k->check);
    if (k->rotation.lost)
        sessions_end_all(k->actor, 0, STORE__SESSION_ENDED_EVENT__WHY__RESTORED);
    if (k->holds)
        actor_let_go(k->actor);
    if (k->actor && k->turn)
        k->actor->key_busy = k->actor->tidying = k->actor->shut = false;
    if (k->actor)
        actor_unref(k->actor);
    if (k->old) {
        k->old->shut = false;
        actor_unref(k->old);
    }
    keyfile_free(&k->kf);
    keyfile_keys_release(&k->keys);
    password_release(&k->current);
    password_release(&k->password);
    explicit_bzero(k, sizeof *k);
    free(k);
}

static void keyop_end(struct keyop *k, int r)
{
    /* A BIND whose answer is not known may have been done: then the files are the alias's mailbox. */
    bool nobodys = k->files_made && !k->bound && !(k->bind_asked && error_is_transient(r));

    if (r < 0 && nobodys && files_remove(&store.files, k->actor->id) < 0)
        log_event(LOG_WARN, "store.orphan_left");
    if (k->q && r < 0)
        request_reply(k->q, r, NULL, NULL);
    else
        k->answer(k);
    keyop_free(k);
}

static void keyop_step(struct keyop *k);

static void keyop_result(struct keyop *k, int r)
{
    if (r < 0) {
        keyop_end(k, r);
        return;
    }
    k->at++;
    keyop_step(k);
}

static void pool_run(struct work_job *w)
{
    struct keyop *k = CONTAINER_OF(w, struct keyop, work);

    k->status = k->stages[k->at].run(k);
}

static void pool_done(struct work_job *w)
{
    struct keyop *k = CONTAINER_OF(w, struct keyop, work);

    keyop_result(k, k->status);
}

static int lane_run(struct job *j, struct mailbox *box UNUSED)
{
    struct keyop *k = CONTAINER_OF(j, struct keyop, job);

    return k->stages[k->at].run(k);
}

static void lane_done(struct job *j)
{
    struct keyop *k = CONTAINER_OF(j, struct keyop, job);

    keyop_result(k, j->status);
}

static void asked(void *ctx, int status, struct str body UNUSED)
{
    keyop_result(ctx, status);
}

/* Whose files are to be exchanged. */
static struct actor *closing_of(struct keyop *k)
{
    return k->old ? k->old : k->actor;
}

/* Jobs that read have ended; those that come now wait. */
static void unread_poll(struct timer *t)
{
    struct keyop *k = CONTAINER_OF(t, struct keyop, timer);

    if (k->actor->reading == 0)
        keyop_result(k, 0);
    else if (++k->tries > CLOSE_MAX)
        keyop_end(k, E_BUSY);
    else
        timer_set(&k->timer, CLOSE_MS);
}

static void close_poll(struct timer *t)
{
    struct keyop *k = CONTAINER_OF(t, struct keyop, timer);
    struct actor *a = closing_of(k);

    if (a->state == ACTOR_CLOSED && !a->drain)
        keyop_result(k, 0);
    else if (++k->tries > CLOSE_MAX)
        keyop_end(k, E_BUSY);
    else
        timer_set(&k->timer, CLOSE_MS);
}

/* After keys_tidy, which a login begins by itself, it is our turn. */
static void turn_poll(struct timer *t)
{
    struct keyop *k = CONTAINER_OF(t, struct keyop, timer);

    if (k->actor->key_busy && (!k->actor->tidying || ++k->tries > CLOSE_MAX)) {
        keyop_end(k, E_BUSY);
    } else if (k->actor->key_busy) {
        timer_set(&k->timer, CLOSE_MS);
    } else {
        k->actor->key_busy = k->turn = true;
        k->actor->tidying = k->q == NULL || k->patient;
        keyop_step(k);
    }
}

static void keyop_step(struct keyop *k)
{
    const struct stage_row *s = &k->stages[k->at];
    int r = 0;

    switch ((int)s->where) {
    case IN_POOL:
        k->work = (struct work_job){ .run = pool_run, .done = pool_done };
        r = work_submit(k->slow ? store.derive[1] : store.pool, &k->work) < 0 ? E_UNAVAIL : 0;
        break;
    case IN_LANE:
        k->job = (struct job){ .kind = JOB_ALONE, .run = lane_run, .done = lane_done, .through = k->holds };
        r = actor_submit(k->old && k->bound ? k->old : k->actor, &k->job);
        break;
    case ASK: r = s->run(k); break;
    case WHEN_CLOSED:
        closing_of(k)->shut = true;
        k->ended += sessions_end_all(closing_of(k), 0, STORE__SESSION_ENDED_EVENT__WHY__REVOKED);
        k->tries = 0;
        k->timer.fire = close_poll;
        timer_set(&k->timer, 0);
        break;
    case WHEN_UNREAD:
        actor_hold(k->actor, HOLD_READS);
        k->tries = 0;
        k->timer.fire = unread_poll;
        timer_set(&k->timer, 0);
        break;
    case HERE: keyop_result(k, s->run(k)); return;
    default: keyop_end(k, 0); return;
    }
    if (r < 0)
        keyop_end(k, r);
}

int keyop_begin(struct rpc_req *q, const void *id, const struct stage_row *stages,
                void (*answer)(struct keyop *), struct keyop **out)
{
    struct keyop *k;
    struct actor *a;

    if (store.stopping)
        return E_UNAVAIL;
    if (!(a = actor_get(id)))
        return E_NOMEM;
    k = calloc(1, sizeof *k);
    if (!k || timer_init(&k->timer, store.loop, turn_poll) < 0) {
        free(k);
        actor_unref(a);
        return E_NOMEM;
    }
    k->q = q;
    k->actor = a;
    k->stages = stages;
    k->answer = answer;
    *out = k;
    return 0;
}

int keyop_go(struct keyop *k, int r)
{
    if (r < 0) {
        keyop_free(k);
        return r;
    }
    request_begin();
    turn_poll(&k->timer);
    return 0;
}

/* ---- stages -------------------------------------------------------------------------------------- */

static int ask_directory(struct keyop *k, uint32_t op, const ProtobufCMessage *body)
{
    struct rpc_ask ask = {
        .op = op, .body = body, .deadline_ms = ASK_MS, .changes = true, .done = asked, .ctx = k
    };

    return rpc_link_ask(role_link(store.role, ROLE_DIRECTORY), &ask) ? 0 : E_NOMEM;
}

static int ask_state(struct keyop *k, uint32_t op)
{
    Directory__KeystateRequest q = DIRECTORY__KEYSTATE_REQUEST__INIT;

    q.mailbox_id = str_pb(str_of(k->actor->id, MAILBOX_ID_LEN));
    q.key_state = str_pb(str_of(k->state, sizeof k->state));
    return ask_directory(k, op, &q.base);
}

int keyop_ask_prepare(struct keyop *k)
{
    return ask_state(k, DIRECTORY__OP__KEYSTATE_PREPARE);
}

int keyop_ask_commit(struct keyop *k)
{
    return ask_state(k, DIRECTORY__OP__KEYSTATE_COMMIT);
}

static int ask_bind(struct keyop *k)
{
    Directory__BindRequest q = DIRECTORY__BIND_REQUEST__INIT;

    q.alias_id = k->alias_id;
    q.mailbox_id = str_pb(str_of(k->actor->id, MAILBOX_ID_LEN));
    q.key_state = str_pb(str_of(k->state, sizeof k->state));
    if (k->old)
        q.replaces_mailbox_id = str_pb(str_of(k->old->id, MAILBOX_ID_LEN));
    k->bind_asked = true;
    return ask_directory(k, DIRECTORY__OP__MAILBOX_BIND, &q.base);
}

static int mark_bound(struct keyop *k)
{
    k->bound = true;
    return 0;
}

void keyop_state_of(struct keyop *k)
{
    keys_state(k->kf, role_subkey(store.role, SUBKEY_KEYSTATE_MAC), k->state);
}

/* `.keys` opened with a password that was given. */
int keyop_keys_open(struct keyop *k)
{
    struct keys_known known = { k->states, k->nstates, role_subkey(store.role, SUBKEY_KEYSTATE_MAC) };
    int r;

    keyfile_free(&k->kf);
    if ((r = keys_load(&store.files, k->actor->id, &k->kf)) < 0 || (r = keys_check(k->kf, &known)) < 0) {
        if (r == E_STALE || r == E_CORRUPT)
            log_event(LOG_ALARM, "store.keys_refused", F_ERR(r));
        return r;
    }
    return keyfile_open(k->kf, &k->current, &k->keys);
}

/* The new password's slot in k->kf. */
static int slot_make(struct keyop *k)
{
    struct keyfile_label label = { .created_ms = clock_wall_ms() };
    uint16_t id = 0;
    int r;

    memcpy(label.name, k->name.p, size_min(k->name.n, KEYFILE_NAME_MAX));
    if (k->own_text.n) {
        if ((r = password_strength_check(k->own_text, NULL)) < 0 ||
            (r = password_parse(k->own_text, &k->password)) < 0)
            return r == E_AUTH ? E_WEAK : r;
    } else {
        password_generate(keyfile_next_slot(k->kf), &k->password);
        password_text(&k->password, k->text);
    }
    if ((r = keyfile_slot_add(k->kf, &k->keys, &k->password, PASSWORD_COST_DEFAULT,
                              role_subkey(store.role, SUBKEY_SLOT_NAMES), &label, &id)) < 0)
        return r;
    k->slot = id;
    keyop_state_of(k);
    return 0;
}

static int pool_create(struct keyop *k)
{
    int r = keyfile_new(k->actor->id, &k->kf, &k->keys);

    k->generation = k->keys.generation;
    return r < 0 ? r : slot_make(k);
}

static int pool_add(struct keyop *k)
{
    int r = keyop_keys_open(k);

    k->generation = k->keys.generation;
    return r < 0 ? r : slot_make(k);
}

static int pool_revoke(struct keyop *k)
{
    int r = keyop_keys_open(k);

    k->generation = k->keys.generation;
    if (r < 0 || (r = keyfile_slot_revoke(k->kf, &k->keys, k->slot)) < 0)
        return r;
    keyop_state_of(k);
    return 0;
}

static int mailbox_make(struct keyop *k, struct mailbox **out)
{
    struct db_error e = { 0 };
    struct mailbox_options o = { .flags = MAILBOX_CREATE, .cache_kib = 128, .error = &e };
    struct mailbox_meta m = { .generation = k->generation, .key_state = { .max = KIB(4) } };
    char path[FILES_PATH_MAX], full[2 * FILES_PATH_MAX];
    int r = buf_append(&m.key_state, k->state, sizeof k->state);

    memcpy(m.id, k->actor->id, sizeof m.id);
    files_path(k->actor->id, FILES_MAILBOX, path);
    files_full(&store.files, path, full, sizeof full);
    if (r == 0 && (r = mailbox_open(full, k->keys.data_key, &o, &m, out)) < 0)
        actor_log("store.open_failed", k->actor, r, &e);
    buf_release(&m.key_state);
    return r;
}

/* The mailbox first: `.keys` without one would be a mailbox that is lost. */
static int lane_create(struct keyop *k)
{
    struct mailbox *box = NULL;
    int r;

    k->files_made = true;
    if ((r = place_new(k->actor->id, k->place)) < 0 || (r = files_folder(&store.files, k->actor->id)) < 0 ||
        (r = mailbox_make(k, &box)) < 0 || (r = mailbox_close(&box)) < 0)
        return r;
    return keys_save(&store.files, k->kf);
}

int keyop_lane_save(struct keyop *k)
{
    struct actor *a = k->actor;
    struct mailbox_options o = { .cache_kib = 128 };
    struct mailbox *box = NULL;
    uint32_t generation;
    int r = keys_save(&store.files, k->kf), c;

    a->have_public = false;
    if (r < 0)
        return r;
    if (a->box)
        return keybox_note(a->box, k->generation, k->state);
    if ((r = keybox_open(&store.files, k->kf, &k->keys, &o, &box, &generation)) < 0)
        return r;
    r = keybox_note(box, generation, k->state);
    c = mailbox_close(&box);
    return r < 0 ? r : c;
}

int keyop_backup_keys(struct keyop *k)
{
    backup_keys_follow(k->actor->id);
    return 0;
}

/* ---- KEY_ADD, KEY_START_OVER ---------------------------------------------------------------------- */

static void answer_password(struct keyop *k)
{
    Store__KeyAddResponse r = STORE__KEY_ADD_RESPONSE__INIT;

    r.password = str_pb(str_from(k->text));
    r.slot = k->slot;
    r.mailbox_id = str_pb(str_of(k->actor->id, MAILBOX_ID_LEN));
    if (k->old)
        r.set_aside_until_ms = clock_wall_ms() + FILES_ASIDE_DAYS * INT64_C(86400000);
    request_reply(k->q, 0, &r.base, NULL);
}

static const struct stage_row create_stages[] = {
    { IN_POOL, pool_create }, { IN_LANE, lane_create },  { ASK, ask_bind },
    { HERE, mark_bound },     { ASK, keyop_ask_commit }, { 0, NULL },
};
static const struct stage_row add_stages[] = {
    { IN_POOL, pool_add },          { ASK, keyop_ask_prepare }, { IN_LANE, keyop_lane_save },
    { IN_POOL, keyop_backup_keys }, { ASK, keyop_ask_commit },  { 0, NULL },
};

static int lane_aside(struct keyop *k)
{
    struct actor *a = k->old;

    if (a->key)
        return E_BUSY;
    tempbox_close(&a->temp);
    a->have_public = false;
    noting_forget(a);
    return files_set_aside(&store.files, a->id, clock_wall_ms());
}

static const struct stage_row over_stages[] = {
    { IN_POOL, pool_create },  { IN_LANE, lane_create }, { ASK, ask_bind },       { HERE, mark_bound },
    { ASK, keyop_ask_commit }, { WHEN_CLOSED, NULL },    { IN_LANE, lane_aside }, { 0, NULL },
};

int keyop_passwords_take(struct keyop *k, ProtobufCBinaryData current, ProtobufCBinaryData own,
                         const char *name)
{
    int r = current.len ? password_parse(pb_str(current), &k->current) : 0;

    k->own_text = pb_str(own);
    k->name = str_from(name);
    k->slow = own.len || (current.len && r == 0 && k->current.kind == PASSWORD_OWN);
    return k->name.n > KEYFILE_NAME_MAX ? E_LIMIT : r == E_LIMIT ? E_AUTH : r;
}

int op_key_add(struct rpc_req *q, struct str body)
{
    Store__KeyAddRequest *m = RPC_UNPACK(rpc_req_arena(q), body, store__key_add_request);
    uint8_t fresh[MAILBOX_ID_LEN];
    struct keyop *k = NULL;
    bool first;
    int r;

    if (!m || (m->mailbox_id.len && m->mailbox_id.len != MAILBOX_ID_LEN))
        return E_SYNTAX;
    first = m->mailbox_id.len == 0;
    if (!first && !m->current_password.len)
        return E_AUTH;
    rand_bytes(fresh, sizeof fresh);
    if ((r = keyop_begin(q, first ? fresh : m->mailbox_id.data, first ? create_stages : add_stages,
                         answer_password, &k)) < 0)
        return r;
    k->alias_id = m->alias_id;
    k->place = pb_str(m->place);
    k->states = m->key_states;
    k->nstates = m->n_key_states;
    return keyop_go(k, keyop_passwords_take(k, first ? (ProtobufCBinaryData){ 0 } : m->current_password,
                                            m->own_password, m->name));
}

int op_key_start_over(struct rpc_req *q, struct str body)
{
    Store__KeyStartOverRequest *m = RPC_UNPACK(rpc_req_arena(q), body, store__key_start_over_request);
    uint8_t fresh[MAILBOX_ID_LEN];
    struct keyop *k = NULL;
    int r;

    if (!m || m->mailbox_id.len != MAILBOX_ID_LEN)
        return E_SYNTAX;
    rand_bytes(fresh, sizeof fresh);
    if ((r = keyop_begin(q, fresh, over_stages, answer_password, &k)) < 0)
        return r;
    k->alias_id = m->alias_id;
    k->place = pb_str(m->place);
    if (!(k->old = actor_get(m->mailbox_id.data)))
        return keyop_go(k, E_NOMEM);
    return keyop_go(k, keyop_passwords_take(k, (ProtobufCBinaryData){ 0 }, m->own_password, m->name));
}

/* ---- KEY_REVOKE ----------------------------------------------------------------------------------- */

static int here_revoke(struct keyop *k)
{
    struct actor *a = k->actor;

    a->epoch++;
    for (size_t i = 0; i < a->nverifiers;)
        if (a->verifiers[i].slot == k->slot)
            a->verifiers[i] = a->verifiers[--a->nverifiers];
        else
            i++;
    k->ended += sessions_end_all(a, k->slot, STORE__SESSION_ENDED_EVENT__WHY__REVOKED);
    return 0;
}

static void answer_revoked(struct keyop *k)
{
    Store__KeyRevokeResponse r = STORE__KEY_REVOKE_RESPONSE__INIT;

    r.generation = keyfile_generation(k->kf);
    r.sessions_ended = k->ended;
    request_reply(k->q, 0, &r.base, NULL);
}

static const struct stage_row revoke_stages[] = {
    { IN_POOL, pool_revoke },
    { ASK, keyop_ask_prepare },
    { IN_LANE, keyop_lane_save },
    { HERE, here_revoke },
    { IN_POOL, keyop_backup_keys },
    { ASK, keyop_ask_commit },
    { 0, NULL },
};

int op_key_revoke(struct rpc_req *q, struct str body)
{
    Store__KeyRevokeRequest *m = RPC_UNPACK(rpc_req_arena(q), body, store__key_revoke_request);
    struct keyop *k = NULL;
    int r;

    if (!m || m->mailbox_id.len != MAILBOX_ID_LEN || m->slot == 0 || m->slot > UINT16_MAX)
        return E_SYNTAX;
    if ((r = keyop_begin(q, m->mailbox_id.data, revoke_stages, answer_revoked, &k)) < 0)
        return r;
    k->slot = (uint16_t)m->slot;
    k->states = m->key_states;
    k->nstates = m->n_key_states;
    return keyop_go(k, keyop_passwords_take(k, m->current_password, (ProtobufCBinaryData){ 0 }, ""));
}

/* Sealed records that are shipped name keys that were exchanged since: the last few stay. */
static uint32_t oldest_kept(const struct keyfile *kf)
{
    size_t n = 0;

    while (keyfile_mailbox_key_at(kf, n))
        n++;
    return !ships_on() ? UINT32_MAX : keyfile_mailbox_key_at(kf, n > SHIPPED_KEYS ? n - SHIPPED_KEYS : 0);
}

/* Records are sealed in the order of their keys: the first one of a file names the oldest. What is sealed
 * from now on names the current one. */
int keyop_oldest_named(struct actor *a, const struct keyfile *kf, uint32_t *out)
{
    uint64_t files[TEMPS_MAX];
    uint32_t oldest, g;
    int n = files_temp_list(&store.files, a->id, files, TEMPS_MAX), r = n < 0 ? n : 0;

    keyfile_public(kf, &oldest);
    for (int i = 0; i < n && r >= 0; i++) {
        struct tempbox *own = NULL, *t = a->temp && tempbox_generation(a->temp) == files[i] ? a->temp : NULL;
        struct temp_record rec;

        if (!t && (r = tempbox_open_generation(&store.files, a->id, &store.temp_keys, files[i], &own)) < 0)
            break;
        t = t ? t : own;
        if ((r = tempbox_next(t, 0, &rec)) > 0 && (r = tempbox_key_generation(t, rec.seq, &g)) >= 0 &&
            g < oldest)
            oldest = g;
        tempbox_close(&own);
    }
    *out = (uint32_t)size_min(oldest, oldest_kept(kf));
    return r < 0 ? r : n == TEMPS_MAX ? E_LIMIT : 0;
}

/* ---- old mailbox keys ------------------------------------------------------------------------------ */

static int lane_forget(struct keyop *k)
{
    struct actor *a = k->actor;
    int r;

    if (!a->box)
        return E_CLOSED;
    if ((r = keys_load(&store.files, a->id, &k->kf)) < 0 ||
        (r = keyfile_open_key(k->kf, (uint32_t)k->generation, a->key, k->slot, &k->keys)) < 0 ||
        (r = keybox_settle(a->box, k->kf, (uint32_t)k->generation,
                           role_subkey(store.role, SUBKEY_KEYSTATE_MAC))) < 0 ||
        (r = keyop_oldest_named(a, k->kf, &k->oldest)) < 0 ||
        (r = keys_forget_before(k->kf, &k->keys, k->oldest)) < 0)
        return r;
    if (r == 0)
        return E_NOTFOUND; /* all are still named */
    keyop_state_of(k);
    return 0;
}

static void answer_nobody(struct keyop *k UNUSED)
{
    store.requests--;
    store_stop_when_idle();
}

static const struct stage_row tidy_stages[] = {
    { IN_LANE, lane_forget },
    { ASK, keyop_ask_prepare },
    { IN_LANE, keyop_lane_save },
    { ASK, keyop_ask_commit },
    { 0, NULL },
};

void keys_tidy(struct actor *a)
{
    struct keyop *k = NULL;

    if (a->key_busy || !a->sessions || keyop_begin(NULL, a->id, tidy_stages, answer_nobody, &k) < 0)
        return;
    k->slot = a->sessions->slot;
    k->generation = a->generation;
    if (keyop_go(k, 0) < 0)
        log_event(LOG_WARN, "store.keys_not_tidied");
}

/* ---- KEY_LIST ---------------------------------------------------------------------- */

static int pool_list(struct keyop *k)
{
    struct keys_known known = { k->states, k->nstates, role_subkey(store.role, SUBKEY_KEYSTATE_MAC) };
    int r = keys_load(&store.files, k->actor->id, &k->kf);

    return r < 0 ? r : (r = keys_check(k->kf, &known)) < 0 ? r : 0;
}

static void answer_list(struct keyop *k)
{
    Store__KeyListResponse r = STORE__KEY_LIST_RESPONSE__INIT;
    size_t n = keyfile_slot_count(k->kf);
    Store__Slot slots[KEYFILE_SLOTS_MAX], *list[KEYFILE_SLOTS_MAX];
    struct keyfile_label labels[KEYFILE_SLOTS_MAX];

    for (size_t i = 0; i < n && i < KEYFILE_SLOTS_MAX; i++) {
        enum password_kind kind = PASSWORD_GENERATED;
        uint16_t id = 0;

        store__slot__init(&slots[i]);
        memset(&labels[i], 0, sizeof labels[i]);
        if (keyfile_slot_at(k->kf, i, &id, &kind) < 0)
            break;
        if (keyfile_slot_label(k->kf, id, role_subkey(store.role, SUBKEY_SLOT_NAMES), &labels[i]) < 0)
            labels[i].name[0] = 0;
        slots[i].slot = id;
        slots[i].name = labels[i].name;
        slots[i].own = kind == PASSWORD_OWN;
        slots[i].created_ms = labels[i].created_ms;
        list[r.n_slots++] = &slots[i];
    }
    r.slots = list;
    r.generation = keyfile_generation(k->kf);
    request_reply(k->q, 0, &r.base, NULL);
}

static const struct stage_row list_stages[] = { { IN_POOL, pool_list }, { 0, NULL } };

int op_key_list(struct rpc_req *q, struct str body)
{
    Store__KeyListRequest *m = RPC_UNPACK(rpc_req_arena(q), body, store__key_list_request);
    struct keyop *k = NULL;
    int r;

    if (!m || m->mailbox_id.len != MAILBOX_ID_LEN)
        return E_SYNTAX;
    if ((r = keyop_begin(q, m->mailbox_id.data, list_stages, answer_list, &k)) < 0)
        return r;
    k->states = m->key_states;
    k->nstates = m->n_key_states;
    return keyop_go(k, 0);
}
