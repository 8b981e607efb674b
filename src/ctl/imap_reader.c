/* src/ctl/imap_reader.c: what of a folder is to come is asked first (UIDs and sizes, 8 bytes each), then fetched in batches:
 * for each one request for flags and dates and then one for bodies, so that these are known when a body begins. While bodies of
 * one batch come, the flags of the next are asked for; no more is under way, as some servers (Dovecot) answer what they were
 * asked together in the order they like. */
#include "src/ctl/imap_reader.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include <stdio.h>
#include <unistd.h>

#define FOLDERS_MAX  10000u
#define MESSAGES_MAX (16u << 20)
#define BATCH_MAX    64u
#define BATCH_BYTES  MIB(8)
#define UNDER_WAY    2u
#define TRIES_MAX    8u /* without a message in between */
#define PAUSE_MAX_S  60u
#define PIECE        KIB(64)
#define LINES_MAX    (1u << 20) /* one behind the other that bring nothing on */
#define UNASKED_MAX  MIB(64) /* of a body that nobody asked for, or beyond eight times what was said of it */

struct item {
    uint32_t uid, size;
    bool done; /* given whole, or said to be missing */
};
struct meta {
    struct port_message m;
    bool has, gone; /* gone: NIL */
};
struct batch {
    size_t items[BATCH_MAX], n;
    uint32_t meta_tag, body_tag; /* body_tag 0: not asked for yet */
    bool has_meta;
    struct meta v[BATCH_MAX];
    struct arena arena;
};

struct imap_reader {
    struct port_reader base;
    struct imap_client_options o;
    const char *only;
    const struct imap_reader_hooks *h;
    struct imap_client *c;
    struct buf why;
    struct arena arena; /* of the folders */
    struct imap_reader_folder *folders;
    size_t nfolders, at; /* at: the one under way, from 1 */
    struct str prefix;
    bool open; /* it is selected */
    struct item *items;
    size_t nitems, cap, next, asked; /* next: all before are done; asked: the next to be asked for */
    struct batch batches[UNDER_WAY];
    size_t first, nbatches;
    bool single;   /* one at a time, since the server refused several */
    bool discard;  /* what was asked for before that is not wanted */
    uint64_t left; /* of the body under way */
    size_t item;   /* of that body, when it is wanted; SIZE_MAX: none */
    struct str slice;
    unsigned tries, lines;
};

static struct imap_reader *reader_of(struct port_reader *r)
{
    return CONTAINER_OF(r, struct imap_reader, base);
}

const struct imap_reader_folder *imap_reader_folder(struct port_reader *base)
{
    struct imap_reader *r = reader_of(base);

    return &r->folders[r->at - 1];
}

/* ---- folders ---- */

static int listed(void *ctx, const struct imap_answer *a)
{
    struct imap_reader *r = ctx;
    struct imap_listed l;
    struct str ours;
    int e;

    if (!str_ieq_z(a->name, "LIST"))
        return 0;
    if (imap_listed_parse(&r->arena, a->rest, &l) < 0 || l.noselect)
        return 0;
    if ((e = imap_name_ours(&r->arena, &l, r->prefix, imap_client_utf8(r->c), &ours)) < 0) {
        r->h->left_out(r->h->ctx, "a folder", "its name cannot be one of ours", e);
        return e == E_NOMEM ? e : 0;
    }
    if (r->only ? !str_eq_z(ours, r->only)
                : l.use == IMAP_USE_ALL || l.use == IMAP_USE_FLAGGED || l.use == IMAP_USE_IMPORTANT) {
        if (!r->only) {
            char what[300];

            snprintf(what, sizeof what, "%.*s", (int)size_min(ours.n, 299), ours.p);
            r->h->left_out(r->h->ctx, what, "it shows messages of other folders; --folder brings it in", 0);
        }
        return 0;
    }
    if (r->nfolders == FOLDERS_MAX)
        return E_LIMIT;
    r->folders[r->nfolders] = (struct imap_reader_folder){ ours, arena_dup(&r->arena, l.wire), l.use, 0 };
    return r->folders[r->nfolders++].wire.p ? 0 : E_NOMEM;
}

