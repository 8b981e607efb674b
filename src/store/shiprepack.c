/* src/store/shiprepack.c: once a night packs of all mailboxes become packs of one each, so that what is old, and what belongs
 * to a mailbox that was removed, can go. What is written first stays if we are cut off: a segment may lie in two packs,
 * never in none.
 *
 * `ship/logs` has the numbers of our own logs, one a line; `ship/head-<log>` where a log's loose packs begin, and the MAC of
 * the pack before: a pack that is missing at the begin is noticed by this, one in the middle by the chain. */
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "lib/base/hex.h"
#include "lib/base/log.h"
#include "lib/base/rand.h"
#include "src/store/shipbase.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEX_LEN       (2 * MAILBOX_ID_LEN)
#define SWEEP_LOGS    4u     /* ours, and those of before a crash or two */
#define LOGS          "logs" /* in the folder of the spool, as all that follow */
#define PURGED        "purged"
#define REPACKED      "repacked"
#define SCRATCH       "repack"
#define PATH_BYTES    (SHIP_FOLDER_MAX + 48u)
#define BATCH_ENTRIES 30000u /* of one round, about: bounds memory */
#define BATCH_BYTES   MIB(1024)
#define PACK_MAX      (2 * SHIP_SEGMENT_MAX)

static const char *in_folder(const struct ship *s, const char *name, char out[PATH_BYTES])
{
    snprintf(out, PATH_BYTES, "%s/%.44s", ship_folder(s), name);
    return out;
}

/* "purged/<24 hex>" and the like. */
static const char *mailbox_path(const struct ship *s, const char *folder,
                                const uint8_t mailbox[MAILBOX_ID_LEN], char out[PATH_BYTES])
{
    char hex[HEX_LEN + 1];

    hex_encode(mailbox, MAILBOX_ID_LEN, hex);
    snprintf(out, PATH_BYTES, "%s/%.16s/%s", ship_folder(s), folder, hex);
    return out;
}

/* ---- which packs there are --------------------------------------------------------------------- */

struct numbers {
    uint64_t *v;
    size_t n, cap;
};

static int numbers_add(struct numbers *l, uint64_t v)
{
    if (l->n == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 256;
        uint64_t *p = realloc(l->v, cap * sizeof *p);

        if (!p)
            return E_NOMEM;
        l->v = p;
        l->cap = cap;
    }
    l->v[l->n++] = v;
    return 0;
}

