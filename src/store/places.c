/* src/store/places.c: which places there are, which mailbox has which, and PLACE_SET. */
#include "src/store/places.h"
#include "src/store/store.h"
#include "src/store/target_remote.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
    struct arena arena;
    struct place list[1 + PLACES_MAX];
    size_t n;
    struct placefile *file; /* NULL: unreadable, an alarm was logged: nobody's backups are anywhere */
    struct place lost;      /* what the configuration does not name any more */
} places = { .arena = { .max = KIB(256) }, .lost = { .name = "", .where = "backups", .spool = "" } };

/* ---- opening ------------------------------------------------------------------------------------- */

static int folder_target(const char *path, struct target **out)
{
    char full[TARGET_PATH_MAX];

    snprintf(full, sizeof full, "%s%s", path[0] == '/' ? "" : store.files.prefix, path);
    return target_folder_open(store.files.dir, path, full, out);
}

/* With storage elsewhere the folder is only where a copy is made and checked before it goes there. */
static void target_open(struct place *p, const char *folder, const char *remote)
{
    struct target *t = NULL;
    int r = folder_target(folder, &t);

    p->remote = remote != NULL;
    if (r == 0 && p->remote)
        r = target_remote_open(store.loop, role_link(store.role, ROLE_STORAGE), remote, t, &p->target);
    else if (r == 0)
        p->target = t;
    if (r < 0)
        log_event(LOG_ALARM, "store.backups_not_reachable", F_ERR(r),
                  F_Z("place", p->name)); /* mail goes on */
}

static void default_open(void)
{
    bool remote = store_conf.storage_target[0] != '\0';

    places.list[places.n++] = (struct place){ .name = PLACE_DEFAULT, .where = "backups", .spool = "ship" };
    target_open(&places.list[0],
                remote                     ? "uploads"
                : store_conf.backup_dir[0] ? store_conf.backup_dir
                                           : "backups",
                remote ? "" : NULL);
}

static int further_open(const struct place_row *row)
{
    struct place *p = &places.list[places.n];
    const char *uploads = arena_printf(&places.arena, "uploads-%s", row->name);

    *p = (struct place){ .name = row->name,
                         .where = arena_printf(&places.arena, "backups %s", row->name),
                         .spool = arena_printf(&places.arena, "ship-%s", row->name) };
    if (!uploads || !p->where || !p->spool)
        return E_NOMEM;
    places.n++;
    target_open(p, place_is_folder(row) ? row->target : uploads, place_is_folder(row) ? NULL : row->name);
    return 0;
}

void places_open(void)
{
    struct places rows = { .n = 0 };
    int r = places_parse(role_places(store.role), &places.arena, &rows, NULL);

    default_open();
    for (size_t i = 0; i < rows.n && r == 0; i++)
        r = further_open(&rows.rows[i]);
    if (r < 0)
        log_event(LOG_ALARM, "store.places_not_read", F_ERR(r));
    if ((r = placefile_open(&store.files, &places.file)) < 0)
        log_event(LOG_ALARM, "store.places_not_known", F_ERR(r));
}

void places_stop(void)
{
    for (size_t i = 0; i < places.n; i++)
        if (places.list[i].remote && places.list[i].target)
            target_remote_stop(places.list[i].target);
}

/* ---- asking -------------------------------------------------------------------------------------- */

struct place *places_all(size_t *n_out)
{
    *n_out = places.n;
    return places.list;
}

static struct place *by_name(const char *name)
{
    for (size_t i = 0; i < places.n; i++)
        if (strcmp(places.list[i].name, name) == 0)
            return &places.list[i];
    return &places.lost;
}

struct place *place_of(const uint8_t mailbox[MAILBOX_ID_LEN])
{
    char name[PLACE_NAME_MAX + 1];

    if (!places.file)
        return &places.lost;
    placefile_now(places.file, mailbox, name);
    return by_name(name);
}

struct target *place_target(const uint8_t mailbox[MAILBOX_ID_LEN])
{
    return place_of(mailbox)->target;
}

