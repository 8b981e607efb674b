/* src/store/folder.c: folders by name. Names are UTF-8 with '/' between levels; a parent may be a name
 * only (RFC 9051 6.3.4: "\NonExistent"), which has no row and is found while listing. */
#include "src/store/mailbox_private.h"
#include "src/store/many.h"
#include "src/store/quota.h"

#define FOLDER_COLUMNS                                                                                                    \
    "id, uidvalidity, uidnext, modseq, first_recent_uid, special_use, messages, bytes, vanished_floor, unseen, deleted, " \
    "placed"

static void folder_from_row(struct stmt *st, int at, struct folder *out)
{
    *out = (struct folder){
        .id = stmt_u64(st, at),
        .uidvalidity = (uint32_t)stmt_u64(st, at + 1),
        .uidnext = (uint32_t)stmt_u64(st, at + 2),
        .modseq = stmt_u64(st, at + 3),
        .first_recent = (uint32_t)stmt_u64(st, at + 4),
        .special_use = (int)stmt_i64(st, at + 5),
        .messages = stmt_u64(st, at + 6),
        .bytes = stmt_u64(st, at + 7),
        .vanished_floor = stmt_u64(st, at + 8),
        .unseen = stmt_u64(st, at + 9),
        .deleted = stmt_u64(st, at + 10),
        .placed = (uint32_t)stmt_u64(st, at + 11),
    };
}

int folder_by_name(struct mailbox *box, struct str name, struct folder *out)
{
    static const char sql[] = "SELECT " FOLDER_COLUMNS " FROM folder WHERE name = ?1";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, sql, &st);

    if (r < 0)
        return r;
    stmt_bind_str(st, 1, name);
    if ((r = stmt_step(st)) <= 0)
        return r < 0 ? r : E_NOTFOUND;
    folder_from_row(st, 0, out);
    return 0;
}

int folder_by_id(struct mailbox *box, uint64_t id, struct folder *out)
{
    static const char sql[] = "SELECT " FOLDER_COLUMNS " FROM folder WHERE id = ?1";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, sql, &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, id);
    if ((r = stmt_step(st)) <= 0)
        return r < 0 ? r : E_NOTFOUND;
    folder_from_row(st, 0, out);
    return 0;
}

static void change_note(struct mailbox *box, uint64_t folder_id, uint64_t modseq)
{
    for (size_t i = 0; i < box->nchanges; i++)
        if (box->changes[i].folder_id == folder_id) {
            box->changes[i].modseq = modseq;
            if (memcmp(box->changes[i].by, box->by, sizeof box->by) != 0)
                memset(box->changes[i].by, 0, sizeof box->by);
            return;
        }
    if (box->nchanges < CHANGES_MAX) {
        struct mailbox_change *c = &box->changes[box->nchanges++];

        *c = (struct mailbox_change){ folder_id, modseq };
        memcpy(c->by, box->by, sizeof c->by);
    }
}

int folder_update(struct mailbox *box, const struct folder *f)
{
    static const char sql[] = "UPDATE folder SET uidnext = ?2, modseq = ?3, messages = ?4, bytes = ?5, "
                              "vanished_floor = ?6, unseen = ?7, deleted = ?8, placed = ?9 WHERE id = ?1";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, sql, &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, f->id);
    stmt_bind_u64(st, 2, f->uidnext);
    stmt_bind_u64(st, 3, f->modseq);
    stmt_bind_u64(st, 4, f->messages);
    stmt_bind_u64(st, 5, f->bytes);
    stmt_bind_u64(st, 6, f->vanished_floor);
    stmt_bind_u64(st, 7, f->unseen);
    stmt_bind_u64(st, 8, f->deleted);
    stmt_bind_u64(st, 9, f->placed);
    if ((r = stmt_run(st)) < 0)
        return r;
    box->sums.known = false;
    box->counted = true; /* its modseq is higher */
    change_note(box, f->id, f->modseq);
    return 0;
}