static int namespace_take(void *ctx, const struct imap_answer *a)
{
    struct imap_reader *r = ctx;
    struct str prefix;

    if (!str_ieq_z(a->name, "NAMESPACE") || imap_namespace_parse(&r->arena, a->rest, &prefix) < 0)
        return 0;
    r->prefix = arena_dup(&r->arena, prefix);
    return 0;
}

static int folders_ask(struct imap_reader *r)
{
    bool use = imap_client_can(r->c, "SPECIAL-USE") && imap_client_can(r->c, "LIST-EXTENDED");
    int e = 0;

    if (!(r->folders = arena_array(&r->arena, FOLDERS_MAX, sizeof *r->folders)))
        return E_NOMEM;
    r->prefix = STR("");
    if (imap_client_can(r->c, "NAMESPACE"))
        e = imap_client_ask(r->c, STR("NAMESPACE"), namespace_take, r, &r->why);
    if (e < 0 && e != E_DENIED && e != E_SYNTAX)
        return e;
    return imap_client_ask(r->c, use ? STR("LIST \"\" \"*\" RETURN (SPECIAL-USE)") : STR("LIST \"\" \"*\""),
                           listed, r, &r->why);
}

struct selecting {
    uint32_t uidvalidity, exists;
};

static int select_take(void *ctx, const struct imap_answer *a)
{
    struct selecting *s = ctx;

    imap_code_number(a->code, "UIDVALIDITY", &s->uidvalidity);
    if (str_ieq_z(a->name, "EXISTS"))
        s->exists = a->number;
    return 0;
}

static int item_take(void *ctx, const struct imap_answer *a)
{
    struct imap_reader *r = ctx;
    CLEANUP(arena_release) struct arena arena = { .max = KIB(64) };
    struct imap_fetched f;

    if (!str_ieq_z(a->name, "FETCH") || imap_fetched_parse(&arena, a->rest, false, &f) < 0 || !f.uid ||
        !f.has_size)
        return 0;
    if (r->nitems && f.uid <= r->items[r->nitems - 1].uid)
        return 0; /* in order, or it is no answer to what was asked */
    if (r->nitems == r->cap) {
        size_t cap = r->cap ? 2 * r->cap : 1024;
        struct item *v = r->nitems < MESSAGES_MAX ? realloc(r->items, cap * sizeof *v) : NULL;

        if (!v)
            return r->nitems < MESSAGES_MAX ? E_NOMEM : E_LIMIT;
        r->items = v;
        r->cap = cap;
    }
    r->items[r->nitems++] =
        (struct item){ f.uid, f.size > UINT32_MAX ? UINT32_MAX : (uint32_t)f.size, false };
    r->base.bytes_all += f.size;
    return 0;
}

/* 1: it is selected. 0: it cannot be, and that was said. */
static int folder_select(struct imap_reader *r, struct imap_reader_folder *f)
{
    CLEANUP(buf_release) struct buf text = { .max = KIB(16) };
    struct selecting s = { .exists = 0 };
    char what[300];
    int e;

    snprintf(what, sizeof what, "%.*s", (int)size_min(f->ours.n, 299), f->ours.p);
    if ((e = buf_putz(&text, "EXAMINE ")) < 0 || (e = imap_quote(f->wire, &text)) < 0)
        return e;
    e = imap_client_ask(r->c, buf_str(&text), select_take, &s, &r->why);
    if (e == E_DENIED || e == E_SYNTAX || (e == 0 && !s.uidvalidity)) {
        r->h->left_out(r->h->ctx, what, e ? buf_z(&r->why) : "its messages have no lasting numbers",
                       E_DENIED);
        return 0;
    }
    if (e < 0)
        return e;
    if (f->uidvalidity && f->uidvalidity != s.uidvalidity) {
        r->h->left_out(r->h->ctx, what, "it changed while it was read; say it again", E_DENIED);
        return 0;
    }
    f->uidvalidity = s.uidvalidity;
    return 1;
}

