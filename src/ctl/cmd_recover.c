/* src/ctl/cmd_recover.c: `recover`: mailboxes whose files are not here, back to the last commit that was shipped, or from their
 * newest backups. Nobody's password is needed; theirs open what comes back. */
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "proto/directory.pb-c.h"
#include "src/common/places.h"
#include "src/ctl/cmd_backup.h"
#include "src/ctl/ctl.h"
#include <jansson.h>
#include <sysexits.h>

#define LAST_MS     (INT64_MAX / 2)   /* whatever clocks said */
#define PATIENCE_MS INT64_C(86400000) /* a very large mailbox takes an hour */

struct recovering {
    struct service *s;
    json_t *list; /* NULL: for people */
    size_t back, here, without, failed;
};

/* as_of_ms 0: of nothing. */
static void told(struct recovering *t, const Directory__Alias *a, const char *what, int64_t as_of_ms)
{
    char iso[CLOCK_ISO_LEN + 1] = "";
    int n = (int)a->address.len;
    const char *address = (const char *)a->address.data;

    if (as_of_ms)
        clock_iso(as_of_ms, iso);
    if (t->list)
        json_array_append_new(t->list, json_pack("{s:s%, s:s, s:s?}", "address", address, (size_t)n, "result",
                                                 what, "taken", as_of_ms ? iso : NULL));
    else
        printf("%.*s: %s%s%s\n", n, address, what, as_of_ms ? ", as of " : "", iso);
    fflush(stdout);
}

static int restore_newest(struct recovering *t, const Directory__Alias *a, const Store__Backup *b)
{
    Store__MailboxRestoreRequest k = STORE__MAILBOX_RESTORE_REQUEST__INIT;

    k.mailbox_id = a->mailbox_id;
    k.n_key_states = a->n_key_states;
    k.key_states = a->key_states;
    k.backup_id = b->id;
    k.mode = STORE__MAILBOX_RESTORE_REQUEST__MODE__PLACE;
    return service_ask(t->s, ROLE_STORE, STORE__OP__MAILBOX_RESTORE, &k.base, NULL, NULL);
}

/* All that was shipped of it, when that is newer than its newest backup. */
static int restore_last(struct recovering *t, const Directory__Alias *a, int64_t newer_than_ms,
                        int64_t *ms_out)
{
    Store__MailboxRestoreRequest k = STORE__MAILBOX_RESTORE_REQUEST__INIT;
    Store__MailboxRestoreResponse *m = NULL;
    int r;

    k.mailbox_id = a->mailbox_id;
    k.n_key_states = a->n_key_states;
    k.key_states = a->key_states;
    k.at_ms = LAST_MS;
    k.not_before_ms = newer_than_ms;
    k.mode = STORE__MAILBOX_RESTORE_REQUEST__MODE__PLACE;
    r = service_ask(t->s, ROLE_STORE, STORE__OP__MAILBOX_RESTORE, &k.base,
                    &store__mailbox_restore_response__descriptor, &m);
    *ms_out = r == 0 ? m->reached_ms : 0;
    return r;
}

static void is_back(struct recovering *t, const Directory__Alias *a, int64_t as_of_ms)
{
    t->back++;
    told(t, a, "is back", as_of_ms);
}

/* The directory knows where its domain's backups go; the store of an empty machine does not. */
static int place_tell(struct recovering *t, const Directory__Alias *a)
{
    Store__PlaceSetRequest k = STORE__PLACE_SET_REQUEST__INIT;
    ProtobufCBinaryData id = a->mailbox_id;
    char name[PLACE_NAME_MAX + 1] = PLACE_DEFAULT;

    if (a->backup_place.len)
        snprintf(name, sizeof name, "%.*s", (int)a->backup_place.len, (const char *)a->backup_place.data);
    k.place = name;
    k.lost = true;
    k.mailbox_ids = &id;
    k.n_mailbox_ids = 1;
    return service_ask(t->s, ROLE_STORE, STORE__OP__PLACE_SET, &k.base, NULL, NULL);
}

/* Those that this service wrote for sure: whoever keeps them cannot make us take something else for the newest one. */
static int64_t newest_ms(const Store__BackupListResponse *m)
{
    for (size_t i = 0; i < m->n_backups; i++)
        if (m->backups[i]->ours)
            return m->backups[i]->taken_ms;
    return 1;
}

