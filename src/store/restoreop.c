/* src/store/restoreop.c: MAILBOX_RESTORE. The backup is brought here and checked while everybody works; then sessions
 * end (BYE; clients come back by themselves), and in the mailbox's lane names change hands (restore.h). What comes
 * meanwhile waits sealed, as ever for a closed mailbox. Whoever opens it next gives it other UIDVALIDITYs.
 *
 * A password is needed only for a backup under an earlier data key, which is written anew under the current one. Given, or
 * when somebody is logged in, everything is checked page by page before it takes the place of anything. */
#include "src/store/keyop.h"
#include "src/store/places.h"
#include "src/store/restore.h"
#include "src/store/tempmerge.h"

/* ---- which were restored and not opened since ------------------------------------------------------- */

static pthread_mutex_t fresh_lock = PTHREAD_MUTEX_INITIALIZER;
static struct fresh {
    struct fresh *next;
    uint8_t id[MAILBOX_ID_LEN];
} * fresh;

static bool fresh_find(const uint8_t id[MAILBOX_ID_LEN], bool take)
{
    struct fresh *f = NULL;

    pthread_mutex_lock(&fresh_lock);
    for (struct fresh **at = &fresh; *at && !f; at = f ? at : &(*at)->next)
        if (memcmp((*at)->id, id, MAILBOX_ID_LEN) == 0) {
            f = *at;
            if (take)
                *at = f->next;
        }
    pthread_mutex_unlock(&fresh_lock);
    if (f && take)
        free(f);
    return f != NULL;
}

static int fresh_add(const uint8_t id[MAILBOX_ID_LEN])
{
    struct fresh *f = calloc(1, sizeof *f);

    if (!f)
        return E_NOMEM;
    memcpy(f->id, id, MAILBOX_ID_LEN);
    pthread_mutex_lock(&fresh_lock);
    f->next = fresh;
    fresh = f;
    pthread_mutex_unlock(&fresh_lock);
    return 0;
}

static int renew(struct mailbox *box)
{
    int r;

    if ((r = mailbox_begin(box)) < 0 || (r = mailbox_renew(box, clock_wall_ms())) < 0 ||
        (r = mailbox_commit(box)) < 0)
        mailbox_rollback(box);
    return r;
}

int restore_arrive(struct actor *a)
{
    struct restore_note n;
    int r;

    if (!fresh_find(a->id, false))
        return 0;
    if ((r = restore_note_get(&store.files, a->id, &n)) < 0)
        return r;
    if (r == 1 && n.step == RESTORE_PLACED) {
        n.step = RESTORE_RENEWED;
        if ((r = renew(a->box)) < 0 || (r = restore_note_put(&store.files, a->id, &n)) < 0)
            return r;
    }
    if (r >= 0 && n.step == RESTORE_RENEWED && !restore_kept(&store.files, a->id) &&
        (r = restore_confirm(&store.files, a->id)) < 0)
        return r;
    fresh_find(a->id, true);
    return 0;
}

static void found_at_start(void *ctx UNUSED, const uint8_t mailbox[MAILBOX_ID_LEN],
                           const struct restore_note *n, bool went_on)
{
    char id[2 * MAILBOX_ID_LEN + 1];

    hex_encode(mailbox, MAILBOX_ID_LEN, id);
    if (went_on)
        log_event(LOG_WARN, "store.restore_went_on", F_Z("mailbox", id));
    if (went_on && store.notes && notes_forget(store.notes, mailbox, 0) < 0)
        log_event(LOG_WARN, "store.note_stays");
    if (n->step == RESTORE_PLACED && fresh_add(mailbox) < 0)
        log_event(LOG_ALARM, "store.restore_not_renewed", F_Z("mailbox", id));
}

void restores_open(void)
{
    int r = restore_forward_all(&store.files, clock_wall_ms(), found_at_start, NULL);

    if (r < 0)
        log_event(LOG_ALARM, "store.restore_stuck", F_ERR(r));
}

/* ---- bringing it here (pool) ------------------------------------------------------------------------ */

/* Beside its backups, in the first place that has any. */
static int keys_there(struct keyop *k, struct buf *out)
{
    struct place *where[PLACES_EACH_MAX];
    size_t n = places_of(k->actor->id, where);
    int r = E_NOTFOUND;

    for (size_t i = 0; i < n && r == E_NOTFOUND; i++)
        r = where[i]->target ? backup_keys_get(where[i]->target, k->actor->id, out) : E_UNAVAIL;
    return r;
}

