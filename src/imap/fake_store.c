#include "src/imap/fake_store.h"
#include "lib/base/hex.h"
#include "lib/mime/structure.h"
#include "src/imap/imap.h"
#include <assert.h>
#include <sys/socket.h>

static const char session_id[16] = "sixteen bytes!!";
#define REPLY(q, m) rpc_reply((q), 0, &(m).base, NULL)

static struct fake_store *fake_of(struct rpc_req *q)
{
    return rpc_req_ctx(q);
}

static int op_resolve(struct rpc_req *q, struct str body)
{
    Directory__ResolveRequest *in = RPC_UNPACK(rpc_req_arena(q), body, directory__resolve_request);
    Directory__ResolveResponse m = DIRECTORY__RESOLVE_RESPONSE__INIT;

    m.result = str_eq_z(pb_str(in->address), "joe@example.test")
                   ? DIRECTORY__RESOLVE_RESPONSE__RESULT__OK
                   : DIRECTORY__RESOLVE_RESPONSE__RESULT__NO_ALIAS;
    m.mailbox_id = str_pb(STR("twelve bytes"));
    REPLY(q, m);
    return 0;
}

static int attach(struct rpc_req *q)
{
    Store__AttachResponse m = STORE__ATTACH_RESPONSE__INIT;

    m.session = str_pb(str_of(session_id, 16));
    m.ticket = str_pb(STR("ticket"));
    fake_of(q)->peer = rpc_req_peer(q);
    REPLY(q, m);
    return 0;
}

static int op_attach(struct rpc_req *q, struct str body)
{
    Store__AttachRequest *in = RPC_UNPACK(rpc_req_arena(q), body, store__attach_request);

    fake_of(q)->attaches++;
    return str_eq_z(pb_str(in->password), "right") ? attach(q) : E_AUTH;
}

static int op_reattach(struct rpc_req *q, struct str body UNUSED)
{
    int r = fake_of(q)->refuse_reattach;

    fake_of(q)->reattaches++;
    fake_of(q)->refuse_reattach = 0;
    return r < 0 ? r : attach(q);
}

static int op_empty(struct rpc_req *q, struct str body UNUSED)
{
    Store__Empty m = STORE__EMPTY__INIT;

    REPLY(q, m);
    return 0;
}

static int op_select(struct rpc_req *q, struct str body)
{
    struct fake_store *f = fake_of(q);
    Store__SelectRequest *in = RPC_UNPACK(rpc_req_arena(q), body, store__select_request);
    Store__SelectResponse m = STORE__SELECT_RESPONSE__INIT;
    Store__Folder folder = STORE__FOLDER__INIT;
    uint32_t ranges[40];
    size_t n = 0;

    if (!str_eq_z(pb_str(in->name), "INBOX"))
        return E_NOTFOUND;
    folder.id = 7;
    folder.name = in->name;
    folder.uidvalidity = 99;
    folder.uidnext = f->uidnext;
    folder.object_id = str_pb(STR("F1"));
    folder.highest_modseq = f->modseq;
    for (size_t i = 0; i < f->n; i++)
        if (!f->messages[i].gone_at)
            ranges[n++] = f->messages[i].uid, ranges[n++] = f->messages[i].uid;
    m.folder = &folder;
    m.n_uid_ranges = n;
    m.uid_ranges = ranges;
    REPLY(q, m);
    return 0;
}

static int op_create(struct rpc_req *q, struct str body)
{
    Store__FolderRequest *in = RPC_UNPACK(rpc_req_arena(q), body, store__folder_request);
    Store__FoldersResponse m = STORE__FOLDERS_RESPONSE__INIT;
    Store__Folder folder = STORE__FOLDER__INIT, *one = &folder;

    folder.id = 50;
    folder.name = in->name;
    folder.object_id = str_pb(STR("F1"));
    m.folders = &one;
    m.n_folders = 1;
    REPLY(q, m);
    return 0;
}

