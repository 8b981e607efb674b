#include "test/fault/store_disk.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/hex.h"
#include "lib/base/rand.h"
#include "src/store/check.h"
#include "src/store/mailbox_private.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct secrets secrets;

static const char *const FOLDERS[] = { "INBOX", "Archive", "Trash", "Work" };

/* ---- the world ---------------------------------------------------------------------------------- */

void world_clear(struct world *w)
{
    for (size_t p = 0; p < PLACES; p++)
        for (size_t n = 0; n < MESSAGES_MAX; n++)
            w->at[p][n] = ABSENT;
}

bool world_same(const struct world *a, const struct world *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

size_t world_count(const struct world *w)
{
    size_t count = 0;

    for (size_t p = 0; p < PLACES; p++)
        for (size_t n = 0; n < MESSAGES_MAX; n++)
            count += w->at[p][n] != ABSENT;
    return count;
}

static int world_add(struct world *w, size_t place, int n, uint32_t flags)
{
    if (n < 0 || n >= (int)MESSAGES_MAX)
        return E_CORRUPT;
    if (w->at[place][n] != ABSENT)
        return E_EXISTS;
    w->at[place][n] = (int16_t)flags;
    return 0;
}

/* ---- secrets and folders ------------------------------------------------------------------------ */

void secrets_make(void)
{
    struct keyfile_label label = { .name = "first" };
    uint16_t slot = 0;

    CHECK(crypto_init() == 0);
    rand_bytes(secrets.id, sizeof secrets.id);
    secrets.id[1][0] = secrets.id[0][0]; /* the same folder */
    rand_bytes(&secrets.temp, sizeof secrets.temp);
    rand_bytes(secrets.mac, sizeof secrets.mac);
    rand_bytes(secrets.label, sizeof secrets.label);
    CHECK(keyfile_new(secrets.id[0], &secrets.kf, &secrets.keys) == 0);
    password_generate(keyfile_next_slot(secrets.kf), &secrets.password);
    CHECK(keyfile_slot_add(secrets.kf, &secrets.keys, &secrets.password, PASSWORD_COST_DEFAULT, secrets.label,
                           &label, &slot) == 0);
    keyfile_public(secrets.kf, &secrets.generation);
    CHECK(keyfile_mailbox_seed(secrets.kf, &secrets.keys, secrets.generation, secrets.seed) == 0);
}

void secrets_release(void)
{
    keyfile_free(&secrets.kf);
    keyfile_keys_release(&secrets.keys);
    password_release(&secrets.password);
}

int scratch_make(char *out, size_t n)
{
    static const char *const places[] = { "/dev/shm", "/tmp" };

    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        snprintf(out, n, "%s/letterlock-fault-XXXXXX", places[i]);
        if (mkdtemp(out))
            return 0;
    }
    return E_IO;
}

void disk_open(struct disk *d, const char *root)
{
    snprintf(d->root, sizeof d->root, "%s", root);
    snprintf(d->prefix, sizeof d->prefix, "%s/", root);
    d->files = (struct files){ .dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC), .prefix = d->prefix };
    CHECK(d->files.dir >= 0);
}

void disk_close(struct disk *d)
{
    if (d->files.dir > 0)
        close(d->files.dir);
    d->files.dir = -1;
}

static void file_copy(const char *from, const char *to)
{
    char chunk[KIB(64)];
    int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    ssize_t n;

    CHECK(in >= 0 && out >= 0);
    while ((n = read(in, chunk, sizeof chunk)) > 0)
        CHECK(write(out, chunk, (size_t)n) == n);
    CHECK(n == 0);
    close(in);
    close(out);
}

void disk_copy(const char *from, const char *to)
{
    DIR *d = opendir(from);

    CHECK(d && mkdir(to, 0700) == 0);
    for (struct dirent *e; (e = readdir(d));) {
        char a[512], b[512];
        struct stat st;

        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        snprintf(a, sizeof a, "%s/%s", from, e->d_name);
        snprintf(b, sizeof b, "%s/%s", to, e->d_name);
        CHECK(stat(a, &st) == 0);
        if (S_ISDIR(st.st_mode))
            disk_copy(a, b);
        else
            file_copy(a, b);
    }
    closedir(d);
}

/* ---- messages ----------------------------------------------------------------------------------- */

#define NUMBER_AT 5u /* after "X-N: " */

/* Every third is base64, and half of those have the body of others: parts that are shared. */
static bool is_base64(unsigned n)
{
    return n % 3 == 1;
}

