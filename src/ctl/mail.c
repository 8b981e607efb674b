#include "src/ctl/mail.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/hex.h"
#include <unistd.h>

#define DRAIN_MS      (30 * 60 * 1000)
#define DRAIN_POLL_US 100000
#define RECORD_MAX    KIB(96)

static int attach(struct mail *m, const Directory__Alias *alias, struct str password,
                  Store__AttachResponse **out)
{
    Store__AttachRequest q = STORE__ATTACH_REQUEST__INIT;

    q.mailbox_id = alias->mailbox_id;
    q.password = str_pb(password);
    q.n_key_states = alias->n_key_states;
    q.key_states = alias->key_states;
    q.network = (char *)(uintptr_t) "command line";
    q.limited = alias->quota && alias->quota->limited;
    return service_ask(m->s, ROLE_STORE, STORE__OP__ATTACH, &q.base, &store__attach_response__descriptor,
                       out);
}

static void detach(struct mail *m, struct str session)
{
    Store__SessionRequest q = STORE__SESSION_REQUEST__INIT;

    q.session = str_pb(session);
    if (service_ask(m->s, ROLE_STORE, STORE__OP__DETACH, &q.base, NULL, NULL) < 0)
        return; /* it ends with our connection */
}

int mail_open(struct mail *m, struct service *s, const Directory__Alias *alias, struct str password)
{
    int64_t until = clock_mono_ms() + DRAIN_MS;
    Store__AttachResponse *a = NULL;
    bool drained;
    int r;

    *m = (struct mail){ .s = s };
    if ((r = attach(m, alias, password, &a)) < 0)
        return r;
    memcpy(m->session, a->session.data, sizeof m->session);
    m->open = true;
    drained = a->drained;
    while (!drained && clock_mono_ms() < until) { /* another login is told */
        usleep(DRAIN_POLL_US);
        if ((r = attach(m, alias, password, &a)) < 0)
            return r;
        drained = a->drained;
        detach(m, pb_str(a->session)); /* answers stay: `alias` is one, and others are small */
    }
    return drained ? 0 : E_TIMEOUT;
}

void mail_close(struct mail *m)
{
    if (m->open)
        detach(m, str_of(m->session, sizeof m->session));
    m->open = false;
}

int mail_folders(struct mail *m, struct str name, Store__FoldersResponse **out)
{
    Store__FoldersRequest q = STORE__FOLDERS_REQUEST__INIT;

    q.session = str_pb(str_of(m->session, sizeof m->session));
    q.name = str_pb(name);
    q.counts = true;
    return service_ask(m->s, ROLE_STORE, STORE__OP__FOLDERS, &q.base, &store__folders_response__descriptor,
                       out);
}

int mail_folder_make(struct mail *m, struct str name, Store__FoldersResponse **out)
{
    Store__FolderRequest q = STORE__FOLDER_REQUEST__INIT;
    int r = mail_folders(m, name, out);

    if ((r < 0 && r != E_NOTFOUND) || (r == 0 && (*out)->n_folders && (*out)->folders[0]->id))
        return r;
    q.session = str_pb(str_of(m->session, sizeof m->session));
    q.name = str_pb(name);
    r = service_ask(m->s, ROLE_STORE, STORE__OP__FOLDER_CREATE, &q.base, &store__folders_response__descriptor,
                    out);
    return r < 0 ? r : (*out)->n_folders ? 0 : E_NOTFOUND;
}

/* ---- records (proto/store.proto, "DATA of FETCH") ---- */

void mail_records_init(struct mail_records *r, const struct mail_fetch *f)
{
    *r = (struct mail_records){ .f = f, .pending = { .max = MIB(4) }, .arena = { .max = MIB(8) } };
}

void mail_records_release(struct mail_records *r)
{
    buf_release(&r->pending);
    arena_release(&r->arena);
}

static int record(struct mail_records *r, uint8_t type, struct str payload)
{
    Store__Row *row;
    int e;

    if (type == 2)
        return r->f->data(r->f->ctx, payload);
    if (type != 1 || !(row = RPC_UNPACK(&r->arena, payload, store__row)))
        return E_CORRUPT;
    e = r->f->row(r->f->ctx, row);
    arena_reset(&r->arena);
    return e;
}

int mail_records_feed(void *ctx, struct str bytes)
{
    struct mail_records *r = ctx;
    int e = buf_puts(&r->pending, bytes);

    while (e == 0 && r->pending.n >= 5) {
        const uint8_t *p = (const uint8_t *)r->pending.p;
        uint32_t n = le32_get(p + 1);

        if (n > MIB(2))
            return E_CORRUPT;
        if (r->pending.n < 5 + n)
            break;
        e = record(r, p[0], str_of(p + 5, n));
        buf_drop(&r->pending, 5 + n);
    }
    return e;
}

int mail_fetch(struct mail *m, uint64_t folder_id, const uint32_t *ranges, size_t nranges, uint32_t want,
               const struct mail_fetch *f)
{
    struct mail_records r;
    Store__FetchRequest q = STORE__FETCH_REQUEST__INIT;
    int e;

    mail_records_init(&r, f);
    q.session = str_pb(str_of(m->session, sizeof m->session));
    q.folder_id = folder_id;
    q.uid_ranges = (uint32_t *)(uintptr_t)ranges;
    q.n_uid_ranges = nranges;
    q.want = want;
    e = service_fetch(m->s, ROLE_STORE, STORE__OP__FETCH, &q.base, &store__fetch_response__descriptor, NULL,
                      mail_records_feed, &r);
    mail_records_release(&r);
    return e;
}

int mail_stage_begin(struct mail *m, int64_t (*source)(void *ctx, size_t max, struct buf *out), void *ctx,
                     struct service_call **out)
{
    Store__StageRequest q = STORE__STAGE_REQUEST__INIT;

    q.bytes_max = UINT64_C(1) << 40; /* the store has a limit of its own */
    q.network = (char *)(uintptr_t) "command line";
    return service_begin(m->s, ROLE_STORE, STORE__OP__STAGE, &q.base, source, ctx, out);
}

int mail_annotation_set(struct mail *m, struct str folder, const char *entry, struct str value)
{
    Store__Annotation a = STORE__ANNOTATION__INIT, *list[1] = { &a };
    Store__MetadataSetRequest q = STORE__METADATA_SET_REQUEST__INIT;

    a.entry = str_pb(str_from(entry));
    a.has_value = true;
    a.value = str_pb(value);
    q.session = str_pb(str_of(m->session, sizeof m->session));
    q.name = str_pb(folder);
    q.annotations = list;
    q.n_annotations = 1;
    return service_ask(m->s, ROLE_STORE, STORE__OP__METADATA_SET, &q.base, NULL, NULL);
}
