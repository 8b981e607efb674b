/* src/store/ops.c: what each role may ask of the store. The check runs before the body is parsed: an
 * imap role that was taken over cannot deliver mail, and an mx cannot read any.
 *
 * Most requests are one function of the mailbox core: mail_ops has a row for each, and one job carries
 * them all through the lane, with exactly-once for those that change something. What changes many messages
 * comes through it again and again, a transaction each (many.h). */
#include "src/store/many.h"
#include "src/store/shipop.h"
#include "src/store/news.h"
#include <assert.h>

#define ARENA_MAX MIB(64)

void request_begin(void)
{
    store.requests++;
}

void request_reply(struct rpc_req *q, int status, const ProtobufCMessage *body, const char *detail)
{
    rpc_reply(q, status, body, detail);
    store.requests--;
    store_stop_when_idle();
}

int op_status(struct rpc_req *q, struct str body UNUSED)
{
    Store__StatusResponse r = STORE__STATUS_RESPONSE__INIT;
    struct handles_figures files;

    r.sessions = store.nsessions;
    r.open_mailboxes = store.open_mailboxes;
    r.staged_bytes = store.staged_bytes;
    r.delivered_open = store.delivered_open;
    r.delivered_sealed = store.delivered_sealed;
    r.duplicates = store.duplicates;
    r.drained = store.drained;
    r.checks = store.checks;
    r.check_findings = store.check_findings;
    r.alarms = store.alarms;
    r.retained = store.retained;
    r.rotations = store.rotations;
    handles_get_figures(store.handles, &files);
    r.open_files = files.open;
    r.file_bytes = files.bytes;
    r.files_opened = files.opened;
    r.files_given_back = files.closed_for_others;
    r.lease_requests = store.lease_requests;
    r.over_quota = store.over_quota;
    r.quota_warnings = store.quota_warnings;
    r.backups = store.backups_taken;
    r.backups_failed = store.backups_failed;
    ships_status(&r);
    rpc_reply(q, 0, &r.base, NULL);
    return 0;
}

/* ---- requests that are one call of the core ------------------------------------------------------ */

struct mailjob {
    struct job job;
    struct rpc_req *q;
    const struct mail_op *op;
    uint8_t session[SESSION_LEN];
    struct actor *actor;
    struct arena arena;
    void *req, *resp;
    uint8_t operation[OPERATION_LEN];
    bool has_operation;
    struct lease_wait wait;
    unsigned tries;
    struct many many;
    bool goes_on; /* by more than one transaction */
    int status;   /* while what was copied is taken back: why */
};

struct mail_op {
    const ProtobufCMessageDescriptor *req, *resp;       /* resp NULL: Empty */
    int (*run)(struct mailbox *box, struct mailjob *m); /* 1: there is more to do, in another transaction */
    enum job_kind kind;
    unsigned reader;
    bool changes;                                       /* once only, by its operation id */
    void (*done)(struct mailjob *m, struct session *s); /* on the loop, when it went well; may be NULL */
};

#define RUN(name, call)                                     \
    static int name(struct mailbox *box, struct mailjob *m) \
    {                                                       \
        return call;                                        \
    }
RUN(run_folders, mailbox_folders(box, &m->arena, m->req, m->resp))
RUN(run_create, mailbox_folder_create(box, &m->arena, m->req, m->resp))
RUN(run_delete, many_folder_delete(box, m->req, &m->many))
RUN(run_rename, many_folder_rename(box, m->req, &m->many))
RUN(run_subscribe, mailbox_subscribe(box, m->req))
RUN(run_select, mailbox_select(box, &m->arena, m->req, m->resp))
RUN(run_metadata_get, mailbox_metadata_get(box, &m->arena, m->req, m->resp))
RUN(run_metadata_set, mailbox_metadata_set(box, m->req))
RUN(run_vanished, mailbox_vanished(box, &m->arena, m->req, m->resp))

static int run_copy(struct mailbox *box, struct mailjob *m)
{
    int r = many_copy(box, m->req, &m->many);

    return r ? r : many_copy_told(&m->many, &m->arena, m->resp);
}

static int run_expunge(struct mailbox *box, struct mailjob *m)
{
    int r = many_expunge(box, m->req, &m->many);

    return r ? r : many_expunge_told(&m->many, &m->arena, m->resp);
}