static void message_make(unsigned n, struct buf *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t bytes = n % 7 == 6 ? KIB(280) + n : 200 + 1700 * (n % 5);
    uint32_t x = (is_base64(n) ? n % 2 : n) * 2654435761u + 1;
    char head[96];

    buf_clear(out);
    snprintf(head, sizeof head, "X-N: %06u\r\nMessage-ID: <%u@fault.test>\r\nSubject: m\r\n\r\n", n, n);
    CHECK(buf_putz(out, head) == 0);
    for (size_t i = 0; out->n < bytes || (is_base64(n) && i % 78 % 4); i++) {
        x = x * 1664525u + 1013904223u;
        if (is_base64(n))
            CHECK(buf_putc(out, i % 78 == 76 ? '\r' : i % 78 == 77 ? '\n' : digits[x >> 26]) == 0);
        else
            CHECK(buf_putc(out, (char)(i % 70 == 68   ? '\r'
                                       : i % 70 == 69 ? '\n'
                                                      : ' ' + (x >> 24) % 95)) == 0);
    }
}

struct str message_text(unsigned n)
{
    static struct buf made[MESSAGES_MAX];

    CHECK(n < MESSAGES_MAX);
    if (!made[n].n) {
        made[n].max = MIB(1);
        message_make(n, &made[n]);
    }
    return buf_str(&made[n]);
}

int message_number(struct str bytes)
{
    uint64_t n;

    if (bytes.n < NUMBER_AT + 6 || !str_to_u64(str_slice(bytes, NUMBER_AT, NUMBER_AT + 6), &n) ||
        n >= MESSAGES_MAX)
        return -1;
    return str_eq(message_text((unsigned)n), bytes) ? (int)n : -1;
}

/* One leaf, as proto/structure.proto has it: kind, where it begins and ends, its encoding. */
static struct str structure_of(unsigned n, size_t start, size_t end)
{
    static uint8_t structures[MESSAGES_MAX][32];
    uint8_t *p = structures[n], *at = p + 2;
    const uint64_t v[] = { 0x10, 0, 0x20, start, 0x28, end };

    for (size_t i = 0; i < ARRAY_LEN(v); i++) {
        uint64_t x = v[i];

        for (; x >= 128; x >>= 7)
            *at++ = (uint8_t)(x | 128);
        *at++ = (uint8_t)x;
    }
    if (is_base64(n)) {
        memcpy(at,
               "\x5a\x06"
               "base64",
               8);
        at += 8;
    }
    p[0] = 0x0a;
    p[1] = (uint8_t)(at - p - 2);
    return str_of(p, (size_t)(at - p));
}

static void email_of(struct str bytes, struct bytes_mem *m, struct bytes_mem *text, struct email_in *e)
{
    size_t start = (size_t)str_find(bytes, STR("\r\n\r\n")) + 4;
    uint64_t n = 0;

    CHECK(str_to_u64(str_slice(bytes, NUMBER_AT, NUMBER_AT + 6), &n) && n < MESSAGES_MAX);
    *e = (struct email_in){ .message = bytes_mem_init(m, bytes),
                            .header_bytes = start,
                            .structure = structure_of((unsigned)n, start, bytes.n) };
    e->text = bytes_mem_init(text, str_slice(bytes, 0, size_min(bytes.n, 300)));
}

static void ids_of(unsigned n, unsigned salt, uint8_t operation[16], uint8_t delivery[DELIVERY_ID_BYTES])
{
    memset(operation, 0, 16);
    memset(delivery, 7, DELIVERY_ID_BYTES);
    le32_put(operation, n);
    le32_put(operation + 4, salt);
    le32_put(delivery, n);
}

/* ---- the mailbox -------------------------------------------------------------------------------- */

int box_make(const struct disk *d, struct mailbox **out)
{
    struct mailbox_meta m = { .generation = secrets.keys.generation, .key_state = { .max = KIB(4) } };
    struct mailbox_options o = { .flags = MAILBOX_CREATE };
    char path[FILES_PATH_MAX], full[2 * FILES_PATH_MAX];
    uint8_t state[KEYSTATE_BYTES];
    int r = files_folder(&d->files, secrets.id[0]);

    keys_state(secrets.kf, secrets.mac, state);
    memcpy(m.id, secrets.id[0], sizeof m.id);
    files_path(secrets.id[0], FILES_MAILBOX, path);
    files_full(&d->files, path, full, sizeof full);
    if (r == 0 && (r = buf_append(&m.key_state, state, sizeof state)) == 0)
        r = mailbox_open(full, secrets.keys.data_key, &o, &m, out);
    buf_release(&m.key_state);
    if (r == 0 && (r = keys_save(&d->files, secrets.kf)) < 0)
        mailbox_close(out);
    return r;
}