static int op_watch(struct rpc_req *q, struct str body)
{
    Store__WatchRequest *in = RPC_UNPACK(rpc_req_arena(q), body, store__watch_request);

    fake_of(q)->watch = in->watch;
    rpc_reply(q, 0, NULL, NULL);
    return 0;
}

static int op_folders(struct rpc_req *q, struct str body)
{
    static const struct {
        const char *name;
        Store__SpecialUse use;
        bool subscribed, children;
    } all[] = { { "INBOX", 0, true, false },
                { "Sent", STORE__SPECIAL_USE__USE_SENT, false, false },
                { "a", 0, false, true },
                { "a/b", 0, true, false },
                { "\xc3\xa9", 0, true, false } };
    struct fake_store *f = fake_of(q);
    Store__FoldersRequest *in = RPC_UNPACK(rpc_req_arena(q), body, store__folders_request);
    Store__FoldersResponse m = STORE__FOLDERS_RESPONSE__INIT;
    Store__Folder folders[ARRAY_LEN(all)], *v[ARRAY_LEN(all)];

    if (f->refuse_folders)
        return E_LIMIT;
    m.folders = v;
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        if ((in->name.len && !str_eq_z(pb_str(in->name), all[i].name)) ||
            (in->folder_id && in->folder_id != i + 7))
            continue;
        store__folder__init(&folders[i]);
        folders[i].id = i + 7;
        folders[i].name = str_pb(str_from(all[i].name));
        folders[i].special_use = all[i].use;
        folders[i].subscribed = all[i].subscribed;
        folders[i].has_children = all[i].children;
        folders[i].uidnext = f->uidnext;
        folders[i].messages = i ? f->elsewhere : 3;
        folders[i].highest_modseq = f->modseq;
        v[m.n_folders++] = &folders[i];
    }
    REPLY(q, m);
    return 0;
}

/* ---- records ---- */

static void put_record(struct buf *out, uint8_t type, struct str s)
{
    uint8_t head[5] = { type };

    le32_put(head + 1, (uint32_t)s.n);
    assert(buf_append(out, head, 5) == 0 && buf_puts(out, s) == 0);
}

static size_t header_bytes(const struct fake_message *msg)
{
    const char *blank = memmem(msg->bytes, msg->n, "\r\n\r\n", 4);

    return blank ? (size_t)(blank - msg->bytes) + 4 : msg->n;
}

static void put_row(struct buf *out, const struct fake_message *msg, uint32_t want, uint64_t data)
{
    struct arena a = { .max = MIB(16) };
    struct buf b = { .max = MIB(2) }, packed = { .max = MIB(2) };
    Store__Row row = STORE__ROW__INIT;
    char *keyword = (char *)(uintptr_t)msg->keyword;

    row.uid = msg->uid;
    row.flags = msg->flags;
    row.modseq = msg->modseq;
    row.n_keywords = keyword[0] ? 1 : 0;
    row.keywords = &keyword;
    row.data_bytes = data;
    if (want & STORE__WANT__META) {
        row.bytes = msg->n;
        row.header_bytes = header_bytes(msg);
        row.internal_date_ms = 837596665000;
        row.email_id = str_pb(STR("M1"));
    }
    if (want & STORE__WANT__STRUCTURE) {
        assert(mime_structure_pack(mime_scan_all(&a, str_of(msg->bytes, msg->n)), &a, &packed) == 0);
        row.structure = str_pb(buf_str(&packed));
    }
    b.n = store__row__pack(&row, buf_reserve(&b, store__row__get_packed_size(&row)));
    put_record(out, 1, buf_str(&b));
    buf_release(&b);
    buf_release(&packed);
    arena_release(&a);
}

static bool in_ranges(const uint32_t *v, size_t n, uint32_t uid)
{
    for (size_t i = 0; i + 1 < n; i += 2)
        if (uid >= v[i] && uid <= v[i + 1])
            return true;
    return false;
}

struct stream {
    struct rpc_req *q;
    struct buf out;
    size_t at;
    uint64_t before, after; /* modseq */
};