static int number_order(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

static bool hex64(struct str text, uint64_t *out)
{
    uint8_t raw[8];

    if (!hex_decode(text, raw, sizeof raw))
        return false;
    *out = 0;
    for (size_t i = 0; i < sizeof raw; i++)
        *out = *out << 8 | raw[i];
    return true;
}

static int pack_visit(void *ctx, const char *name, uint64_t bytes UNUSED)
{
    struct str s = str_from(name), file = str_skip(s, (size_t)(str_rchr(s, '/') + 1));
    uint64_t seq;

    return str_ends(file, STR(".pack")) && hex64(str_slice(file, 0, file.n - 5), &seq) ? numbers_add(ctx, seq)
                                                                                       : 0;
}

static int packs_list(struct target *t, uint64_t log, struct numbers *out)
{
    char folder[TARGET_NAME_MAX];
    int r;

    snprintf(folder, sizeof folder, "ship-%016llx", (unsigned long long)log);
    r = target_list(t, folder, pack_visit, out);
    if (out->n)
        qsort(out->v, out->n, sizeof *out->v, number_order);
    return r;
}

/* ---- where a log begins ------------------------------------------------------------------------ */

struct head {
    uint64_t seq;
    uint8_t mac[SHIP_MAC_BYTES];
};

static void head_path(const struct ship *s, uint64_t log, char out[PATH_BYTES])
{
    snprintf(out, PATH_BYTES, "%s/head-%016llx", ship_folder(s), (unsigned long long)log);
}

static int head_get(struct ship *s, uint64_t log, struct head *out)
{
    CLEANUP(buf_release) struct buf b = { .max = 64 };
    char path[PATH_BYTES];
    int r;

    *out = (struct head){ .seq = 0 };
    head_path(s, log, path);
    if ((r = file_read(ship_files(s)->dir, path, &b)) < 0)
        return r == E_NOTFOUND ? 0 : r;
    if (b.n != 8 + SHIP_MAC_BYTES)
        return E_CORRUPT;
    out->seq = le64_get((const uint8_t *)b.p);
    memcpy(out->mac, b.p + 8, SHIP_MAC_BYTES);
    return 0;
}

static int head_put(struct ship *s, uint64_t log, const struct head *h)
{
    uint8_t bytes[8 + SHIP_MAC_BYTES];
    char path[PATH_BYTES];

    head_path(s, log, path);
    le64_put(bytes, h->seq);
    memcpy(bytes + 8, h->mac, SHIP_MAC_BYTES);
    return file_replace(ship_files(s)->dir, path, str_of(bytes, sizeof bytes));
}

/* ---- a round ----------------------------------------------------------------------------------- */

struct row {
    struct ship_entry e; /* e.at: in its shared pack, then in the new one */
    uint64_t pack, from;
};

struct round {
    struct ship *s;
    struct target *t;
    const bool *stop;
    uint64_t log, first, last; /* packs */
    struct row *rows;
    size_t n;
    uint64_t bytes;
    struct head head; /* after the last pack of it */
    uint64_t done;    /* packs before this are sorted out, and that is synced */
};

static int row_take(void *ctx, const struct ship_pack *p, const struct ship_entry *e)
{
    struct round *w = ctx;

    w->rows[w->n++] = (struct row){ .e = *e, .pack = p->seq, .from = e->at };
    w->bytes += e->bytes;
    return 0;
}

static int by_mailbox(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    int d = memcmp(x->e.mailbox, y->e.mailbox, MAILBOX_ID_LEN);

    return d                    ? d
           : x->pack != y->pack ? (x->pack < y->pack ? -1 : 1)
           : x->from != y->from ? (x->from < y->from ? -1 : 1)
                                : 0;
}

static int by_pack(const void *a, const void *b)
{
    const struct row *x = a, *y = b;

    return x->pack != y->pack ? (x->pack < y->pack ? -1 : 1) : x->from < y->from ? -1 : x->from > y->from;
}

static void own_name(const struct round *w, const uint8_t mailbox[MAILBOX_ID_LEN], char out[TARGET_NAME_MAX])
{
    char folder[TARGET_NAME_MAX];

    ship_folder_of(mailbox, folder);
    snprintf(out, TARGET_NAME_MAX, "%.32s/%016llx-%016llx-%016llx.pack", folder, (unsigned long long)w->log,
             (unsigned long long)w->first, (unsigned long long)w->last);
}

static bool is_purged(const struct ship *s, const uint8_t mailbox[MAILBOX_ID_LEN])
{
    char path[PATH_BYTES];

    return faccessat(ship_files(s)->dir, mailbox_path(s, PURGED, mailbox, path), F_OK, AT_SYMLINK_NOFOLLOW) ==
           0;
}

static void scratch_path(const struct ship *s, const uint8_t mailbox[MAILBOX_ID_LEN], char out[PATH_BYTES])
{
    mailbox_path(s, SCRATCH, mailbox, out);
}

/* Head and index of one mailbox's pack, in a file of ours; the rows learn where their segments go. */
static int own_begin(struct round *w, struct row *rows, size_t n, struct ship_pack *p)
{
    CLEANUP(buf_release) struct buf index = { .max = (size_t)SHIP_PACK_SEGMENTS * SHIP_INDEX_BYTES };
    uint8_t head[SHIP_PACK_HEAD], entry[SHIP_INDEX_BYTES];
    CLEANUP(fd_close) int fd = -1;
    uint64_t at = ship_pack_data_at((uint32_t)n);
    char path[PATH_BYTES];
    int r = 0;

    *p = (struct ship_pack){ .kind = SHIP_PACK_MAILBOX,
                             .log = w->log,
                             .seq = w->first,
                             .made_ms = clock_wall_ms(),
                             .segments = (uint32_t)n };
    rand_bytes(p->nonce, sizeof p->nonce);
    for (size_t i = 0; i < n && r == 0; i++) {
        rows[i].e.at = at;
        at += rows[i].e.bytes;
        ship_entry_put(&rows[i].e, entry);
        r = buf_append(&index, entry, sizeof entry);
    }
    p->bytes = at;
    if (r < 0)
        return r;
    ship_pack_seal(ship_key(w->s), p, buf_str(&index), head);
    scratch_path(w->s, rows->e.mailbox, path);
    fd = file_ops()->openat(ship_files(w->s)->dir, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                            0600);
    if (fd < 0)
        return error_from_errno(errno);
    if ((r = file_write_at(fd, str_of(head, sizeof head), 0)) == 0)
        r = file_write_at(fd, buf_str(&index), sizeof head);
    return r;
}

static int own_end(struct round *w, const uint8_t mailbox[MAILBOX_ID_LEN])
{
    char name[TARGET_NAME_MAX], path[PATH_BYTES];
    CLEANUP(fd_close) int fd = -1;
    struct stat st;
    int r;

    own_name(w, mailbox, name);
    scratch_path(w->s, mailbox, path);
    fd = openat(ship_files(w->s)->dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &st) < 0)
        return error_from_errno(errno);
    r = target_put_file(w->t, name, fd, (uint64_t)st.st_size, w->stop);
    file_ops()->unlinkat(ship_files(w->s)->dir, path);
    return r == E_CORRUPT ? E_IO : r; /* the storage did not keep it: no pack of ours is damaged */
}

