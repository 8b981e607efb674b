/* src/imap/cmd_append.c: APPEND (RFC 9051 6.3.12) with MULTIAPPEND (RFC 3502) and CATENATE (RFC 4469), and
 * REPLACE (RFC 8508): begin / data / commit.
 *
 * A message is never held here: its bytes go on to the store's staging area as they come, no faster
 * than the store takes them. When the last line is complete one request commits all of them, or none.
 *
 * The command comes in segments: its text up to the head of a literal, the literal's bytes, the text behind
 * them… append_go walks through a segment event by event and stops where it must wait: for a literal's
 * bytes, for what a URL names, for the store. While it does no byte is read from the client. */
#include "src/imap/append.h"

#define UPLOAD_MS 7200000 /* a slow client; silence is the connection's idle limit */
#define COMMIT_MS 300000  /* of several: each is parsed, and all of them are one transaction */

static void nothing(void *ctx UNUSED, int status UNUSED, struct str body UNUSED)
{
}

static void unstage(struct imap_conn *c, struct append_message *g)
{
    Store__UnstageRequest m = STORE__UNSTAGE_REQUEST__INIT;
    struct rpc_ask what = { .op = STORE__OP__UNSTAGE,
                            .body = &m.base,
                            .flags = RPC_NO_REPEAT,
                            .deadline_ms = IMAP_ASK_MS,
                            .done = nothing };

    m.staging = str_pb(str_of(g->staging, sizeof g->staging));
    if (!rpc_link_ask(c->srv->store, &what))
        return; /* the store forgets it when it needs the room */
}

static void append_release(struct imap_conn *c)
{
    struct append *p = c->append;

    catenate_release(p);
    if (p->call)
        rpc_call_cancel(p->call);
    for (struct append_message *g = p->first; g && !p->committed; g = g->next)
        if (g->named)
            unstage(c, g);
    free(p);
    c->append = NULL;
}

/* ---- the end ---- */

void append_fail(struct append *p, int status)
{
    if (p->segment)
        p->c->args = p->rest; /* for the BAD that says where */
    if (status == E_RANGE)
        imap_no(p->c, "TRYCREATE", "There is no such mailbox");
    else
        imap_fail_status(p->c, status == E_CLOSED ? E_UNAVAIL : status);
}

/* Of a client that never sees a UID vanish twice: ours went with the commit. */
static int replaced(struct append *p, const Store__AppendResponse *m)
{
    struct imap_conn *c = p->c;
    uint32_t gone[2] = { p->replaces, p->replaces };
    char modseq[48];
    int r;

    /* RFC 8508 4.3: before the EXPUNGE, not in the tagged reply */
    resp_printf(&c->w, "* OK [APPENDUID %u %u] Replacement message ready\r\n", m->uidvalidity, m->uid);
    if ((r = imap_vanish(c, gone, 2)) < 0)
        return r;
    c->view->stale = true;
    snprintf(modseq, sizeof modseq, "HIGHESTMODSEQ %llu", (unsigned long long)m->replaced_modseq);
    return imap_ok_code(c, c->qresync ? modseq : NULL, "Replaced"); /* RFC 8508 4.5 */
}

