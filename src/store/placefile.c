#include "src/store/placefile.h"
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "lib/base/hex.h"
#include "lib/base/idmap.h"
#include <pthread.h>
#include <stdio.h>

#define PATH     "places"
#define HEX_LEN  (2 * MAILBOX_ID_LEN)
#define FILE_MAX MIB(256)

struct entry {
    struct entry *next; /* of the same hash */
    uint8_t mailbox[MAILBOX_ID_LEN];
    struct place_names names;     /* as the file has them */
    char now[PLACE_NAME_MAX + 1]; /* one of them: the first at the start of this run */
};

struct placefile {
    const struct files *files;
    pthread_mutex_t lock;
    struct idmap entries;
};

static uint64_t hash(const uint8_t mailbox[MAILBOX_ID_LEN])
{
    uint64_t h = le64_get(mailbox);

    return h ? h : 1;
}

/* Under the lock. */
static struct entry *find(const struct placefile *p, const uint8_t mailbox[MAILBOX_ID_LEN])
{
    struct entry *e = idmap_get(&p->entries, hash(mailbox));

    while (e && memcmp(e->mailbox, mailbox, MAILBOX_ID_LEN) != 0)
        e = e->next;
    return e;
}

static struct entry *make(struct placefile *p, const uint8_t mailbox[MAILBOX_ID_LEN])
{
    struct entry *e = find(p, mailbox);

    if (e || !(e = calloc(1, sizeof *e)))
        return e;
    memcpy(e->mailbox, mailbox, MAILBOX_ID_LEN);
    e->next = idmap_get(&p->entries, hash(mailbox));
    if (idmap_put(&p->entries, hash(mailbox), e) < 0) {
        free(e);
        return NULL;
    }
    return e;
}

static void drop(struct placefile *p, struct entry *e)
{
    uint64_t h = hash(e->mailbox);
    struct entry *head = idmap_take(&p->entries, h), **at = &head;

    while (*at != e)
        at = &(*at)->next;
    *at = e->next;
    free(e);
    if (head && idmap_put(&p->entries, h, head) < 0)
        return; /* cannot be: it was there, and nothing grew */
}

/* ---- the file ---- */

static int line_take(struct placefile *p, struct str line)
{
    uint8_t mailbox[MAILBOX_ID_LEN];
    struct str name;
    struct entry *e;

    if (line.n < HEX_LEN + 2 || line.p[HEX_LEN] != ' ' ||
        !hex_decode(str_slice(line, 0, HEX_LEN), mailbox, MAILBOX_ID_LEN))
        return E_CORRUPT;
    if (!(e = make(p, mailbox)))
        return E_NOMEM;
    e->names.n = 0;
    for (line = str_skip(line, HEX_LEN + 1); line.n && e->names.n < PLACES_EACH_MAX;) {
        str_cut(line, ' ', &name, &line);
        if (name.n == 0 || name.n > PLACE_NAME_MAX)
            return E_CORRUPT;
        snprintf(e->names.name[e->names.n++], PLACE_NAME_MAX + 1, "%.*s", STR_ARG(name));
    }
    memcpy(e->now, e->names.name[0], sizeof e->now);
    return e->names.n ? 0 : E_CORRUPT;
}

int placefile_open(const struct files *f, struct placefile **out)
{
    CLEANUP(buf_release) struct buf text = { .max = FILE_MAX };
    struct placefile *p = calloc(1, sizeof *p);
    struct str rest, line;
    bool more = true;
    int r;

    if (!p)
        return E_NOMEM;
    p->files = f;
    pthread_mutex_init(&p->lock, NULL);
    if ((r = file_read(f->dir, PATH, &text)) == E_NOTFOUND)
        r = 0;
    for (rest = buf_str(&text); r == 0 && more;) {
        more = str_cut(rest, '\n', &line, &rest);
        if (line.n)
            r = line_take(p, line);
    }
    if (r < 0)
        placefile_free(&p);
    else
        *out = p;
    return r;
}

