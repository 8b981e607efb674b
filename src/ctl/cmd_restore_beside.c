/* src/ctl/cmd_restore_beside.c: `mailbox restore --beside`: what a backup, or a moment, has comes into the mailbox as it is,
 * below a folder of its own. The file is brought here as closed as it is kept, read with the password, and imported: so
 * limits, exactly-once and the event stream hold, and the same command again brings in what is still missing. */
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/hex.h"
#include "src/common/mailfile.h"
#include "src/ctl/cmd_backup.h"
#include "src/ctl/import.h"
#include <errno.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#define RECORD_HEAD 5u
#define SCRATCH_MAX 4096u

/* ---- a mailbox file as a reader ---- */

struct mailfile_reader {
    struct port_reader base;
    struct mailfile *file;
    Store__FoldersResponse *folders;
    size_t folder; /* the one under way, from 1; 0: none yet */
    bool more;
    struct buf slice;
    size_t at;            /* read of it */
    uint64_t left;        /* of the message */
    uint32_t record_left; /* of its record under way */
    struct arena arena;   /* of the message */
};

static struct mailfile_reader *reader_of(struct port_reader *r)
{
    return CONTAINER_OF(r, struct mailfile_reader, base);
}

/* Until `n` bytes are there. 1; 0: the folder has no more. */
static int need(struct mailfile_reader *r, size_t n)
{
    int e;

    while (r->slice.n - r->at < n) {
        if (!r->more)
            return r->slice.n == r->at ? 0 : E_CORRUPT;
        buf_drop(&r->slice, r->at);
        r->at = 0;
        if ((e = mailfile_more(r->file, &r->slice)) < 0)
            return e;
        r->more = e > 0;
    }
    return 1;
}

/* The head of the next record. */
static int head(struct mailfile_reader *r, uint8_t *type, uint32_t *n)
{
    int e = need(r, RECORD_HEAD);

    if (e <= 0)
        return e;
    *type = (uint8_t)r->slice.p[r->at];
    *n = le32_get((const uint8_t *)r->slice.p + r->at + 1);
    r->at += RECORD_HEAD;
    return *n <= MIB(2) ? 1 : E_CORRUPT;
}

static int64_t file_read_some(struct port_reader *base, size_t max, struct buf *out)
{
    struct mailfile_reader *r = reader_of(base);
    uint8_t type;
    int e;

    if (r->left == 0)
        return 0;
    if (r->record_left == 0 && ((e = head(r, &type, &r->record_left)) <= 0 || type != 2))
        return e < 0 ? e : E_CORRUPT;
    if ((e = need(r, 1)) <= 0)
        return e < 0 ? e : E_CORRUPT;
    max = size_min(size_min(max, r->record_left), r->slice.n - r->at);
    if (max > r->left)
        return E_CORRUPT;
    if ((e = buf_append(out, r->slice.p + r->at, max)) < 0)
        return e;
    r->at += max;
    r->record_left -= (uint32_t)max;
    r->left -= max;
    base->bytes += max;
    return (int64_t)max;
}

static int folder_next(struct mailfile_reader *r)
{
    while (r->folder < r->folders->n_folders) {
        const Store__Folder *f = r->folders->folders[r->folder++];

        if (!f->id || f->messages == 0)
            continue;
        r->more = true;
        return mailfile_begin(r->file, f->id, 1, f->uidnext - 1, STORE__WANT__META | STORE__WANT__BODY) < 0
                   ? E_CORRUPT
                   : 1;
    }
    return 0;
}

static int row_take(struct mailfile_reader *r, const Store__Row *row, struct port_message *m)
{
    const Store__Folder *f = r->folders->folders[r->folder - 1];
    struct str *keywords = arena_array(&r->arena, row->n_keywords + 1, sizeof *keywords);

    if (!keywords)
        return E_NOMEM;
    for (size_t i = 0; i < row->n_keywords; i++)
        keywords[i] = str_from(row->keywords[i]);
    *m = (struct port_message){ .folder = pb_str(f->name),
                                .number = row->uid,
                                .flags = row->flags,
                                .keywords = keywords,
                                .nkeywords = row->n_keywords,
                                .has_date = true,
                                .date_ms = row->internal_date_ms,
                                .bytes = row->bytes };
    r->left = row->data_bytes;
    snprintf(r->base.what, sizeof r->base.what, "%.*s, message %u", (int)size_min(f->name.len, 300),
             (const char *)f->name.data, row->uid);
    return 1;
}

static int file_next(struct port_reader *base, struct port_message *m)
{
    struct mailfile_reader *r = reader_of(base);
    CLEANUP(buf_release) struct buf rest = { .max = MIB(1) };
    uint8_t type = 0;
    Store__Row *row;
    int64_t got;
    uint32_t n = 0;
    int e;

    while ((got = file_read_some(base, KIB(64), &rest)) > 0)
        buf_clear(&rest);
    arena_reset(&r->arena);
    while ((e = got < 0 ? (int)got : r->folder ? head(r, &type, &n) : 0) == 0)
        if ((e = folder_next(r)) <= 0)
            return e;
    if (e < 0 || (e = need(r, n)) <= 0)
        return e == 0 || e == E_CORRUPT ? E_IO : e; /* of the file, not of one message */
    row = type == 1 ? RPC_UNPACK(&r->arena, str_of(r->slice.p + r->at, n), store__row) : NULL;
    r->at += n;
    return row ? row_take(r, row, m) : E_IO;
}

static void file_free(struct port_reader *base)
{
    struct mailfile_reader *r = reader_of(base);

    buf_release(&r->slice);
    arena_release(&r->arena);
    free(r);
}

