#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/hex.h"
#include "proto/directory.pb-c.h"
#include "proto/store.pb-c.h"
#include "src/ctl/cmd_account.h"
#include "src/ctl/cmd_alias.h"
#include "src/ctl/cmd_recipients.h"
#include <jansson.h>
#include <sysexits.h>

int alias_ask(struct service *s, uint32_t op, const char *address, Directory__Alias **out)
{
    Directory__AliasRequest q = DIRECTORY__ALIAS_REQUEST__INIT;
    int r;

    q.address = str_pb(str_from(address));
    r = service_ask(s, ROLE_DIRECTORY, op, &q.base, &directory__alias__descriptor, out);
    if (r == 0)
        return 0;
    if (r == E_SYNTAX)
        return ctl_fail(EX_DATAERR, "%s: not an address", address);
    if (r == E_NOTFOUND && op == DIRECTORY__OP__ALIAS_ADD)
        return ctl_fail(EX_NOHOST, "%s: no such domain here (letterlock domain add)", address);
    return ctl_fail(ctl_exit_code(r), "%s: %s", address, error_text(r));
}

int mailbox_ask(const struct args *a, struct service **s, Directory__Alias **out)
{
    int r;

    if ((r = service_open(a, s)) != 0 ||
        (r = alias_ask(*s, DIRECTORY__OP__ALIAS_SHOW, a->words[0], out)) != 0)
        return r;
    return (*out)->mailbox_id.len ? 0 : ctl_fail(EX_DATAERR, "%s has no mailbox yet", a->words[0]);
}

int cmd_alias_add(int argc, char **argv)
{
    CLEANUP(service_close) struct service *s = NULL;
    struct args a = { .nwords = 0 };
    Directory__Alias *m = NULL;
    int r;

    if ((r = args_parse(argc, argv, NULL, 0, 1, &a)) != 0 || (r = service_open(&a, &s)) != 0 ||
        (r = alias_ask(s, DIRECTORY__OP__ALIAS_ADD, a.words[0], &m)) != 0)
        return r;
    fprintf(stderr, "%.*s added. It takes mail after: letterlock alias password %.*s\n", (int)m->address.len,
            (const char *)m->address.data, (int)m->address.len, (const char *)m->address.data);
    return EX_OK;
}

json_t *alias_json(const Directory__Alias *m)
{
    struct str account = m->quota && m->quota->account.len ? pb_str(m->quota->account) : STR("");
    char iso[CLOCK_ISO_LEN + 1], id[64] = "";

    clock_iso(m->created_ms, iso);
    if (m->mailbox_id.len < sizeof id / 2)
        hex_encode(m->mailbox_id.data, m->mailbox_id.len, id);
    return json_pack("{s:s%, s:b, s:s, s:s, s:s%, s:o, s:o, s:o}", "address", m->address.data, m->address.len,
                     "ready", m->mailbox_id.len > 0, "mailbox", id, "created", iso, "account", account.p,
                     account.n, "quota", quota_json(m->quota), "disabled",
                     m->answer ? json_integer(m->answer) : json_null(), "targets", targets_json(m));
}

void print_alias(const Directory__Alias *m)
{
    char iso[CLOCK_ISO_LEN + 1], quota[QUOTA_TEXT_MAX];

    clock_iso(m->created_ms, iso);
    quota_print(m->quota, quota);
    printf("%-48.*s %-22s since %.10s  %s\n", (int)m->address.len, (const char *)m->address.data,
           alias_state(m), iso, quota);
    targets_print(m);
}

