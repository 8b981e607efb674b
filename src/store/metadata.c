/* src/store/metadata.c: annotations of folders and of the server (RFC 5464). */
#include "src/store/mailbox_private.h"

/* Of the server: 0; E_NOTFOUND. */
static int target(struct mailbox *box, struct str name, uint64_t *id_out)
{
    struct folder f;
    int r;

    *id_out = 0;
    if (name.n == 0)
        return 0;
    if ((r = folder_by_name(box, name, &f)) == 0)
        *id_out = f.id;
    return r;
}

/* ---- reading ---------------------------------------------------------------------------------- */

struct gather {
    struct arena *a;
    Store__Annotation **v;
    size_t n, cap;
};

static int gather_add(struct gather *g, struct str entry, struct str value)
{
    Store__Annotation *one = ARENA_NEW(g->a, Store__Annotation);
    struct str name = arena_dup(g->a, entry), copy = arena_dup(g->a, value.p ? value : STR(""));

    if (g->n == g->cap) {
        size_t more = g->cap ? 2 * g->cap : 8;
        Store__Annotation **v = ARENA_ARRAY(g->a, more, Store__Annotation *);

        if (!v)
            return E_NOMEM;
        if (g->n)
            memcpy(v, g->v, g->n * sizeof *v);
        g->v = v;
        g->cap = more;
    }
    if (!one || !name.p || !copy.p)
        return E_NOMEM;
    store__annotation__init(one);
    one->entry = str_pb(name);
    one->value = str_pb(copy);
    one->has_value = value.p != NULL;
    g->v[g->n++] = one;
    return 0;
}

static int read_one(struct mailbox *box, struct gather *g, uint64_t id, struct str entry, bool nil)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, "SELECT value FROM metadata WHERE folder_id = ?1 AND entry = ?2", &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, id);
    stmt_bind_str(st, 2, entry);
    if ((r = stmt_step(st)) < 0)
        return r;
    if (r == 0)
        return nil ? gather_add(g, entry, STR_NONE) : 0;
    return gather_add(g, entry, stmt_str(st, 0).p ? stmt_str(st, 0) : STR(""));
}

/* What is below; '0' follows '/'. */
static int read_below(struct mailbox *box, struct gather *g, uint64_t id, struct str entry, bool all)
{
    static const char sql[] = "SELECT entry, value FROM metadata WHERE folder_id = ?1 AND entry > ?2 AND "
                              "entry < ?3 ORDER BY entry";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    char *from = arena_printf(g->a, "%.*s/", STR_ARG(entry)),
         *to = arena_printf(g->a, "%.*s0", STR_ARG(entry));
    int r = from && to ? stmt_get(box->db, sql, &st) : E_NOMEM;

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, id);
    stmt_bind_str(st, 2, str_from(from));
    stmt_bind_str(st, 3, str_from(to));
    while ((r = stmt_step(st)) > 0) {
        struct str name = stmt_str(st, 0), value = stmt_str(st, 1);

        if (!all && str_chr(str_skip(name, entry.n + 1), '/') >= 0)
            continue;
        if ((r = gather_add(g, name, value.p ? value : STR(""))) < 0)
            return r;
    }
    return r;
}

int metadata_read(struct mailbox *box, struct arena *a, uint64_t folder_id,
                  const ProtobufCBinaryData *entries, size_t n, uint32_t depth, size_t *n_out,
                  Store__Annotation ***out)
{
    struct gather g = { .a = a };
    int r = 0;

    for (size_t i = 0; i < n && r >= 0; i++)
        if ((r = read_one(box, &g, folder_id, pb_str(entries[i]), depth == 0)) >= 0 && depth)
            r = read_below(box, &g, folder_id, pb_str(entries[i]), depth > 1);
    *n_out = g.n;
    *out = g.v;
    return r < 0 ? r : 0;
}

int mailbox_metadata_get(struct mailbox *box, struct arena *a, const Store__MetadataGetRequest *q,
                         Store__MetadataGetResponse *out)
{
    uint64_t id;
    int r = target(box, pb_str(q->name), &id);

    if (r < 0)
        return r;
    return metadata_read(box, a, id, q->entries, q->n_entries, q->depth, &out->n_annotations,
                         &out->annotations);
}

/* ---- writing ---------------------------------------------------------------------------------- */

static int count_add(struct mailbox *box, int64_t entries, int64_t bytes)
{
    static const char sql[] = "UPDATE meta SET metadata_entries = metadata_entries + ?1, "
                              "metadata_bytes = metadata_bytes + ?2";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, sql, &st);

    if (r < 0)
        return r;
    stmt_bind_i64(st, 1, entries);
    stmt_bind_i64(st, 2, bytes);
    return stmt_run(st);
}

static int totals(struct mailbox *box, uint64_t folder_id, int64_t *here, int64_t *all, int64_t *bytes)
{
    static const char sql[] = "SELECT (SELECT count(*) FROM metadata WHERE folder_id = ?1), "
                              "metadata_entries, metadata_bytes FROM meta";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, sql, &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, folder_id);
    if ((r = stmt_step(st)) <= 0)
        return r < 0 ? r : E_CORRUPT;
    *here = stmt_i64(st, 0);
    *all = stmt_i64(st, 1);
    *bytes = stmt_i64(st, 2);
    return 0;
}