static void done(struct imap_reader *r, size_t item)
{
    r->lines = 0;
    r->items[item].done = true;
    while (r->next < r->nitems && r->items[r->next].done)
        r->next++;
}

/* 1: there is something to come; 0: not. */
static int folder_begin(struct imap_reader *r)
{
    struct imap_reader_folder *f = &r->folders[r->at - 1];
    CLEANUP(buf_release) struct buf text = { .max = KIB(1) };
    uint32_t after = 0;
    int e;

    if ((e = folder_select(r, f)) <= 0 || (e = r->h->begin(r->h->ctx, f, &after)) < 0)
        return e;
    r->nitems = r->next = r->asked = 0; /* what was known of the one before is asked for until here */
    r->single = false;
    if (after == UINT32_MAX)
        return 0;
    /* "n:*" is the last message at least, whatever its number */
    if ((e = buf_printf(&text, "UID FETCH %u:* (UID RFC822.SIZE)", after + 1)) < 0)
        return e;
    e = imap_client_ask(r->c, buf_str(&text), item_take, r, &r->why);
    if (e == E_DENIED || e == E_SYNTAX) { /* an empty one, on some servers */
        r->nitems = 0;
        e = 0;
    }
    for (size_t i = 0; e == 0 && i < r->nitems && r->items[i].uid <= after; i++)
        done(r, i);
    r->asked = r->next;
    r->open = e == 0;
    return e < 0 ? e : r->next < r->nitems;
}

/* ---- batches ---- */

uint32_t imap_reader_done(struct port_reader *base)
{
    const struct imap_reader *r = reader_of(base);

    return r->next ? r->items[r->next - 1].uid : 0;
}

static void batches_drop(struct imap_reader *r)
{
    r->nbatches = 0;
    r->asked = r->next;
    r->discard = false;
}

/* "UID FETCH 1,5,9 (UID ...)" */
static int batch_ask(struct imap_reader *r, const struct batch *b, const char *what, uint32_t *tag)
{
    CLEANUP(buf_release) struct buf text = { .max = KIB(8) };
    int e = buf_putz(&text, "UID FETCH ");

    for (size_t i = 0; i < b->n && e == 0; i++)
        e = buf_printf(&text, "%s%u", i ? "," : "", r->items[b->items[i]].uid);
    if (e == 0)
        e = buf_printf(&text, " (UID %s)", what);
    return e < 0 ? e : imap_client_send(r->c, buf_str(&text), tag);
}

static int batch_send(struct imap_reader *r)
{
    struct batch *b = &r->batches[(r->first + r->nbatches) % UNDER_WAY];
    uint64_t bytes = 0;
    int e;

    arena_release(&b->arena);
    *b = (struct batch){ .arena = { .max = MIB(4) } };
    for (; r->asked < r->nitems && b->n < (r->single ? 1 : BATCH_MAX) && (b->n == 0 || bytes < BATCH_BYTES);
         r->asked++) {
        if (r->items[r->asked].done)
            continue;
        bytes += r->items[r->asked].size;
        b->items[b->n++] = r->asked;
    }
    if (b->n == 0)
        return 0;
    e = batch_ask(r, b, "FLAGS INTERNALDATE", &b->meta_tag);
    r->nbatches += e == 0;
    return e;
}

/* What may be asked for now. */
static int batches_send(struct imap_reader *r)
{
    struct batch *b = &r->batches[r->first];
    int e = 0;

    if (r->discard)
        return 0;
    if (r->nbatches == 0 && r->asked < r->nitems)
        e = batch_send(r);
    if (e == 0 && r->nbatches && b->has_meta && !b->body_tag)
        e = batch_ask(r, b, "BODY.PEEK[]", &b->body_tag);
    if (e == 0 && r->nbatches == 1 && b->body_tag && r->asked < r->nitems)
        e = batch_send(r);
    return e;
}