size_t places_of(const uint8_t mailbox[MAILBOX_ID_LEN], struct place *out[PLACES_EACH_MAX])
{
    struct place_names names = { .n = 0 };

    if (places.file)
        placefile_get(places.file, mailbox, &names);
    for (size_t i = 0; i < names.n; i++)
        out[i] = by_name(names.name[i]);
    if (!names.n)
        out[names.n++] = &places.lost;
    return names.n;
}

int place_new(const uint8_t mailbox[MAILBOX_ID_LEN], struct str name)
{
    const struct place *p;
    char z[PLACE_NAME_MAX + 1];
    int r;

    if (!name.n)
        return 0;
    if (!places.file || name.n > PLACE_NAME_MAX)
        return places.file ? E_NOTFOUND : E_UNAVAIL;
    snprintf(z, sizeof z, "%.*s", STR_ARG(name));
    if ((p = by_name(z)) == &places.lost)
        return E_NOTFOUND;
    return (r = placefile_set(places.file, mailbox, p->name, false)) < 0 ? r : 0;
}

void place_forget(const uint8_t mailbox[MAILBOX_ID_LEN])
{
    if (places.file && placefile_forget(places.file, mailbox) < 0)
        log_event(LOG_WARN, "store.place_stays"); /* a line about nobody */
}

/* ---- PLACE_SET ----------------------------------------------------------------------------------- */

struct setting {
    struct work_job work;
    struct rpc_req *q;
    const Store__PlaceSetRequest *m; /* in the request's arena */
    const struct place *place;
    uint32_t later;
    int status;
};

static bool has_files(const uint8_t mailbox[MAILBOX_ID_LEN])
{
    char path[FILES_PATH_MAX];

    files_path(mailbox, FILES_MAILBOX, path);
    return faccessat(store.files.dir, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void setting_run(struct work_job *w)
{
    struct setting *s = CONTAINER_OF(w, struct setting, work);
    int r = 0;

    for (size_t i = 0; i < s->m->n_mailbox_ids && r >= 0; i++) {
        const uint8_t *id = s->m->mailbox_ids[i].data;
        bool later = has_files(id);

        if (s->m->lost && later)
            continue;
        for (size_t k = 0; k < places.n && s->m->lost && r >= 0; k++)
            r = placefile_set(places.file, id, places.list[k].name, true);
        if (r >= 0)
            r = placefile_set(places.file, id, s->place->name, later);
        s->later += r > 0 && later;
    }
    s->status = r < 0 ? r : 0;
}

static void setting_done(struct work_job *w)
{
    struct setting *s = CONTAINER_OF(w, struct setting, work);
    Store__PlaceSetResponse m = STORE__PLACE_SET_RESPONSE__INIT;

    m.with_next_start = s->later;
    request_reply(s->q, s->status, s->status < 0 ? NULL : &m.base, NULL);
    free(s);
}

int op_place_set(struct rpc_req *q, struct str body)
{
    Store__PlaceSetRequest *m = RPC_UNPACK(rpc_req_arena(q), body, store__place_set_request);
    const struct place *p = m ? by_name(m->place) : NULL;
    struct setting *s;

    for (size_t i = 0; m && i < m->n_mailbox_ids; i++)
        if (m->mailbox_ids[i].len != MAILBOX_ID_LEN)
            return E_SYNTAX;
    if (!m)
        return E_SYNTAX;
    if (p == &places.lost)
        return E_NOTFOUND;
    if (!places.file || store.stopping)
        return E_UNAVAIL;
    if (!(s = calloc(1, sizeof *s)))
        return E_NOMEM;
    *s = (struct setting){ .work = { .run = setting_run, .done = setting_done }, .q = q, .m = m, .place = p };
    request_begin();
    if (work_submit(store.pool, &s->work) < 0) {
        request_reply(q, E_UNAVAIL, NULL, NULL);
        free(s);
    }
    return 0;
}