static void die_soon(struct timer *t);
static struct fake_store *dying; /* timers carry no context */

static void stream_more(void *ctx)
{
    struct stream *s = ctx;
    struct fake_store *f = fake_of(s->q);
    Store__FetchResponse m = STORE__FETCH_RESPONSE__INIT;
    static struct timer death;

    while (s->at < s->out.n && rpc_req_room(s->q) > 0) {
        size_t n = size_min(s->out.n - s->at, 10007);

        assert(rpc_req_send(s->q, str_of(s->out.p + s->at, n)) == 0);
        s->at += n;
        if (f->die_after && s->at > f->die_after) {
            f->die_after = 0;
            dying = f;
            death = (struct timer){ 0 };
            assert(timer_init(&death, f->loop, die_soon) == 0);
            timer_set(&death, 0);
            rpc_req_on_room(s->q, NULL, NULL);
            return;
        }
    }
    if (s->at < s->out.n)
        return;
    rpc_req_on_room(s->q, NULL, NULL);
    m.first_modseq = s->before;
    m.highest_modseq = s->after;
    REPLY(s->q, m);
    buf_release(&s->out);
    free(s);
}

static void stream_cancel(void *ctx)
{
    struct stream *s = ctx;

    rpc_reply(s->q, E_CANCELED, NULL, NULL);
    buf_release(&s->out);
    free(s);
}

static int op_fetch(struct rpc_req *q, struct str body)
{
    struct fake_store *f = fake_of(q);
    Store__FetchRequest *in = RPC_UNPACK(rpc_req_arena(q), body, store__fetch_request);
    struct stream *s = calloc(1, sizeof *s);
    uint64_t first = in->first_offset;

    *s = (struct stream){ .q = q, .out.max = MIB(200), .before = f->modseq };
    for (size_t i = 0; i < f->n; i++) {
        struct fake_message *msg = &f->messages[i];
        struct str data = STR("");

        if (msg->gone_at || !in_ranges(in->uid_ranges, in->n_uid_ranges, msg->uid))
            continue;
        if (in->set_seen && !(msg->flags & 8)) {
            msg->flags |= 8;
            msg->modseq = ++f->modseq;
        }
        if (in->want & STORE__WANT__HEADER)
            data = str_of(msg->bytes,
                          (size_t)((char *)memmem(msg->bytes, msg->n, "\r\n\r\n", 4) + 4 - msg->bytes));
        if (in->want & STORE__WANT__BODY) {
            data = str_skip(str_of(msg->bytes, msg->n), in->offset);
            data.n = in->length && in->length < data.n ? in->length : data.n;
            data = str_skip(data, first);
            first = 0;
        }
        put_row(&s->out, msg, in->want, data.n);
        for (size_t at = 0; at < data.n; at += 60000)
            put_record(&s->out, 2, str_slice(data, at, at + 60000));
    }
    s->after = f->modseq;
    rpc_req_on_cancel(q, stream_cancel, s);
    rpc_req_on_room(q, stream_more, s);
    stream_more(s);
    return 0;
}

static int op_flag_store(struct rpc_req *q, struct str body)
{
    struct fake_store *f = fake_of(q);
    Store__FlagStoreRequest *in = RPC_UNPACK(rpc_req_arena(q), body, store__flag_store_request);
    Store__FlagStoreResponse m = STORE__FLAG_STORE_RESPONSE__INIT;
    struct buf out = { .max = MIB(1) };

    m.first_modseq = f->modseq++;
    for (size_t i = 0; i < f->n; i++) {
        struct fake_message *msg = &f->messages[i];

        if (msg->gone_at || !in_ranges(in->uid_ranges, in->n_uid_ranges, msg->uid))
            continue;
        msg->flags = in->mode == STORE__FLAG_STORE_REQUEST__MODE__SET   ? in->flags
                     : in->mode == STORE__FLAG_STORE_REQUEST__MODE__ADD ? msg->flags | in->flags
                                                                        : msg->flags & ~in->flags;
        if (in->n_keywords)
            snprintf(msg->keyword, sizeof msg->keyword, "%s", in->keywords[0]);
        msg->modseq = f->modseq;
        put_row(&out, msg, 0, 0);
    }
    m.highest_modseq = f->modseq;
    assert(rpc_req_send(q, buf_str(&out)) == 0);
    buf_release(&out);
    REPLY(q, m);
    return 0;
}

