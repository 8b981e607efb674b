/* src/imap/catenate.c: CATENATE (RFC 4469): what a URL names goes from the store into the message that is
 * staged there, through here, a window at a time, and no faster than the staging area takes it.
 *
 * Three requests: which folder it is, where in the message the section is, and its bytes. */
#include "src/imap/append.h"
#include "lib/imap/imap_url.h"
#include "lib/mime/header.h"
#include "lib/mime/structure.h"
#include "src/common/records.h"
#include "src/imap/section.h"

#define HEADER_BYTES_MAX KIB(256) /* of a header block that is filtered */

struct catenate {
    struct append *append;
    struct str text; /* the URL as it came; in the arena */
    struct imap_url url;
    uint64_t folder_id;
    struct records rows, bytes;
    bool found; /* the row has come */
    bool sized; /* the row of the bytes, and it says as much as is wanted */
    struct mime_range range;
    uint64_t left;
    struct buf header; /* collected, when it is filtered */
    int status;        /* of what a callback met */
};

void catenate_release(struct append *p)
{
    struct catenate *t = p->catenate;

    if (!t)
        return;
    records_release(&t->rows);
    records_release(&t->bytes);
    buf_release(&t->header);
    free(t);
    p->catenate = NULL;
}

void catenate_room(struct append *p)
{
    p->c->ask.hold = false;
    imap_continue(p->c);
}

/* RFC 4469 4.1: with the URL that is to blame. */
static void bad_url(struct append *p)
{
    struct imap_conn *c = p->c;
    CLEANUP(buf_release) struct buf url = { .max = 3 * IMAP_URL_MAX };
    struct resp w = imap_final(c);
    bool fits = p->catenate->text.n && p->catenate->text.n <= IMAP_URL_MAX &&
                imap_url_write(p->catenate->text, &url) == 0;

    if (fits)
        resp_printf(&w, "%.*s NO [BADURL %.*s] There is nothing there\r\n", STR_ARG(c->tag),
                    STR_ARG(buf_str(&url)));
    else
        resp_printf(&w, "%.*s NO [BADURL \"\"] This is not a URL\r\n", STR_ARG(c->tag));
    imap_finish(c);
}

/* This piece has ended, one way or another. */
static void over(struct append *p, int status)
{
    if (status == E_NOTFOUND)
        bad_url(p);
    catenate_release(p);
    if (status < 0 && status != E_NOTFOUND)
        append_fail(p, status);
    append_go(p);
}

/* ---- the bytes ---- */

static int send_filtered(struct catenate *t)
{
    CLEANUP(buf_release) struct buf some = { .max = HEADER_BYTES_MAX + 2 };
    const struct fetch_section *s = &t->url.section;
    struct str out;
    bool full;
    int r = mime_header_filter(buf_str(&t->header), s->fields, s->nfields,
                               s->text == FETCH_TEXT_HEADER_FIELDS_NOT, &some);

    if (r < 0)
        return r;
    out = buf_str(&some);
    if (t->url.has_partial) {
        out = str_skip(out, t->url.partial_off < out.n ? (size_t)t->url.partial_off : out.n);
        if (t->url.partial_len && t->url.partial_len < out.n)
            out.n = (size_t)t->url.partial_len;
    }
    return append_send(t->append, out, &full);
}

static int on_bytes_row(void *ctx, Store__Row *row)
{
    struct catenate *t = ((struct append *)ctx)->catenate;

    t->sized = row->uid == t->url.uid && row->data_bytes == t->left;
    return 0;
}

static int on_bytes(void *ctx, struct str bytes)
{
    struct append *p = ctx;
    struct catenate *t = p->catenate;
    bool full = false;

    if (t->status < 0 || !t->sized)
        return 0;
    if (bytes.n > t->left)
        return E_CORRUPT;
    t->left -= bytes.n;
    if (section_is_filtered(&t->url.section))
        t->status = buf_append(&t->header, bytes.p, size_min(bytes.n, t->header.max - t->header.n));
    else
        t->status = append_send(p, bytes, &full);
    p->c->ask.hold |= full;
    return 0;
}

static int bytes_data(struct imap_conn *c, struct str data)
{
    return records_feed(&c->append->catenate->bytes, c->append, data);
}

static void bytes_done(struct imap_conn *c, int status, struct str body UNUSED)
{
    struct append *p = c->append;
    struct catenate *t = p->catenate;

    if (status == 0)
        status = t->status;
    if (status == E_GONE || (status == 0 && (!t->sized || t->left)))
        status = E_NOTFOUND; /* it was removed meanwhile */
    if (status == 0 && section_is_filtered(&t->url.section))
        status = send_filtered(t);
    over(p, status);
}

