/* src/imap/commands.c
 *
 * Every command there is: one row, one function. What is true of a command stands in its row and is
 * enforced here, once. */
#include "lib/imap/append_args.h"
#include "src/imap/imap.h"
#include "src/imap/notify.h"

#define IN(st) BIT(IMAP_ST_##st)
#define ANY    (IN(NOT_AUTH) | IN(AUTH) | IN(SELECTED))
#define AUTHED (IN(AUTH) | IN(SELECTED))

#define CMD_TLS    BIT(0) /* refused on a clear connection */
#define CMD_SEQNUM BIT(1) /* names messages by number: hold EXPUNGE back (RFC 9051 7.5.1) */
#define CMD_UID    BIT(2) /* has a "UID …" form, which need not hold back */
#define CMD_WRITE  BIT(3) /* refused in a folder opened by EXAMINE */
#define CMD_STREAM BIT(4) /* brings messages, whose literals are not collected */
#define CMD_NAMES  BIT(5) /* changes which mailboxes NOTIFY means */
#define CMD_NUMBER BIT(6) /* without UID it has message numbers: refused by UIDONLY (RFC 9586 3) */

static const struct imap_cmd {
    const char *name;
    imap_cmd_fn *run;
    uint32_t states, flags;
} commands[] = {
    /* a linear scan is faster than explaining a hash */
    { "APPEND", imap_cmd_append, AUTHED, CMD_STREAM },
    { "AUTHENTICATE", imap_cmd_authenticate, IN(NOT_AUTH), CMD_TLS },
    { "CANCELUPDATE", imap_cmd_cancelupdate, IN(SELECTED), 0 },
    { "CAPABILITY", imap_cmd_capability, ANY, 0 },
    { "CHECK", imap_cmd_check, IN(SELECTED), 0 },
    { "CLOSE", imap_cmd_close, IN(SELECTED), 0 },
    { "COMPRESS", imap_cmd_compress, AUTHED, 0 },
    { "COPY", imap_cmd_copy, IN(SELECTED), CMD_UID | CMD_NUMBER },
    { "CREATE", imap_cmd_create, AUTHED, CMD_NAMES },
    { "DELETE", imap_cmd_delete, AUTHED, CMD_NAMES },
    { "ENABLE", imap_cmd_enable, IN(AUTH) | IN(SELECTED), 0 },
    { "ESEARCH", imap_cmd_esearch, AUTHED, CMD_SEQNUM | CMD_UID },
    { "EXAMINE", imap_cmd_examine, AUTHED, 0 },
    { "EXPUNGE", imap_cmd_expunge, IN(SELECTED), CMD_UID | CMD_WRITE },
    { "FETCH", imap_cmd_fetch, IN(SELECTED), CMD_SEQNUM | CMD_UID | CMD_NUMBER },
    { "GETQUOTA", imap_cmd_getquota, AUTHED, 0 },
    { "GETQUOTAROOT", imap_cmd_getquotaroot, AUTHED, 0 },
    { "GETMETADATA", imap_cmd_getmetadata, AUTHED, 0 },
    { "ID", imap_cmd_id, ANY, 0 },
    { "IDLE", imap_cmd_idle, AUTHED, 0 },
    { "LANGUAGE", imap_cmd_language, ANY, 0 },
    { "LIST", imap_cmd_list, AUTHED, 0 },
    { "LOGIN", imap_cmd_login, IN(NOT_AUTH), CMD_TLS },
    { "LOGOUT", imap_cmd_logout, ANY, 0 },
    { "LSUB", imap_cmd_lsub, AUTHED, 0 },
    { "MOVE", imap_cmd_move, IN(SELECTED), CMD_UID | CMD_WRITE | CMD_NUMBER },
    { "NAMESPACE", imap_cmd_namespace, AUTHED, 0 },
    { "NOOP", imap_cmd_noop, ANY, 0 },
    { "NOTIFY", imap_cmd_notify, AUTHED, 0 },
    { "RENAME", imap_cmd_rename, AUTHED, CMD_NAMES },
    { "REPLACE", imap_cmd_replace, IN(SELECTED), CMD_UID | CMD_WRITE | CMD_STREAM | CMD_NUMBER },
    { "SEARCH", imap_cmd_search, IN(SELECTED), CMD_SEQNUM | CMD_UID | CMD_NUMBER },
    { "SELECT", imap_cmd_select, AUTHED, 0 },
    { "SORT", imap_cmd_sort, IN(SELECTED), CMD_SEQNUM | CMD_UID | CMD_NUMBER },
    { "SETMETADATA", imap_cmd_setmetadata, AUTHED, 0 },
    { "STARTTLS", imap_cmd_starttls, IN(NOT_AUTH), 0 },
    { "STATUS", imap_cmd_status, AUTHED, 0 },
    { "STORE", imap_cmd_store, IN(SELECTED), CMD_SEQNUM | CMD_UID | CMD_WRITE | CMD_NUMBER },
    { "SUBSCRIBE", imap_cmd_subscribe, AUTHED, CMD_NAMES },
    { "THREAD", imap_cmd_thread, IN(SELECTED), CMD_SEQNUM | CMD_UID | CMD_NUMBER },
    { "UIDBATCHES", imap_cmd_uidbatches, IN(SELECTED), 0 },
    { "UNAUTHENTICATE", imap_cmd_unauthenticate, AUTHED, 0 },
    { "UNSELECT", imap_cmd_unselect, IN(SELECTED), 0 },
    { "UNSUBSCRIBE", imap_cmd_unsubscribe, AUTHED, CMD_NAMES },
};