static size_t expunge(struct fake_store *f, const uint32_t *v, size_t n, bool all, uint32_t *gone)
{
    size_t k = 0;

    f->modseq++;
    for (size_t i = 0; i < f->n; i++) {
        struct fake_message *msg = &f->messages[i];

        if (msg->gone_at || (n && !in_ranges(v, n, msg->uid)) || (!all && !(msg->flags & 4)))
            continue;
        msg->gone_at = f->modseq;
        gone[k++] = msg->uid;
        gone[k++] = msg->uid;
    }
    return k;
}

static int op_expunge(struct rpc_req *q, struct str body)
{
    struct fake_store *f = fake_of(q);
    Store__ExpungeRequest *in = RPC_UNPACK(rpc_req_arena(q), body, store__expunge_request);
    Store__ExpungeResponse m = STORE__EXPUNGE_RESPONSE__INIT;
    uint32_t gone[40];

    m.n_vanished_ranges = expunge(f, in->uid_ranges, in->n_uid_ranges, false, gone);
    m.vanished_ranges = gone;
    m.highest_modseq = f->modseq;
    REPLY(q, m);
    return 0;
}

static int op_copy(struct rpc_req *q, struct str body)
{
    struct fake_store *f = fake_of(q);
    Store__CopyRequest *in = RPC_UNPACK(rpc_req_arena(q), body, store__copy_request);
    Store__CopyResponse m = STORE__COPY_RESPONSE__INIT;
    uint32_t gone[40], to[2] = { 500, 501 };

    if (f->fail_copy)
        return f->fail_copy;
    if (!str_eq_z(pb_str(in->to), "Sent"))
        return E_NOTFOUND;
    m.uidvalidity = 12;
    m.from_ranges = in->uid_ranges;
    m.n_from_ranges = in->n_uid_ranges;
    m.to_ranges = to;
    m.n_to_ranges = 2;
    if (in->move)
        expunge(f, in->uid_ranges, in->n_uid_ranges, true, gone);
    m.highest_modseq = f->modseq;
    REPLY(q, m);
    return 0;
}

static void show_key(struct buf *b, const Store__SearchKey *k)
{
    int r = buf_printf(b, "(%u", (unsigned)k->type);

    if (r == 0 && k->number)
        r = buf_printf(b, " %lld", (long long)k->number);
    if (r == 0 && k->name.len)
        r = buf_printf(b, " %.*s:", STR_ARG(pb_str(k->name)));
    if (r == 0 && k->text.len)
        r = buf_printf(b, " %.*s", STR_ARG(pb_str(k->text)));
    for (size_t i = 0; i < k->n_uid_ranges && r == 0; i++)
        r = buf_printf(b, " %u", k->uid_ranges[i]);
    for (size_t i = 0; i < k->n_children; i++)
        show_key(b, k->children[i]);
    if (r == 0)
        r = buf_putc(b, ')');
    assert(r == 0 || r == E_LIMIT);
}

/* All that there are. */
static void reply_found(struct fake_store *f, struct rpc_req *q)
{
    Store__SearchResponse m = STORE__SEARCH_RESPONSE__INIT;
    uint32_t found[40];

    m.uid_ranges = found;
    for (size_t i = 0; i < f->n; i++)
        if (!f->messages[i].gone_at)
            found[m.n_uid_ranges++] = f->messages[i].uid, found[m.n_uid_ranges++] = f->messages[i].uid;
    REPLY(q, m);
}