/* Which of the batches under way has this UID. */
static struct meta *meta_of(struct imap_reader *r, uint32_t uid, struct batch **b_out, size_t *i_out)
{
    for (size_t k = 0; k < r->nbatches; k++) {
        struct batch *b = &r->batches[(r->first + k) % UNDER_WAY];

        for (size_t i = 0; i < b->n; i++)
            if (r->items[b->items[i]].uid == uid) {
                *b_out = b;
                *i_out = i;
                return &b->v[i];
            }
    }
    return NULL;
}

/* Flags and a date of one that was asked for; others (changes that somebody makes there) are passed over. */
static int meta_take(struct imap_reader *r, const struct imap_fetched *f)
{
    struct batch *b = NULL;
    size_t i = 0;
    struct meta *m = meta_of(r, f->uid, &b, &i);
    struct str *keywords;

    if (!m || m->has || !f->has_flags)
        return 0;
    if (!(keywords = arena_array(&b->arena, f->nkeywords + 1, sizeof *keywords)))
        return E_NOMEM;
    for (size_t k = 0; k < f->nkeywords; k++)
        if (!(keywords[k] = arena_dup(&b->arena, f->keywords[k])).p)
            return E_NOMEM;
    m->has = true;
    m->m.flags = f->flags;
    m->m.keywords = keywords;
    m->m.nkeywords = f->nkeywords;
    m->m.has_date = f->has_date;
    m->m.date_ms = f->date_ms;
    return 0;
}

static void missing(struct imap_reader *r, uint32_t uid, const char *why, int e)
{
    char what[400];

    snprintf(what, sizeof what, "%.*s, UID %u", (int)size_min(r->folders[r->at - 1].ours.n, 300),
             r->folders[r->at - 1].ours.p, uid);
    r->h->left_out(r->h->ctx, what, why, e);
}

/* The bodies of the first batch are there, or refused: then what is missing is asked for one by one, in its place. */
static int batch_end(struct imap_reader *r, const struct imap_answer *a)
{
    struct batch *b = &r->batches[r->first];
    bool refused = a->status != IMAP_OK && !r->discard;

    if (refused && imap_client_no(a) == E_UNAVAIL && a->status == IMAP_NO)
        return E_UNAVAIL;
    for (size_t i = 0; i < b->n && !r->discard; i++) {
        if (r->items[b->items[i]].done)
            continue;
        if (refused && b->n > 1) {
            r->single = r->discard = true;
            break;
        }
        imap_client_say(a->text, &r->why);
        missing(r, r->items[b->items[i]].uid,
                refused        ? buf_z(&r->why)
                : b->v[i].gone ? "the server has no body for it"
                               : "it was removed meanwhile",
                refused || b->v[i].gone ? E_DENIED : 0);
        done(r, b->items[i]);
    }
    r->first = (r->first + 1) % UNDER_WAY;
    r->nbatches--;
    return 0;
}

static int tagged(struct imap_reader *r, uint32_t tag, const struct imap_answer *a)
{
    for (size_t k = 0; k < r->nbatches; k++) {
        struct batch *b = &r->batches[(r->first + k) % UNDER_WAY];

        if (tag == b->meta_tag) {
            b->has_meta = true;
            return a->status != IMAP_OK && k == 0 ? batch_end(r, a) : 0;
        }
        if (tag == b->body_tag && k == 0)
            return batch_end(r, a);
    }
    return 0;
}

/* ---- the connection ---- */

/* It comes to no end: what was begun is told to come again. */
static int broken(struct imap_reader *r)
{
    imap_client_close(&r->c);
    batches_drop(r);
    r->base.cut = r->left > 0;
    r->left = 0;
    return E_CLOSED;
}

static bool passes(int e)
{
    return e == E_CLOSED || e == E_TIMEOUT || e == E_UNAVAIL || e == E_IO || e == E_BUSY;
}

