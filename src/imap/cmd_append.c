/* src/imap/cmd_append.c: APPEND (RFC 9051 6.3.12), begin / data / commit.
 *
 * The message is never held here: its bytes go on to the store's staging area as they come, no faster
 * than the store takes them. When the line behind it is complete too, one request commits it. */
#include "src/imap/imap.h"
#include "lib/base/clock.h"
#include "lib/imap/flags.h"

#define UPLOAD_MS 7200000 /* a slow client; silence is the connection's idle limit */

struct append {
    struct imap_conn *c;
    struct str to;
    struct imap_flags flags;
    int64_t date_ms;
    bool has_date, nul, staged, line_done;
    struct literal literal;
    uint64_t left;
    struct rpc_call *call; /* STAGE */
    int status;            /* of STAGE, when `staged` */
    char staging[16];
};

static void nothing(void *ctx UNUSED, int status UNUSED, struct str body UNUSED)
{
}

static void unstage(struct append *p)
{
    Store__UnstageRequest m = STORE__UNSTAGE_REQUEST__INIT;
    struct rpc_ask what = { .op = STORE__OP__UNSTAGE,
                            .body = &m.base,
                            .flags = RPC_NO_REPEAT,
                            .deadline_ms = IMAP_ASK_MS,
                            .done = nothing };

    m.staging = str_pb(str_of(p->staging, sizeof p->staging));
    if (!rpc_link_ask(p->c->srv->store, &what))
        return; /* the store forgets it when it needs the room */
}

static void append_release(struct imap_conn *c)
{
    struct append *p = c->append;

    if (p->call)
        rpc_call_cancel(p->call);
    else if (p->staged && p->status == 0)
        unstage(p);
    free(p);
    c->append = NULL;
}

static void committed(struct imap_conn *c, int status, struct str body)
{
    Store__AppendResponse *m = NULL;
    char code[64];

    c->append->status = E_GONE; /* whatever the answer: nothing is left to unstage */
    if (status == E_NOTFOUND) {
        imap_no(c, "TRYCREATE", "There is no such mailbox");
        return;
    }
    if (status == 0 && !(m = RPC_UNPACK(&c->arena, body, store__append_response)))
        status = E_CORRUPT;
    if (status < 0) { /* E_GONE, E_STALE: the store began anew and has forgotten the bytes */
        imap_fail_status(c, status == E_GONE || status == E_STALE ? E_UNAVAIL : status);
        return;
    }
    if (c->view && c->view->folder_id == m->folder_id)
        c->view->stale = true;
    snprintf(code, sizeof code, "APPENDUID %u %u", m->uidvalidity, m->uid);
    imap_ok_code(c, code, "Kept");
}

static int commit(struct imap_conn *c, struct append *p)
{
    Store__AppendRequest m = STORE__APPEND_REQUEST__INIT;
    char **keywords = ARENA_ARRAY(&c->arena, p->flags.nkeywords, char *);

    if (!keywords)
        return E_NOMEM;
    for (size_t i = 0; i < p->flags.nkeywords; i++)
        if (!(keywords[i] = arena_dupz(&c->arena, p->flags.keywords[i])))
            return E_NOMEM;
    m.session = imap_session(c);
    m.staging = str_pb(str_of(p->staging, sizeof p->staging));
    m.to = str_pb(p->to);
    m.flags = p->flags.system;
    m.n_keywords = p->flags.nkeywords;
    m.keywords = keywords;
    m.has_date = p->has_date;
    m.internal_date_ms = p->date_ms;
    return imap_ask_store(c, STORE__OP__APPEND, &m.base, true, committed);
}

/* Both halves are there: the bytes are staged, and the client's line is complete. */
static void both(struct imap_conn *c)
{
    struct append *p = c->append;
    int r;

    if (!p->staged || !p->line_done)
        return;
    if (p->nul) { /* RFC 9051 4.3: a literal has no NUL; literal8 may */
        imap_no(c, "CANNOT", "The message has a NUL byte: send it as literal8, ~{n}");
        return;
    }
    r = p->status;
    if (r == 0)
        r = commit(c, p);
    if (r < 0)
        imap_fail_status(c, r == E_CLOSED || r == E_LIMIT ? E_UNAVAIL : r);
}

static void staged(void *ctx, int status, struct str body)
{
    struct append *p = ctx;
    struct imap_conn *c = p->c;
    struct arena a = { .max = KIB(16) };
    Store__StageResponse *m;

    p->call = NULL;
    p->staged = true;
    if (status == 0) {
        m = RPC_UNPACK(&a, body, store__stage_response);
        status = m && m->staging.len == sizeof p->staging ? 0 : E_CORRUPT;
        if (status == 0)
            memcpy(p->staging, m->staging.data, sizeof p->staging);
        if (status == 0 && m->bytes != p->literal.n)
            status = E_BUG;
    }
    p->status = status;
    arena_release(&a);
    both(c);
    if (c->reading == IMAP_RD_APPEND)
        conn_resume(c->io); /* it failed early: the rest is swallowed */
    imap_continue(c);
}