/* That backup, and where it is. */
static int backup_there(struct keyop *k, struct backup_info *out, struct target **target_out)
{
    struct place *where[PLACES_EACH_MAX];
    size_t n = places_of(k->actor->id, where);
    int r = E_NOTFOUND;

    for (size_t i = 0; i < n && r == E_NOTFOUND; i++) {
        *target_out = where[i]->target;
        r = *target_out ? backup_find(*target_out, k->actor->id, k->restore.note.backup, out) : E_UNAVAIL;
    }
    return r;
}

/* `.keys` as it is, checked against the directory; where the disk was lost, that of the backups. */
static int keys_known(struct keyop *k)
{
    struct keys_known known = { k->states, k->nstates, role_subkey(store.role, SUBKEY_KEYSTATE_MAC) };
    int r = keys_load(&store.files, k->actor->id, &k->kf);

    if (r == E_NOTFOUND) {
        CLEANUP(buf_release) struct buf bytes = { .max = KEYFILE_BYTES_MAX };
        unsigned damage;

        if ((r = keys_there(k, &bytes)) < 0 || (r = keyfile_parse(buf_str(&bytes), &k->kf, &damage)) < 0)
            return r;
        k->restore.keys_lost = true;
    }
    if (r == 0 && (r = keys_check(k->kf, &known)) > 0)
        r = 0;
    if (r == 0 && k->restore.keys_lost && (r = files_folder(&store.files, k->actor->id)) == 0)
        r = keys_save(&store.files, k->kf);
    return r;
}

/* The data keys as far as they are known: by the password, or the live one. 1: they are. */
static int keys_take(struct keyop *k)
{
    int r = keys_known(k);

    if (r < 0)
        return r;
    if (keyfile_next_generation(k->kf))
        return E_BUSY; /* a rotation was cut off: the next one ends it */
    if (k->restore.has_password)
        return (r = keyfile_open(k->kf, &k->current, &k->keys)) < 0 ? r : 1;
    return k->keys.generation == keyfile_generation(k->kf);
}

static int key_of(struct keyop *k, bool known, uint32_t generation, uint8_t out[KEY_BYTES])
{
    if (generation == keyfile_generation(k->kf)) {
        memcpy(out, k->keys.data_key, KEY_BYTES);
        return known;
    }
    if (!k->restore.has_password)
        return E_AUTH;
    return keyfile_data_key(k->kf, &k->keys, generation, out) < 0 ? E_CORRUPT : 1;
}

static int opens(const uint8_t id[MAILBOX_ID_LEN], enum files_kind kind, const uint8_t key[KEY_BYTES])
{
    struct db_options o = { .cache_kib = 128, .statements = 4 };
    char path[FILES_PATH_MAX], full[2 * FILES_PATH_MAX];
    struct db *db = NULL;
    int r, c;

    files_path(id, kind, path);
    files_full(&store.files, path, full, sizeof full);
    r = db_open(full, key, &o, &db);
    c = db_close(&db);
    return r < 0 ? r : c;
}

static int fetch(struct keyop *k)
{
    struct backup_stop stop = { .stop = false };
    struct backup_info info;
    uint8_t key[KEY_BYTES];
    struct target *target = NULL;
    int r = keys_take(k), known;

    if (r < 0 || (known = r, r = backup_there(k, &info, &target)) < 0)
        return r;
    if ((known = key_of(k, known, info.generation, key)) < 0)
        return known;
    /* What nobody can check is not brought here: neither its size nor what it is of would be known. */
    r = known                                                               ? backup_info_verify(&info, key)
        : backup_info_ours(&info, role_subkey(store.role, SUBKEY_SHIP_MAC)) ? 0
                                                                            : E_AUTH;
    if (r == 0 && (r = restore_fetch(&store.files, target, &info, &stop)) == 0) {
        k->restore.fetched = true;
        if (known && info.generation == keyfile_generation(k->kf))
            r = restore_check_same(&store.files, k->actor->id, key, &stop);
        else if (known)
            r = restore_check(&store.files, k->actor->id, FILES_RESTORE, key, k->keys.data_key);
    }
    explicit_bzero(key, sizeof key);
    k->restore.note.generation = keyfile_generation(k->kf);
    return r;
}