int folder_placed(struct mailbox *box, const struct folder *f)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, "UPDATE folder SET placed = ?2 WHERE id = ?1", &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, f->id);
    stmt_bind_u64(st, 2, f->placed);
    return stmt_run(st);
}

/* ---- names ------------------------------------------------------------------------------------ */

/* Length of the UTF-8 sequence that begins at p (RFC 3629), 0 when it is none. */
static size_t utf8_len(const unsigned char *p, size_t n)
{
    size_t len = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;

    if (len == 0 || len > n)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) ||
        (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return len;
}

static int name_check(struct str name)
{
    size_t levels = 1, len;

    if (name.n == 0 || name.n > MAILBOX_NAME_MAX)
        return name.n ? E_LIMIT : E_SYNTAX;
    if (str_ieq(name, STR("INBOX")) && !str_eq(name, STR("INBOX")))
        return E_SYNTAX;
    for (size_t i = 0; i < name.n; i += len) {
        unsigned char c = (unsigned char)name.p[i];

        if (!(len = utf8_len((const unsigned char *)name.p + i, name.n - i)) || c < 0x20 || c == 0x7f)
            return E_SYNTAX;
        if (c != '/')
            continue;
        if (i == 0 || i + 1 == name.n || name.p[i - 1] == '/')
            return E_SYNTAX;
        levels++;
    }
    return levels > MAILBOX_LEVELS_MAX ? E_LIMIT : 0;
}

static bool is_inbox(struct str name)
{
    return str_eq(name, STR("INBOX"));
}

/* Everything below `name`: names in [name + "/", name + "0"), since '0' follows '/'. Arena; .p NULL
 * when out of memory. */
struct span {
    struct str from, to;
};
static struct span children_span(struct arena *a, struct str name)
{
    struct span s = { STR_NONE, STR_NONE };
    char *p = arena_alloc(a, 2 * (name.n + 1));

    if (!p)
        return s;
    memcpy(p, name.p, name.n);
    p[name.n] = '/';
    memcpy(p + name.n + 1, name.p, name.n);
    p[2 * name.n + 1] = '0';
    s.from = str_of(p, name.n + 1);
    s.to = str_of(p + name.n + 1, name.n + 1);
    return s;
}

/* 1, 0 or E_*. */
static int has_children(struct mailbox *box, struct arena *a, struct str name)
{
    static const char sql[] = "SELECT 1 FROM folder WHERE name >= ?1 AND name < ?2 LIMIT 1";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    struct span s = children_span(a, name);
    int r = s.from.p ? stmt_get(box->db, sql, &st) : E_NOMEM;

    if (r < 0)
        return r;
    stmt_bind_str(st, 1, s.from);
    stmt_bind_str(st, 2, s.to);
    return stmt_step(st);
}

static int is_subscribed(struct mailbox *box, struct str name)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, "SELECT 1 FROM subscription WHERE name = ?1", &st);

    if (r < 0)
        return r;
    stmt_bind_str(st, 1, name);
    return stmt_step(st);
}

/* ---- listing ---------------------------------------------------------------------------------- */

static int fill_counts(struct mailbox *box, const struct folder *f, Store__Folder *out)
{
    CLEANUP(uidset_release) struct uidset recent = { 0 };
    int r = gap_uids(box, f, recent_first(box, f), &recent);

    out->messages = (uint32_t)f->messages;
    out->bytes = f->bytes;
    out->unseen = (uint32_t)f->unseen;
    out->deleted = (uint32_t)f->deleted;
    out->recent = (uint32_t)uidset_count(recent.v, recent.n);
    return r < 0 || !f->deleted ? r : mailbox_quota_deleted(box, f->id, &out->deleted_bytes);
}

static int fill_folder(struct mailbox *box, struct arena *a, const struct folder *f, struct str name,
                       struct str object_id, bool counts, Store__Folder *out)
{
    struct str copy = arena_dup(a, name), oid = object_id_text(a, 'F', object_id);