/* 1: it was there. */
static int entry_remove(struct mailbox *box, uint64_t id, struct str entry)
{
    static const char sql[] =
        "DELETE FROM metadata WHERE folder_id = ?1 AND entry = ?2 RETURNING length(entry) + length(value)";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int64_t bytes;
    int r = stmt_get(box->db, sql, &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, id);
    stmt_bind_str(st, 2, entry);
    if ((r = stmt_step(st)) <= 0)
        return r;
    bytes = stmt_i64(st, 0);
    if ((r = stmt_run(st)) < 0 || (r = count_add(box, -1, -bytes)) < 0)
        return r;
    return 1;
}

static int entry_insert(struct mailbox *box, uint64_t id, struct str entry, struct str value)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int64_t here, all, bytes;
    int r;

    if ((r = totals(box, id, &here, &all, &bytes)) < 0)
        return r;
    if (here >= (int64_t)METADATA_ENTRIES_MAX || all >= (int64_t)METADATA_ALL_MAX ||
        bytes + (int64_t)(entry.n + value.n) > (int64_t)METADATA_BYTES_MAX)
        return E_LIMIT;
    if ((r = stmt_get(box->db, "INSERT INTO metadata VALUES (?1, ?2, ?3)", &st)) < 0)
        return r;
    stmt_bind_u64(st, 1, id);
    stmt_bind_str(st, 2, entry);
    stmt_bind_blob(st, 3, value.p ? value : STR(""));
    if ((r = stmt_run(st)) < 0)
        return r;
    return count_add(box, 1, (int64_t)(entry.n + value.n));
}

static int note(struct mailbox *box, const Store__MetadataSetRequest *q)
{
    struct happening *n = NULL;
    int r = happening_note(box, STORE__NEWS_EVENT__KIND__ANNOTATED, pb_str(q->name), STR(""), &n);

    if (r < 0 || !n)
        return r;
    n->arena.max = MIB(1);
    if (!(n->event.entries = ARENA_ARRAY(&n->arena, q->n_annotations, ProtobufCBinaryData)))
        return E_NOMEM;
    for (size_t i = 0; i < q->n_annotations; i++) {
        struct str copy = arena_dup(&n->arena, pb_str(q->annotations[i]->entry));

        if (!copy.p)
            return E_NOMEM;
        n->event.entries[n->event.n_entries++] = str_pb(copy);
    }
    return 0;
}

/* What goes makes room first: the order of a list does not decide whether it fits. */
int mailbox_metadata_set(struct mailbox *box, const Store__MetadataSetRequest *q)
{
    uint64_t id;
    int r = target(box, pb_str(q->name), &id);

    for (size_t i = 0; i < q->n_annotations && r >= 0; i++) {
        const Store__Annotation *one = q->annotations[i];

        if (one->entry.len < 2 || one->entry.len > METADATA_NAME_MAX)
            return E_RANGE;
        r = one->value.len > METADATA_VALUE_MAX ? E_TOO_BIG : entry_remove(box, id, pb_str(one->entry));
    }
    for (size_t i = 0; i < q->n_annotations && r >= 0; i++) {
        const Store__Annotation *one = q->annotations[i];

        if (!one->has_value)
            continue;
        if ((r = entry_remove(box, id, pb_str(one->entry))) >= 0) /* named twice: the last one counts */
            r = entry_insert(box, id, pb_str(one->entry), pb_str(one->value));
    }
    return r < 0 ? r : note(box, q);
}

int metadata_drop(struct mailbox *box, uint64_t folder_id)
{
    static const char count[] =
        "SELECT count(*), coalesce(sum(length(entry) + length(value)), 0) FROM metadata "
        "WHERE folder_id = ?1";
    CLEANUP(stmt_release) struct stmt *counts = NULL;
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int64_t n, bytes;
    int r = stmt_get(box->db, count, &counts);

    if (r < 0)
        return r;
    stmt_bind_u64(counts, 1, folder_id);
    if ((r = stmt_step(counts)) <= 0)
        return r < 0 ? r : E_CORRUPT;
    n = stmt_i64(counts, 0);
    bytes = stmt_i64(counts, 1);
    if (n == 0)
        return 0;
    if ((r = stmt_get(box->db, "DELETE FROM metadata WHERE folder_id = ?1", &st)) < 0)
        return r;
    stmt_bind_u64(st, 1, folder_id);
    return (r = stmt_run(st)) < 0 ? r : count_add(box, -n, -bytes);
}

/* RFC 5464 4.1: INBOX that is renamed keeps its own. */
int metadata_copy(struct mailbox *box, uint64_t from, uint64_t to)
{
    static const char sql[] =
        "INSERT INTO metadata SELECT ?2, entry, value FROM metadata WHERE folder_id = ?1 "
        "RETURNING length(entry) + length(value)";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int64_t n = 0, bytes = 0;
    int r = stmt_get(box->db, sql, &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, from);
    stmt_bind_u64(st, 2, to);
    while ((r = stmt_step(st)) > 0) {
        n++;
        bytes += stmt_i64(st, 0);
    }
    return r < 0 || n == 0 ? r : count_add(box, n, bytes);
}