static void select_done(struct mailjob *m, struct session *s)
{
    const Store__SelectRequest *q = m->req;
    const Store__SelectResponse *r = m->resp;

    s->selected = r->folder->id;
    s->read_only = q->read_only;
    s->told = false;
    s->stands = r->folder->highest_modseq;
    if (!q->read_only)
        news_forget(s->actor); /* what was recent in there is taken */
}

#define D(x) &store__##x##__descriptor
static const struct mail_op mail_ops[] = {
    [STORE__OP__FOLDERS] = { D(folders_request), D(folders_response), run_folders, JOB_ALONE, 0, false,
                             NULL },
    [STORE__OP__FOLDER_CREATE] = { D(folder_request), D(folders_response), run_create, JOB_WRITE, 0, true,
                                   NULL },
    [STORE__OP__FOLDER_DELETE] = { D(folder_request), NULL, run_delete, JOB_WRITE, 0, true, NULL },
    [STORE__OP__FOLDER_RENAME] = { D(rename_request), NULL, run_rename, JOB_WRITE, 0, true, NULL },
    [STORE__OP__SUBSCRIBE] = { D(subscribe_request), NULL, run_subscribe, JOB_WRITE, 0, true, NULL },
    [STORE__OP__SELECT] = { D(select_request), D(select_response), run_select, JOB_ALONE, 0, false,
                            select_done },
    [STORE__OP__COPY] = { D(copy_request), D(copy_response), run_copy, JOB_WRITE, 0, true, NULL },
    [STORE__OP__EXPUNGE] = { D(expunge_request), D(expunge_response), run_expunge, JOB_WRITE, 0, true, NULL },
    [STORE__OP__METADATA_GET] = { D(metadata_get_request), D(metadata_get_response), run_metadata_get,
                                  JOB_ALONE, 0, false, NULL },
    [STORE__OP__METADATA_SET] = { D(metadata_set_request), NULL, run_metadata_set, JOB_WRITE, 0, true, NULL },
    [STORE__OP__VANISHED] = { D(vanished_request), D(vanished_response), run_vanished, JOB_READ, READER_FETCH,
                              false, NULL },
};

/* Every request with a session has it as its first field. */
static struct str session_field(const void *req)
{
    const ProtobufCBinaryData *session =
        (const ProtobufCBinaryData *)(const void *)((const char *)req + sizeof(ProtobufCMessage));

    return pb_str(*session);
}

static int answer_repeat(struct mailjob *m, struct mailbox *box)
{
    CLEANUP(buf_release) struct buf packed = { .max = RPC_BODY_MAX };
    int r = mailbox_operation_find(box, str_of(m->operation, OPERATION_LEN), rpc_req_op(m->q), &packed);

    if (r <= 0 || !m->op->resp)
        return r;
    m->resp = rpc_unpack(m->op->resp, &m->arena, buf_str(&packed));
    return m->resp ? 1 : E_CORRUPT;
}

static int answer_note(struct mailjob *m, struct mailbox *box)
{
    CLEANUP(buf_release) struct buf packed = { .max = RPC_BODY_MAX };
    size_t n = m->op->resp ? protobuf_c_message_get_packed_size(m->resp) : 0;
    uint8_t *p = n ? buf_reserve(&packed, n) : NULL;

    if (n && !p)
        return n > packed.max ? E_LIMIT : E_NOMEM;
    if (n)
        packed.n = protobuf_c_message_pack(m->resp, p);
    return mailbox_operation_note(box, str_of(m->operation, OPERATION_LEN), rpc_req_op(m->q),
                                  buf_str(&packed));
}

static int mail_run(struct job *j, struct mailbox *box)
{
    struct mailjob *m = CONTAINER_OF(j, struct mailjob, job);
    bool once = m->op->changes && m->has_operation;
    int r;

    if (!box)
        return E_CLOSED;
    if (once && (r = answer_repeat(m, box)) != 0)
        return r < 0 ? r : 0;
    if (j->kind == JOB_WRITE)
        mailbox_by(box, m->session);
    r = m->op->run(box, m);
    m->wait.need = r == E_QUOTA ? mailbox_quota_short(box) : 0;
    return r == 0 && once ? answer_note(m, box) : r;
}