    if (!copy.p || !oid.p)
        return E_NOMEM;
    store__folder__init(out);
    out->id = f->id;
    out->name = str_pb(copy);
    out->uidvalidity = f->uidvalidity;
    out->uidnext = f->uidnext;
    out->highest_modseq = f->modseq;
    out->special_use = (Store__SpecialUse)f->special_use;
    out->object_id = str_pb(oid);
    return counts ? fill_counts(box, f, out) : 0;
}

static Store__Folder *list_slot(struct arena *a, Store__FoldersResponse *out, size_t *cap)
{
    Store__Folder *f = ARENA_NEW(a, Store__Folder);

    if (!f)
        return NULL;
    if (out->n_folders == *cap) {
        size_t more = *cap ? *cap * 2 : 16;
        Store__Folder **v = ARENA_ARRAY(a, more, Store__Folder *);

        if (!v)
            return NULL;
        if (out->n_folders)
            memcpy(v, out->folders, out->n_folders * sizeof *v);
        out->folders = v;
        *cap = more;
    }
    store__folder__init(f);
    out->folders[out->n_folders++] = f;
    return f;
}

static int list_name_only(struct arena *a, Store__FoldersResponse *out, size_t *cap, struct str name,
                          bool subscribed)
{
    Store__Folder *f = list_slot(a, out, cap);
    struct str copy = arena_dup(a, name);

    if (!f || !copy.p)
        return E_NOMEM;
    f->name = str_pb(copy);
    f->noselect = true;
    f->subscribed = subscribed;
    return 0;
}

/* Parents of `name` as names only; the sort below drops those that are folders. Rows come in name
 * order, so what the row before had as parents is skipped. */
static int list_parents(struct arena *a, Store__FoldersResponse *out, size_t *cap, struct str before,
                        struct str name)
{
    int r = 0;

    for (size_t i = 1; i < name.n && r >= 0; i++)
        if (name.p[i] == '/' && !str_starts(before, str_slice(name, 0, i + 1)))
            r = list_name_only(a, out, cap, str_slice(name, 0, i), false);
    return r;
}

static int list_rows(struct mailbox *box, struct arena *a, bool counts, Store__FoldersResponse *out,
                     size_t *cap)
{
    static const char sql[] = "SELECT name, object_id, " FOLDER_COLUMNS " FROM folder ORDER BY name";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    struct str before = STR("");
    int r = stmt_get(box->db, sql, &st);

    if (r < 0)
        return r;
    while ((r = stmt_step(st)) > 0) {
        struct folder f;
        Store__Folder *slot = list_slot(a, out, cap);

        if (!slot)
            return E_NOMEM;
        folder_from_row(st, 2, &f);
        if ((r = fill_folder(box, a, &f, stmt_str(st, 0), stmt_str(st, 1), counts, slot)) < 0 ||
            (r = list_parents(a, out, cap, before, pb_str(slot->name))) < 0)
            return r;
        before = pb_str(slot->name);
    }
    return r;
}

static int list_subscribed(struct mailbox *box, struct arena *a, Store__FoldersResponse *out, size_t *cap)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, "SELECT name FROM subscription", &st);

    if (r < 0)
        return r;
    while ((r = stmt_step(st)) > 0)
        if ((r = list_name_only(a, out, cap, stmt_str(st, 0), true)) < 0)
            return r;
    return r;
}

/* INBOX first, then by name; of one name the folder itself first. */
static int folder_cmp(const void *x, const void *y)
{
    const Store__Folder *a = *(Store__Folder *const *)x, *b = *(Store__Folder *const *)y;
    struct str an = pb_str(a->name), bn = pb_str(b->name);
    int c = (int)is_inbox(bn) - (int)is_inbox(an);

    if (c == 0 && (c = str_cmp(an, bn)) == 0)
        c = (b->id != 0) - (a->id != 0);
    return c;
}

