/* src/ctl/cmd_restore.c: `mailbox restore`: a backup takes the mailbox's place, and what was there waits. */
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "src/ctl/cmd_backup.h"
#include <sysexits.h>

#define PATIENCE_MS INT64_C(86400000)

struct request {
    struct args a;
    const char *backup, *at;
    int64_t at_ms;
    bool undo, confirm, yes, beside;
    struct buf password;
    struct service *s;
    Directory__Alias *alias;
};

static void request_release(struct request *q)
{
    buf_release(&q->password);
    service_close(&q->s);
}

static int say(const struct request *q, int e)
{
    const char *address = q->a.words[0];

    switch (e) {
    case E_AUTH:
        return ctl_fail(EX_NOPERM, "that password does not open the mailbox of %s; nothing was changed",
                        address);
    case E_FULL:
        return ctl_fail(EX_TEMPFAIL, "%s: the backup does not fit on the disk; nothing was changed", address);
    case E_BUSY:
        return ctl_fail(
            EX_TEMPFAIL,
            "%s: its keys or files are being changed, or nobody has logged in since it was restored: "
            "try again",
            address);
    case E_CORRUPT:
        return ctl_fail(EX_DATAERR, "the backup%s is damaged; nothing was changed",
                        q->at ? ", or what was shipped since, is incomplete or" : "");
    case E_GONE:
        return ctl_fail(EX_DATAERR, "%s: nothing that is kept reaches that moment; nothing was changed",
                        address);
    case E_EXISTS:
        return ctl_fail(
            EX_DATAERR,
            "%s was restored before, and what was there then is still kept: --confirm or --undo first",
            address);
    case E_NOTFOUND:
        return ctl_fail(EX_DATAERR, "%s: nothing is kept aside, or there is no such backup", address);
    default: return ctl_fail(ctl_exit_code(e), "%s: %s", address, error_text(e));
    }
}

static int restore_ask(struct request *q, const Store__Backup *b, Store__MailboxRestoreResponse **m)
{
    Store__MailboxRestoreRequest k = STORE__MAILBOX_RESTORE_REQUEST__INIT;

    k.mailbox_id = q->alias->mailbox_id;
    k.n_key_states = q->alias->n_key_states;
    k.key_states = q->alias->key_states;
    k.current_password = str_pb(buf_str(&q->password));
    if (b)
        k.backup_id = b->id;
    k.at_ms = q->at_ms;
    k.mode = q->undo      ? STORE__MAILBOX_RESTORE_REQUEST__MODE__UNDO
             : q->confirm ? STORE__MAILBOX_RESTORE_REQUEST__MODE__CONFIRM
                          : STORE__MAILBOX_RESTORE_REQUEST__MODE__PLACE;
    return service_ask(q->s, ROLE_STORE, STORE__OP__MAILBOX_RESTORE, &k.base,
                       &store__mailbox_restore_response__descriptor, m);
}

/* Only a backup under an earlier data key needs a password, or one of which nothing else tells whether it is ours. */
static int restore(struct request *q, const Store__Backup *b, Store__MailboxRestoreResponse **m)
{
    int r = restore_ask(q, b, m);

    if (r == E_AUTH) {
        if (secret_read("A password of this mailbox", &q->password) < 0 || q->password.n == 0)
            return ctl_fail(EX_NOINPUT,
                            "%s, so a password is needed: on the terminal, or a line of standard input",
                            b && !b->ours ? "only the data key tells whether this backup is ours"
                                          : "the data key was exchanged since");
        r = restore_ask(q, b, m);
    }
    return r < 0 ? say(q, r) : 0;
}

static int place(struct request *q)
{
    Store__MailboxRestoreResponse *m = NULL;
    char id[BACKUP_ID_TEXT], iso[CLOCK_ISO_LEN + 1];
    Store__Backup *b = NULL;
    int r;

    if ((r = backup_choose(q->s, q->alias, q->a.words[0], q->backup, &b)) != 0 ||
        (r = restore(q, b, &m)) != 0)
        return r;
    backup_id_print(b, id);
    clock_iso(b->taken_ms, iso);
    fprintf(
        stderr,
        "%s is again what it was on %s (backup %s); %u sessions were ended. What was there until now is kept:\n"
        "  letterlock mailbox restore %s --undo      brings it back\n"
        "  letterlock mailbox restore %s --confirm   removes it\n",
        q->a.words[0], iso, id, m->sessions_ended, q->a.words[0], q->a.words[0]);
    return EX_OK;
}