/* A connection with the folder under way selected. */
static int again(struct imap_reader *r, int e)
{
    unsigned pause = 1;

    while (passes(e)) {
        imap_client_close(&r->c);
        batches_drop(r);
        if (r->tries++ >= TRIES_MAX)
            return e;
        for (unsigned i = 1; i < r->tries && pause < PAUSE_MAX_S; i++)
            pause *= 2;
        sleep(pause < PAUSE_MAX_S ? pause : PAUSE_MAX_S);
        pause = 1;
        if ((e = imap_client_open(&r->o, &r->why, &r->c)) == 0 && r->at &&
            (e = folder_select(r, &r->folders[r->at - 1])) == 0)
            r->asked = r->nitems; /* it was said why */
        e = e > 0 ? 0 : e;
    }
    return e;
}

/* ---- reading ---- */

static int64_t imap_read(struct port_reader *base, size_t max, struct buf *out)
{
    struct imap_reader *r = reader_of(base);
    struct str line;
    size_t n;
    int e;

    if (r->left == 0)
        return 0;
    if (r->slice.n == 0) {
        if ((e = imap_client_next(r->c, &line, &r->slice)) < 0)
            return broken(r);
        if (e != IMAP_ANSWERS_BODY)
            return E_BUG;
    }
    n = size_min(max, r->slice.n);
    if ((e = buf_append(out, r->slice.p, n)) < 0)
        return e;
    r->slice = str_skip(r->slice, n);
    r->left -= n;
    base->bytes += n;
    if (r->left == 0 && r->item != SIZE_MAX) {
        done(r, r->item);
        r->tries = 0;
    }
    return (int64_t)n;
}

/* A body begins. 1: of a message that is wanted. */
static int body_begin(struct imap_reader *r, struct str line, struct port_message *out)
{
    CLEANUP(arena_release) struct arena arena = { .max = MIB(1) };
    struct batch *b = NULL;
    struct imap_answer a;
    struct imap_fetched f;
    struct meta *m;
    size_t i = 0;
    int e;

    r->left = imap_client_body_bytes(r->c);
    r->slice = STR_NONE;
    if ((e = imap_answer_parse(line, &a)) < 0 || (e = imap_fetched_parse(&arena, a.rest, true, &f)) < 0)
        return e;
    m = f.uid ? meta_of(r, f.uid, &b, &i) : NULL;
    r->item = SIZE_MAX;
    if (r->left > UNASKED_MAX + (m ? UINT64_C(8) * r->items[b->items[i]].size : 0)) {
        if (m && !r->items[b->items[i]].done) {
            missing(r, f.uid, "it is far larger than the server said", E_TOO_BIG);
            done(r, b->items[i]);
        }
        return E_CLOSED; /* rather than listen to it: the rest comes over another connection */
    }
    if (!m || r->items[b->items[i]].done || r->discard || r->left == 0) {
        if (m && r->left == 0)
            m->gone = true;
        return 0;
    }
    r->item = b->items[i];
    m->m.folder = r->folders[r->at - 1].ours;
    m->m.number = f.uid;
    snprintf(r->base.what, sizeof r->base.what, "%.*s, UID %u", (int)size_min(m->m.folder.n, 300),
             m->m.folder.p, f.uid);
    *out = m->m;
    return 1;
}

static int line_take(struct imap_reader *r, struct str line)
{
    CLEANUP(arena_release) struct arena arena = { .max = MIB(1) };
    struct imap_answer a;
    struct imap_fetched f;
    uint32_t tag;
    int e = imap_answer_parse(line, &a);

    if (e < 0)
        return e;
    if (a.status == IMAP_BYE)
        return E_CLOSED;
    if ((tag = imap_client_tag(a.tag)) != 0)
        return tagged(r, tag, &a);
    if (!str_ieq_z(a.name, "FETCH"))
        return 0;
    if ((e = imap_fetched_parse(&arena, a.rest, false, &f)) < 0)
        return e;
    if (f.nil_body && f.uid) {
        struct batch *b = NULL;
        size_t i = 0;
        struct meta *m = meta_of(r, f.uid, &b, &i);

        if (m)
            m->gone = true;
    }
    return meta_take(r, &f);
}

