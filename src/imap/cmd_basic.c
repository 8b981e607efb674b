/* src/imap/cmd_basic.c: commands that need nobody else. */
#include "src/imap/imap.h"
#include "src/imap/qresync.h"
#include "src/imap/news.h"

int imap_cmd_capability(struct imap_conn *c, struct args *a)
{
    int r = args_end(a);

    if (r < 0)
        return r;
    resp_printf(&c->w, "* CAPABILITY %s\r\n", imap_capabilities(c));
    return imap_ok(c, "That is all for now");
}

int imap_cmd_noop(struct imap_conn *c, struct args *a)
{
    int r = args_end(a);

    if (r == 0 && c->view)
        c->view->stale = true; /* RFC 9051 6.1.2: a poll, whether or not the store has called */
    return r < 0 ? r : imap_ok(c, "Nothing to do, done");
}

int imap_cmd_check(struct imap_conn *c, struct args *a)
{
    return imap_cmd_noop(c, a); /* what was acknowledged is on disk already (RFC 3501 6.4.1) */
}

int imap_cmd_logout(struct imap_conn *c, struct args *a)
{
    int r = args_end(a);

    if (r < 0)
        return r;
    resp_status(&c->w, STR_NONE, "BYE", NULL, STR("See you later"));
    imap_enter(c, IMAP_ST_LOGOUT);
    return imap_ok(c, "Logged out");
}

int imap_cmd_starttls(struct imap_conn *c, struct args *a)
{
    int r = args_end(a);

    if (r < 0)
        return r;
    if (c->tls)
        return imap_bad_code(c, "CLIENTBUG", "TLS is on already");
    if (!c->srv->tls)
        return imap_no(c, "CONTACTADMIN", "No certificate is configured");
    c->starttls = true;
    return imap_ok(c, "Begin TLS now");
}

/* RFC 4978 3. Compressed secrets beside what others write can be guessed from sizes (CRIME): passwords are said
 * before, and nothing that comes later is one. */
int imap_cmd_compress(struct imap_conn *c, struct args *a)
{
    struct str mechanism;
    int r;

    if ((r = args_sp(a)) < 0 || (r = args_atom(a, &mechanism)) < 0 || (r = args_end(a)) < 0)
        return r;
    if (!str_ieq_z(mechanism, "DEFLATE"))
        return imap_bad(c, "Only DEFLATE is offered");
    if (c->compress)
        return imap_no(c, "COMPRESSIONACTIVE", "DEFLATE is on already");
    c->compress = c->compress_begins = true;
    return imap_ok(c, "DEFLATE begins");
}

/* RFC 8437 3: everything but TLS is forgotten. A stream that is compressed has no end that both sides would agree
 * on, so such a connection is ended, which the RFC allows. */
int imap_cmd_unauthenticate(struct imap_conn *c, struct args *a)
{
    int r = args_end(a);

    if (r < 0)
        return r;
    if (c->compress) {
        imap_bye(c, "UNAVAILABLE", "Please connect anew");
        return 0;
    }
    imap_unselect(c);
    imap_session_end(c);
    imap_enter(c, IMAP_ST_NOT_AUTH);
    return imap_ok(c, "Forgotten");
}

/* id-params-list = "(" *(string SP nstring) ")" / nil (RFC 2971 3.3). What clients say is not kept. */
int imap_cmd_id(struct imap_conn *c, struct args *a)
{
    struct str s;
    int r = args_sp(a);

    if (r < 0)
        return r;
    if (args_skip(a, '(')) {
        for (int n = 0; !args_skip(a, ')'); n++) {
            if (n > 30)
                return E_LIMIT;
            if ((n && (r = args_sp(a)) < 0) || (r = args_string(a, &s)) < 0 || (r = args_sp(a)) < 0 ||
                (r = args_nstring(a, &s)) < 0)
                return r;
        }
    } else if ((r = args_nstring(a, &s)) < 0 || s.p) {
        return args_fail(a, "a list or NIL");
    }
    if ((r = args_end(a)) < 0)
        return r;
    resp_z(&c->w, "* ID (\"name\" \"Letterlock\")\r\n");
    return imap_ok(c, "Pleased to meet you");
}