static void list_join(Store__FoldersResponse *out)
{
    size_t n = 0;

    if (out->n_folders)
        qsort(out->folders, out->n_folders, sizeof *out->folders, folder_cmp);
    for (size_t i = 0; i < out->n_folders; i++) {
        Store__Folder *f = out->folders[i];

        if (n && str_eq(pb_str(out->folders[n - 1]->name), pb_str(f->name)))
            out->folders[n - 1]->subscribed |= f->subscribed;
        else
            out->folders[n++] = f;
    }
    out->n_folders = n;
}

static int list_has_children(struct mailbox *box, struct arena *a, Store__FoldersResponse *out)
{
    for (size_t i = 0; i < out->n_folders; i++) {
        int r = has_children(box, a, pb_str(out->folders[i]->name));

        if (r < 0)
            return r;
        out->folders[i]->has_children = r > 0;
    }
    return 0;
}

static int list_one(struct mailbox *box, struct arena *a, struct str name, bool counts,
                    Store__FoldersResponse *out)
{
    static const char sql[] = "SELECT name, object_id, " FOLDER_COLUMNS " FROM folder WHERE name = ?1";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    size_t cap = 0;
    struct folder f;
    Store__Folder *slot;
    int r = stmt_get(box->db, sql, &st), row, sub, kids;

    if (r < 0)
        return r;
    stmt_bind_str(st, 1, name);
    if ((row = r = stmt_step(st)) < 0 || (sub = r = is_subscribed(box, name)) < 0 ||
        (kids = r = has_children(box, a, name)) < 0)
        return r;
    if (!row) {
        if (!sub && !kids)
            return E_NOTFOUND;
        r = list_name_only(a, out, &cap, name, sub > 0);
    } else {
        if (!(slot = list_slot(a, out, &cap)))
            return E_NOMEM;
        folder_from_row(st, 2, &f);
        r = fill_folder(box, a, &f, stmt_str(st, 0), stmt_str(st, 1), counts, slot);
    }
    if (r < 0)
        return r;
    out->folders[0]->subscribed = sub > 0;
    out->folders[0]->has_children = kids > 0;
    return 0;
}

static int list_by_id(struct mailbox *box, struct arena *a, uint64_t id, bool counts,
                      Store__FoldersResponse *out)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    struct str name;
    int r = stmt_get(box->db, "SELECT name FROM folder WHERE id = ?1", &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, id);
    if ((r = stmt_step(st)) <= 0)
        return r < 0 ? r : E_NOTFOUND;
    name = arena_dup(a, stmt_str(st, 0));
    return name.p ? list_one(box, a, name, counts, out) : E_NOMEM;
}

static int list_annotations(struct mailbox *box, struct arena *a, const Store__FoldersRequest *q,
                            Store__FoldersResponse *out)
{
    int r = 0;

    for (size_t i = 0; i < out->n_folders && r >= 0; i++)
        if (out->folders[i]->id)
            r = metadata_read(box, a, out->folders[i]->id, q->annotations, q->n_annotations, 0,
                              &out->folders[i]->n_annotations, &out->folders[i]->annotations);
    return r;
}

int mailbox_folders(struct mailbox *box, struct arena *a, const Store__FoldersRequest *q,
                    Store__FoldersResponse *out)
{
    size_t cap = 0;
    int r;

    if (q->folder_id)
        return list_by_id(box, a, q->folder_id, q->counts, out);
    if (q->name.len)
        return list_one(box, a, pb_str(q->name), q->counts, out);
    if ((r = list_rows(box, a, q->counts, out, &cap)) < 0 || (r = list_subscribed(box, a, out, &cap)) < 0)
        return r;
    list_join(out);
    if ((r = list_has_children(box, a, out)) < 0)
        return r;
    return q->n_annotations ? list_annotations(box, a, q, out) : 0;
}