static int op_search(struct rpc_req *q, struct str body)
{
    struct fake_store *f = fake_of(q);
    Store__SearchRequest *in = RPC_UNPACK(rpc_req_arena(q), body, store__search_request);

    buf_clear(&f->search);
    show_key(&f->search, in->key);
    if (f->hold)
        f->held = q;
    else
        reply_found(f, q);
    return 0;
}

/* The newest first, whatever is asked for. */
static int op_sort(struct rpc_req *q, struct str body UNUSED)
{
    struct fake_store *f = fake_of(q);
    Store__SearchResponse m = STORE__SEARCH_RESPONSE__INIT;
    uint8_t v[4 * ARRAY_LEN(f->messages)];
    size_t n = 0;

    for (size_t i = f->n; i-- > 0;)
        if (!f->messages[i].gone_at) {
            le32_put(v + n, f->messages[i].uid);
            n += 4;
        }
    if (n && rpc_req_send(q, str_of(v, n)) < 0)
        return E_LIMIT;
    REPLY(q, m);
    return 0;
}

void fake_let_go(struct fake_store *f)
{
    struct rpc_req *q = f->held;

    f->held = NULL;
    reply_found(f, q);
}

static int op_sync(struct rpc_req *q, struct str body)
{
    struct fake_store *f = fake_of(q);
    Store__SyncRequest *in = RPC_UNPACK(rpc_req_arena(q), body, store__sync_request);
    Store__SyncResponse m = STORE__SYNC_RESPONSE__INIT;
    Store__Row rows[20], *v[20];
    uint32_t gone[40], added[40];
    char *keyword;

    m.changed = v;
    m.vanished_ranges = gone;
    m.added_ranges = added;
    for (size_t i = 0; i < f->n; i++) {
        struct fake_message *msg = &f->messages[i];

        if (msg->gone_at > in->since_modseq) {
            gone[m.n_vanished_ranges++] = msg->uid, gone[m.n_vanished_ranges++] = msg->uid;
        } else if (msg->gone_at) {
            continue;
        } else if (f->added_at[i] > in->since_modseq) {
            added[m.n_added_ranges++] = msg->uid, added[m.n_added_ranges++] = msg->uid;
        } else if (msg->modseq > in->since_modseq) {
            store__row__init(&rows[m.n_changed]);
            rows[m.n_changed].uid = msg->uid;
            rows[m.n_changed].flags = msg->flags;
            rows[m.n_changed].modseq = msg->modseq;
            keyword = msg->keyword;
            rows[m.n_changed].n_keywords = keyword[0] ? 1 : 0;
            rows[m.n_changed].keywords = &keyword;
            v[m.n_changed] = &rows[m.n_changed];
            m.n_changed++;
        }
    }
    m.highest_modseq = f->modseq;
    REPLY(q, m);
    return 0;
}

/* What is staged is named by its number: uploads come one after the other. */
static struct buf *staging(struct fake_store *f, struct str name)
{
    assert(name.n == 16);
    return &f->staged[(unsigned char)name.p[0] % ARRAY_LEN(f->staged)];
}

static void stage_data(void *ctx, struct str data, bool end)
{
    struct rpc_req *q = ctx;
    Store__StageResponse m = STORE__STAGE_RESPONSE__INIT;
    struct fake_store *f = fake_of(q);
    char name[17] = " taging-16-bytes";

    name[0] = (char)(f->nstaged % ARRAY_LEN(f->staged));
    assert(buf_puts(staging(f, str_of(name, 16)), data) == 0);
    rpc_req_consumed(q, data.n);
    if (!end)
        return;
    m.staging = str_pb(str_of(name, 16));
    m.bytes = staging(f, str_of(name, 16))->n;
    REPLY(q, m);
}

static void stage_cancel(void *ctx)
{
    rpc_reply(ctx, E_CANCELED, NULL, NULL);
}

static int op_stage(struct rpc_req *q, struct str body UNUSED)
{
    struct fake_store *f = fake_of(q);
    struct buf *b = &f->staged[++f->nstaged % ARRAY_LEN(f->staged)];

    buf_clear(b);
    b->max = MIB(60);
    rpc_req_on_cancel(q, stage_cancel, q);
    rpc_req_on_data(q, stage_data, q);
    return 0;
}