/* What is left of a body that nobody read. */
static int body_pass(struct imap_reader *r)
{
    CLEANUP(buf_release) struct buf rest = { .max = PIECE };
    int64_t n;

    while ((n = imap_read(&r->base, PIECE, &rest)) > 0)
        buf_clear(&rest);
    if (n < 0)
        r->base.cut = false; /* nobody had it under way */
    return (int)n;
}

/* 1: a message of the folder under way; 0: it has no more. */
static int folder_next(struct imap_reader *r, struct port_message *m)
{
    struct str line, slice;
    int e;

    for (;;) {
        if (r->discard && (r->nbatches == 0 || r->batches[r->first].has_meta))
            batches_drop(r); /* what was under way when one was refused has been answered */
        if ((e = batches_send(r)) < 0)
            return e;
        if (r->nbatches == 0)
            return 0;
        if ((e = imap_client_next(r->c, &line, &slice)) < 0)
            return e;
        if (e == IMAP_ANSWERS_LINE && ++r->lines > LINES_MAX)
            return E_LIMIT;
        if (e == IMAP_ANSWERS_LINE && (e = line_take(r, line)) < 0)
            return e;
        else if (e == IMAP_ANSWERS_BEGIN && (e = body_begin(r, line, m)) != 0)
            return e;
        else if (e == 0 && r->left && (e = body_pass(r)) < 0)
            return e;
    }
}

static int step(struct imap_reader *r, struct port_message *m)
{
    int e;

    if (r->open) {
        if ((e = folder_next(r, m)) != 0)
            return e;
        r->open = false;
    }
    if (r->at == r->nfolders)
        return 0;
    r->at++;
    return (e = folder_begin(r)) < 0 ? e : 2;
}

static int imap_next(struct port_reader *base, struct port_message *m)
{
    struct imap_reader *r = reader_of(base);
    int e = r->c ? body_pass(r) : E_CLOSED;

    for (;;) {
        if (e == 0 && (e = step(r, m)) < 2 && e >= 0)
            return e;
        if (e == 2) {
            e = 0;
            continue;
        }
        if (!passes(e))
            return e == E_CORRUPT || e == E_SYNTAX || e == E_LIMIT || e == E_RANGE ? E_UNSUPPORTED : e;
        if (!r->open && r->at) {
            r->at--; /* it did not begin */
            r->folders[r->at].uidvalidity = 0;
        }
        base->cut = false;
        r->left = 0;
        if ((e = again(r, e)) < 0)
            return e;
    }
}

static void imap_free(struct port_reader *base)
{
    struct imap_reader *r = reader_of(base);

    imap_client_close(&r->c);
    for (size_t i = 0; i < UNDER_WAY; i++)
        arena_release(&r->batches[i].arena);
    arena_release(&r->arena);
    buf_release(&r->why);
    free(r->items);
    free(r);
}

int imap_reader_new(const struct imap_client_options *o, const char *folder,
                    const struct imap_reader_hooks *h, struct buf *why, struct port_reader **out)
{
    static const struct port_reader_ops ops = { imap_next, imap_read, imap_free };
    struct imap_reader *r = calloc(1, sizeof *r);
    int e;

    if (!r)
        return E_NOMEM;
    r->base.ops = &ops;
    r->o = *o;
    r->only = folder;
    r->h = h;
    r->why.max = KIB(1);
    r->arena.max = MIB(32);
    if ((e = imap_client_open(o, &r->why, &r->c)) == 0)
        e = folders_ask(r);
    if (e == 0 && folder && !r->nfolders)
        e = E_NOTFOUND;
    if (e < 0) {
        imap_client_say(buf_str(&r->why), why);
        imap_free(&r->base);
        return e;
    }
    *out = &r->base;
    return 0;
}