/* ---- changes ---------------------------------------------------------------------------------- */

static int next_uidvalidity(struct mailbox *box, uint32_t *out)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, "UPDATE meta SET uidvalidity = uidvalidity + 1 RETURNING uidvalidity", &st);

    if (r < 0 || (r = stmt_step(st)) <= 0)
        return r < 0 ? r : E_CORRUPT;
    *out = (uint32_t)stmt_u64(st, 0);
    return stmt_run(st);
}

static int subscribe(struct mailbox *box, struct str name, bool on)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db,
                     on ? "INSERT OR IGNORE INTO subscription VALUES (?1)"
                        : "DELETE FROM subscription WHERE name = ?1",
                     &st);

    if (r < 0)
        return r;
    stmt_bind_str(st, 1, name);
    return stmt_run(st);
}

int folder_make(struct mailbox *box, struct str name, int special_use, bool sub)
{
    static const char sql[] =
        "INSERT INTO folder (name, object_id, uidvalidity, uidnext, modseq, first_recent_uid, "
        "special_use, messages, bytes, vanished_floor) VALUES (?1, ?2, ?3, 1, 1, 1, ?4, 0, 0, 0)";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    uint8_t object_id[12];
    uint32_t uidvalidity = 0;
    int r;

    if ((r = next_uidvalidity(box, &uidvalidity)) < 0 || (r = stmt_get(box->db, sql, &st)) < 0)
        return r;
    object_id_make(object_id);
    stmt_bind_str(st, 1, name);
    stmt_bind_blob(st, 2, str_of(object_id, sizeof object_id));
    stmt_bind_u64(st, 3, uidvalidity);
    stmt_bind_i64(st, 4, special_use);
    box->sums.known = false;
    if ((r = stmt_run(st)) < 0 ||
        (r = happening_note(box, STORE__NEWS_EVENT__KIND__CREATED, name, STR(""), NULL)) < 0)
        return r;
    return sub ? subscribe(box, name, true) : 0;
}

static int parents_make(struct mailbox *box, struct str name)
{
    struct folder f;

    for (size_t i = 1; i < name.n; i++) {
        int r;

        if (name.p[i] != '/')
            continue;
        r = folder_by_name(box, str_slice(name, 0, i), &f);
        if (r == E_NOTFOUND)
            r = folder_make(box, str_slice(name, 0, i), 0, false);
        if (r < 0)
            return r;
    }
    return 0;
}

static int folders_bound(struct mailbox *box)
{
    int64_t n = 0;
    int r = db_get_i64(box->db, "SELECT count(*) FROM folder", &n);

    if (r < 0)
        return r;
    return n + (int64_t)MAILBOX_LEVELS_MAX > (int64_t)MAILBOX_FOLDERS_MAX ? E_LIMIT : 0;
}

static struct str use_name(int special_use)
{
    static const char *const names[] = {
        [STORE__SPECIAL_USE__USE_ARCHIVE] = "Archive", [STORE__SPECIAL_USE__USE_DRAFTS] = "Drafts",
        [STORE__SPECIAL_USE__USE_JUNK] = "Junk",       [STORE__SPECIAL_USE__USE_SENT] = "Sent",
        [STORE__SPECIAL_USE__USE_TRASH] = "Trash",
    };

    return str_from(special_use > 0 && (size_t)special_use < ARRAY_LEN(names) && names[special_use]
                        ? names[special_use]
                        : "INBOX");
}

/* One of that name without the use is taken for it. A mailbox that is full of folders gives INBOX: mail is not
 * refused for where it would go. */