static int op_append(struct rpc_req *q, struct str body)
{
    struct fake_store *f = fake_of(q);
    Store__AppendRequest *in = RPC_UNPACK(rpc_req_arena(q), body, store__append_request);
    Store__AppendResponse m = STORE__APPEND_RESPONSE__INIT;
    uint32_t uid[2] = { in->replaces_uid, in->replaces_uid }, gone[40];
    struct buf *b = staging(f, pb_str(in->staging));

    if (!str_eq_z(pb_str(in->to), "INBOX"))
        return E_NOTFOUND;
    if (f->n + 1 + in->n_more > ARRAY_LEN(f->messages))
        return E_QUOTA;
    if (in->replaces_uid && !expunge(f, uid, 2, true, gone))
        return E_RANGE;
    m.replaced_modseq = f->modseq;
    m.uid = f->uidnext;
    fake_add(f, b->p, b->n, in->flags);
    for (size_t i = 0; i < in->n_more; i++) {
        b = staging(f, pb_str(in->more[i]->staging));
        fake_add(f, b->p, b->n, in->more[i]->flags);
    }
    m.uidvalidity = 99;
    m.folder_id = 7;
    REPLY(q, m);
    return 0;
}

static const struct rpc_op store_ops[] = {
    [STORE__OP__ATTACH] = { .run = op_attach, .from = FROM(IMAP) },
    [STORE__OP__REATTACH] = { .run = op_reattach, .from = FROM(IMAP) },
    [STORE__OP__DETACH] = { .run = op_empty, .from = FROM(IMAP) },
    [STORE__OP__FOLDERS] = { .run = op_folders, .from = FROM(IMAP) },
    [STORE__OP__FOLDER_CREATE] = { .run = op_create, .from = FROM(IMAP) },
    [STORE__OP__FOLDER_DELETE] = { .run = op_empty, .from = FROM(IMAP) },
    [STORE__OP__FOLDER_RENAME] = { .run = op_empty, .from = FROM(IMAP) },
    [STORE__OP__WATCH] = { .run = op_watch, .from = FROM(IMAP) },
    [STORE__OP__SUBSCRIBE] = { .run = op_empty, .from = FROM(IMAP) },
    [STORE__OP__SELECT] = { .run = op_select, .from = FROM(IMAP) },
    [STORE__OP__UNSELECT] = { .run = op_empty, .from = FROM(IMAP) },
    [STORE__OP__SYNC] = { .run = op_sync, .from = FROM(IMAP) },
    [STORE__OP__FETCH] = { .run = op_fetch, .from = FROM(IMAP), .flags = RPC_DOWN },
    [STORE__OP__FLAG_STORE] = { .run = op_flag_store, .from = FROM(IMAP), .flags = RPC_DOWN },
    [STORE__OP__COPY] = { .run = op_copy, .from = FROM(IMAP) },
    [STORE__OP__EXPUNGE] = { .run = op_expunge, .from = FROM(IMAP) },
    [STORE__OP__SORT] = { .run = op_sort, .from = FROM(IMAP), .flags = RPC_DOWN },
    [STORE__OP__SEARCH] = { .run = op_search, .from = FROM(IMAP) },
    [STORE__OP__STAGE] = { .run = op_stage, .from = FROM(IMAP), .flags = RPC_UP },
    [STORE__OP__UNSTAGE] = { .run = op_empty, .from = FROM(IMAP) },
    [STORE__OP__APPEND] = { .run = op_append, .from = FROM(IMAP) },
};
static const struct rpc_op directory_ops[] = {
    [DIRECTORY__OP__RESOLVE] = { .run = op_resolve, .from = FROM(IMAP) },
};
static const struct rpc_service store_service = { .name = "store",
                                                  .ops = store_ops,
                                                  .nops = ARRAY_LEN(store_ops) };
