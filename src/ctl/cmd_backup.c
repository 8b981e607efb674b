/* src/ctl/cmd_backup.c: `mailbox backup` and `mailbox backups`. */
#include "src/ctl/cmd_backup.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "lib/base/hex.h"
#include "lib/crypto/filehash.h"
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <sysexits.h>
#include <unistd.h>

#define PATIENCE_MS INT64_C(86400000) /* a very large mailbox takes an hour */

struct request {
    struct args a;
    const char *download, *backup;
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
    case E_AUTH: return ctl_fail(EX_NOPERM, "that password does not open the mailbox of %s", address);
    case E_FULL:
        return ctl_fail(EX_TEMPFAIL, "%s: a copy of the mailbox does not fit on the disk of the backups",
                        address);
    case E_BUSY:
        return ctl_fail(EX_TEMPFAIL, "%s: a backup runs already, or its keys are being changed: try again",
                        address);
    case E_CANCELED:
        return ctl_fail(EX_TEMPFAIL,
                        "%s: the backup was ended, since too much was written meanwhile: try again", address);
    case E_CORRUPT:
        return ctl_fail(EX_DATAERR,
                        "%s: the mailbox, or the copy, is damaged (letterlock mailbox check says more)",
                        address);
    case E_UNAVAIL:
        return ctl_fail(EX_TEMPFAIL, "the folder of the backups cannot be reached (the log says why)");
    default: return ctl_fail(ctl_exit_code(e), "%s: %s", address, error_text(e));
    }
}

static int request_take(struct request *q, int argc, char **argv, const struct option *opts, size_t nopts)
{
    int r;

    if ((r = args_parse(argc, argv, opts, nopts, 1, &q->a)) != 0 ||
        (r = mailbox_ask(&q->a, &q->s, &q->alias)) != 0)
        return r;
    service_patience(q->s, PATIENCE_MS);
    return 0;
}