/* Under whichever data key it is: written anew under the one of today, when that is another. */
static int rewrite(const uint8_t id[MAILBOX_ID_LEN], enum files_kind kind, const struct keyfile *kf,
                   const struct keyfile_keys *keys, bool check)
{
    uint8_t key[KEY_BYTES];
    uint32_t g;
    size_t n = 0;
    int r = opens(id, kind, keys->data_key);

    if (r != E_CORRUPT)
        return r < 0 ? r : check ? restore_check(&store.files, id, kind, keys->data_key, NULL) : 0;
    while (keyfile_earlier_at(kf, n))
        n++;
    while (r == E_CORRUPT && n-- && (g = keyfile_earlier_at(kf, n)) != 0)
        if ((r = keyfile_data_key(kf, keys, g, key)) == 0 && (r = opens(id, kind, key)) == 0)
            r = restore_check(&store.files, id, kind, key, keys->data_key);
    explicit_bzero(key, sizeof key);
    return r;
}

int restore_rekey(const struct actor *a, const struct keyfile *kf, const struct keyfile_keys *keys)
{
    static const uint8_t none[BACKUP_ID_LEN];
    struct restore_note n;
    int r;

    if (!fresh_find(a->id, false) || keys->next_generation)
        return 0;
    if ((r = restore_note_get(&store.files, a->id, &n)) <= 0 || n.step != RESTORE_PLACED ||
        memcmp(n.backup, none, sizeof none) != 0)
        return r < 0 ? r : 0;
    return rewrite(a->id, FILES_MAILBOX, kf, keys, false);
}

/* To a moment: no password is needed, as whoever opens it next has one. */
static int fetch_at(struct keyop *k)
{
    struct ship_back b;
    bool many = k->restore.not_before_ms != 0; /* `recover` asks so, for one mailbox after the other */
    int r = keys_take(k), known = r;

    if (r < 0)
        return r;
    r = ship_restore_to(k->actor->id, k->restore.at_ms, many, &b);
    if (r == E_GONE && k->restore.not_before_ms &&
        b.before_ms > 0) /* before the gap is better than a backup */
        r = ship_restore_to(k->actor->id, b.before_ms, many, &b);
    if (r < 0)
        return r;
    if (b.reached_ms < k->restore.not_before_ms) {
        ship_back_drop(&store.files, k->actor->id);
        return E_GONE;
    }
    k->restore.fetched = true;
    k->restore.reached_ms = b.reached_ms;
    k->restore.ntemps = b.ntemps;
    memcpy(k->restore.temps, b.temps, sizeof b.temps);
    k->restore.note.generation = keyfile_generation(k->kf);
    return known ? rewrite(k->actor->id, FILES_RESTORE, k->kf, &k->keys, true) : 0;
}

static int pool_fetch(struct keyop *k)
{
    struct restore_note was;
    int r = restore_note_get(&store.files, k->actor->id, &was);

    return r != 0 ? (r < 0 ? r : E_EXISTS) : k->restore.at_ms ? fetch_at(k) : fetch(k);
}

/* In the lane: what waited then waits again. Records that were drained since come back into files that still are there. */
static int temps_ready(struct keyop *k)
{
    struct actor *a = k->actor;
    char from[FILES_PATH_MAX];
    int r = tempbox_close(&a->temp);

    for (size_t i = 0; i < k->restore.ntemps && r >= 0; i++) {
        ship_back_temp_path(a->id, k->restore.temps[i], from);
        if ((r = tempbox_merge(&store.files, a->id, &store.temp_keys, k->restore.temps[i], from)) >= 0 &&
            store.notes)
            r = notes_forget(store.notes, a->id, k->restore.temps[i]);
    }
    return r < 0 ? r : 0;
}

/* What was there may be under a data key that was exchanged since. */
static int pool_before(struct keyop *k)
{
    struct restore_note note;
    uint8_t key[KEY_BYTES];
    int r = restore_note_get(&store.files, k->actor->id, &note), known;

    if (r <= 0)
        return r < 0 ? r : E_NOTFOUND;
    if ((known = keys_take(k)) < 0)
        return known;
    if (note.generation == keyfile_generation(k->kf))
        return 0;
    if ((r = key_of(k, known, note.generation, key)) < 0)
        return r;
    r = restore_check(&store.files, k->actor->id, FILES_BEFORE, key, k->keys.data_key);
    explicit_bzero(key, sizeof key);
    return r;
}

/* ---- exchanging ------------------------------------------------------------------------------------- */

static int here_end(struct keyop *k)
{
    struct actor *a = k->actor;

    a->epoch++;
    backup_cancel(a);
    k->ended += sessions_end_all(a, 0, STORE__SESSION_ENDED_EVENT__WHY__RESTORED);
    return 0;
}

/* It goes back in time, and by our will: no alarm. */
static int time_forget(struct actor *a)
{
    a->quota_seen.folders = 0;
    return store.notes ? notes_forget(store.notes, a->id, 0) : 0;
}