/* The mailbox stays open until all of it is done, though its session ends. */
static void goes_on(struct actor *a, bool *flag)
{
    a->changing += !*flag;
    *flag = true;
}

static void went_on(struct actor *a, const bool *flag)
{
    a->changing -= *flag;
    if (*flag && a->close_wanted)
        actor_close_soon(a);
}

static void mail_end(struct mailjob *m, int status)
{
    store.over_quota += status == E_QUOTA;
    request_reply(m->q, status, status < 0 || !m->op->resp ? NULL : m->resp, NULL);
    arena_release(&m->arena);
    many_release(&m->many);
    went_on(m->actor, &m->goes_on);
    actor_unref(m->actor);
    free(m);
}

static void mail_done(struct job *j);

static int mail_submit(struct mailjob *m)
{
    m->job = (struct job){ .kind = m->op->kind, .reader = m->op->reader, .run = mail_run, .done = mail_done };
    return actor_submit(m->actor, &m->job);
}

/* ---- a COPY is all or nothing ---- */

static void mail_failed(struct mailjob *m, int status);

static int uncopy_run(struct job *j, struct mailbox *box)
{
    struct mailjob *m = CONTAINER_OF(j, struct mailjob, job);

    return box ? many_uncopy(box, &m->many) : E_CLOSED;
}

static void uncopy_done(struct job *j)
{
    struct mailjob *m = CONTAINER_OF(j, struct mailjob, job);

    if (j->status > 0) {
        mail_failed(m, m->status);
        return;
    }
    if (j->status < 0)
        log_event(LOG_ERROR, "store.copies_left", F_ERR(j->status));
    m->many.kept.n = 0;
    mail_failed(m, m->status);
}

/* What was copied by transactions before this one goes first. */
static void mail_failed(struct mailjob *m, int status)
{
    const Store__CopyRequest *copy = m->op->run == run_copy ? m->req : NULL;

    m->status = status;
    m->job = (struct job){ .kind = JOB_WRITE, .run = uncopy_run, .done = uncopy_done };
    if (!copy || copy->move || !m->many.kept.n || actor_submit(m->actor, &m->job) < 0)
        mail_end(m, status == E_CLOSED ? E_GONE : status);
}

static void mail_leased(struct lease_wait *w, int status)
{
    struct mailjob *m = CONTAINER_OF(w, struct mailjob, wait);

    if (status == 0)
        status = mail_submit(m);
    if (status < 0)
        mail_failed(m, status == E_TOO_BIG ? E_QUOTA : status);
}

static void mail_done(struct job *j)
{
    struct mailjob *m = CONTAINER_OF(j, struct mailjob, job);
    struct session *s = session_find(str_of(m->session, SESSION_LEN));

    if (j->status == E_QUOTA && m->wait.need && m->tries++ < LEASE_TRIES_MAX) {
        m->wait.done = mail_leased;
        lease_want(m->actor, &m->wait);
        return;
    }
    if (j->status > 0) {
        int r;

        many_keep(&m->many);
        m->tries = 0;
        goes_on(m->actor, &m->goes_on);
        if ((r = mail_submit(m)) < 0)
            mail_failed(m, r);
        return;
    }
    if (j->status == 0 && s && m->op->done)
        m->op->done(m, s);
    if (j->status < 0)
        mail_failed(m, j->status);
    else
        mail_end(m, 0);
}

int op_mail(struct rpc_req *q, struct str body)
{
    const struct mail_op *op = &mail_ops[rpc_req_op(q)];
    struct str operation = rpc_req_operation(q);
    struct mailjob *m = calloc(1, sizeof *m);
    struct session *s;
    int r = 0;

    if (!m)
        return E_NOMEM;
    m->arena.max = ARENA_MAX;
    if (!(m->req = rpc_unpack(op->req, &m->arena, body)))
        r = E_SYNTAX;
    else if (!(s = session_of(q, session_field(m->req))))
        r = E_GONE;
    else if (op->resp && !(m->resp = arena_alloc(&m->arena, op->resp->sizeof_message)))
        r = E_NOMEM;
    if (r < 0) {
        arena_release(&m->arena);
        free(m);
        return r;
    }
    if (op->resp)
        protobuf_c_message_init(op->resp, m->resp);
    m->q = q;
    m->op = op;
    m->actor = s->actor;
    memcpy(m->session, s->id, SESSION_LEN);
    m->has_operation = operation.n == OPERATION_LEN;
    if (m->has_operation)
        memcpy(m->operation, operation.p, OPERATION_LEN);
    actor_ref(m->actor);
    request_begin();
    if ((r = mail_submit(m)) < 0)
        mail_end(m, r == E_CLOSED ? E_GONE : r);
    return 0;
}