static int reader_new(struct mailfile *file, struct port_reader **out)
{
    static const struct port_reader_ops ops = { file_next, file_read_some, file_free };
    struct mailfile_reader *r = calloc(1, sizeof *r);
    int e = r ? mailfile_folders(file, &r->folders) : E_NOMEM;

    if (e < 0) {
        free(r);
        return e;
    }
    r->base.ops = &ops;
    r->file = file;
    r->slice.max = MIB(8);
    r->arena.max = MIB(8);
    for (size_t i = 0; i < r->folders->n_folders; i++)
        r->base.bytes_all += r->folders->folders[i]->bytes;
    *out = &r->base;
    return 0;
}

/* ---- bringing it here ---- */

struct scratch {
    char dir[SCRATCH_MAX], file[SCRATCH_MAX + 16], keys[SCRATCH_MAX + 16];
};

/* Bytes under keys that only the password opens; all the same in a folder of our own, and gone at the end. */
static int scratch_make(struct scratch *d)
{
    const char *where = getenv("TMPDIR");

    if (snprintf(d->dir, sizeof d->dir, "%s/letterlock-restore-XXXXXX",
                 where && *where ? where : "/var/tmp") >= (int)sizeof d->dir)
        return ctl_fail(EX_USAGE, "TMPDIR: too long");
    if (!mkdtemp(d->dir)) {
        int e = errno;

        d->dir[0] = '\0';
        return ctl_fail(EX_CANTCREAT, "%s: %s", where && *where ? where : "/var/tmp", strerror(e));
    }
    snprintf(d->file, sizeof d->file, "%s/mailbox", d->dir);
    snprintf(d->keys, sizeof d->keys, "%s/keys", d->dir);
    return 0;
}

static void scratch_remove(struct scratch *d)
{
    static const char *const ends[] = { "", "-wal", "-shm", "-journal" };
    char name[sizeof d->file + 16];

    if (!d->dir[0])
        return;
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        snprintf(name, sizeof name, "%s%s", d->file, ends[i]);
        unlink(name);
    }
    unlink(d->keys);
    rmdir(d->dir);
}

/* ---- the command ---- */

struct beside {
    struct import x;
    struct mailfile *file;
    struct scratch scratch;
    struct buf password, under;
};

static void beside_release(struct beside *b)
{
    import_release(&b->x);
    mailfile_free(&b->file);
    scratch_remove(&b->scratch);
    buf_release(&b->password);
    buf_release(&b->under);
}

static int open_say(const char *address, int e)
{
    switch (e) {
    case E_AUTH: return ctl_fail(EX_NOPERM, "that password does not open the mailbox of %s", address);
    case E_CORRUPT: return ctl_fail(EX_DATAERR, "%s: the backup is damaged; nothing was changed", address);
    default: return ctl_fail(ctl_exit_code(e), "%s: %s", address, error_text(e));
    }
}

/* Folders without messages, too. */
static int folders_make(struct beside *b)
{
    Store__FoldersResponse *have = NULL, *made = NULL;
    int r = mailfile_folders(b->file, &have);

    for (size_t i = 0; r == 0 && i < have->n_folders; i++) {
        CLEANUP(buf_release) struct buf name = { .max = KIB(4) };
        struct str theirs = pb_str(have->folders[i]->name);

        if (!have->folders[i]->id)
            continue;
        if ((r = buf_printf(&name, "%s/%.*s", buf_z(&b->under), STR_ARG(theirs))) < 0)
            break;
        r = mail_folder_make(&b->x.mail, buf_str(&name), &made);
        service_forget(b->x.mail.s);
        if (r == E_RANGE || r == E_SYNTAX || r == E_LIMIT)
            r = 0; /* each of its messages is told */
    }
    return r;
}

static int bring(struct beside *b, struct service *s, const struct backup_which *w)
{
    int r;

    if ((r = scratch_make(&b->scratch)) != 0 || (r = backup_fetch(s, w, true, b->scratch.keys)) != 0 ||
        (r = backup_fetch(s, w, false, b->scratch.file)) != 0)
        return r;
    r = mailfile_open(b->scratch.file, b->scratch.keys, buf_str(&b->password), NULL, &b->file);
    return r < 0 ? open_say(b->x.address, r) : 0;
}

int restore_beside(struct service *s, const struct backup_which *w, const char *address, bool json)
{
    CLEANUP(beside_release) struct beside b = { .password = { .max = KIB(2) }, .under = { .max = 64 } };
    char iso[CLOCK_ISO_LEN + 1];
    int r;

    b.x.address = address;
    clock_iso(w->at_ms ? w->at_ms : w->backup->taken_ms, iso);
    /* of the backup, not of today: the same command again goes on in the same place */
    if (buf_printf(&b.under, "Restored %.10s %.2s.%.2s.%.2s", iso, iso + 11, iso + 14, iso + 17) < 0)
        return EX_OSERR;
    b.x.under = buf_z(&b.under);
    if ((r = password_read(&b.password)) != 0)
        return r;
    if ((r = mail_open(&b.x.mail, s, w->alias, buf_str(&b.password))) < 0)
        return open_say(address, r);
    if ((r = bring(&b, s, w)) != 0)
        return r;
    if ((r = reader_new(b.file, &b.x.r)) == 0 && (r = folders_make(&b)) == 0)
        r = import_all(&b.x);
    if (r < 0)
        return import_say(&b.x, "the backup", r);
    if (!json)
        fprintf(stderr, "In the folder \"%s\":\n", buf_z(&b.under));
    return import_report(&b.x, json);
}
