/* src/imap/cmd_folders.c: CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE (RFC 9051 6.3.4 to 6.3.8). */
#include "src/imap/imap.h"
#include "src/imap/oldname.h"
#include "src/imap/special_use.h"

static int one_name(struct args *a, struct str *out)
{
    int r = args_sp(a);

    return r < 0 ? r : args_mailbox(a, out);
}

/* "(USE (\Drafts))" (RFC 6154 3). */
static int use(struct args *a, Store__SpecialUse *out)
{
    struct str name;
    int r;

    if (!args_skip(a, ' '))
        return 0;
    if ((r = args_char(a, '(', "CREATE parameters")) < 0)
        return r;
    if (!args_skip_word(a, "USE"))
        return args_fail(a, "USE");
    if ((r = args_sp(a)) < 0 || (r = args_char(a, '(', "a list of uses")) < 0)
        return r;
    if (!args_skip(a, ')')) {
        if ((r = args_char(a, '\\', "a use")) < 0 || (r = args_atom(a, &name)) < 0 ||
            (r = args_char(a, ')', "one use")) < 0)
            return r;
        if (!special_use_of(name, out))
            return E_UNSUPPORTED;
    }
    return args_char(a, ')', "the end of the parameters");
}

/* The names of CREATE and RENAME, where the client's were not in our form. */
struct names {
    struct str name, given;
};

/* RFC 8474 4.2: the tagged OK has MAILBOXID. */
static void created(struct imap_conn *c, int status, struct str body)
{
    const struct names *n = c->step_data;
    Store__FoldersResponse *m = NULL;
    char code[64];

    if (status == 0 && (!(m = RPC_UNPACK(&c->arena, body, store__folders_response)) || m->n_folders == 0))
        status = E_CORRUPT;
    if (status < 0) {
        imap_fail_status(c, status);
        return;
    }
    if (n->given.p) /* RFC 9051 6.3.4 */
        oldname_list(c, "", n->name, n->given);
    snprintf(code, sizeof code, "MAILBOXID (%.*s)", STR_ARG(pb_str(m->folders[0]->object_id)));
    imap_ok_code(c, code, "Completed");
}

int imap_cmd_create(struct imap_conn *c, struct args *a)
{
    Store__FolderRequest m = STORE__FOLDER_REQUEST__INIT;
    struct names *n = ARENA_NEW(&c->arena, struct names);
    int r;

    if (!n)
        return E_NOMEM;
    c->step_data = n;
    if ((r = args_sp(a)) < 0 || (r = oldname_mailbox(a, &n->name, &n->given)) < 0 ||
        (r = use(a, &m.special_use)) < 0 || (r = args_end(a)) < 0)
        return r == E_UNSUPPORTED ? imap_no(c, "USEATTR", "No such use") : r;
    m.session = imap_session(c);
    m.name = str_pb(n->name);
    return imap_ask_store(c, STORE__OP__FOLDER_CREATE, &m.base, true, created);
}

int imap_cmd_delete(struct imap_conn *c, struct args *a)
{
    Store__FolderRequest m = STORE__FOLDER_REQUEST__INIT;
    struct str name;
    int r;

    if ((r = one_name(a, &name)) < 0 || (r = args_end(a)) < 0)
        return r;
    if (str_eq_z(name, "INBOX"))
        return imap_no(c, "CANNOT", "INBOX stays");
    m.session = imap_session(c);
    m.name = str_pb(name);
    return imap_ask_store(c, STORE__OP__FOLDER_DELETE, &m.base, true, imap_done_plain);
}

/* RFC 9051 6.3.6: when either name was not in our form, the new one is told, with the old one as it was given. */
static void renamed(struct imap_conn *c, int status, struct str body)
{
    const struct names *n = c->step_data;

    if (status == 0 && n->given.p)
        oldname_list(c, "", n->name, n->given);
    imap_done_plain(c, status, body);
}

int imap_cmd_rename(struct imap_conn *c, struct args *a)
{
    Store__RenameRequest m = STORE__RENAME_REQUEST__INIT;
    struct names *n = ARENA_NEW(&c->arena, struct names);
    struct str from, from_given, to_given;
    int r;

    if (!n)
        return E_NOMEM;
    c->step_data = n;
    if ((r = args_sp(a)) < 0 || (r = oldname_mailbox(a, &from, &from_given)) < 0 || (r = args_sp(a)) < 0 ||
        (r = oldname_mailbox(a, &n->name, &to_given)) < 0 || (r = args_end(a)) < 0)
        return r;
    if (from_given.p || to_given.p)
        n->given = from_given.p ? from_given : from;
    m.session = imap_session(c);
    m.from = str_pb(from);
    m.to = str_pb(n->name);
    return imap_ask_store(c, STORE__OP__FOLDER_RENAME, &m.base, true, renamed);
}

static int subscribe(struct imap_conn *c, struct args *a, bool on)
{
    Store__SubscribeRequest m = STORE__SUBSCRIBE_REQUEST__INIT;
    struct str name;
    int r;

    if ((r = one_name(a, &name)) < 0 || (r = args_end(a)) < 0)
        return r;
    m.session = imap_session(c);
    m.name = str_pb(name);
    m.subscribed = on;
    return imap_ask_store(c, STORE__OP__SUBSCRIBE, &m.base, true, imap_done_plain);
}

int imap_cmd_subscribe(struct imap_conn *c, struct args *a)
{
    return subscribe(c, a, true);
}

int imap_cmd_unsubscribe(struct imap_conn *c, struct args *a)
{
    return subscribe(c, a, false);
}