static void committed(struct imap_conn *c, int status, struct str body)
{
    struct append *p = c->append;
    Store__AppendResponse *m = NULL;
    char code[80];

    p->committed = true; /* whatever the answer: nothing is left to unstage */
    if (status == E_NOTFOUND) {
        imap_no(c, "TRYCREATE", "There is no such mailbox");
        return;
    }
    if (status == E_RANGE) {
        c->view->stale = true;
        imap_no(c, "EXPUNGEISSUED", "The message is not there any more"); /* RFC 5530 3 */
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
    imap_came(c, m->uidvalidity, (uint32_t[]){ m->uid, m->uid + (uint32_t)p->n - 1 }, 2);
    if (p->replace) {
        if ((status = replaced(p, m)) < 0)
            imap_fail_status(c, status);
        return;
    }
    if (p->n == 1)
        snprintf(code, sizeof code, "APPENDUID %u %u", m->uidvalidity, m->uid);
    else /* RFC 3502: as many as there were messages */
        snprintf(code, sizeof code, "APPENDUID %u %u:%u", m->uidvalidity, m->uid,
                 m->uid + (uint32_t)p->n - 1);
    imap_ok_code(c, code, "Kept");
}

static int keywords_of(struct arena *a, const struct imap_flags *f, size_t *n_out, char ***out)
{
    char **v = ARENA_ARRAY(a, f->nkeywords, char *);

    if (!v)
        return E_NOMEM;
    for (size_t i = 0; i < f->nkeywords; i++)
        if (!(v[i] = arena_dupz(a, f->keywords[i])))
            return E_NOMEM;
    *n_out = f->nkeywords;
    *out = v;
    return 0;
}

/* Those behind the first. */
static int commit_more(struct append *p, Store__AppendRequest *m)
{
    struct arena *a = &p->c->arena;
    Store__AppendRequest__Message *v = ARENA_ARRAY(a, p->n, Store__AppendRequest__Message);
    int r = 0;

    m->more = ARENA_ARRAY(a, p->n, Store__AppendRequest__Message *);
    if (!v || !m->more)
        return E_NOMEM;
    for (struct append_message *g = p->first->next; g && r == 0; g = g->next) {
        Store__AppendRequest__Message *one = m->more[m->n_more] = &v[m->n_more];

        store__append_request__message__init(one);
        one->staging = str_pb(str_of(g->staging, sizeof g->staging));
        one->flags = g->flags.system;
        one->has_date = g->has_date;
        one->internal_date_ms = g->date_ms;
        r = keywords_of(a, &g->flags, &one->n_keywords, &one->keywords);
        m->n_more++;
    }
    return r;
}

static int commit(struct append *p)
{
    struct imap_conn *c = p->c;
    struct append_message *g = p->first;
    Store__AppendRequest m = STORE__APPEND_REQUEST__INIT;
    int r = keywords_of(&c->arena, &g->flags, &m.n_keywords, &m.keywords);

    if (r < 0 || (r = commit_more(p, &m)) < 0)
        return r;
    m.session = imap_session(c);
    m.staging = str_pb(str_of(g->staging, sizeof g->staging));
    m.to = str_pb(p->to);
    m.flags = g->flags.system;
    m.has_date = g->has_date;
    m.internal_date_ms = g->date_ms;
    if (p->replace) {
        m.replaces_folder_id = c->view->folder_id;
        m.replaces_uid = p->replaces;
    }
    return imap_ask_store_for(c, STORE__OP__APPEND, &m.base, true, p->n > 1 ? COMMIT_MS : IMAP_ASK_MS,
                              committed);
}

/* ---- one message's bytes ---- */

static void staged(void *ctx, int status, struct str body)
{
    struct append *p = ctx;
    struct imap_conn *c = p->c;
    struct arena a = { .max = KIB(16) };
    Store__StageResponse *m;

    p->call = NULL;
    if (status == 0) {
        m = RPC_UNPACK(&a, body, store__stage_response);
        status = m && m->staging.len == sizeof p->last->staging ? 0 : E_CORRUPT;
        if (status == 0)
            memcpy(p->last->staging, m->staging.data, sizeof p->last->staging);
        if (status == 0)
            p->last->named = true;
        if (status == 0 && m->bytes != p->last->bytes)
            status = E_BUG;
    }
    p->status = status == E_LIMIT || status == E_CLOSED ? E_UNAVAIL : status;
    arena_release(&a);
    if (c->reading == IMAP_RD_APPEND)
        conn_resume(c->io); /* it failed early: the rest is swallowed */
    c->ask.hold = false;    /* and so is the rest of what a URL names: no room will come */
    append_go(p);
    imap_continue(c);
}

static void on_room(void *ctx)
{
    struct append *p = ctx;

    if (p->catenate)
        catenate_room(p);
    else if (p->c->reading == IMAP_RD_APPEND)
        conn_resume(p->c->io);
}

static int stage(struct append *p, uint64_t expected)
{
    struct imap_conn *c = p->c;
    Store__StageRequest m = STORE__STAGE_REQUEST__INIT;
    struct rpc_ask what = { .op = STORE__OP__STAGE,
                            .body = &m.base,
                            .deadline_ms = UPLOAD_MS,
                            .upload = true,
                            .done = staged,
                            .on_room = on_room,
                            .ctx = p };

    if (!c->session.is_held || c->held)
        return E_UNAVAIL;
    m.bytes_max = c->srv->conf.max_message_bytes;
    m.bytes_expected = expected;
    m.network = c->network;
    p->call = rpc_link_ask(c->srv->store, &what);
    return p->call ? 0 : E_NOMEM;
}

/* So many more: of this message, and of all. */
static int count(struct append *p, uint64_t bytes)
{
    uint64_t max = p->c->srv->conf.max_message_bytes;

    if (bytes > max || p->last->bytes + bytes > max)
        return E_TOO_BIG;
    if (p->n > 1 && p->total + bytes > (max > APPEND_TOTAL_MAX ? max : APPEND_TOTAL_MAX))
        return E_LIMIT;
    p->last->bytes += bytes;
    p->total += bytes;
    return 0;
}

static int send_bytes(struct append *p, struct str bytes)
{
    if (!p->call)
        return p->status < 0 ? p->status : E_UNAVAIL;
    if (rpc_call_send(p->call, bytes) == 0)
        return 0;
    rpc_call_cancel(p->call);
    p->call = NULL;
    return p->status = E_UNAVAIL;
}

int append_send(struct append *p, struct str bytes, bool *full_out)
{
    int r = count(p, bytes.n);

    if (r < 0 || (r = send_bytes(p, bytes)) < 0)
        return r;
    *full_out = rpc_call_room(p->call) == 0;
    return 0;
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
        if (send_bytes(p, str_slice(in, 0, n)) < 0)
            p->status = E_UNAVAIL;
    }
    p->left -= n;
    if (p->left == 0) {
        c->reading = IMAP_RD_COMMAND;
        cmdline_stream_done(&c->in);
    }
    return n;
}

