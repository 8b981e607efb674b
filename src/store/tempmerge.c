#include "src/store/tempmerge.h"
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "lib/db/db.h"
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* Every column that both versions of the schema have; a record's rows come with it. */
static const char record_read[] =
    "SELECT seq, operation, delivery_id, received, header, bytes, chain FROM record ORDER BY seq";
static const char record_write[] =
    "INSERT OR IGNORE INTO record (seq, operation, delivery_id, received, header, bytes, "
    "chain) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
static const char data_read[] = "SELECT id, data FROM record_data ORDER BY id";
static const char data_write[] = "INSERT OR IGNORE INTO record_data (id, data) VALUES (?1, ?2)";

static int records_copy(struct db *from, struct db *to)
{
    CLEANUP(stmt_release) struct stmt *in = NULL, *out = NULL;
    int r;

    if ((r = stmt_get(from, record_read, &in)) < 0 || (r = stmt_get(to, record_write, &out)) < 0)
        return r;
    while ((r = stmt_step(in)) > 0) {
        stmt_reset(out);
        stmt_bind_i64(out, 1, stmt_i64(in, 0));
        stmt_bind_blob(out, 2, stmt_str(in, 1));
        if (stmt_is_null(in, 2))
            stmt_bind_null(out, 3);
        else
            stmt_bind_blob(out, 3, stmt_str(in, 2));
        stmt_bind_str(out, 4, stmt_str(in, 3));
        stmt_bind_blob(out, 5, stmt_str(in, 4));
        stmt_bind_i64(out, 6, stmt_i64(in, 5));
        stmt_bind_blob(out, 7, stmt_str(in, 6));
        if ((r = stmt_run(out)) < 0)
            return r;
    }
    return r;
}

static int data_copy(struct db *from, struct db *to)
{
    CLEANUP(stmt_release) struct stmt *in = NULL, *out = NULL;
    int r;

    if ((r = stmt_get(from, data_read, &in)) < 0 || (r = stmt_get(to, data_write, &out)) < 0)
        return r;
    while ((r = stmt_step(in)) > 0) {
        stmt_reset(out);
        stmt_bind_i64(out, 1, stmt_i64(in, 0));
        stmt_bind_blob(out, 2, stmt_str(in, 1));
        if ((r = stmt_run(out)) < 0)
            return r;
    }
    return r;
}

static int copy(struct db *from, struct db *to)
{
    CLEANUP(txn_end) struct txn txn = { 0 };
    int r;

    if ((r = txn_begin(&txn, to)) < 0 || (r = records_copy(from, to)) < 0 || (r = data_copy(from, to)) < 0)
        return r;
    return txn_commit(&txn);
}

int tempbox_merge(const struct files *f, const uint8_t id[MAILBOX_ID_LEN], const struct tempbox_keys *k,
                  uint64_t generation, const char *from)
{
    struct db_options o = { .cache_kib = 256, .statements = 8 };
    char live[FILES_PATH_MAX], full[2 * FILES_PATH_MAX];
    struct tempbox *t = NULL;
    struct db *old = NULL;
    int r, c;

    files_temp_path(id, generation, live);
    if (faccessat(f->dir, live, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    files_full(f, from, full, sizeof full);
    if ((r = db_open(full, k->outer, &o, &old)) == 0 &&
        (r = tempbox_open_generation(f, id, k, generation, &t)) == 0)
        r = copy(old, tempbox_db(t));
    c = tempbox_close(&t);
    if (db_close(&old) < 0 || c < 0)
        r = r < 0 ? r : E_IO;
    if (r == 0)
        r = file_remove(f->dir, from);
    return r < 0 ? r : 1;
}