/* After login, each only when it is whole (doc/imap.md). */
static const char *const capabilities[] = {
    "IDLE",
    "NAMESPACE",
    "UIDPLUS",
    "MOVE",
    "UNSELECT",
    "SPECIAL-USE",
    "CREATE-SPECIAL-USE",
    "ESEARCH",
    "CHILDREN",
    "LIST-EXTENDED",
    "LIST-STATUS",
    "STATUS=SIZE",
    "BINARY",
    "SAVEDATE",
    "CONDSTORE",
    "QRESYNC",
    "OBJECTID",
    "PREVIEW",
    "QUOTA",
    "QUOTA=RES-STORAGE",
    "QUOTA=RES-MESSAGE",
    "QUOTA=RES-MAILBOX",
    "SORT",
    "SORT=DISPLAY",
    "THREAD=ORDEREDSUBJECT",
    "THREAD=REFERENCES",
    "THREAD=REFS",
    "ESORT",
    "CONTEXT=SEARCH",
    "CONTEXT=SORT",
    "MULTISEARCH",
    "SEARCHRES",
    "SEARCH=FUZZY",
    "WITHIN",
    "PARTIAL",
    "METADATA",
    "LIST-METADATA",
    "NOTIFY",
    "UTF8=ACCEPT",
    "I18NLEVEL=1",
    "X-REGEX",
    "UNAUTHENTICATE",
    "MULTIAPPEND",
    "CATENATE",
    "REPLACE",
    "UIDONLY",
    "UIDBATCHES",
    "INPROGRESS",
};

const char *imap_capabilities(const struct imap_conn *c)
{
    static const char always[] = "IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR ID ENABLE LANGUAGE";
    static char text[2048]; /* good until the next call */
    int n;

    if (c->state == IMAP_ST_NOT_AUTH) {
        snprintf(text, sizeof text, "%s %s", always,
                 c->tls        ? "AUTH=PLAIN"
                 : c->srv->tls ? "STARTTLS LOGINDISABLED"
                               : "LOGINDISABLED");
        return text;
    }
    /* RFC 7889 3.1: one limit for every mailbox; RFC 9738 4 */
    n = snprintf(text, sizeof text, "%s%s APPENDLIMIT=%llu MESSAGELIMIT=%llu SAVELIMIT=%llu", always,
                 c->compress ? "" : " COMPRESS=DEFLATE", (unsigned long long)c->srv->conf.max_message_bytes,
                 (unsigned long long)c->srv->conf.message_limit, (unsigned long long)APPEND_MESSAGES_MAX);
    for (size_t i = 0; i < ARRAY_LEN(capabilities); i++)
        n += snprintf(text + n, sizeof text - (size_t)n, " %s", capabilities[i]);
    return text;
}

static const struct imap_cmd *find(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (str_ieq_z(name, commands[i].name))
            return &commands[i];
    return NULL;
}

/* "tag SP [UID SP] name": the tag is kept for the reply, and needs to outlive the text. */
static int parse_name(struct imap_conn *c, struct str *name_out)
{
    struct str tag;
    int r;

    c->tag = STR("*");
    if ((r = args_tag(&c->args, &tag)) < 0)
        return r;
    c->tag = arena_dup(&c->arena, str_slice(tag, 0, 1000));
    if (!c->tag.p)
        return E_NOMEM;
    if ((r = args_sp(&c->args)) < 0 || (r = args_word(&c->args, name_out)) < 0)
        return r;
    c->uid = str_ieq_z(*name_out, "UID");
    if (c->uid && ((r = args_sp(&c->args)) < 0 || (r = args_word(&c->args, name_out)) < 0))
        return r;
    return 0;
}

static int dispatch(struct imap_conn *c, const struct imap_cmd *cmd, bool stream)
{
    if (!cmd || (c->uid && !(cmd->flags & CMD_UID)) || (stream && !(cmd->flags & CMD_STREAM)))
        return imap_bad(c, "Unknown command");
    if (!(cmd->states & BIT(c->state)))
        return imap_bad_code(c, "CLIENTBUG",
                             c->state == IMAP_ST_NOT_AUTH ? "Log in first"
                                                          : "Not now: see the state of this session");
    if (c->uidonly && (cmd->flags & CMD_NUMBER) && !c->uid)
        return imap_bad_code(c, "UIDREQUIRED", "UIDONLY is on: use the UID form"); /* RFC 9586 3 */
    if ((cmd->flags & CMD_TLS) && !c->tls)
        return imap_no(c, "PRIVACYREQUIRED", "Start TLS first"); /* RFC 5530 3 */
    if ((cmd->flags & CMD_WRITE) && c->view->read_only)
        return imap_no(c, "READ-ONLY", "The mailbox is open for reading only");
    c->hold_expunges = (cmd->flags & CMD_SEQNUM) && !c->uid;
    c->name = cmd->name;
    if (cmd->flags & CMD_NAMES)
        notify_renamed(c);
    return cmd->run(c, &c->args);
}

void imap_run_command(struct imap_conn *c, bool stream)
{
    struct str name;
    int r;

    c->args = args_of(&c->arena, buf_str(&c->in.text), c->w.utf8);
    r = parse_name(c, &name);
    if (r == 0)
        r = dispatch(c, find(name), stream);
    if (r < 0)
        imap_fail_status(c, r);
}