static int place_at(struct request *q)
{
    Store__MailboxRestoreResponse *m = NULL;
    char asked[CLOCK_ISO_LEN + 1], iso[CLOCK_ISO_LEN + 1];
    int r = restore(q, NULL, &m);

    if (r != 0)
        return r;
    clock_iso(q->at_ms, asked);
    clock_iso(m->reached_ms, iso);
    fprintf(stderr,
            "%s is again what it was at %s%s%s; %u sessions were ended. What was there until now is kept:\n"
            "  letterlock mailbox restore %s --undo      brings it back\n"
            "  letterlock mailbox restore %s --confirm   removes it\n",
            q->a.words[0], asked, m->reached_ms ? ": last changed at " : "", m->reached_ms ? iso : "",
            m->sessions_ended, q->a.words[0], q->a.words[0]);
    return EX_OK;
}

static int undo(struct request *q)
{
    Store__MailboxRestoreResponse *m = NULL;
    char iso[CLOCK_ISO_LEN + 1];
    int r = restore(q, NULL, &m);

    if (r != 0)
        return r;
    clock_iso(m->set_aside_until_ms, iso);
    fprintf(
        stderr,
        "%s is again what it was before it was restored; %u sessions were ended. What came since then is in the\n"
        "restored mailbox alone, whose file is kept in the data folder until %.10s.\n",
        q->a.words[0], m->sessions_ended, iso);
    return EX_OK;
}

static int confirmed(struct request *q)
{
    Store__MailboxRestoreResponse *m = NULL;
    int r;

    fprintf(stderr, "This removes what %s was before it was restored.\n", q->a.words[0]);
    if ((r = confirm(q->a.words[0], q->yes)) != 0 || (r = restore(q, NULL, &m)) != 0)
        return r;
    fprintf(stderr, "%s stays as it is now; what was there before is removed.\n", q->a.words[0]);
    return EX_OK;
}

static int beside(struct request *q)
{
    struct backup_which w = { .alias = q->alias, .at_ms = q->at_ms };
    int r = q->at ? 0 : backup_choose(q->s, q->alias, q->a.words[0], q->backup, &w.backup);

    return r != 0 ? r : restore_beside(q->s, &w, q->a.words[0], q->a.json);
}

int cmd_mailbox_restore(int argc, char **argv)
{
    CLEANUP(request_release) struct request q = { .password = { .max = KIB(2) } };
    const struct option opts[] = {
        { "--backup", &q.backup, NULL },   { "--at", &q.at, NULL },   { "--undo", NULL, &q.undo },
        { "--confirm", NULL, &q.confirm }, { "--yes", NULL, &q.yes }, { "--beside", NULL, &q.beside },
    };
    int r;

    if ((r = args_parse(argc, argv, opts, ARRAY_LEN(opts), 1, &q.a)) != 0)
        return r;
    if (q.undo + q.confirm + (q.backup != NULL) + (q.at != NULL) != 1)
        return ctl_fail(
            EX_USAGE,
            "one of --backup ID, --at TIME, --undo and --confirm (letterlock mailbox backups lists the IDs)");
    if (q.at && !moment_parse(q.at, &q.at_ms))
        return ctl_fail(EX_USAGE, MOMENT_HELP);
    if (q.beside && (q.undo || q.confirm))
        return ctl_fail(EX_USAGE, "--beside goes with --backup or --at");
    if ((r = mailbox_ask(&q.a, &q.s, &q.alias)) != 0)
        return r;
    service_patience(q.s, PATIENCE_MS);
    return q.beside    ? beside(&q)
           : q.undo    ? undo(&q)
           : q.confirm ? confirmed(&q)
           : q.at      ? place_at(&q)
                       : place(&q);
}