int folder_by_use(struct mailbox *box, int special_use, struct folder *out)
{
    static const char sql[] =
        "SELECT " FOLDER_COLUMNS " FROM folder WHERE special_use = ?1 ORDER BY id LIMIT 1";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    struct str name = use_name(special_use);
    int r = stmt_get(box->db, sql, &st);

    if (r < 0)
        return r;
    stmt_bind_i64(st, 1, special_use);
    if ((r = stmt_step(st)) < 0)
        return r;
    if (r > 0) {
        folder_from_row(st, 0, out);
        return 0;
    }
    if ((r = folder_by_name(box, name, out)) != E_NOTFOUND)
        return r;
    if ((r = folders_bound(box)) == E_LIMIT)
        return folder_by_name(box, STR("INBOX"), out);
    if (r < 0 || (r = folder_make(box, name, special_use, true)) < 0)
        return r;
    return folder_by_name(box, name, out);
}

int mailbox_folder_create(struct mailbox *box, struct arena *a, const Store__FolderRequest *q,
                          Store__FoldersResponse *out)
{
    struct str name = pb_str(q->name);
    struct folder f;
    int r;

    if ((r = name_check(name)) < 0 || (r = folders_bound(box)) < 0)
        return r;
    if ((r = folder_by_name(box, name, &f)) != E_NOTFOUND)
        return r < 0 ? r : E_EXISTS;
    if ((r = parents_make(box, name)) < 0 || (r = folder_make(box, name, (int)q->special_use, false)) < 0)
        return r;
    return list_one(box, a, name, true, out);
}

/* Its messages first: what is left of it until the last one went is a folder with fewer of them. */
int many_folder_delete(struct mailbox *box, const Store__FolderRequest *q, struct many *m)
{
    static uint32_t all[] = { 1, UINT32_MAX };
    static const struct uidset everything = { .v = all, .n = 2 };
    CLEANUP(uidset_release) struct uidset done = { 0 };
    CLEANUP(stmt_release) struct stmt *st = NULL;
    struct folder f;
    int r;

    if (is_inbox(pb_str(q->name)))
        return E_DENIED;
    r = folder_by_name(box, pb_str(q->name), &f);
    if (m->folder_id && (r == E_NOTFOUND || (r == 0 && f.id != m->folder_id)))
        return 0; /* somebody else was faster */
    if (r < 0 || (r = messages_remove(box, &f, &everything, &done)) < 0)
        return r;
    m->folder_id = f.id;
    if (r > 0)
        return (r = folder_update(box, &f)) < 0 ? r : 1;
    if ((r = stmt_get(box->db, "DELETE FROM folder WHERE id = ?1", &st)) < 0)
        return r;
    stmt_bind_u64(st, 1, f.id);
    box->sums.known = false;
    if ((r = stmt_run(st)) < 0)
        return r;
    change_note(box, f.id, f.modseq + 1);
    if ((r = metadata_drop(box, f.id)) < 0)
        return r;
    return happening_note(box, STORE__NEWS_EVENT__KIND__REMOVED, pb_str(q->name), STR(""), NULL);
}

int mailbox_folder_delete(struct mailbox *box, const Store__FolderRequest *q)
{
    CLEANUP(many_release) struct many m = { 0 };
    int r;

    while ((r = many_folder_delete(box, q, &m)) > 0)
        ;
    return r;
}

/* A folder's row under another name. */
static int name_set(struct mailbox *box, uint64_t id, struct str to)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, "UPDATE folder SET name = ?2 WHERE id = ?1", &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, id);
    stmt_bind_str(st, 2, to);
    return stmt_run(st);
}