static int ask(struct append *p, uint32_t want, int (*on_data)(struct imap_conn *c, struct str data),
               imap_done_fn *done)
{
    struct catenate *t = p->catenate;
    Store__FetchRequest m = STORE__FETCH_REQUEST__INIT;
    uint32_t uid[2] = { t->url.uid, t->url.uid };

    m.session = imap_session(p->c);
    m.folder_id = t->folder_id;
    m.n_uid_ranges = 2;
    m.uid_ranges = uid;
    m.want = want;
    m.offset = t->range.offset;
    m.length = t->left;
    return imap_ask_down(p->c, STORE__OP__FETCH, &m.base, false, on_data, done);
}

static int ask_bytes(struct append *p)
{
    struct catenate *t = p->catenate;
    const struct imap_url *u = &t->url;

    if (u->has_partial && !section_is_filtered(&u->section)) {
        uint64_t off = u->partial_off < t->range.bytes ? u->partial_off : t->range.bytes;

        t->range.offset += off;
        t->range.bytes -= off;
        if (u->partial_len && u->partial_len < t->range.bytes)
            t->range.bytes = u->partial_len;
    }
    t->left = t->range.bytes;
    if (t->left == 0) {
        over(p, 0);
        return 0;
    }
    return ask(p, STORE__WANT__BODY, bytes_data, bytes_done);
}

/* ---- which bytes ---- */

static int on_row(void *ctx, Store__Row *row)
{
    struct catenate *t = ((struct append *)ctx)->catenate;
    struct mime_part *root = NULL;
    struct str packed = pb_str(row->structure);

    if (row->uid != t->url.uid)
        return 0;
    if (packed.n && mime_structure_unpack(&t->rows.arena, packed, &root) < 0)
        root = NULL;
    t->found = section_range(row, root, &t->url.section, &t->range);
    return 0;
}

static int row_data(struct imap_conn *c, struct str data)
{
    return records_feed(&c->append->catenate->rows, c->append, data);
}

static void row_done(struct imap_conn *c, int status, struct str body UNUSED)
{
    struct append *p = c->append;

    if (status == E_GONE || (status == 0 && !p->catenate->found))
        status = E_NOTFOUND;
    if (status == 0)
        status = ask_bytes(p);
    if (status < 0)
        over(p, status);
}

static int ask_row(struct append *p)
{
    return ask(p, STORE__WANT__META | (p->catenate->url.section.npath ? STORE__WANT__STRUCTURE : 0), row_data,
               row_done);
}

/* ---- which folder ---- */

static void folder_done(struct imap_conn *c, int status, struct str body)
{
    struct append *p = c->append;
    struct catenate *t = p->catenate;
    Store__FoldersResponse *m = NULL;

    if (status == 0 && !(m = RPC_UNPACK(&c->arena, body, store__folders_response)))
        status = E_CORRUPT;
    if (status == 0 && (m->n_folders != 1 || !m->folders[0]->id ||
                        (t->url.uidvalidity && t->url.uidvalidity != m->folders[0]->uidvalidity)))
        status = E_NOTFOUND;
    if (status == 0) {
        t->folder_id = m->folders[0]->id;
        status = ask_row(p);
    }
    if (status < 0)
        over(p, status);
}

static int ask_folder(struct append *p)
{
    struct catenate *t = p->catenate;
    Store__FoldersRequest m = STORE__FOLDERS_REQUEST__INIT;

    if (t->url.mailbox.n == 0) {
        if (!p->c->view)
            return E_NOTFOUND;
        t->folder_id = p->c->view->folder_id;
        return ask_row(p);
    }
    m.session = imap_session(p->c);
    m.name = str_pb(t->url.mailbox);
    return imap_ask_store(p->c, STORE__OP__FOLDERS, &m.base, false, folder_done);
}

int catenate_begin(struct append *p, struct str url)
{
    struct catenate *t = calloc(1, sizeof *t);
    int r;

    if (!t)
        return E_NOMEM;
    p->catenate = t;
    t->append = p;
    records_init(&t->rows);
    t->rows.on_row = on_row;
    records_init(&t->bytes);
    t->bytes.on_row = on_bytes_row;
    t->bytes.on_bytes = on_bytes;
    t->header.max = HEADER_BYTES_MAX;
    t->text = arena_dup(&p->c->arena, str_slice(url, 0, IMAP_URL_MAX + 1));
    if (!t->text.p)
        return E_NOMEM;
    r = imap_url_parse(&p->c->arena, t->text, &t->url);
    if (r == 0)
        r = ask_folder(p);
    if (r < 0 && r != E_NOMEM && r != E_UNAVAIL)
        r = E_NOTFOUND;
    if (r != E_NOTFOUND)
        return r;
    bad_url(p);
    catenate_release(p);
    return 0;
}