void placefile_free(struct placefile **pp)
{
    struct placefile *p = *pp;
    uint64_t id;

    *pp = NULL;
    if (!p)
        return;
    for (struct entry *e, *next; (e = idmap_any(&p->entries, &id)) != NULL;) {
        idmap_take(&p->entries, id);
        for (; e; e = next) {
            next = e->next;
            free(e);
        }
    }
    idmap_release(&p->entries);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

/* Under the lock. */
static int save(struct placefile *p)
{
    CLEANUP(buf_release) struct buf text = { .max = FILE_MAX };
    char hex[HEX_LEN + 1];
    size_t n = 0;
    uint64_t *ids = idmap_ids(&p->entries, &n);
    int r = n && !ids ? E_NOMEM : 0;

    for (size_t i = 0; i < n && r == 0; i++)
        for (const struct entry *e = idmap_get(&p->entries, ids[i]); e && r == 0; e = e->next) {
            hex_encode(e->mailbox, MAILBOX_ID_LEN, hex);
            r = buf_putz(&text, hex);
            for (size_t k = 0; k < e->names.n && r == 0; k++)
                r = buf_printf(&text, " %s", e->names.name[k]);
            r = r < 0 ? r : buf_putz(&text, "\n");
        }
    free(ids);
    return r < 0 ? r : file_replace(p->files->dir, PATH, buf_str(&text));
}

/* ---- asking and telling ---- */

static const struct place_names nowhere_else = { .name = { PLACE_DEFAULT }, .n = 1 };

/* To the front; the others behind it in their order, each once. */
static int names_lead(struct place_names *n, const char *name)
{
    struct place_names was = *n;

    snprintf(n->name[0], sizeof n->name[0], "%s", name);
    n->n = 1;
    for (size_t i = 0; i < was.n; i++)
        if (strcmp(was.name[i], name) != 0) {
            if (n->n == PLACES_EACH_MAX)
                return E_LIMIT; /* backups somewhere would be forgotten */
            memcpy(n->name[n->n++], was.name[i], sizeof n->name[0]);
        }
    return 0;
}

void placefile_get(struct placefile *p, const uint8_t mailbox[MAILBOX_ID_LEN], struct place_names *out)
{
    const struct entry *e;

    pthread_mutex_lock(&p->lock);
    e = find(p, mailbox);
    *out = e ? e->names : nowhere_else;
    if (e && names_lead(out, e->now) < 0)
        *out = e->names; /* cannot be: it is one of them */
    pthread_mutex_unlock(&p->lock);
}

void placefile_now(struct placefile *p, const uint8_t mailbox[MAILBOX_ID_LEN], char out[PLACE_NAME_MAX + 1])
{
    const struct entry *e;

    pthread_mutex_lock(&p->lock);
    e = find(p, mailbox);
    memcpy(out, e ? e->now : nowhere_else.name[0], PLACE_NAME_MAX + 1);
    pthread_mutex_unlock(&p->lock);
}

/* Under the lock. */
static int set(struct placefile *p, const uint8_t mailbox[MAILBOX_ID_LEN], const char *name, bool later)
{
    struct entry *e = find(p, mailbox), was;
    bool fresh = !e;
    int r;

    if (strcmp(e ? e->names.name[0] : nowhere_else.name[0], name) == 0 &&
        (later || !e || strcmp(e->now, name) == 0))
        return 0;
    if (!e && !(e = make(p, mailbox)))
        return E_NOMEM;
    if (fresh && later)
        *e = (struct entry){ .next = e->next, .names = nowhere_else, .now = PLACE_DEFAULT };
    memcpy(e->mailbox, mailbox, MAILBOX_ID_LEN);
    was = *e;
    if ((r = names_lead(&e->names, name)) == 0) {
        if (!later)
            memcpy(e->now, e->names.name[0], sizeof e->now);
        r = save(p);
    }
    if (r < 0 && fresh)
        drop(p, e);
    else if (r < 0)
        *e = was;
    return r < 0 ? r : 1;
}

int placefile_set(struct placefile *p, const uint8_t mailbox[MAILBOX_ID_LEN], const char *name, bool later)
{
    int r;

    pthread_mutex_lock(&p->lock);
    r = set(p, mailbox, name, later);
    pthread_mutex_unlock(&p->lock);
    return r;
}

int placefile_forget(struct placefile *p, const uint8_t mailbox[MAILBOX_ID_LEN])
{
    struct entry *e;
    int r = 0;

    pthread_mutex_lock(&p->lock);
    if ((e = find(p, mailbox)) != NULL) {
        drop(p, e);
        r = save(p);
    }
    pthread_mutex_unlock(&p->lock);
    return r;
}
