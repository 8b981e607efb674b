/* src/pop3/transfer.c: messages out of the store as fast as the client reads, and their deletion at QUIT. */
#include "src/pop3/client.h"
#include "lib/base/errors.h"

#define RANGES_A_REQUEST 20000u /* numbers: well within what a request may hold */

/* ---- RETR and TOP ----
 * One request brings a message and those that the client has asked for behind it. What came and is not wanted yet,
 * or not yet read by the client, waits in `raw`, for which the store has no new credit. */

void client_stream_drop(struct pop3_client *c)
{
    struct pop3_stream *t = &c->stream;

    if (t->call)
        rpc_call_cancel(t->call);
    buf_release(&t->raw);
    records_release(&t->records);
    *t = (struct pop3_stream){ 0 };
}

static void fetched(struct pop3_client *c, int status)
{
    if (c->enough || status < 0)
        client_stream_drop(c);
    pop3_session_fetched(&c->s, status);
    client_go_on(c);
}

static int on_row(void *ctx, Store__Row *row)
{
    struct pop3_stream *t = &((struct pop3_client *)ctx)->stream;

    if (t->left || row->uid <= t->row_uid)
        return E_CORRUPT;
    t->row_uid = row->uid;
    t->left = row->data_bytes;
    return 1;
}

static int on_bytes(void *ctx, struct str bytes)
{
    struct pop3_client *c = ctx;
    struct pop3_stream *t = &c->stream;

    if (bytes.n > t->left || !c->s.sending)
        return E_CORRUPT;
    t->left -= bytes.n;
    if (!c->enough)
        pop3_session_bytes(&c->s, bytes);
    return c->s.state != POP3_ST_FETCHING || c->enough || t->left == 0;
}

/* The message that is wanted has begun, or has been passed: it is gone. False: its row has not come. */
static bool began(struct pop3_client *c)
{
    struct pop3_stream *t = &c->stream;

    if (t->row_uid < t->want)
        return false;
    if (!c->s.sending && t->row_uid == t->want)
        pop3_session_fetching(&c->s);
    return true;
}

static int feed(struct pop3_client *c)
{
    struct pop3_stream *t = &c->stream;
    struct str in = str_slice(buf_str(&t->raw), t->raw_at, t->raw_at + KIB(16));
    size_t n = in.n;
    int r = records_take(&t->records, c, &in);

    if (c->s.state != POP3_ST_FETCHING) /* ended while we were at it: the stream is gone */
        return E_CLOSED;
    t->raw_at += n - in.n;
    if (t->raw_at == t->raw.n || t->raw_at >= KIB(64)) {
        buf_drop(&t->raw, t->raw_at);
        t->raw_at = 0;
    }
    if (t->call)
        rpc_call_consumed(t->call, n - in.n);
    return r < 0 ? r : 0;
}

void client_stream_go_on(struct pop3_client *c)
{
    struct pop3_stream *t = &c->stream;
    int r;

    while (c->s.state == POP3_ST_FETCHING && t->want) {
        bool there = began(c);

        if (c->s.state != POP3_ST_FETCHING)
            return;
        if (c->enough || (there && (t->row_uid > t->want || t->left == 0))) {
            fetched(c, 0);
            return;
        }
        if (t->raw.n == 0 && t->ended) {
            fetched(c, t->status == 0 && c->s.sending ? E_CORRUPT : t->status);
            return;
        }
        if (t->raw.n == 0 || conn_out_pending(c->conn) >= POP3_OUT_LOW)
            return;
        if ((r = feed(c)) < 0) {
            if (r != E_CLOSED)
                fetched(c, r);
            return;
        }
    }
}

static void fetch_done(void *ctx, int status, struct str body UNUSED)
{
    struct pop3_client *c = ctx;

    c->stream.call = NULL;
    c->stream.ended = true;
    c->stream.status = status;
    client_stream_go_on(c);
}

static void fetch_data(void *ctx, struct str data)
{
    struct pop3_client *c = ctx;

    if (buf_puts(&c->stream.raw, data) < 0) {
        rpc_call_cancel(c->stream.call);
        fetch_done(c, E_NOMEM, STR_NONE);
        return;
    }
    client_stream_go_on(c);
}

/* The stream that is there brings it next. */
static bool is_on_its_way(const struct pop3_stream *t, uint32_t uid)
{
    return t->at < t->n && t->uids[t->at] == uid && !(t->ended && t->status < 0 && t->raw.n == 0);
}

static int ask(struct pop3_client *c, const uint32_t *uids, size_t n, bool set_seen)
{
    Store__FetchRequest q = STORE__FETCH_REQUEST__INIT;
    struct pop3_stream *t = &c->stream;
    uint32_t ranges[2 * POP3_AHEAD_MAX];
    struct rpc_ask what = { .op = STORE__OP__FETCH,
                            .body = &q.base,
                            .deadline_ms = POP3_DOWNLOAD_MS,
                            .download = true,
                            .done = fetch_done,
                            .on_data = fetch_data,
                            .ctx = c };

    client_stream_drop(c);
    if (!c->session.is_held)
        return E_UNAVAIL;
    for (; t->n < n && t->n < POP3_AHEAD_MAX; t->n++)
        t->uids[t->n] = ranges[2 * t->n] = ranges[2 * t->n + 1] = uids[t->n];
    records_init(&t->records);
    t->records.on_row = on_row;
    t->records.on_bytes = on_bytes;
    t->raw.max = 2 * RPC_WINDOW;
    q.session = client_session(c);
    q.folder_id = c->inbox;
    q.uid_ranges = ranges;
    q.n_uid_ranges = 2 * t->n;
    q.want = STORE__WANT__BODY;
    q.set_seen = set_seen;
    t->call = rpc_link_ask(role_link(c->server->role, ROLE_STORE), &what);
    return t->call ? 0 : E_NOMEM;
}

int client_fetch(void *ctx, const uint32_t *uids, size_t n, bool set_seen)
{
    struct pop3_client *c = ctx;
    struct pop3_stream *t = &c->stream;
    int r;

    c->enough = false;
    if (!is_on_its_way(t, uids[0]) && (r = ask(c, uids, n, set_seen)) < 0)
        return r;
    t->want = uids[0];
    t->at++;
    client_stream_go_on(c);
    return 0;
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

    client_stream_drop(c);
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