int box_open_data(const struct disk *d, struct mailbox **out)
{
    struct mailbox_options o = { 0 };
    uint32_t generation;

    return keybox_open(&d->files, secrets.kf, &secrets.keys, &o, out, &generation);
}

int box_put(struct mailbox *box, unsigned n, enum place to, uint32_t flags, uint32_t *uid_out)
{
    CLEANUP(buf_release) struct buf known = { .max = 64 };
    Store__AppendResponse out = STORE__APPEND_RESPONSE__INIT;
    struct placement at = { .folder = str_from(FOLDERS[to]), .flags = flags, .internal_ms = clock_wall_ms() };
    uint8_t operation[16], delivery[DELIVERY_ID_BYTES], uid[4];
    struct bytes_mem m, text;
    struct email_in e;
    int r;

    ids_of(n, 100 + to, operation, delivery);
    email_of(message_text(n), &m, &text, &e);
    r = mailbox_operation_find(box, str_of(operation, 16), STORE__OP__APPEND, &known);
    if (r != 0) {
        if (uid_out && r > 0)
            *uid_out = le32_get((const uint8_t *)known.p);
        return r < 0 ? r : 0;
    }
    if ((r = mailbox_append(box, &e, &at, &out)) < 0)
        return r;
    le32_put(uid, out.uid);
    if (uid_out)
        *uid_out = out.uid;
    return mailbox_operation_note(box, str_of(operation, 16), STORE__OP__APPEND, str_of(uid, 4));
}

static int box_end(struct mailbox *box, int r)
{
    if (r < 0 || (r = mailbox_commit(box)) < 0)
        mailbox_rollback(box);
    return r;
}

int box_append(struct mailbox *box, unsigned n, enum place to, uint32_t flags, uint32_t *uid_out)
{
    int r = mailbox_begin(box);

    return r < 0 ? r : box_end(box, box_put(box, n, to, flags, uid_out));
}

static int folder_id(struct mailbox *box, enum place p, uint64_t *out)
{
    struct folder f;
    int r = folder_by_name(box, str_from(FOLDERS[p]), &f);

    *out = f.id;
    return r;
}

int box_flag(struct mailbox *box, enum place in, uint32_t uid, uint32_t flags)
{
    Store__FlagStoreRequest q = STORE__FLAG_STORE_REQUEST__INIT;
    Store__FlagStoreResponse out = STORE__FLAG_STORE_RESPONSE__INIT;
    CLEANUP(arena_release) struct arena a = { .max = MIB(1) };
    uint32_t ranges[2] = { uid, uid };
    int r;

    q.uid_ranges = ranges;
    q.n_uid_ranges = 2;
    q.mode = STORE__FLAG_STORE_REQUEST__MODE__SET;
    q.flags = flags;
    if ((r = folder_id(box, in, &q.folder_id)) < 0 || (r = mailbox_begin(box)) < 0)
        return r;
    return box_end(box, mailbox_flag_store(box, &a, &q, &out));
}

int box_copy(struct mailbox *box, enum place from, uint32_t uid, enum place to, bool move, uint32_t *uid_out)
{
    Store__CopyRequest q = STORE__COPY_REQUEST__INIT;
    Store__CopyResponse out = STORE__COPY_RESPONSE__INIT;
    CLEANUP(arena_release) struct arena a = { .max = MIB(1) };
    uint32_t ranges[2] = { uid, uid };
    int r;

    q.uid_ranges = ranges;
    q.n_uid_ranges = 2;
    q.to = str_pb(str_from(FOLDERS[to]));
    q.move = move;
    if ((r = folder_id(box, from, &q.folder_id)) < 0 || (r = mailbox_begin(box)) < 0)
        return r;
    r = mailbox_copy(box, &a, &q, &out);
    if (r >= 0 && uid_out)
        *uid_out = out.n_to_ranges ? out.to_ranges[0] : 0;
    return box_end(box, r);
}