/* ---- the segments ---- */

/* The text moves when more of it is read: what must last goes to the arena. */
static int keep_keywords(struct imap_conn *c, struct imap_flags *f)
{
    struct str *v = ARENA_ARRAY(&c->arena, f->nkeywords, struct str);

    for (size_t i = 0; v && i < f->nkeywords; i++)
        if (!(v[i] = arena_dup(&c->arena, f->keywords[i])).p)
            return E_NOMEM;
    f->keywords = v;
    return v ? 0 : E_NOMEM;
}

static int message_begin(struct append *p, const struct append_event *e)
{
    struct append_message *g = ARENA_NEW(&p->c->arena, struct append_message);

    if (!g)
        return E_NOMEM;
    *g = (struct append_message){ .flags = e->flags, .has_date = e->has_date, .date_ms = e->date_ms };
    if (p->last)
        p->last->next = g;
    else
        p->first = g;
    p->last = g;
    p->n++;
    if (imap_over_limit(p->c, p->n)) /* RFC 9738 3.1 */
        return 0;
    p->ending = false;
    return keep_keywords(p->c, &g->flags);
}

/* Now the client sends. */
static int take_literal(struct append *p, const struct literal *lit)
{
    struct imap_conn *c = p->c;
    bool alone = p->reader.state == APPEND_RD_PLAIN_END;
    int r;

    if (lit->n == 0 && alone) { /* RFC 3502: "This can be used to cancel the append" */
        imap_no(c, "CANNOT", "The message is empty");
        return 0;
    }
    if ((r = count(p, lit->n)) < 0 || (!p->call && (r = stage(p, alone ? lit->n : 0)) < 0))
        return r;
    p->literal = *lit;
    p->left = lit->n;
    p->segment = false;
    c->literal_waits = false;
    c->busy = false; /* the bytes must be read */
    if (lit->sync)
        imap_plus(c, "Send the message");
    if (p->left == 0)
        cmdline_stream_done(&c->in);
    else
        c->reading = IMAP_RD_APPEND;
    conn_resume(c->io);
    return 0;
}

