/* src/store/rotate.c: KEY_ROTATE, a new data key.
 *
 * `.keys` naming both data keys; the mailbox copied under the new one, verified, and renamed over the old
 * one; `.keys` with the new one alone. Whoever opens tries both. A rotation that a crash cut in the middle
 * is taken up by the next one: the file tells how far it was.
 *
 * Sessions stay: who writes waits while the copy is made, who reads only while it takes the old one's
 * place. Then each session gets a ticket with the new key. */
#include "src/store/keyop.h"

static int pool_rotate(struct keyop *k)
{
    int r = keyop_keys_open(k);

    k->generation = k->keys.generation;
    if (r == 0 && !k->keys.next_generation)
        r = keyfile_rotate_begin(k->kf, &k->keys);
    if (r == 0)
        keyop_state_of(k);
    return r;
}

static int lane_save_begun(struct keyop *k)
{
    return keys_save(&store.files, k->kf);
}

/* Logins that were checked against `.keys` as it was open nothing any more. */
static int here_hold(struct keyop *k)
{
    k->actor->epoch++;
    k->holds = true;
    actor_hold(k->actor, HOLD_WRITES);
    return 0;
}

static int lane_copy(struct keyop *k)
{
    struct actor *a = k->actor;
    int r;

    if (keyop_oldest_named(a, k->kf, &k->oldest) < 0)
        k->oldest = 0;                                        /* not known: all are kept */
    if (a->box && a->generation == k->keys.next_generation) { /* it was opened after a crash in the middle */
        k->rotation.exchanged = true;
        return 0;
    }
    if ((r = keybox_copy(&store.files, k->kf, &k->keys, a->box, &k->rotation.commits)) < 0) {
        actor_log("store.rotation_not_copied", a, r, a->box ? db_error_detail(mailbox_db(a->box)) : NULL);
        return r;
    }
    k->rotation.exchanged = r > 0;
    k->rotation.copied = r == 0;
    return 0;
}

/* Open again for the sessions that wait, under whichever key the file has now. */
static int box_reopen(struct keyop *k)
{
    struct mailbox_options o = { .flags = MAILBOX_COUNT_WAL,
                                 .cache_kib = (uint32_t)(store_conf.cache_bytes / 1024) };
    struct actor *a = k->actor;
    uint32_t generation = 0;
    int r = keybox_open(&store.files, k->kf, &k->keys, &o, &a->box, &generation);

    if (r == 0)
        handle_adopt(store.handles, &a->writer, a->box);
    k->rotation.lost = r < 0;
    return r;
}

static int lane_swap(struct keyop *k)
{
    struct actor *a = k->actor;
    bool open = a->box != NULL;
    int r, c = 0;

    if (k->rotation.exchanged)
        return 0;
    for (size_t i = 0; i < READERS; i++)
        handle_drop(store.handles, &a->reader[i]);
    a->box = NULL;
    if (open)
        c = handle_drop(store.handles, &a->writer);
    r = c < 0 ? c : keybox_swap(&store.files, k->kf, &k->keys, k->rotation.commits);
    if (r < 0)
        actor_log("store.rotation_not_swapped", a, r, NULL);
    k->rotation.exchanged = r == 0;
    if (r == 0 && a->key) /* whoever opens a handle from now on */
        memcpy(a->key, k->keys.next_key, KEY_BYTES);
    c = open ? box_reopen(k) : 0;
    return r < 0 ? r : c;
}

/* The key that sessions' tickets and readers' handles are made with. */
static void key_renew(struct keyop *k)
{
    struct actor *a = k->actor;

    if (a->state != ACTOR_OPEN && a->state != ACTOR_CLOSING)
        return;
    memcpy(a->data_key, k->keys.next_key, KEY_BYTES);
    a->generation = k->keys.next_generation;
}

static int here_let_go(struct keyop *k)
{
    if (k->rotation.exchanged)
        key_renew(k);
    k->holds = false;
    actor_let_go(k->actor);
    return 0;
}

static int pool_finish(struct keyop *k)
{
    int r = keyfile_rotate_finish(k->kf, &k->keys);

    k->generation = k->keys.generation;
    if (r == 0)
        r = keys_forget_before(k->kf, &k->keys, k->oldest);
    if (r >= 0)
        keyop_state_of(k);
    return r;
}

static int here_renew_tickets(struct keyop *k)
{
    struct actor *a = k->actor;

    store.rotations++;
    for (struct session *s = a->state == ACTOR_OPEN ? a->sessions : NULL; s; s = s->next) {
        Store__SessionRenewedEvent e = STORE__SESSION_RENEWED_EVENT__INIT;
        uint8_t ticket[TICKET_BYTES];

        session_ticket(s, ticket);
        e.session = str_pb(str_of(s->id, SESSION_LEN));
        e.ticket = str_pb(str_of(ticket, sizeof ticket));
        if (rpc_push(s->peer, STORE__EVENT__SESSION_RENEWED, &e.base) < 0)
            log_event(LOG_WARN, "store.ticket_not_renewed"); /* it logs in anew when the store restarts */
        explicit_bzero(ticket, sizeof ticket);
    }
    return 0;
}

static void answer_rotated(struct keyop *k)
{
    Store__KeyRevokeResponse r = STORE__KEY_REVOKE_RESPONSE__INIT;

    r.generation = keyfile_generation(k->kf);
    request_reply(k->q, 0, &r.base, NULL);
}

static const struct stage_row rotate_stages[] = {
    { IN_POOL, pool_rotate },
    { ASK, keyop_ask_prepare },
    { IN_LANE, lane_save_begun },
    { ASK, keyop_ask_commit },
    { HERE, here_hold },
    { IN_LANE, lane_copy },
    { WHEN_UNREAD, NULL },
    { IN_LANE, lane_swap },
    { HERE, here_let_go },
    { IN_POOL, pool_finish },
    { ASK, keyop_ask_prepare },
    { IN_LANE, keyop_lane_save },
    { ASK, keyop_ask_commit },
    { HERE, here_renew_tickets },
    { IN_POOL, keyop_backup_keys },
    { 0, NULL },
};

int op_key_rotate(struct rpc_req *q, struct str body)
{
    Store__KeyRotateRequest *m = RPC_UNPACK(rpc_req_arena(q), body, store__key_rotate_request);
    struct keyop *k = NULL;
    int r;

    if (!m || m->mailbox_id.len != MAILBOX_ID_LEN)
        return E_SYNTAX;
    if ((r = keyop_begin(q, m->mailbox_id.data, rotate_stages, answer_rotated, &k)) < 0)
        return r;
    k->states = m->key_states;
    k->nstates = m->n_key_states;
    return keyop_go(k, keyop_passwords_take(k, m->current_password, (ProtobufCBinaryData){ 0 }, ""));
}