/* ---- FETCH and FLAG_STORE: records stream back --------------------------------------------------- */

#define SLICE_MAX KIB(192)

struct stream {
    struct job job;
    struct rpc_req *q;
    struct actor *actor;
    struct fetch fetch;
    struct buf out;
    struct arena arena;
    Store__FlagStoreRequest flags; /* FLAG_STORE, or what set_seen means */
    Store__FlagStoreResponse flags_resp;
    Store__FetchResponse fetch_resp;
    bool writes, answers; /* writes flags first; answers with flags_resp */
    bool reading, more, again;
    int status;
    uint8_t operation[OPERATION_LEN];
    bool has_operation;
    struct many many;
    bool goes_on;
};

static void stream_end(struct stream *t, int status)
{
    rpc_req_on_room(t->q, NULL, NULL);
    t->fetch_resp.first_modseq = t->flags_resp.first_modseq;
    t->fetch_resp.highest_modseq = t->flags_resp.highest_modseq;
    request_reply(t->q, status == E_CLOSED ? E_GONE : status,
                  status < 0   ? NULL
                  : t->answers ? &t->flags_resp.base
                               : &t->fetch_resp.base,
                  NULL);
    fetch_release(&t->fetch);
    many_release(&t->many);
    went_on(t->actor, &t->goes_on);
    buf_release(&t->out);
    arena_release(&t->arena);
    actor_unref(t->actor);
    free(t);
}

static void stream_go_on(struct stream *t);

static int slice_run(struct job *j, struct mailbox *box)
{
    struct stream *t = CONTAINER_OF(j, struct stream, job);

    return mailbox_fetch(box, &t->fetch, SLICE_MAX, &t->out);
}

static void slice_done(struct job *j)
{
    struct stream *t = CONTAINER_OF(j, struct stream, job);
    int r = j->status;

    t->reading = false;
    t->more = r > 0;
    if (r >= 0 && t->out.n) {
        int s = rpc_req_send(t->q, buf_str(&t->out));

        r = s < 0 ? s : r;
    }
    buf_clear(&t->out);
    if (r <= 0)
        stream_end(t, r);
    else
        stream_go_on(t);
}

static void stream_go_on(struct stream *t)
{
    int r;

    if (t->reading || (rpc_req_room(t->q) == 0 && !rpc_req_cancelled(t->q)))
        return;
    if (rpc_req_cancelled(t->q)) {
        stream_end(t, E_CANCELED);
        return;
    }
    t->job = (struct job){ .kind = JOB_READ, .reader = READER_FETCH, .run = slice_run, .done = slice_done };
    t->reading = true;
    if ((r = actor_submit(t->actor, &t->job)) < 0)
        stream_end(t, r);
}

static void stream_room(void *ctx)
{
    stream_go_on(ctx);
}

static void stream_cancelled(void *ctx)
{
    struct stream *t = ctx;

    if (!t->reading && !t->writes)
        stream_end(t, E_CANCELED);
}