void backup_id_print(const Store__Backup *b, char out[BACKUP_ID_TEXT])
{
    char hex[33] = "";

    if (b->id.len == 16)
        hex_encode(b->id.data, 16, hex);
    snprintf(out, BACKUP_ID_TEXT, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

static json_t *backup_json(const Store__Backup *b)
{
    char id[BACKUP_ID_TEXT], iso[CLOCK_ISO_LEN + 1];

    backup_id_print(b, id);
    clock_iso(b->taken_ms, iso);
    return json_pack("{s:s, s:s, s:I, s:I, s:I, s:s?, s:b}", "id", id, "taken", iso, "bytes",
                     (json_int_t)b->bytes, "generation", (json_int_t)b->generation, "changes",
                     (json_int_t)b->changes, "place", b->place[0] ? b->place : NULL, "ours", (int)b->ours);
}

static void json_out(json_t *j)
{
    json_dumpf(j, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(j);
}

/* ---- now ---- */

static int backup_ask(struct request *q, Store__MailboxBackupResponse **m)
{
    Store__MailboxBackupRequest k = STORE__MAILBOX_BACKUP_REQUEST__INIT;

    k.mailbox_id = q->alias->mailbox_id;
    k.n_key_states = q->alias->n_key_states;
    k.key_states = q->alias->key_states;
    k.current_password = str_pb(buf_str(&q->password));
    return service_ask(q->s, ROLE_STORE, STORE__OP__MAILBOX_BACKUP, &k.base,
                       &store__mailbox_backup_response__descriptor, m);
}

int cmd_mailbox_backup(int argc, char **argv)
{
    CLEANUP(request_release) struct request q = { .password = { .max = KIB(2) } };
    Store__MailboxBackupResponse *m = NULL;
    char id[BACKUP_ID_TEXT], iso[CLOCK_ISO_LEN + 1];
    int r;

    if ((r = request_take(&q, argc, argv, NULL, 0)) != 0)
        return r;
    if ((r = backup_ask(&q, &m)) == E_AUTH) { /* nobody is logged in, so there is no key */
        if (secret_read("A password of this mailbox", &q.password) < 0 || q.password.n == 0)
            return ctl_fail(
                EX_NOINPUT,
                "nobody is logged in to %s, so a password is needed: on the terminal, or a line of "
                "standard input",
                q.a.words[0]);
        r = backup_ask(&q, &m);
    }
    if (r < 0)
        return say(&q, r);
    if (q.a.json) {
        json_t *j = backup_json(m->backup);

        json_object_set_new(j, "unchanged", json_boolean(m->unchanged));
        json_out(j);
        return EX_OK;
    }
    backup_id_print(m->backup, id);
    clock_iso(m->backup->taken_ms, iso);
    if (m->unchanged)
        printf("%s: nothing has changed since backup %s of %s\n", q.a.words[0], id, iso);
    else
        printf("%s: backup %s, %llu bytes, checked\n", q.a.words[0], id,
               (unsigned long long)m->backup->bytes);
    return EX_OK;
}

/* ---- which there are ---- */

static int list_ask(struct service *s, const Directory__Alias *alias, Store__BackupListResponse **out)
{
    Store__BackupListRequest k = STORE__BACKUP_LIST_REQUEST__INIT;

    k.mailbox_id = alias->mailbox_id;
    return service_ask(s, ROLE_STORE, STORE__OP__BACKUP_LIST, &k.base,
                       &store__backup_list_response__descriptor, out);
}

int backup_choose(struct service *s, const Directory__Alias *alias, const char *address, const char *text,
                  Store__Backup **out)
{
    Store__BackupListResponse *m = NULL;
    Store__Backup *found = NULL;
    char id[BACKUP_ID_TEXT];
    int r = list_ask(s, alias, &m);

    if (r < 0)
        return ctl_fail(ctl_exit_code(r), "%s: %s", address, error_text(r));
    if (m->n_backups == 0)
        return ctl_fail(EX_DATAERR, "%s has no backups", address);
    for (size_t i = 0; text && i < m->n_backups; i++) {
        backup_id_print(m->backups[i], id);
        if (!str_starts(str_from(id), str_from(text)))
            continue;
        if (found)
            return ctl_fail(EX_DATAERR, "more than one backup begins with %s", text);
        found = m->backups[i];
    }
    if (text && !found)
        return ctl_fail(EX_DATAERR, "%s: no backup begins with %s (letterlock mailbox backups lists them)",
                        address, text);
    for (size_t i = 0; !found && i < m->n_backups; i++) /* the newest one that is ours for sure */
        if (m->backups[i]->ours)
            found = m->backups[i];
    *out = found ? found : m->backups[0];
    if (!(*out)->ours)
        fprintf(
            stderr,
            "letterlock: this backup is of an earlier program, or somebody else put it there: only restoring it "
            "into place, with a password, tells which\n");
    return 0;
}

static int print_list(struct request *q)
{
    Store__BackupListResponse *m = NULL;
    json_t *list = q->a.json ? json_array() : NULL;
    char id[BACKUP_ID_TEXT], iso[CLOCK_ISO_LEN + 1];
    int r = list_ask(q->s, q->alias, &m);

    for (size_t i = 0; r == 0 && i < m->n_backups; i++) {
        backup_id_print(m->backups[i], id);
        clock_iso(m->backups[i]->taken_ms, iso);
        if (list)
            json_array_append_new(list, backup_json(m->backups[i]));
        else
            printf("%s  %s  %14llu bytes%s\n", id, iso, (unsigned long long)m->backups[i]->bytes,
                   m->backups[i]->ours ? "" : "  (only a password tells whether it is ours)");
    }
    if (r == 0 && !list && m->n_backups == 0)
        fprintf(stderr, "%s has no backups yet\n", q->a.words[0]);
    if (list && r == 0)
        json_out(list);
    else
        json_decref(list);
    return r < 0 ? say(q, r) : EX_OK;
}

/* ---- one of them to a file ---- */

#define KEYS_MAX MIB(1) /* of `.keys`; more is not one */

struct sink {
    int fd, error;
    uint64_t left; /* that may come: who keeps it may not fill this disk */
    struct filehash hash;
};

static int sink_write(void *ctx, struct str bytes)
{
    struct sink *k = ctx;
    int r;

    if (bytes.n > k->left)
        return E_CORRUPT;
    k->left -= bytes.n;
    filehash_add(&k->hash, bytes);
    r = file_write(k->fd, bytes);
    k->error = r < 0 ? errno : 0;
    return r;
}

static int fetch_say(const char *path, const struct sink *sink, int e)
{
    switch (e) {
    case E_CORRUPT: return ctl_fail(EX_DATAERR, "the backup is damaged where it lies; nothing was written");
    case E_GONE: return ctl_fail(EX_DATAERR, "nothing that is kept reaches that moment");
    default:
        return ctl_fail(ctl_exit_code(e), "%s: %s", path,
                        sink->error ? strerror(sink->error) : error_text(e));
    }
}

int backup_fetch(struct service *s, const struct backup_which *w, bool keys, const char *path)
{
    Store__BackupGetRequest k = STORE__BACKUP_GET_REQUEST__INIT;
    struct sink sink = { .fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600),
                         .left = keys        ? KEYS_MAX
                                 : w->backup ? w->backup->bytes
                                             : UINT64_MAX };
    uint8_t hash[32];
    int r;

    if (sink.fd < 0)
        return ctl_fail(EX_CANTCREAT, "%s: %s", path, strerror(errno));
    filehash_begin(&sink.hash, w->backup && w->backup->sha256 ? FILEHASH_SHA256 : FILEHASH_BLAKE2B);
    k.mailbox_id = w->alias->mailbox_id;
    if (w->backup)
        k.id = w->backup->id;
    k.at_ms = w->at_ms;
    k.keys = keys;
    r = service_fetch(s, ROLE_STORE, STORE__OP__BACKUP_GET, &k.base, &store__backup__descriptor, NULL,
                      sink_write, &sink);
    filehash_end(&sink.hash, hash);
    if (r == 0 && !keys && w->backup &&
        (w->backup->hash.len != sizeof hash || memcmp(hash, w->backup->hash.data, sizeof hash) != 0))
        r = E_CORRUPT;
    if (r == 0 && fsync(sink.fd) < 0)
        r = error_from_errno(sink.error = errno);
    close(sink.fd);
    if (r == 0)
        return 0;
    unlink(path);
    return fetch_say(path, &sink, r);
}

static int download(struct request *q, int64_t at_ms)
{
    CLEANUP(buf_release) struct buf keys = { .max = KIB(16) };
    struct backup_which w = { .alias = q->alias, .at_ms = at_ms };
    int r = at_ms ? 0 : backup_choose(q->s, q->alias, q->a.words[0], q->backup, &w.backup);

    if (r != 0)
        return r;
    if (buf_printf(&keys, "%s.keys", q->download) < 0 || !buf_z(&keys))
        return ctl_fail(EX_USAGE, "--download: the name is too long");
    if ((r = backup_fetch(q->s, &w, true, buf_z(&keys))) != 0)
        return r;
    if ((r = backup_fetch(q->s, &w, false, q->download)) != 0) {
        unlink(buf_z(&keys));
        return r;
    }
    fprintf(stderr, "%s and %s: together they open with a password of %s, and with nothing else.\n",
            q->download, buf_z(&keys), q->a.words[0]);
    return EX_OK;
}

int cmd_mailbox_backups(int argc, char **argv)
{
    CLEANUP(request_release) struct request q = { .password = { .max = KIB(2) } };
    const char *at = NULL;
    const struct option opts[] = { { "--download", &q.download, NULL },
                                   { "--backup", &q.backup, NULL },
                                   { "--at", &at, NULL } };
    int64_t at_ms = 0;
    int r;

    if ((r = request_take(&q, argc, argv, opts, ARRAY_LEN(opts))) != 0)
        return r;
    if ((q.backup || at) && !q.download)
        return ctl_fail(EX_USAGE, "--backup or --at says which one to --download");
    if (at && (q.backup || !moment_parse(at, &at_ms)))
        return ctl_fail(EX_USAGE, "%s", q.backup ? "--backup or --at, not both" : MOMENT_HELP);
    return q.download ? download(&q, at_ms) : print_list(&q);
}