static int each_mailbox(struct round *w, bool end)
{
    int r = 0;

    qsort(w->rows, w->n, sizeof *w->rows, by_mailbox);
    for (size_t i = 0, n; i < w->n && r == 0; i += n) {
        const uint8_t *mailbox = w->rows[i].e.mailbox;
        struct ship_pack p;

        for (n = 1; i + n < w->n && memcmp(w->rows[i + n].e.mailbox, mailbox, MAILBOX_ID_LEN) == 0; n++)
            ;
        if (!is_purged(w->s, mailbox))
            r = end ? own_end(w, mailbox) : own_begin(w, &w->rows[i], n, &p);
    }
    return r;
}

/* Every pack is read once; each segment goes where it belongs, checked. */
static int segment_put(struct round *w, const struct row *row, struct str pack)
{
    struct str bytes = str_slice(pack, row->from, row->from + row->e.bytes);
    CLEANUP(fd_close) int fd = -1;
    char path[PATH_BYTES];
    struct ship_segment g;
    int r = ship_segment_check(ship_key(w->s), bytes, &g);

    if (r < 0)
        return r;
    scratch_path(w->s, row->e.mailbox, path);
    fd = openat(ship_files(w->s)->dir, path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? 0 : error_from_errno(errno); /* of a mailbox that is gone */
    return file_write_at(fd, bytes, row->e.at);
}

static int each_pack(struct round *w)
{
    CLEANUP(buf_release) struct buf pack = { .max = PACK_MAX };
    uint64_t have = UINT64_MAX;
    int r = 0;

    qsort(w->rows, w->n, sizeof *w->rows, by_pack);
    for (size_t i = 0; i < w->n && r == 0; i++) {
        char name[TARGET_NAME_MAX];
        int64_t n = 0;

        if (w->rows[i].pack != have) {
            have = w->rows[i].pack;
            buf_clear(&pack);
            ship_pack_name(w->log, have, name);
            n = target_get(w->t, name, 0, PACK_MAX, &pack);
        }
        r = n < 0                     ? (int)n
            : target_stopped(w->stop) ? E_CANCELED
                                      : segment_put(w, &w->rows[i], buf_str(&pack));
    }
    return r;
}

static int scratch_clear(struct ship *s)
{
    char path[PATH_BYTES];
    int r = file_mkdir(ship_files(s)->dir, in_folder(s, SCRATCH, path)), fd;
    const struct dirent *e;
    DIR *d;

    if (r < 0)
        return r;
    fd = openat(ship_files(s)->dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (!(d = fd >= 0 ? fdopendir(fd) : NULL)) {
        fd_close(&fd);
        return E_IO;
    }
    while ((e = readdir(d)) != NULL)
        if (e->d_name[0] != '.')
            file_ops()->unlinkat(dirfd(d), e->d_name);
    closedir(d);
    return 0;
}

/* As many packs from `at` on as a round holds; each goes on from the one before. *at moves on. */
static int round_read(struct round *w, const struct numbers *l, size_t *at)
{
    int r = 0;

    w->n = 0;
    w->bytes = 0;
    w->first = l->v[*at];
    for (; *at < l->n && r == 0 && w->n < BATCH_ENTRIES && w->bytes < BATCH_BYTES; (*at)++) {
        size_t was = w->n;
        char name[TARGET_NAME_MAX];
        struct ship_pack p;

        ship_pack_name(w->log, l->v[*at], name);
        if ((r = ship_index_read(w->t, ship_key(w->s), name, row_take, w, &p)) == 0 &&
            (p.log != w->log || p.seq != l->v[*at] || p.seq != w->head.seq ||
             memcmp(p.before, w->head.mac, SHIP_MAC_BYTES) != 0))
            r = E_CORRUPT;
        if (r < 0) {
            w->n = was;
            break;
        }
        w->last = p.seq;
        w->head.seq = p.seq + 1;
        memcpy(w->head.mac, p.mac, SHIP_MAC_BYTES);
    }
    return r;
}

static int round_do(struct round *w)
{
    int r;

    if ((r = scratch_clear(w->s)) < 0 || (r = each_mailbox(w, false)) < 0 || (r = each_pack(w)) < 0 ||
        (r = each_mailbox(w, true)) < 0)
        return r;
    if ((r = head_put(w->s, w->log, &w->head)) == 0)
        w->done = w->head.seq;
    return r;
}

/* What was sorted out goes. */
static int packs_drop(struct round *w, const struct numbers *l)
{
    char name[TARGET_NAME_MAX];
    int r = 0;

    for (size_t i = 0; i < l->n && r == 0 && l->v[i] < w->done; i++) {
        ship_pack_name(w->log, l->v[i], name);
        if ((r = target_delete(w->t, name)) == E_NOTFOUND)
            r = 0;
    }
    return r;
}

/* A pack that is damaged or missing ends it: what comes after is still of use to who restores, and stays as it is. */
static int log_repack(struct ship *s, struct target *t, uint64_t log, const bool *stop)
{
    struct round w = { .s = s, .t = t, .stop = stop, .log = log };
    struct numbers l = { .n = 0 };
    size_t at = 0;
    int r = packs_list(t, log, &l), packs = 0;

    if (r == 0)
        r = head_get(s, log, &w.head);
    w.done = w.head.seq;
    if (r == 0 && !(w.rows = calloc(BATCH_ENTRIES + SHIP_PACK_SEGMENTS, sizeof *w.rows)))
        r = E_NOMEM;
    while (r == 0 && at < l.n && l.v[at] < w.head.seq) /* sorted out before, and not removed yet */
        at++;
    while (r == 0 && at < l.n) {
        size_t was = at;
        int damaged = round_read(&w, &l, &at);

        if (w.n && at > was && (r = round_do(&w)) == 0)
            packs += (int)(at - was);
        r = r < 0 ? r : damaged;
    }
    if (r == 0 || r == E_CORRUPT) {
        int d = packs_drop(&w, &l);

        r = r < 0 ? r : d;
    }
    free(w.rows);
    free(l.v);
    return r < 0 ? r : packs;
}

/* ---- removed mailboxes ------------------------------------------------------------------------- */

int ship_purge(struct ship *s, struct target *t, const uint8_t mailbox[MAILBOX_ID_LEN], target_told *told,
               void *ctx)
{
    char path[PATH_BYTES], folder[TARGET_NAME_MAX];
    int r;

    ship_folder_of(mailbox, folder);
    if ((r = file_mkdir(ship_files(s)->dir, in_folder(s, PURGED, path))) < 0 ||
        (r = file_replace(ship_files(s)->dir, mailbox_path(s, PURGED, mailbox, path), STR(""))) < 0)
        return r;
    ship_forget(s, mailbox);
    return target_purge(t, folder, told, ctx);
}

/* Notes that are older than every pack that this repack did not see. */
static void purged_done(struct ship *s, int64_t before_ms)
{
    char path[PATH_BYTES];
    int fd = openat(ship_files(s)->dir, in_folder(s, PURGED, path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *e;
    struct stat st;

    if (!d) {
        fd_close(&fd);
        return;
    }
    while ((e = readdir(d)) != NULL)
        if (e->d_name[0] != '.' && fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            (int64_t)st.st_mtim.tv_sec * 1000 < before_ms - 3600000)
            file_ops()->unlinkat(dirfd(d), e->d_name);
    closedir(d);
}

/* ---- all logs ---------------------------------------------------------------------------------- */

static int logs_read(struct ship *s, struct numbers *out)
{
    CLEANUP(buf_release) struct buf b = { .max = KIB(64) };
    char path[PATH_BYTES];
    int r = file_read(ship_files(s)->dir, in_folder(s, LOGS, path), &b);
    struct str text = buf_str(&b), line;
    bool known = false;
    uint64_t log;

    if (r < 0 && r != E_NOTFOUND)
        return r;
    for (r = 0; r == 0 && str_cut(text, '\n', &line, &text);)
        if (hex64(line, &log)) {
            known |= log == ship_log(s);
            r = numbers_add(out, log);
        }
    if (r == 0 && !known) {
        if ((r = buf_printf(&b, "%016llx\n", (unsigned long long)ship_log(s))) == 0 &&
            (r = file_replace(ship_files(s)->dir, path, buf_str(&b))) == 0)
            r = numbers_add(out, ship_log(s));
    }
    return r;
}

int64_t ship_repacked_ms(struct ship *s)
{
    char path[PATH_BYTES];
    struct stat st;

    return fstatat(ship_files(s)->dir, in_folder(s, REPACKED, path), &st, AT_SYMLINK_NOFOLLOW) < 0
               ? 0
               : (int64_t)st.st_mtim.tv_sec * 1000;
}

int ship_log_note(struct ship *s)
{
    struct numbers logs = { .n = 0 };
    int r = logs_read(s, &logs);

    free(logs.v);
    return r;
}

int ship_sweep(struct ship *s, struct target *t)
{
    struct numbers logs = { .n = 0 };
    char folder[TARGET_NAME_MAX];
    int r = logs_read(s, &logs);

    for (size_t i = logs.n > SWEEP_LOGS ? logs.n - SWEEP_LOGS : 0; i < logs.n && r >= 0; i++) {
        snprintf(folder, sizeof folder, "ship-%016llx", (unsigned long long)logs.v[i]);
        r = target_sweep(t, folder);
    }
    free(logs.v);
    return r < 0 ? r : 0;
}

int ship_repack(struct ship *s, struct target *t, const bool *stop)
{
    struct numbers logs = { .n = 0 };
    struct ship_figures f;
    char path[PATH_BYTES];
    int64_t
        sent_ms; /* all that was gathered before is in the target: what waits in the spool is sorted out another night */
    int r = logs_read(s, &logs), packs = 0, bad = 0;

    ship_get_figures(s, &f);
    sent_ms = clock_wall_ms() - f.behind_ms;

    for (size_t i = 0; i < logs.n && r >= 0; i++) {
        if ((r = log_repack(s, t, logs.v[i], stop)) == E_CORRUPT)
            bad = r;
        packs += r > 0 ? r : 0;
        r = r == E_CORRUPT ? 0 : r;
    }
    free(logs.v);
    if (r < 0)
        return r;
    if (!bad)
        purged_done(s, sent_ms);
    r = file_replace(ship_files(s)->dir, in_folder(s, REPACKED, path), STR(""));
    return bad ? bad : r < 0 ? r : packs;
}
