/* src/imap/cmd_folders.c: CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE (RFC 9051 6.3.4 to 6.3.8). */
#include "src/imap/imap.h"
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

/* RFC 8474 4.2: the tagged OK has MAILBOXID. */
static void created(struct imap_conn *c, int status, struct str body)
{
    Store__FoldersResponse *m = NULL;
    char code[64];

    if (status == 0 && (!(m = RPC_UNPACK(&c->arena, body, store__folders_response)) || m->n_folders == 0))
        status = E_CORRUPT;
    if (status < 0) {
        imap_fail_status(c, status);
        return;
    }
    snprintf(code, sizeof code, "MAILBOXID (%.*s)", STR_ARG(pb_str(m->folders[0]->object_id)));
    imap_ok_code(c, code, "Completed");
}

int imap_cmd_create(struct imap_conn *c, struct args *a)
{
    Store__FolderRequest m = STORE__FOLDER_REQUEST__INIT;
    struct str name;
    int r;

    if ((r = one_name(a, &name)) < 0 || (r = use(a, &m.special_use)) < 0 || (r = args_end(a)) < 0)
        return r == E_UNSUPPORTED ? imap_no(c, "USEATTR", "No such use") : r;
    m.session = imap_session(c);
    m.name = str_pb(name);
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

int imap_cmd_rename(struct imap_conn *c, struct args *a)
{
    Store__RenameRequest m = STORE__RENAME_REQUEST__INIT;
    struct str from, to;
    int r;

    if ((r = one_name(a, &from)) < 0 || (r = one_name(a, &to)) < 0 || (r = args_end(a)) < 0)
        return r;
    m.session = imap_session(c);
    m.from = str_pb(from);
    m.to = str_pb(to);
    return imap_ask_store(c, STORE__OP__FOLDER_RENAME, &m.base, true, imap_done_plain);
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
