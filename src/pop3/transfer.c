/* src/pop3/transfer.c: messages out of the store as fast as the client reads, and their deletion at QUIT. */
#include "src/pop3/client.h"
#include "lib/base/errors.h"

#define RANGES_A_REQUEST 20000u /* numbers: well within what a request may hold */

/* ---- RETR and TOP ---- */

static void fetched(struct pop3_client *c, int status)
{
    records_release(&c->records);
    c->owed = 0;
    pop3_session_fetched(&c->s, status);
    client_go_on(c);
}

static void fetch_done(void *ctx, int status, struct str body UNUSED)
{
    struct pop3_client *c = ctx;

    c->call = NULL;
    if (status == 0 && c->s.sending && c->left)
        status = E_CORRUPT;
    fetched(c, status);
}

static int on_row(void *ctx, Store__Row *row)
{
    struct pop3_client *c = ctx;

    if (c->s.sending)
        return E_CORRUPT;
    c->left = row->data_bytes;
    pop3_session_fetching(&c->s);
    return 0;
}

static int on_bytes(void *ctx, struct str bytes)
{
    struct pop3_client *c = ctx;

    if (bytes.n > c->left)
        return E_CORRUPT;
    c->left -= bytes.n;
    if (!c->enough)
        pop3_session_bytes(&c->s, bytes);
    return 0;
}

void client_credit(struct pop3_client *c)
{
    size_t owed = c->owed;

    if (!c->call || !owed || conn_out_pending(c->conn) >= POP3_OUT_LOW)
        return;
    c->owed = 0;
    rpc_call_consumed(c->call, owed);
}

static void stop(struct pop3_client *c, int status)
{
    if (c->call)
        rpc_call_cancel(c->call);
    c->call = NULL;
    fetched(c, status);
}

static void fetch_data(void *ctx, struct str data)
{
    struct pop3_client *c = ctx;
    int r = records_feed(&c->records, c, data);

    if (c->s.state != POP3_ST_FETCHING) /* ended while we were at it: the call is cancelled */
        return;
    if (r < 0 || c->enough) {
        stop(c, r < 0 ? r : 0);
        return;
    }
    c->owed += data.n;
    client_credit(c);
}

int client_fetch(void *ctx, uint32_t uid, bool set_seen)
{
    Store__FetchRequest q = STORE__FETCH_REQUEST__INIT;
    uint32_t range[2] = { uid, uid };
    struct pop3_client *c = ctx;
    struct rpc_ask what = { .op = STORE__OP__FETCH,
                            .body = &q.base,
                            .deadline_ms = POP3_DOWNLOAD_MS,
                            .download = true,
                            .done = fetch_done,
                            .on_data = fetch_data,
                            .ctx = c };

    if (!c->session.is_held)
        return E_UNAVAIL;
    records_init(&c->records);
    c->records.on_row = on_row;
    c->records.on_bytes = on_bytes;
    c->enough = false;
    c->left = 0;
    q.session = client_session(c);
    q.folder_id = c->inbox;
    q.uid_ranges = range;
    q.n_uid_ranges = 2;
    q.want = STORE__WANT__BODY;
    q.set_seen = set_seen;
    c->call = rpc_link_ask(role_link(c->server->role, ROLE_STORE), &what);
    return c->call ? 0 : E_NOMEM;
}

void client_fetch_enough(void *ctx)
{
    ((struct pop3_client *)ctx)->enough = true;
}

/* ---- QUIT ---- */

static int commit_next(struct pop3_client *c);

static void committed(struct pop3_client *c, int status)
{
    free(c->ranges);
    c->ranges = NULL;
    c->nranges = 0;
    pop3_session_committed(&c->s, status);
}

static void batch_done(void *ctx, int status, struct str body UNUSED)
{
    struct pop3_client *c = ctx;

    c->call = NULL;
    if (status == 0 && c->range < c->nranges)
        status = commit_next(c);
    else if (status == 0)
        status = 1;
    if (status != 0)
        committed(c, status < 0 ? status : 0);
}

static int ask_change(struct pop3_client *c, uint32_t op, const ProtobufCMessage *body,
                      void (*done)(void *ctx, int status, struct str body))
{
    struct rpc_ask what = { .op = op,
                            .body = body,
                            .deadline_ms = POP3_ASK_MS,
                            .changes = op != STORE__OP__FOLDERS,
                            .done = done,
                            .ctx = c };

    c->call = rpc_link_ask(role_link(c->server->role, ROLE_STORE), &what);
    return c->call ? 0 : E_NOMEM;
}

static int commit_next(struct pop3_client *c)
{
    Store__ExpungeRequest expunge = STORE__EXPUNGE_REQUEST__INIT;
    Store__CopyRequest move = STORE__COPY_REQUEST__INIT;
    uint32_t *from = c->ranges + c->range;
    size_t n = size_min(c->nranges - c->range, RANGES_A_REQUEST);

    c->range += n;
    if (!c->trash.n) {
        expunge.session = client_session(c);
        expunge.folder_id = c->inbox;
        expunge.uid_ranges = from;
        expunge.n_uid_ranges = n;
        expunge.any = true;
        return ask_change(c, STORE__OP__EXPUNGE, &expunge.base, batch_done);
    }
    move.session = client_session(c);
    move.folder_id = c->inbox;
    move.uid_ranges = from;
    move.n_uid_ranges = n;
    move.to = str_pb(c->trash);
    move.move = true;
    return ask_change(c, STORE__OP__COPY, &move.base, batch_done);
}

static void folders_done(void *ctx, int status, struct str body)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(8) };
    struct pop3_client *c = ctx;
    Store__FoldersResponse *m = NULL;

    c->call = NULL;
    if (status == 0 && !(m = RPC_UNPACK(&a, body, store__folders_response)))
        status = E_CORRUPT;
    for (size_t i = 0; status == 0 && i < m->n_folders; i++)
        if (m->folders[i]->special_use == STORE__SPECIAL_USE__USE_TRASH)
            c->trash = arena_dup(&c->s.arena, pb_str(m->folders[i]->name));
    if (status == 0)
        status =
            c->trash.n ? commit_next(c) : E_NOTFOUND; /* no folder to keep them: they stay where they are */
    if (status < 0)
        committed(c, status);
}

int client_commit(void *ctx)
{
    struct pop3_client *c = ctx;
    Store__FoldersRequest q = STORE__FOLDERS_REQUEST__INIT;
    int r;

    if (!c->session.is_held)
        return E_UNAVAIL;
    if ((r = maildrop_deleted(&c->s.drop, &c->ranges, &c->nranges)) < 0)
        return r;
    c->range = 0;
    c->trash = STR_NONE;
    if (pop3_settings.delete_to == POP3_DELETE_FOR_GOOD)
        return commit_next(c);
    q.session = client_session(c);
    return ask_change(c, STORE__OP__FOLDERS, &q.base, folders_done);
}