static int flags_run(struct job *j, struct mailbox *box)
{
    struct stream *t = CONTAINER_OF(j, struct stream, job);
    CLEANUP(buf_release) struct buf packed = { .max = RPC_BODY_MAX };
    struct str op = t->has_operation ? str_of(t->operation, OPERATION_LEN) : STR_NONE;
    Store__FlagStoreResponse *was;
    uint8_t *p;
    size_t n;
    int r;

    if (t->fetch.changed_since) { /* set_seen: only of those that FETCH is about */
        if ((r = fetch_narrow(box, &t->fetch)) < 0)
            return r;
        t->flags.uid_ranges = t->fetch.uids.v;
        t->flags.n_uid_ranges = t->fetch.uids.n;
    }
    if (op.n && (r = mailbox_operation_find(box, op, rpc_req_op(t->q), &packed)) != 0) {
        if (r < 0)
            return r;
        if (!(was = RPC_UNPACK(&t->arena, buf_str(&packed), store__flag_store_response)))
            return E_CORRUPT;
        t->flags_resp = *was;
        return 0;
    }
    if ((r = many_flag(box, &t->arena, &t->flags, &t->many)) != 0 ||
        (r = many_flag_told(&t->many, &t->arena, &t->flags_resp)) < 0 || !op.n)
        return r;
    n = store__flag_store_response__get_packed_size(&t->flags_resp);
    if (!(p = buf_reserve(&packed, n)))
        return E_LIMIT;
    return mailbox_operation_note(box, op, rpc_req_op(t->q),
                                  str_of(p, store__flag_store_response__pack(&t->flags_resp, p)));
}

/* What was refused by UNCHANGEDSINCE is not told as a row. */
static int stream_without_modified(struct stream *t)
{
    CLEANUP(uidset_release) struct uidset keep = { 0 };
    const uint32_t *m = t->flags_resp.modified_ranges;
    size_t nm = t->flags_resp.n_modified_ranges, k = 0;
    int r = 0;

    if (!nm)
        return 0;
    for (size_t i = 0; i + 1 < t->fetch.uids.n && r >= 0; i += 2) {
        uint32_t from = t->fetch.uids.v[i], last = t->fetch.uids.v[i + 1];

        while (k < nm && m[k + 1] < from)
            k += 2;
        for (size_t x = k; x < nm && m[x] <= last && r >= 0; x += 2) {
            if (m[x] > from)
                r = uidset_push(&keep, from, m[x] - 1);
            from = m[x + 1] + 1;
            if (from == 0 || from > last)
                break;
        }
        if (r >= 0 && from && from <= last)
            r = uidset_push(&keep, from, last);
    }
    if (r >= 0) {
        struct uidset swap = t->fetch.uids;

        t->fetch.uids = keep;
        keep = swap;
    }
    return r;
}

static int flags_submit(struct stream *t);

static void flags_done(struct job *j)
{
    struct stream *t = CONTAINER_OF(j, struct stream, job);
    int r = j->status;

    if (r > 0) {
        goes_on(t->actor, &t->goes_on);
        if ((r = flags_submit(t)) == 0)
            return;
    }
    t->writes = false;
    if (r == 0)
        r = stream_without_modified(t);
    if (r < 0)
        stream_end(t, r);
    else
        stream_go_on(t);
}

static int flags_submit(struct stream *t)
{
    t->job = (struct job){ .kind = JOB_WRITE, .run = flags_run, .done = flags_done };
    return actor_submit(t->actor, &t->job);
}

static int stream_new(struct rpc_req *q, struct session *s, const Store__FetchRequest *f, struct stream **out)
{
    struct stream *t = calloc(1, sizeof *t);
    struct str op = rpc_req_operation(q);
    int r;

    if (!t)
        return E_NOMEM;
    if ((r = fetch_init(&t->fetch, f)) < 0) {
        free(t);
        return r;
    }
    t->q = q;
    t->actor = s->actor;
    t->out.max = SLICE_MAX + MIB(2);
    t->arena.max = ARENA_MAX;
    store__flag_store_request__init(&t->flags);
    store__flag_store_response__init(&t->flags_resp);
    store__fetch_response__init(&t->fetch_resp);
    t->has_operation = op.n == OPERATION_LEN;
    if (t->has_operation)
        memcpy(t->operation, op.p, OPERATION_LEN);
    *out = t;
    return 0;
}

static int stream_start(struct stream *t)
{
    int r;

    actor_ref(t->actor);
    request_begin();
    rpc_req_on_cancel(t->q, stream_cancelled, t);
    rpc_req_on_room(t->q, stream_room, t);
    if (!t->writes) {
        stream_go_on(t);
        return 0;
    }
    if ((r = flags_submit(t)) < 0) {
        t->writes = false;
        stream_end(t, r);
    }
    return 0;
}

