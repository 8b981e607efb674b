/* src/jobs/notice.c: a letter to the operator, when jobs.operator names one of our addresses: looked up, staged and
 * delivered as any other. */
#include "proto/directory.pb-c.h"
#include "proto/store.pb-c.h"
#include "lib/mime/date.h"
#include "src/jobs/jobs.h"

#define ASK_MS     60000
#define LETTER_MAX KIB(16)

struct notice {
    struct buf letter;
    struct arena arena;
    Directory__ResolveResponse *to;
    struct rpc_call *call;
};

static void notice_free(struct notice *n)
{
    buf_release(&n->letter);
    arena_release(&n->arena);
    free(n);
}

static void give_up(struct notice *n, int status)
{
    log_event(LOG_ERROR, "jobs.operator_not_told", F_ERR(status));
    notice_free(n);
}

static void delivered(void *ctx, int status, struct str body UNUSED)
{
    struct notice *n = ctx;

    if (status < 0) {
        give_up(n, status);
        return;
    }
    log_event(LOG_INFO, "jobs.operator_told");
    notice_free(n);
}

static void deliver(struct notice *n, ProtobufCBinaryData staging)
{
    Store__DeliverRequest q = STORE__DELIVER_REQUEST__INIT;
    Store__Recipient to = STORE__RECIPIENT__INIT, *list[] = { &to };
    struct rpc_ask ask = { .op = STORE__OP__DELIVER,
                           .body = &q.base,
                           .changes = true,
                           .deadline_ms = ASK_MS,
                           .done = delivered,
                           .ctx = n };

    to.mailbox_id = n->to->mailbox_id;
    to.n_key_states = n->to->n_key_states;
    to.key_states = n->to->key_states;
    to.address = n->to->address;
    to.limited = n->to->limited;
    to.prepend = str_pb(STR("Return-Path: <>\r\n"));
    q.staging = staging;
    q.recipients = list;
    q.n_recipients = 1;
    q.has_message_id = true;
    q.received_ms = clock_wall_ms();
    if (!rpc_link_ask(role_link(the_role(), ROLE_STORE), &ask))
        give_up(n, E_NOMEM);
}

static void staged(void *ctx, int status, struct str body)
{
    struct notice *n = ctx;
    Store__StageResponse *m = status == 0 ? RPC_UNPACK(&n->arena, body, store__stage_response) : NULL;

    n->call = NULL;
    if (m)
        deliver(n, m->staging);
    else
        give_up(n, status < 0 ? status : E_CORRUPT);
}

static void stage(struct notice *n)
{
    Store__StageRequest q = STORE__STAGE_REQUEST__INIT;
    struct rpc_ask ask = { .op = STORE__OP__STAGE,
                           .body = &q.base,
                           .upload = true,
                           .deadline_ms = ASK_MS,
                           .done = staged,
                           .ctx = n };

    q.bytes_max = LETTER_MAX;
    q.network = (char *)(uintptr_t) "jobs";
    if (!(n->call = rpc_link_ask(role_link(the_role(), ROLE_STORE), &ask))) {
        give_up(n, E_NOMEM);
        return;
    }
    if (rpc_call_send(n->call, buf_str(&n->letter)) < 0) { /* it fits in the window */
        rpc_call_cancel(n->call);
        give_up(n, E_LIMIT);
        return;
    }
    rpc_call_end(n->call);
}

static void resolved(void *ctx, int status, struct str body)
{
    struct notice *n = ctx;

    n->to = status == 0 ? RPC_UNPACK(&n->arena, body, directory__resolve_response) : NULL;
    if (!n->to)
        give_up(n, status < 0 ? status : E_CORRUPT);
    else if (n->to->result != DIRECTORY__RESOLVE_RESPONSE__RESULT__OK || n->to->mailbox_id.len == 0)
        give_up(n, E_NOTFOUND);
    else
        stage(n);
}

/* Result lines become CRLF; what is no printable ASCII becomes '?'. */
static int body_put(struct buf *out, struct str text)
{
    int r = 0;

    for (size_t i = 0; i < text.n && r == 0; i++)
        r = text.p[i] == '\n'                            ? buf_putz(out, "\r\n")
            : text.p[i] < ' ' || (text.p[i] & 0x80) != 0 ? buf_putc(out, '?')
                                                         : buf_putc(out, text.p[i]);
    return r;
}

static const struct {
    const char *did, *end;
} says[] = {
    [NEWS_FAILED] = { "failed",
                      "This is said once, and again once a day while it lasts, and when it is over." },
    [NEWS_FOUND] = { "found something",
                     "This is said once, and again once a day while it lasts, and when it is over." },
    [NEWS_WELL] = { "is well again", "What was told of it before is over." },
};

static int letter_make(const struct job *j, struct buf *out)
{
    CLEANUP(buf_release) struct buf date = { .max = 64 };
    int64_t now = clock_wall_ms();
    struct str host = role_hostname(the_role());
    char iso[CLOCK_ISO_LEN + 1];
    int r = mime_date_format((struct mime_date){ .ms = now }, &date);

    clock_iso(now, iso);
    if (r == 0)
        r = buf_printf(
            out,
            "From: Letterlock <postmaster@%.*s>\r\nTo: <%s>\r\nSubject: Letterlock: %s: %s\r\n"
            "Date: %.*s\r\nMessage-ID: <jobs.%s.%lld@%.*s>\r\n"
            "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n"
            "\r\nThe job \"%s\" (%s) on %.*s %s at %s:\r\n\r\n",
            STR_ARG(host), jobs_conf.operator, j->row->name, says[job_news(j)].did, STR_ARG(buf_str(&date)),
            j->row->name, (long long)now, STR_ARG(host), j->row->name, j->row->what, STR_ARG(host),
            says[job_news(j)].did, iso);
    if (r == 0)
        r = body_put(out, buf_str(&j->result));
    return r < 0
               ? r
               : buf_printf(
                     out,
                     "\r\n\r\n%s The log of the service says more;\r\nletterlock jobs run %s looks again.\r\n",
                     says[job_news(j)].end, j->row->name);
}

void notice_send(const struct job *j)
{
    Directory__ResolveRequest q = DIRECTORY__RESOLVE_REQUEST__INIT;
    struct rpc_ask ask = {
        .op = DIRECTORY__OP__RESOLVE, .body = &q.base, .deadline_ms = ASK_MS, .done = resolved
    };
    struct notice *n;

    if (!jobs_conf.operator[0])
        return;
    if (!(n = calloc(1, sizeof *n))) {
        log_event(LOG_ERROR, "jobs.operator_not_told", F_ERR(E_NOMEM));
        return;
    }
    n->letter.max = LETTER_MAX;
    n->arena.max = KIB(256);
    q.address = str_pb(str_from(jobs_conf.operator));
    q.purpose = DIRECTORY__RESOLVE_REQUEST__PURPOSE__DELIVER;
    ask.ctx = n;
    if (letter_make(j, &n->letter) < 0 || !rpc_link_ask(role_link(the_role(), ROLE_DIRECTORY), &ask))
        give_up(n, E_NOMEM);
}