/* The newest one that is whole; an older one is better than none. */
static void recover_one(struct recovering *t, const Directory__Alias *a)
{
    Store__BackupListRequest k = STORE__BACKUP_LIST_REQUEST__INIT;
    Store__BackupListResponse *m = NULL;
    int64_t ms;
    int r, l;

    if ((r = place_tell(t, a)) < 0) {
        t->failed++;
        told(t, a, r == E_NOTFOUND ? "where its backups are is not in storage.places" : error_text(r), 0);
        return;
    }
    k.mailbox_id = a->mailbox_id;
    r = service_ask(t->s, ROLE_STORE, STORE__OP__BACKUP_LIST, &k.base,
                    &store__backup_list_response__descriptor, &m);
    if (r == 0 && m->here) {
        t->here++;
        return;
    }
    l = r < 0 ? r : restore_last(t, a, newest_ms(m), &ms);
    if (l == 0) {
        is_back(t, a, ms);
        return;
    }
    if (r == 0 && m->n_backups == 0 && (l == E_NOTFOUND || l == E_GONE)) {
        t->without++;
        told(t, a, "there is no backup", 0);
        return;
    }
    if (l != E_NOTFOUND && l != E_GONE && r == 0)
        fprintf(stderr, "%.*s: what was shipped since its last backup cannot be had: %s\n",
                (int)a->address.len, (const char *)a->address.data, error_text(l));
    if (r == 0)
        r = E_CORRUPT;
    for (size_t i = 0; m && i < m->n_backups && (r == E_CORRUPT || r == E_AUTH); i++)
        if ((r = restore_newest(t, a, m->backups[i])) == 0) {
            is_back(t, a, m->backups[i]->taken_ms);
            return;
        }
    t->failed++;
    told(t, a, r == E_AUTH ? "its backups want a password (letterlock mailbox restore)" : error_text(r), 0);
}

static int recover_all(struct recovering *t)
{
    Directory__ListRequest q = DIRECTORY__LIST_REQUEST__INIT;
    CLEANUP(buf_release) struct buf after = { .max = KIB(2) };
    Directory__AliasListResponse *m = NULL;
    int r;

    do {
        q.after = str_pb(buf_str(&after));
        q.limit = 100;
        r = service_ask(t->s, ROLE_DIRECTORY, DIRECTORY__OP__ALIAS_LIST, &q.base,
                        &directory__alias_list_response__descriptor, &m);
        if (r < 0)
            return ctl_fail(ctl_exit_code(r), "%s", error_text(r));
        for (size_t i = 0; i < m->n_aliases; i++)
            if (m->aliases[i]->mailbox_id.len)
                recover_one(t, m->aliases[i]);
        buf_clear(&after);
        if (m->n_aliases && buf_puts(&after, pb_str(m->aliases[m->n_aliases - 1]->address)) < 0)
            return ctl_fail(EX_SOFTWARE, "%s", error_text(E_NOMEM));
        r = m->more && m->n_aliases;
        service_forget(t->s);
    } while (r);
    return 0;
}

/* Where the configuration does not say it: for this command. */
static int take_from(const char *from)
{
    if (!from)
        return 0;
    if (from[0] != '/' && !str_starts(str_from(from), STR("s3://")))
        return ctl_fail(EX_USAGE, "--from: expected a folder (/...) or s3://bucket/prefix");
    setenv(from[0] == '/' ? "LETTERLOCK_STORE_BACKUP_DIR" : "LETTERLOCK_STORAGE_TARGET", from, 1);
    if (from[0] == '/')
        setenv("LETTERLOCK_STORAGE_TARGET", "", 1);
    return 0;
}

int cmd_recover(int argc, char **argv)
{
    CLEANUP(service_close) struct service *s = NULL;
    struct recovering t = { .s = NULL };
    const char *from = NULL;
    const struct option opts[] = { { "--from", &from, NULL } };
    struct args a = { .nwords = 0 };
    int r;

    if ((r = args_parse(argc, argv, opts, ARRAY_LEN(opts), 0, &a)) != 0 || (r = take_from(from)) != 0 ||
        (r = service_open(&a, &s)) != 0)
        return r;
    service_patience(s, PATIENCE_MS);
    t.s = s;
    t.list = a.json ? json_array() : NULL;
    if ((r = recover_all(&t)) == 0 && t.list) {
        json_dumpf(t.list, stdout, JSON_INDENT(2));
        putchar('\n');
    } else if (r == 0) {
        fprintf(stderr, "%zu mailboxes are back, %zu were here, %zu have no backup, %zu failed.\n", t.back,
                t.here, t.without, t.failed);
    }
    json_decref(t.list);
    return r != 0 ? r : t.failed ? EX_TEMPFAIL : EX_OK;
}