int op_fetch(struct rpc_req *q, struct str body)
{
    Store__FetchRequest *m = RPC_UNPACK(rpc_req_arena(q), body, store__fetch_request);
    struct session *s = m ? session_of(q, pb_str(m->session)) : NULL;
    struct stream *t = NULL;
    int r;

    if (!m)
        return E_SYNTAX;
    if (!s)
        return E_GONE;
    if ((r = stream_new(q, s, m, &t)) < 0)
        return r;
    if (m->set_seen && (!s->read_only || s == s->actor->maildrop)) { /* POP3 selects so for \Recent's sake */
        t->writes = true;
        t->has_operation = false; /* adding a flag again changes nothing */
        t->flags.folder_id = m->folder_id;
        t->flags.uid_ranges = m->uid_ranges;
        t->flags.n_uid_ranges = m->n_uid_ranges;
        t->flags.mode = STORE__FLAG_STORE_REQUEST__MODE__ADD;
        t->flags.flags = STORE__FLAG__SEEN;
    }
    return stream_start(t);
}

int op_flag_store(struct rpc_req *q, struct str body)
{
    Store__FlagStoreRequest *m = RPC_UNPACK(rpc_req_arena(q), body, store__flag_store_request);
    Store__FetchRequest f = STORE__FETCH_REQUEST__INIT;
    struct session *s = m ? session_of(q, pb_str(m->session)) : NULL;
    struct stream *t = NULL;
    int r;

    if (!m)
        return E_SYNTAX;
    if (!s)
        return E_GONE;
    f.folder_id = m->folder_id;
    f.uid_ranges = m->uid_ranges;
    f.n_uid_ranges = m->n_uid_ranges;
    if ((r = stream_new(q, s, &f, &t)) < 0)
        return r;
    t->flags = *m; /* its lists live in the request's arena, which outlives the stream */
    t->writes = t->answers = true;
    return stream_start(t);
}

/* ---- the table ----------------------------------------------------------------------------------- */

#define CLIENTS (FROM(IMAP) | FROM(POP3) | FROM(WEB))
#define KEYS    (FROM(CTL) | FROM(WEB))
#define PORTERS (CLIENTS | FROM(CTL)) /* export and import: with a password, like anybody */
#define SESSION .guard = session_guard