static const struct rpc_service directory_service = { .name = "directory",
                                                      .ops = directory_ops,
                                                      .nops = ARRAY_LEN(directory_ops) };

/* ---- life ---- */

static void up(void *ctx, struct rpc_link *l)
{
    imap_link_up(ctx, l);
}

static void down(void *ctx, struct rpc_link *l)
{
    imap_link_down(ctx, l);
}

static void event(void *ctx, struct rpc_link *l, uint32_t e, struct str body)
{
    imap_link_event(ctx, l, e, body);
}

static const struct rpc_link_ops link_ops = { .on_up = up, .on_down = down, .on_event = event };

static void pair(struct rpc_server *s, struct rpc_link *l)
{
    int sv[2];

    assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == 0);
    assert(rpc_server_add(s, sv[0], ROLE_IMAP, 0) == 0 && rpc_link_connect(l, sv[1]) == 0);
}

void fake_start(struct fake_store *f, struct loop *l, struct imap_server *imap)
{
    *f = (struct fake_store){ .loop = l, .imap = imap, .uidnext = 1, .modseq = 1, .search.max = KIB(64) };
    f->server = rpc_server_new(l, &store_service, f);
    f->directory = rpc_server_new(l, &directory_service, f);
    imap->store = rpc_link_new(l, ROLE_STORE, &link_ops, imap);
    imap->directory = rpc_link_new(l, ROLE_DIRECTORY, &link_ops, imap);
    pair(f->server, imap->store);
    pair(f->directory, imap->directory);
}

void fake_stop(struct fake_store *f)
{
    rpc_link_free(&f->imap->store);
    rpc_link_free(&f->imap->directory);
    rpc_server_free(&f->server);
    rpc_server_free(&f->directory);
    for (size_t i = 0; i < f->n; i++)
        free(f->messages[i].bytes);
    for (size_t i = 0; i < ARRAY_LEN(f->staged); i++)
        buf_release(&f->staged[i]);
    buf_release(&f->search);
}

void fake_add(struct fake_store *f, const char *bytes, size_t n, uint32_t flags)
{
    struct fake_message *m = &f->messages[f->n];

    assert(f->n < ARRAY_LEN(f->messages));
    *m = (struct fake_message){ .uid = f->uidnext++, .flags = flags, .modseq = ++f->modseq, .n = n };
    m->bytes = malloc(n + 1);
    memcpy(m->bytes, bytes, n);
    f->added_at[f->n++] = f->modseq;
}

void fake_changed(struct fake_store *f)
{
    Store__ChangedEvent m = STORE__CHANGED_EVENT__INIT;

    m.session = str_pb(str_of(session_id, 16));
    m.folder_id = 7;
    m.highest_modseq = f->modseq;
    assert(rpc_push(f->peer, STORE__EVENT__CHANGED, &m.base) == 0);
}

void fake_changed_elsewhere(struct fake_store *f, uint64_t folder_id)
{
    Store__ChangedEvent m = STORE__CHANGED_EVENT__INIT;

    m.session = str_pb(str_of(session_id, 16));
    m.folder_id = folder_id;
    m.highest_modseq = ++f->modseq;
    assert(rpc_push(f->peer, STORE__EVENT__CHANGED, &m.base) == 0);
}

void fake_created(struct fake_store *f, struct str name)
{
    Store__NewsEvent m = STORE__NEWS_EVENT__INIT;

    m.session = str_pb(str_of(session_id, 16));
    m.kind = STORE__NEWS_EVENT__KIND__CREATED;
    m.name = str_pb(name);
    assert(rpc_push(f->peer, STORE__EVENT__NEWS, &m.base) == 0);
}

void fake_die(struct fake_store *f)
{
    rpc_server_free(&f->server);
    f->deaths++;
    f->server = rpc_server_new(f->loop, &store_service, f);
    pair(f->server, f->imap->store);
}

static void die_soon(struct timer *t)
{
    timer_release(t);
    fake_die(dying);
}
