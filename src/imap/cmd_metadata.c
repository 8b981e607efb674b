/* src/imap/cmd_metadata.c: GETMETADATA, SETMETADATA (RFC 5464 4.2, 4.3). */
#include "lib/imap/metadata_args.h"
#include "src/imap/metadata.h"

#define VALUE_MAX KIB(64) /* METADATA_VALUE_MAX of the store */

static bool has_nul(struct str s)
{
    return memchr(s.p, '\0', s.n) != NULL;
}

void metadata_write(struct imap_conn *c, struct str mailbox, Store__Annotation *const *v, size_t n,
                    uint64_t max_bytes)
{
    const char *sep = "";

    resp_z(&c->w, "* METADATA ");
    if (mailbox.n)
        resp_mailbox(&c->w, mailbox);
    else
        resp_z(&c->w, "\"\"");
    resp_z(&c->w, " (");
    for (size_t i = 0; i < n; i++) {
        struct str value = pb_str(v[i]->value);

        if (value.n > max_bytes)
            continue;
        resp_z(&c->w, sep);
        resp_astring(&c->w, pb_str(v[i]->entry));
        resp_z(&c->w, " ");
        sep = " ";
        if (!v[i]->has_value) {
            resp_z(&c->w, "NIL");
        } else if (value.n && has_nul(value)) { /* value = nstring / literal8 */
            resp_literal_head(&c->w, value.n, true);
            resp_raw(&c->w, value);
        } else {
            resp_string(&c->w, value);
        }
    }
    resp_z(&c->w, ")\r\n");
}

static void got(struct imap_conn *c, int status, struct str body)
{
    const struct metadata_args *q = c->step_data;
    uint64_t max = q->has_max ? q->max_bytes : UINT64_MAX, longest = 0;
    Store__MetadataGetResponse *m = NULL;
    struct arena a = { .max = MIB(24) };
    size_t fit = 0;
    char code[64];

    if (status == 0 && !(m = RPC_UNPACK(&a, body, store__metadata_get_response)))
        status = E_CORRUPT;
    for (size_t i = 0; status == 0 && i < m->n_annotations; i++) {
        uint64_t n = m->annotations[i]->value.len;

        fit += n <= max;
        longest = n > max && n > longest ? n : longest;
    }
    if (status == 0 && fit)
        metadata_write(c, q->mailbox, m->annotations, m->n_annotations, max);
    arena_release(&a);
    if (status < 0) {
        imap_fail_status(c, status);
    } else if (longest) { /* RFC 5464 4.2.1 */
        snprintf(code, sizeof code, "METADATA LONGENTRIES %llu", (unsigned long long)longest);
        imap_ok_code(c, code, "Completed");
    } else {
        imap_ok(c, "Completed");
    }
}

int imap_cmd_getmetadata(struct imap_conn *c, struct args *a)
{
    Store__MetadataGetRequest m = STORE__METADATA_GET_REQUEST__INIT;
    struct metadata_args *q = ARENA_NEW(&c->arena, struct metadata_args);
    int r;

    if (!q)
        return E_NOMEM;
    if ((r = metadata_get_parse(a, q)) < 0)
        return r == E_RANGE ? E_NOTFOUND : r;
    c->step_data = q;
    m.session = imap_session(c);
    m.name = str_pb(q->mailbox);
    m.depth = q->depth;
    if ((r = metadata_pack(&c->arena, q->entries, q->n, &m.entries)) < 0)
        return r;
    m.n_entries = q->n;
    return imap_ask_store(c, STORE__OP__METADATA_GET, &m.base, false, got);
}

int metadata_pack(struct arena *a, const struct str *v, size_t n, ProtobufCBinaryData **out)
{
    ProtobufCBinaryData *p = ARENA_ARRAY(a, n, ProtobufCBinaryData);

    if (!p)
        return E_NOMEM;
    for (size_t i = 0; i < n; i++)
        p[i] = str_pb(v[i]);
    *out = p;
    return 0;
}

static void set(struct imap_conn *c, int status, struct str body)
{
    if (status == E_LIMIT || status == E_QUOTA)
        imap_no(c, "METADATA TOOMANY", "There is no room for more annotations");
    else
        imap_done_plain(c, status, body);
}

int imap_cmd_setmetadata(struct imap_conn *c, struct args *a)
{
    Store__MetadataSetRequest m = STORE__METADATA_SET_REQUEST__INIT;
    struct metadata_args q;
    Store__Annotation *v;
    char code[64];
    int r = metadata_set_parse(a, &q);

    if (r < 0)
        return r == E_RANGE ? E_NOTFOUND : r;
    if (!(v = ARENA_ARRAY(&c->arena, q.n, Store__Annotation)) ||
        !(m.annotations = ARENA_ARRAY(&c->arena, q.n, Store__Annotation *)))
        return E_NOMEM;
    for (size_t i = 0; i < q.n; i++) {
        if (q.items[i].value.n > VALUE_MAX) {
            snprintf(code, sizeof code, "METADATA MAXSIZE %u", (unsigned)VALUE_MAX);
            return imap_no(c, code, "That annotation is too long");
        }
        /* RFC 5464 3.3: what all people would see is not one person's to say */
        if (q.mailbox.n == 0 && ascii_lower(q.items[i].entry.p[1]) == 's')
            return imap_no(c, "NOPERM", "The server's shared annotations are not yours to change");
        store__annotation__init(&v[i]);
        v[i].entry = str_pb(q.items[i].entry);
        v[i].value = str_pb(q.items[i].value);
        v[i].has_value = q.items[i].value.p != NULL;
        m.annotations[i] = &v[i];
    }
    m.n_annotations = q.n;
    m.session = imap_session(c);
    m.name = str_pb(q.mailbox);
    return imap_ask_store(c, STORE__OP__METADATA_SET, &m.base, true, set);
}