static const struct rpc_op ops[] = {
    [STORE__OP__STATUS] = { .run = op_status,
                            .from = FROM(CTL) | FROM(MONITOR) | FROM(SUPERVISOR) | FROM(JOBS) },
    [STORE__OP__ATTACH] = { .run = op_attach, .from = PORTERS },
    [STORE__OP__VERIFY] = { .run = op_verify, .from = FROM(SUBMISSION) },
    [STORE__OP__REATTACH] = { .run = op_reattach, .from = CLIENTS },
    [STORE__OP__DETACH] = { .run = op_detach, .from = PORTERS, SESSION },
    [STORE__OP__FOLDERS] = { .run = op_mail, .from = PORTERS, SESSION },
    [STORE__OP__FOLDER_CREATE] = { .run = op_mail, .from = PORTERS, SESSION },
    [STORE__OP__FOLDER_DELETE] = { .run = op_mail, .from = CLIENTS, SESSION },
    [STORE__OP__FOLDER_RENAME] = { .run = op_mail, .from = CLIENTS, SESSION },
    [STORE__OP__SUBSCRIBE] = { .run = op_mail, .from = CLIENTS, SESSION },
    [STORE__OP__SELECT] = { .run = op_mail, .from = PORTERS, SESSION },
    [STORE__OP__UNSELECT] = { .run = op_unselect, .from = CLIENTS, SESSION },
    [STORE__OP__SYNC] = { .run = op_sync, .from = CLIENTS, SESSION },
    [STORE__OP__FETCH] = { .run = op_fetch, .from = PORTERS, .flags = RPC_DOWN, SESSION },
    [STORE__OP__FLAG_STORE] = { .run = op_flag_store, .from = CLIENTS, .flags = RPC_DOWN, SESSION },
    [STORE__OP__COPY] = { .run = op_mail, .from = CLIENTS, SESSION },
    [STORE__OP__EXPUNGE] = { .run = op_mail, .from = CLIENTS, SESSION },
    [STORE__OP__SORT] = { .run = op_sort, .from = CLIENTS, .flags = RPC_DOWN, SESSION },
    [STORE__OP__THREAD] = { .run = op_thread, .from = CLIENTS, .flags = RPC_DOWN, SESSION },
    [STORE__OP__METADATA_GET] = { .run = op_mail, .from = PORTERS, SESSION },
    [STORE__OP__METADATA_SET] = { .run = op_mail, .from = PORTERS, SESSION },
    [STORE__OP__WATCH] = { .run = op_watch, .from = CLIENTS, SESSION },
    [STORE__OP__VANISHED] = { .run = op_mail, .from = CLIENTS, SESSION },
    [STORE__OP__SEARCH] = { .run = op_search, .from = CLIENTS | FROM(CTL), SESSION },
    [STORE__OP__SNIPPETS] = { .run = op_snippets, .from = CLIENTS | FROM(CTL), SESSION },
    [STORE__OP__STAGE] = { .run = op_stage,
                           .from = FROM(MX) | FROM(SUBMISSION) | FROM(IMAP) | FROM(COURIER) | FROM(WEB) |
                                   FROM(CTL) | FROM(JOBS),
                           .flags = RPC_UP },
    [STORE__OP__UNSTAGE] = { .run = op_unstage,
                             .from = FROM(MX) | FROM(SUBMISSION) | FROM(IMAP) | FROM(COURIER) | FROM(WEB) |
                                     FROM(CTL) },
    [STORE__OP__APPEND] = { .run = op_append, .from = FROM(IMAP) | FROM(WEB) | FROM(CTL), SESSION },
    [STORE__OP__DELIVER] = { .run = op_deliver,
                             .from = FROM(MX) | FROM(SUBMISSION) | FROM(COURIER) | FROM(JOBS) },
    [STORE__OP__KEY_ADD] = { .run = op_key_add, .from = KEYS },
    [STORE__OP__KEY_LIST] = { .run = op_key_list, .from = KEYS },
    [STORE__OP__KEY_REVOKE] = { .run = op_key_revoke, .from = KEYS },
    [STORE__OP__KEY_START_OVER] = { .run = op_key_start_over, .from = KEYS },
    [STORE__OP__KEY_ROTATE] = { .run = op_key_rotate, .from = KEYS },
    [STORE__OP__MAILDROP_LOCK] = { .run = op_maildrop_lock, .from = FROM(POP3), SESSION },
    [STORE__OP__QUOTA] = { .run = op_quota, .from = CLIENTS, SESSION },
    [STORE__OP__MAILBOX_REMOVE] = { .run = op_mailbox_remove, .from = KEYS },
    [STORE__OP__MAINTAIN] = { .run = op_maintain, .from = FROM(JOBS) },
    [STORE__OP__JOBS_STATE_GET] = { .run = op_jobs_state_get, .from = FROM(JOBS) },
    [STORE__OP__JOBS_STATE_PUT] = { .run = op_jobs_state_put, .from = FROM(JOBS) },
    [STORE__OP__MAILBOX_BACKUP] = { .run = op_mailbox_backup, .from = KEYS },
    [STORE__OP__MAILBOX_RESTORE] = { .run = op_mailbox_restore, .from = KEYS },
    [STORE__OP__PLACE_SET] = { .run = op_place_set, .from = KEYS },
    [STORE__OP__BACKUP_LIST] = { .run = op_backup_list, .from = KEYS },
    [STORE__OP__BACKUP_GET] = { .run = op_backup_get, .from = KEYS, .flags = RPC_DOWN },
    [STORE__OP__MAILBOX_CHECK] = { .run = op_mailbox_check, .from = KEYS },
};

static void peer_up(void *ctx UNUSED, struct rpc_peer *p)
{
    struct peer *data = calloc(1, sizeof *data);

    if (data)
        rpc_peer_set_data(p, data);
    else
        rpc_peer_drop(p, "out of memory");
}

static void peer_gone(void *ctx UNUSED, struct rpc_peer *p)
{
    struct peer *data = rpc_peer_data(p);

    while (data && data->sessions)
        session_end(data->sessions);
    while (data && data->stagings)
        staged_forget(data->stagings);
    rpc_peer_set_data(p, NULL);
    free(data);
}

const struct rpc_service store_service = {
    .name = "store",
    .ops = ops,
    .nops = ARRAY_LEN(ops),
    .peer_up = peer_up,
    .peer_gone = peer_gone,
};