static int lane_place(struct keyop *k)
{
    struct actor *a = k->actor;
    int r;

    if (a->key)
        return E_BUSY;
    k->restore.note.at_ms = clock_wall_ms();
    if ((r = temps_ready(k)) < 0 || (r = fresh_add(a->id)) < 0 || (r = time_forget(a)) < 0 ||
        (r = restore_place(&store.files, a->id, &k->restore.note)) < 0) {
        fresh_find(a->id, true);
        actor_log("store.restore_failed", a, r, NULL);
        if (restore_undo(&store.files, a->id, clock_wall_ms()) < 0 && r != E_EXISTS)
            log_event(LOG_ALARM, "store.restore_stuck", F_ERR(r)); /* the next start goes on */
        return r;
    }
    k->restore.fetched = false;
    return 0;
}

static int lane_undo(struct keyop *k)
{
    struct actor *a = k->actor;
    int r;

    if (a->key)
        return E_BUSY;
    if ((r = time_forget(a)) < 0 || (r = restore_undo(&store.files, a->id, clock_wall_ms())) < 0)
        return r;
    fresh_find(a->id, true);
    return 0;
}

static int lane_confirm(struct keyop *k)
{
    return restore_confirm(&store.files, k->actor->id);
}

void restore_abandon(struct keyop *k)
{
    if (k->restore.fetched && k->restore.at_ms)
        ship_back_drop(&store.files, k->actor->id);
    if (k->restore.fetched)
        restore_drop(&store.files, k->actor->id);
}

static void answer_restored(struct keyop *k)
{
    Store__MailboxRestoreResponse r = STORE__MAILBOX_RESTORE_RESPONSE__INIT;

    r.sessions_ended = k->ended;
    r.reached_ms = k->restore.reached_ms;
    r.set_aside_until_ms = clock_wall_ms() + FILES_ASIDE_DAYS * INT64_C(86400000);
    request_reply(k->q, 0, &r.base, NULL);
}

static const struct stage_row place_stages[] = {
    { IN_POOL, pool_fetch }, { HERE, here_end }, { WHEN_CLOSED, NULL }, { IN_LANE, lane_place }, { 0, NULL },
};
static const struct stage_row undo_stages[] = {
    { IN_POOL, pool_before }, { HERE, here_end }, { WHEN_CLOSED, NULL }, { IN_LANE, lane_undo }, { 0, NULL },
};
static const struct stage_row confirm_stages[] = { { IN_LANE, lane_confirm }, { 0, NULL } };

int op_mailbox_restore(struct rpc_req *q, struct str body)
{
    static const struct stage_row *const stages[] = {
        [STORE__MAILBOX_RESTORE_REQUEST__MODE__PLACE] = place_stages,
        [STORE__MAILBOX_RESTORE_REQUEST__MODE__UNDO] = undo_stages,
        [STORE__MAILBOX_RESTORE_REQUEST__MODE__CONFIRM] = confirm_stages,
    };
    Store__MailboxRestoreRequest *m = RPC_UNPACK(rpc_req_arena(q), body, store__mailbox_restore_request);
    struct keyop *k = NULL;
    struct actor *a;
    int r;

    if (!m || m->mailbox_id.len != MAILBOX_ID_LEN || (unsigned)m->mode >= ARRAY_LEN(stages) ||
        (m->mode == STORE__MAILBOX_RESTORE_REQUEST__MODE__PLACE && m->backup_id.len != BACKUP_ID_LEN &&
         (m->backup_id.len || m->at_ms <= 0)))
        return E_SYNTAX;
    if (!place_target(m->mailbox_id.data))
        return E_UNAVAIL;
    if ((r = keyop_begin(q, m->mailbox_id.data, stages[m->mode], answer_restored, &k)) < 0)
        return r;
    a = k->actor;
    if (m->mode == STORE__MAILBOX_RESTORE_REQUEST__MODE__PLACE && m->backup_id.len)
        memcpy(k->restore.note.backup, m->backup_id.data, BACKUP_ID_LEN);
    else if (m->mode == STORE__MAILBOX_RESTORE_REQUEST__MODE__PLACE)
        k->restore.at_ms = m->at_ms;
    k->restore.not_before_ms = m->not_before_ms;
    k->states = m->key_states;
    k->nstates = m->n_key_states;
    k->patient = true;
    k->restore.has_password = m->current_password.len > 0;
    if (!k->restore.has_password && a->state == ACTOR_OPEN) {
        k->keys.generation = a->generation;
        memcpy(k->keys.data_key, a->data_key, KEY_BYTES);
    }
    return keyop_go(k, keyop_passwords_take(k, m->current_password, (ProtobufCBinaryData){ 0 }, ""));
}