static int message_end(struct append *p)
{
    if (p->nul) { /* RFC 9051 4.3: a literal has no NUL; literal8 may */
        imap_no(p->c, "CANNOT", "The message has a NUL byte: send it as literal8, ~{n}");
        return 0;
    }
    if (p->last->bytes == 0) {
        imap_no(p->c, "CANNOT", "The message is empty");
        return 0;
    }
    if (!p->call)
        return E_UNAVAIL;
    p->ending = true;
    rpc_call_hurry(p->call, IMAP_ASK_MS);
    rpc_call_end(p->call);
    return 0;
}

static int take(struct append *p, const struct append_event *e)
{
    int r;

    switch (e->kind) {
    case APPEND_EV_MESSAGE: return message_begin(p, e);
    case APPEND_EV_LITERAL: return take_literal(p, &e->literal);
    case APPEND_EV_URL:
        if (!p->call && (r = stage(p, 0)) < 0)
            return r;
        return catenate_begin(p, e->url);
    case APPEND_EV_MESSAGE_END: return message_end(p);
    case APPEND_EV_END: break;
    }
    return commit(p);
}

/* RFC 9738 3.1, with what SAVELIMIT says. */
static void too_many(struct append *p)
{
    char code[32];

    snprintf(code, sizeof code, "MESSAGELIMIT %u", APPEND_MESSAGES_MAX);
    imap_no(p->c, code, "Too many messages for one command");
}

/* Is there an event to look at, and nothing that must come first? */
static bool can_go(const struct append *p)
{
    return p->segment && !p->c->finishing && !p->catenate && !p->c->ask.call && !(p->ending && p->call);
}

void append_go(struct append *p)
{
    int r = 0;

    while (can_go(p) && r == 0) {
        struct append_event e;

        if ((r = p->status) == 0 && (r = append_next(&p->reader, &p->rest, &e)) == 0)
            r = take(p, &e);
    }
    if (r == E_LIMIT && p->reader.messages == APPEND_MESSAGES_MAX)
        too_many(p);
    else if (r < 0)
        append_fail(p, r);
}

void imap_append_line(struct imap_conn *c)
{
    struct append *p = c->append;

    c->busy = true;
    p->rest = args_of(&c->arena, buf_str(&c->in.text), c->w.utf8);
    p->rest.at = c->in.rest_at;
    p->segment = true;
    append_go(p);
}

/* ---- the commands ---- */

static int begin(struct imap_conn *c, struct args *a, const struct append *head)
{
    struct append *p = malloc(sizeof *p);

    if (!p)
        return E_NOMEM;
    *p = *head;
    p->c = c;
    p->rest = *a;
    p->segment = true;
    p->reader.single = p->replace;
    c->append = p;
    c->cleanup = append_release;
    append_go(p);
    return 0;
}

int imap_cmd_append(struct imap_conn *c, struct args *a)
{
    struct append p = { .replace = false };
    int r;

    if ((r = args_sp(a)) < 0 || (r = args_mailbox(a, &p.to)) < 0)
        return r == E_RANGE ? imap_no(c, "TRYCREATE", "There is no such mailbox") : r;
    return begin(c, a, &p);
}

/* "4", or "*" (RFC 8508 5: seq-number); a UID for UID REPLACE. 0: there is no such message. */
static int parse_target(struct imap_conn *c, struct args *a, uint32_t *uid_out)
{
    struct view *v = c->view;
    uint32_t n = 0;
    int r;

    if (args_skip(a, '*'))
        n = c->uid ? uidranges_last(&v->uids) : uidranges_count(&v->uids);
    else if ((r = args_nz_number(a, &n)) < 0)
        return r;
    *uid_out = !c->uid ? uidranges_uid(&v->uids, n) : uidranges_has(&v->uids, n) ? n : 0;
    return 0;
}

int imap_cmd_replace(struct imap_conn *c, struct args *a)
{
    struct append p = { .replace = true };
    int r;

    if ((r = args_sp(a)) < 0 || (r = parse_target(c, a, &p.replaces)) < 0 || (r = args_sp(a)) < 0 ||
        (r = args_mailbox(a, &p.to)) < 0)
        return r == E_RANGE ? imap_no(c, "TRYCREATE", "There is no such mailbox") : r;
    if (!p.replaces)
        return c->uid ? imap_no(c, "EXPUNGEISSUED", "There is no such message")
                      : imap_bad(c, "There is no message of that number");
    return begin(c, a, &p);
}