/* Rows are collected before they change: an UPDATE under a running SELECT may visit a row twice. */
static int rename_children(struct mailbox *box, struct arena *a, struct str from, struct str to)
{
    static const char sql[] = "SELECT id, name FROM folder WHERE name >= ?1 AND name < ?2 ORDER BY name";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    struct renamed {
        struct renamed *next;
        uint64_t id;
        struct str name;
    } *list = NULL, *one;
    struct span s = children_span(a, from);
    int r = s.from.p ? stmt_get(box->db, sql, &st) : E_NOMEM;

    if (r < 0)
        return r;
    stmt_bind_str(st, 1, s.from);
    stmt_bind_str(st, 2, s.to);
    while ((r = stmt_step(st)) > 0) {
        struct str rest = str_skip(stmt_str(st, 1), from.n);
        char *p = arena_alloc(a, to.n + rest.n);

        if (!p || !(one = ARENA_NEW(a, struct renamed)))
            return E_NOMEM;
        memcpy(p, to.p, to.n);
        memcpy(p + to.n, rest.p, rest.n);
        *one = (struct renamed){ list, stmt_u64(st, 0), str_of(p, to.n + rest.n) };
        list = one;
    }
    for (; list && r >= 0; list = list->next)
        if ((r = name_check(list->name)) == 0)
            r = name_set(box, list->id, list->name);
    return r;
}

/* What is in INBOX goes to the folder that was made, a slice at a time. */
static int inbox_move(struct mailbox *box, const struct folder *inbox, struct many *m)
{
    static uint32_t everything[] = { 1, UINT32_MAX };
    Store__CopyRequest q = STORE__COPY_REQUEST__INIT;

    q.folder_id = inbox->id;
    q.uid_ranges = everything;
    q.n_uid_ranges = 2;
    q.move = true;
    return many_copy(box, &q, m);
}

static int rename_inbox(struct mailbox *box, const struct folder *inbox, struct str to, struct many *m)
{
    struct folder made;
    int r;

    if ((r = folder_make(box, to, 0, false)) < 0 || (r = happening_as_renamed(box, STR("INBOX"))) < 0 ||
        (r = folder_by_name(box, to, &made)) < 0 || (r = metadata_copy(box, inbox->id, made.id)) < 0)
        return r;
    m->folder_id = made.id;
    return inbox_move(box, inbox, m);
}

int many_folder_rename(struct mailbox *box, const Store__RenameRequest *q, struct many *m)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(16) };
    struct str from = pb_str(q->from), to = pb_str(q->to);
    struct folder f, other;
    int r, kids;

    if (m->folder_id)
        return (r = folder_by_name(box, from, &f)) < 0 ? r : inbox_move(box, &f, m);
    if ((r = name_check(to)) < 0 || (r = folders_bound(box)) < 0)
        return r;
    if ((r = folder_by_name(box, to, &other)) != E_NOTFOUND)
        return r < 0 ? r : E_EXISTS;
    if (str_starts(to, from) && to.n > from.n && to.p[from.n] == '/' && !is_inbox(from))
        return E_RANGE; /* into itself */
    r = folder_by_name(box, from, &f);
    if (r < 0 && r != E_NOTFOUND)
        return r;
    if (r == 0 && is_inbox(from))
        return (r = parents_make(box, to)) < 0 ? r : rename_inbox(box, &f, to, m);
    if ((kids = has_children(box, &a, from)) < 0)
        return kids;
    if (r == E_NOTFOUND && !kids)
        return E_NOTFOUND;
    if (r == 0 && (r = name_set(box, f.id, to)) < 0)
        return r;
    if ((r = parents_make(box, to)) < 0 ||
        (r = happening_note(box, STORE__NEWS_EVENT__KIND__RENAMED, to, from, NULL)) < 0)
        return r;
    return kids ? rename_children(box, &a, from, to) : 0;
}

int mailbox_folder_rename(struct mailbox *box, const Store__RenameRequest *q)
{
    CLEANUP(many_release) struct many m = { 0 };
    int r;

    while ((r = many_folder_rename(box, q, &m)) > 0)
        ;
    return r;
}

int mailbox_subscribe(struct mailbox *box, const Store__SubscribeRequest *q)
{
    int r = name_check(pb_str(q->name));

    if (r < 0 || (r = subscribe(box, pb_str(q->name), q->subscribed)) < 0)
        return r;
    return happening_note(box, STORE__NEWS_EVENT__KIND__SUBSCRIBED, pb_str(q->name), STR(""), NULL);
}