int imap_cmd_namespace(struct imap_conn *c, struct args *a)
{
    int r = args_end(a);

    if (r < 0)
        return r;
    resp_z(&c->w, "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n");
    return imap_ok(c, "Completed");
}

static bool enable_condstore(struct imap_conn *c)
{
    bool news = !c->condstore;

    c->condstore = true;
    return news;
}

/* RFC 7162 3.2.3: QRESYNC is CONDSTORE too, without saying so. */
static bool enable_qresync(struct imap_conn *c)
{
    bool news = !c->qresync;

    c->condstore = c->qresync = true;
    return news;
}

/* RFC 9051 6.3.1, appendix A. */
static bool enable_rev2(struct imap_conn *c)
{
    bool news = !c->rev2;

    c->rev2 = c->w.utf8 = true;
    return news;
}

/* RFC 9755 3. */
static bool enable_utf8(struct imap_conn *c)
{
    bool news = !c->utf8_accept;

    c->utf8_accept = c->w.utf8 = true;
    return news;
}

/* RFC 9586 3.1. */
static bool enable_uidonly(struct imap_conn *c)
{
    bool news = !c->uidonly;

    c->uidonly = true;
    return news;
}

static bool enable_metadata(struct imap_conn *c)
{
    bool news = !c->metadata;

    c->metadata = true;
    return news;
}

enum { ENABLE_UIDONLY = 5 }; /* its place */

static const struct {
    const char *name;
    bool (*enable)(struct imap_conn *c); /* false: it was on already */
} enables[] = {
    { "CONDSTORE", enable_condstore }, { "QRESYNC", enable_qresync }, { "METADATA", enable_metadata },
    { "UTF8=ACCEPT", enable_utf8 },    { "IMAP4rev2", enable_rev2 },  { "UIDONLY", enable_uidonly },
};

/* RFC 5161 3.1: unknown names are ignored, and 3.2: what was enabled before is not named again. */
int imap_cmd_enable(struct imap_conn *c, struct args *a)
{
    bool was = c->metadata, knew = c->condstore;
    uint32_t named = 0;
    struct str name;
    int r;

    do {
        if ((r = args_sp(a)) < 0 || (r = args_atom(a, &name)) < 0)
            return r;
        for (size_t i = 0; i < ARRAY_LEN(enables); i++)
            if (str_ieq_z(name, enables[i].name))
                named |= BIT(i);
    } while (args_end(a) < 0);
    /* RFC 5161 3.1 has ENABLE before any SELECT only. That is harmless but here, where numbers are in use. */
    if (c->state == IMAP_ST_SELECTED && (named & BIT(ENABLE_UIDONLY)))
        return imap_bad_code(c, "CLIENTBUG", "UIDONLY is enabled before a mailbox is selected");
    resp_z(&c->w, "* ENABLED");
    for (size_t i = 0; i < ARRAY_LEN(enables); i++)
        if ((named & BIT(i)) && enables[i].enable(c))
            resp_printf(&c->w, " %s", enables[i].name);
    resp_crlf(&c->w);
    if (c->condstore && !knew)
        condstore_tell(c);
    if (c->metadata && !was) /* RFC 5464 4.1: the store tells whoever asks */
        return imap_news_watch(c, imap_done_plain);
    return imap_ok(c, "Completed");
}

/* ---- IDLE (RFC 2177) ---- */

int imap_cmd_idle(struct imap_conn *c, struct args *a)
{
    int r = args_end(a);

    if (r < 0)
        return r;
    cmdline_expect_line(&c->in);
    c->reading = IMAP_RD_IDLE;
    c->busy = false; /* DONE must be read */
    if (c->view)
        c->view->stale = true;
    imap_plus(c, "Idling");
    return 0;
}

void imap_idle_line(struct imap_conn *c, struct str line)
{
    c->busy = true;
    c->reading = IMAP_RD_COMMAND;
    if (str_ieq_z(line, "DONE"))
        imap_ok(c, "No longer idling");
    else
        imap_bad(c, "Expected DONE");
}