int box_expunge(struct mailbox *box, enum place in, uint32_t uid)
{
    Store__FlagStoreRequest f = STORE__FLAG_STORE_REQUEST__INIT;
    Store__FlagStoreResponse stored = STORE__FLAG_STORE_RESPONSE__INIT;
    Store__ExpungeRequest q = STORE__EXPUNGE_REQUEST__INIT;
    Store__ExpungeResponse out = STORE__EXPUNGE_RESPONSE__INIT;
    CLEANUP(arena_release) struct arena a = { .max = MIB(1) };
    uint32_t ranges[2] = { uid, uid };
    int r;

    q.uid_ranges = f.uid_ranges = ranges;
    q.n_uid_ranges = f.n_uid_ranges = 2;
    f.mode = STORE__FLAG_STORE_REQUEST__MODE__ADD;
    f.flags = STORE__FLAG__DELETED;
    if ((r = folder_id(box, in, &q.folder_id)) < 0 || (r = mailbox_begin(box)) < 0)
        return r;
    f.folder_id = q.folder_id;
    if ((r = mailbox_flag_store(box, &a, &f, &stored)) == 0)
        r = mailbox_expunge(box, &a, &q, &out);
    return box_end(box, r);
}

/* ---- temporary mailboxes ------------------------------------------------------------------------ */

int temp_put(struct tempbox *t, unsigned n, bool has_delivery)
{
    struct temp_record rec = { .has_delivery = has_delivery, .received_ms = clock_wall_ms() };
    struct bytes_mem m;

    uint32_t generation;
    const uint8_t *pk = keyfile_public(secrets.kf, &generation);

    ids_of(n, 0, rec.operation, rec.delivery);
    return tempbox_add(t, pk, generation, &rec, bytes_mem_init(&m, message_text(n)));
}

/* Large messages wait in files without a name, outside the disk that fails. */
static int spool_dir(void)
{
    static int fd = -1;

    if (fd < 0)
        fd = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd;
}

static int record_read(struct tempbox *t, const struct temp_record *rec, struct buf *out)
{
    struct arrival arrival;
    struct spool *s = NULL;
    uint32_t generation = 0;
    int r = tempbox_verify(t, rec->seq);

    if (r < 0 || (r = tempbox_key_generation(t, rec->seq, &generation)) < 0)
        return r;
    if (generation != secrets.generation)
        return E_CORRUPT;
    if ((r = spool_new(spool_dir(), MIB(1), &s)) < 0)
        return r;
    if ((r = tempbox_unseal(t, rec, secrets.seed, &arrival, s)) == 0 &&
        (r = buf_reserve(out, rec->bytes) ? 0 : E_NOMEM) == 0 &&
        (r = spool_read(s, 0, out->p, rec->bytes)) == 0)
        out->n = rec->bytes;
    spool_free(&s);
    return r;
}

#define BATCH_MAX 8u

struct batch {
    struct drain_item item[BATCH_MAX];
    struct buf bytes[BATCH_MAX];
    struct bytes_mem message[BATCH_MAX], text[BATCH_MAX];
    size_t n;
};

static int batch_read(struct batch *b, struct tempbox *t, struct drain_file *f, size_t max)
{
    int r = 0;

    for (b->n = 0; b->n < max;) {
        struct drain_item *it = &b->item[b->n];

        if ((r = drain_next(t, f, &it->rec)) <= 0)
            break;
        b->bytes[b->n].max = MIB(1);
        buf_clear(&b->bytes[b->n]);
        if ((r = record_read(t, &it->rec, &b->bytes[b->n])) == E_CORRUPT) {
            f->kept++;
            continue;
        }
        if (r < 0)
            break;
        email_of(buf_str(&b->bytes[b->n]), &b->message[b->n], &b->text[b->n], &it->email);
        b->n++;
    }
    return r < 0 ? r : 0;
}

int drain_one(struct mailbox *box, struct tempbox **t, size_t batch, uint64_t *kept,
              void (*between)(void *ctx), void *ctx)
{
    struct batch b = { .n = 0 };
    struct drain_file f;
    int r = drain_begin(box, *t, &f);

    while (r == 0 && (r = batch_read(&b, *t, &f, size_min(batch, BATCH_MAX))) == 0 && b.n) {
        if ((r = drain_write(box, &f, b.item, b.n)) == 0 && (r = drain_delete(*t, b.item, b.n)) == 0 &&
            between)
            between(ctx);
    }
    for (size_t i = 0; i < BATCH_MAX; i++)
        buf_release(&b.bytes[i]);
    *kept += f.kept;
    return r < 0 ? r : drain_finish(box, t, &f);
}