static void on_room(void *ctx)
{
    struct append *p = ctx;

    if (p->c->reading == IMAP_RD_APPEND)
        conn_resume(p->c->io);
}

size_t imap_append_data(struct imap_conn *c, struct str in)
{
    struct append *p = c->append;
    size_t n = p->left < in.n ? (size_t)p->left : in.n;

    if (p->call) {
        size_t room = rpc_call_room(p->call);

        if (room == 0) {
            conn_pause(c->io); /* on_room goes on */
            return 0;
        }
        n = size_min(n, room);
        if (!p->literal.binary && !p->nul)
            p->nul = memchr(in.p, '\0', n) != NULL;
        if (rpc_call_send(p->call, str_slice(in, 0, n)) < 0) {
            rpc_call_cancel(p->call);
            p->call = NULL;
            p->staged = true;
            p->status = E_UNAVAIL;
        }
    }
    p->left -= n;
    if (p->left == 0) {
        if (p->call) {
            rpc_call_hurry(p->call, IMAP_ASK_MS);
            rpc_call_end(p->call);
        }
        c->reading = IMAP_RD_COMMAND;
        cmdline_stream_done(&c->in);
    }
    return n;
}

void imap_append_line(struct imap_conn *c, bool another)
{
    c->busy = true;
    if (another) {
        c->refuse_literal = true;
        imap_bad(c, "One message at a time: MULTIAPPEND is not offered");
    } else if (c->in.text.n != c->in.rest_at) {
        imap_bad(c, "Expected the end of the command behind the message");
    } else {
        c->append->line_done = true;
        both(c);
    }
}

static int begin(struct imap_conn *c, struct append *p)
{
    Store__StageRequest m = STORE__STAGE_REQUEST__INIT;
    struct rpc_ask what = { .op = STORE__OP__STAGE,
                            .body = &m.base,
                            .deadline_ms = UPLOAD_MS,
                            .upload = true,
                            .done = staged,
                            .on_room = on_room,
                            .ctx = p };

    m.bytes_max = c->srv->conf.max_message_bytes;
    m.bytes_expected = p->literal.n;
    m.network = c->network;
    p->call = rpc_link_ask(c->srv->store, &what);
    return p->call ? 0 : E_NOMEM;
}

/* The text moves when the rest of the line is read: what must last goes to the arena. */
static int keep_keywords(struct imap_conn *c, struct imap_flags *f)
{
    struct str *v = ARENA_ARRAY(&c->arena, f->nkeywords, struct str);

    for (size_t i = 0; v && i < f->nkeywords; i++)
        if (!(v[i] = arena_dup(&c->arena, f->keywords[i])).p)
            return E_NOMEM;
    f->keywords = v;
    return v ? 0 : E_NOMEM;
}

static int parse(struct args *a, struct append *p)
{
    int r;

    if ((r = args_sp(a)) < 0 || (r = args_mailbox(a, &p->to)) < 0 || (r = args_sp(a)) < 0)
        return r;
    if (args_peek(a) == '(' && ((r = imap_flags_parse_list(a, &p->flags)) < 0 || (r = args_sp(a)) < 0))
        return r;
    if (args_peek(a) == '"') {
        if ((r = args_date_time(a, &p->date_ms)) < 0 || (r = args_sp(a)) < 0)
            return r;
        p->has_date = true;
    }
    return args_literal_head(a, &p->literal);
}

int imap_cmd_append(struct imap_conn *c, struct args *a)
{
    struct append parsed = { .c = c }, *p;
    int r;

    if ((r = parse(a, &parsed)) < 0 || (r = keep_keywords(c, &parsed.flags)) < 0)
        return r == E_RANGE ? imap_no(c, "TRYCREATE", "There is no such mailbox") : r;
    if (parsed.literal.n == 0)
        return imap_no(c, "CANNOT", "The message is empty");
    if (parsed.literal.n > c->srv->conf.max_message_bytes)
        return E_TOO_BIG;
    if (!c->session.is_held || c->held)
        return E_UNAVAIL;
    if (!(p = malloc(sizeof *p)))
        return E_NOMEM;
    *p = parsed;
    p->left = p->literal.n;
    c->append = p;
    c->cleanup = append_release;
    if ((r = begin(c, p)) < 0) {
        c->cleanup = NULL;
        append_release(c);
        return r;
    }
    c->reading = IMAP_RD_APPEND;
    c->busy = false; /* the bytes must be read */
    if (p->literal.sync)
        imap_plus(c, "Send the message");
    return 0;
}