void dump(json_t *j)
{
    json_dumpf(j, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(j);
}

int cmd_alias_list(int argc, char **argv)
{
    Directory__ListRequest q = DIRECTORY__LIST_REQUEST__INIT;
    CLEANUP(service_close) struct service *s = NULL;
    Directory__AliasListResponse *m = NULL;
    struct args a = { .nwords = 0 };
    const char *domain = "";
    struct option opts[] = { { "--domain", &domain, NULL } };
    json_t *list = NULL;
    int r;

    if ((r = args_parse(argc, argv, opts, 1, 0, &a)) != 0 || (r = service_open(&a, &s)) != 0)
        return r;
    q.domain = str_pb(str_from(domain));
    if (a.json)
        list = json_array();
    do {
        r = service_ask(s, ROLE_DIRECTORY, DIRECTORY__OP__ALIAS_LIST, &q.base,
                        &directory__alias_list_response__descriptor, &m);
        for (size_t i = 0; r == 0 && i < m->n_aliases; i++) {
            if (list)
                json_array_append_new(list, alias_json(m->aliases[i]));
            else
                print_alias(m->aliases[i]);
            q.after = m->aliases[i]->address;
        }
    } while (r == 0 && m->more && m->n_aliases > 0);
    if (r < 0) {
        json_decref(list);
        return ctl_fail(ctl_exit_code(r), "%s", error_text(r));
    }
    if (list)
        dump(list);
    return EX_OK;
}

int cmd_alias_show(int argc, char **argv)
{
    CLEANUP(service_close) struct service *s = NULL;
    struct args a = { .nwords = 0 };
    Directory__Alias *m = NULL;
    int r;

    if ((r = args_parse(argc, argv, NULL, 0, 1, &a)) != 0 || (r = service_open(&a, &s)) != 0 ||
        (r = alias_ask(s, DIRECTORY__OP__ALIAS_SHOW, a.words[0], &m)) != 0)
        return r;
    if (a.json)
        dump(alias_json(m));
    else
        print_alias(m);
    return EX_OK;
}

int confirm(const char *address, bool yes)
{
    CLEANUP(buf_release) struct buf b = { .max = KIB(2) };

    if (yes)
        return 0;
    fprintf(stderr, "To go on, type the address once more.\n");
    if (answer_read("Address", &b) < 0 || !str_ieq_z(str_trim(buf_str(&b)), address))
        return ctl_fail(EX_USAGE, "not confirmed; nothing was changed");
    return 0;
}

/* What was removed, and where it was. */
static void receipt(const struct args *a, const Store__MailboxRemoveResponse *m)
{
    json_t *list = a->json ? json_array() : NULL;
    unsigned long long bytes = 0, files = 0, objects = 0;

    for (size_t i = 0; m && i < m->n_purged; i++) {
        const Store__Purged *p = m->purged[i];
        bool backup = strcmp(p->where, "backups") == 0;

        bytes += p->bytes;
        objects += backup;
        files += !backup;
        if (list)
            json_array_append_new(list, json_pack("{s:s, s:s, s:I}", "where", p->where, "name", p->name,
                                                  "bytes", (json_int_t)p->bytes));
    }
    if (list)
        dump(json_pack("{s:s, s:o}", "removed", a->words[0], "purged", list));
    else
        fprintf(stderr, "%s removed: %llu files and %llu objects of backups, %llu bytes, keys first\n",
                a->words[0], files, objects, bytes);
}

int cmd_alias_remove(int argc, char **argv)
{
    Store__MailboxRemoveResponse *purged = NULL;
    Store__MailboxRemoveRequest q = STORE__MAILBOX_REMOVE_REQUEST__INIT;
    CLEANUP(service_close) struct service *s = NULL;
    struct args a = { .nwords = 0 };
    Directory__Alias *m = NULL;
    bool yes = false;
    struct option opts[] = { { "--yes", NULL, &yes } };
    int r;

    if ((r = args_parse(argc, argv, opts, 1, 1, &a)) != 0 || (r = service_open(&a, &s)) != 0 ||
        (r = alias_ask(s, DIRECTORY__OP__ALIAS_SHOW, a.words[0], &m)) != 0)
        return r;
    if (m->mailbox_id.len > 0) {
        fprintf(
            stderr,
            "This removes %s with its mailbox, every message in it and all its backups. Nothing brings them back.\n",
            a.words[0]);
        if ((r = confirm(a.words[0], yes)) != 0)
            return r;
        /* The mailbox first: should we die in between, the same command finishes the work. */
        q.mailbox_id = m->mailbox_id;
        r = service_ask(s, ROLE_STORE, STORE__OP__MAILBOX_REMOVE, &q.base,
                        &store__mailbox_remove_response__descriptor, &purged);
        if (r < 0 && r != E_NOTFOUND)
            return ctl_fail(ctl_exit_code(r), "%s: mailbox: %s", a.words[0], error_text(r));
    }
    if ((r = alias_ask(s, DIRECTORY__OP__ALIAS_REMOVE, a.words[0], &m)) != 0)
        return r;
    receipt(&a, purged);
    return EX_OK;
}