int drain_all(const struct disk *d, struct mailbox *box, size_t batch, uint64_t *kept_out,
              void (*between)(void *ctx), void *ctx)
{
    uint64_t files[16], kept = 0;
    int n = files_temp_list(&d->files, secrets.id[0], files, ARRAY_LEN(files)), r = n < 0 ? n : 0;

    for (int i = 0; i < n && r == 0; i++) {
        struct tempbox *t = NULL;

        if ((r = tempbox_open_generation(&d->files, secrets.id[0], &secrets.temp, files[i], &t)) == 0)
            r = drain_one(box, &t, batch, &kept, between, ctx);
        tempbox_close(&t);
    }
    if (kept_out)
        *kept_out = kept;
    return r;
}

/* ---- reading ------------------------------------------------------------------------------------ */

static int place_of(struct str name)
{
    for (size_t p = 0; p < ARRAY_LEN(FOLDERS); p++)
        if (str_eq_z(name, FOLDERS[p]))
            return (int)p;
    return -1;
}

static int row_read(struct mailbox *box, struct stmt *st, struct world *w)
{
    CLEANUP(buf_release) struct buf bytes = { .max = MIB(1) };
    int place = place_of(stmt_str(st, 0)), r = 0;
    uint64_t size = stmt_u64(st, 3);

    for (uint64_t at = 0; at < size && r == 0; at += CHUNK_BYTES_MAX)
        r = email_read(box, stmt_i64(st, 1), at,
                       size - at < CHUNK_BYTES_MAX ? (size_t)(size - at) : CHUNK_BYTES_MAX, &bytes);
    if (r < 0 || place < 0)
        return r < 0 ? r : E_CORRUPT;
    return world_add(w, (size_t)place, message_number(buf_str(&bytes)), (uint32_t)stmt_i64(st, 2));
}

int box_read(struct mailbox *box, struct world *w)
{
    static const char rows[] = "SELECT f.name, m.email_id, m.flags, m.bytes FROM message m "
                               "JOIN folder f ON f.id = m.folder_id ORDER BY m.folder_id, m.uid";
    static const char wrong[] =
        "SELECT (SELECT count(*) FROM folder f WHERE f.messages <> (SELECT count(*) FROM "
        "message m WHERE m.folder_id = f.id)) + (SELECT count(*) FROM email e WHERE NOT EXISTS "
        "(SELECT 1 FROM message m WHERE m.email_id = e.id))";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int64_t bad = 0;
    int r = stmt_get(mailbox_db(box), rows, &st);

    while (r >= 0 && (r = stmt_step(st)) > 0)
        r = row_read(box, st, w);
    if (r < 0 || (r = db_get_i64(mailbox_db(box), wrong, &bad)) < 0)
        return r;
    return bad ? E_CORRUPT : 0;
}

static int temp_read(struct tempbox *t, size_t place, struct world *w)
{
    CLEANUP(buf_release) struct buf bytes = { .max = MIB(1) };
    struct temp_record rec;
    uint64_t seq = 0;
    int r;

    while ((r = tempbox_next(t, seq, &rec)) > 0) {
        buf_clear(&bytes);
        if ((r = record_read(t, &rec, &bytes)) < 0 ||
            (r = world_add(w, place, message_number(buf_str(&bytes)), 0)) < 0)
            return r;
        seq = rec.seq;
    }
    return r;
}

int temps_read(const struct disk *d, unsigned mailbox, struct world *w)
{
    uint64_t files[16];
    int n = files_temp_list(&d->files, secrets.id[mailbox], files, ARRAY_LEN(files)), r = n < 0 ? n : 0;

    for (int i = 0; i < n && r == 0; i++) {
        struct tempbox *t = NULL;

        if ((r = tempbox_open_generation(&d->files, secrets.id[mailbox], &secrets.temp, files[i], &t)) == 0 &&
            (r = temp_read(t, TEMP_A + mailbox, w)) == 0)
            r = db_verify(tempbox_db(t), NULL);
        tempbox_close(&t);
    }
    return r;
}

int box_sound(struct mailbox *box)
{
    static struct check c; /* large, and one at a time */
    int r;

    c = (struct check){ .whole = true };
    if ((r = mailbox_check(box, &c, 0)) < 0)
        return r;
    for (size_t i = 0; i < c.n; i++)
        if (strcmp(c.list[i].what, "structure") != 0) { /* our letters have a word for one */
            print_error("%s: %s\n", c.list[i].what, c.list[i].detail);
            return E_CORRUPT;
        }
    return 0;
}
