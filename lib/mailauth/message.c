#include "lib/mailauth/message.h"
#include "lib/mailauth/arc_impl.h"
#include "lib/mailauth/canon.h"
#include "lib/mailauth/dkim_impl.h"
#include <openssl/evp.h>
#include <stdlib.h>

struct mailauth_body {
    struct canon_body canon;
    uint64_t limit, left;
    EVP_MD_CTX *md;
    bool failed;
    uint8_t hash[MAILAUTH_HASH_BYTES];
};

void mailauth_message_init(struct mailauth_message *m)
{
    *m = (struct mailauth_message){ .header = { .max = MAILAUTH_HEADER_MAX }, .arena = { .max = MIB(2) } };
}

void mailauth_message_release(struct mailauth_message *m)
{
    for (size_t i = 0; i < m->nbodies; i++) {
        EVP_MD_CTX_free(m->bodies[i]->md);
        free(m->bodies[i]);
    }
    buf_release(&m->header);
    arena_release(&m->arena);
    *m = (struct mailauth_message){ 0 };
}

static void body_put(void *ctx, const void *p, size_t n)
{
    struct mailauth_body *b = ctx;
    size_t take = b->left < n ? (size_t)b->left : n;

    b->left -= take;
    if (take && EVP_DigestUpdate(b->md, p, take) != 1)
        b->failed = true;
}

static struct mailauth_body *body_new(bool relaxed, uint64_t limit)
{
    struct mailauth_body *b = calloc(1, sizeof *b);

    if (!b)
        return NULL;
    b->canon.relaxed = relaxed;
    b->canon.put = body_put;
    b->canon.ctx = b;
    b->limit = b->left = limit;
    if (!(b->md = EVP_MD_CTX_new()) || EVP_DigestInit_ex(b->md, EVP_sha256(), NULL) != 1) {
        EVP_MD_CTX_free(b->md);
        free(b);
        return NULL;
    }
    return b;
}

int mailauth_body_want(struct mailauth_message *m, bool relaxed, uint64_t limit)
{
    struct mailauth_body *b;

    for (size_t i = 0; i < m->nbodies; i++)
        if (m->bodies[i]->canon.relaxed == relaxed && m->bodies[i]->limit == limit)
            return (int)i;
    if (m->nbodies == MAILAUTH_BODIES_MAX)
        return E_LIMIT;
    if (!(b = body_new(relaxed, limit)))
        return E_NOMEM;
    m->bodies[m->nbodies] = b;
    return (int)m->nbodies++;
}

bool mailauth_body_hash(const struct mailauth_message *m, int index, uint8_t out[MAILAUTH_HASH_BYTES],
                        uint64_t *bytes_out)
{
    const struct mailauth_body *b = index >= 0 && (size_t)index < m->nbodies ? m->bodies[index] : NULL;

    if (!b || !m->ended || b->failed)
        return false;
    memcpy(out, b->hash, MAILAUTH_HASH_BYTES);
    *bytes_out = b->canon.bytes;
    return true;
}

/* ---- the header block ---- */

/* The field that starts at `at`: up to the line end that is not followed by white space. */
static size_t field_end(struct str h, size_t at)
{
    while (at < h.n) {
        ptrdiff_t lf = str_chr(str_skip(h, at), '\n');

        at = lf < 0 ? h.n : at + (size_t)lf + 1;
        if (at >= h.n || (h.p[at] != ' ' && h.p[at] != '\t'))
            break;
    }
    return at;
}

/* RFC 5322 2.2: printable ASCII; white space before the colon is old, and legal to read (4.5.8). False: no field. */
static bool field_name(struct str *name)
{
    while (name->n && (name->p[name->n - 1] == ' ' || name->p[name->n - 1] == '\t'))
        name->n--;
    for (size_t i = 0; i < name->n; i++)
        if (name->p[i] <= ' ' || name->p[i] > '~')
            return false;
    return name->n > 0;
}

static void index_fields(struct mailauth_message *m)
{
    struct str h = buf_str(&m->header);
    size_t end;

    if (!(m->fields = ARENA_ARRAY(&m->arena, MAILAUTH_FIELDS_MAX, struct mailauth_field))) {
        m->error = E_NOMEM;
        return;
    }
    for (size_t at = 0; at < h.n; at = end) {
        struct mailauth_field f;

        end = field_end(h, at);
        f.raw = str_slice(h, at, end);
        if (!str_cut(f.raw, ':', &f.name, &f.value) || !field_name(&f.name))
            continue; /* not a field: no signature can name it */
        if (m->nfields == MAILAUTH_FIELDS_MAX) {
            m->error = E_LIMIT;
            return;
        }
        m->fields[m->nfields++] = f;
    }
}

static void header_complete(struct mailauth_message *m)
{
    m->in_body = true;
    if (m->error)
        return;
    index_fields(m);
    if (!m->error)
        dkim_collect(m);
    if (!m->error)
        arc_collect(m);
}

/* Take header bytes up to and with the blank line; returns how many. */
static size_t header_feed(struct mailauth_message *m, struct str in)
{
    size_t i = 0, keep = 0;

    while (i < in.n && !m->in_body) {
        char c = in.p[i++];

        if (c != '\n') {
            m->line_cr = c == '\r' && m->line_at == 0;
            m->line_at++;
            continue;
        }
        if (m->line_at == 0 || (m->line_at == 1 && m->line_cr))
            m->in_body = true;
        else
            keep = i;
        m->line_at = 0;
    }
    if (!m->in_body)
        keep = i;
    if (!m->error)
        m->error = buf_puts(&m->header, str_slice(in, 0, keep));
    return i;
}

void mailauth_message_feed(struct mailauth_message *m, struct str in)
{
    if (!m->in_body) {
        in = str_skip(in, header_feed(m, in));
        if (!m->in_body)
            return;
        if (m->header.n && m->header.p[m->header.n - 1] == '\r')
            m->header.n--; /* of the blank line, from a slice that ended inside it */
        header_complete(m);
    }
    for (size_t i = 0; i < m->nbodies && in.n; i++)
        canon_body_feed(&m->bodies[i]->canon, in);
}

void mailauth_message_end(struct mailauth_message *m)
{
    if (!m->in_body) {
        if (!m->error && m->header.n && m->header.p[m->header.n - 1] != '\n')
            m->error = buf_putz(&m->header, "\r\n");
        header_complete(m);
    }
    for (size_t i = 0; i < m->nbodies; i++) {
        struct mailauth_body *b = m->bodies[i];

        canon_body_end(&b->canon);
        if (EVP_DigestFinal_ex(b->md, b->hash, NULL) != 1)
            b->failed = true;
    }
    m->ended = true;
}

const struct mailauth_field *mailauth_field_last(const struct mailauth_message *m, const char *name,
                                                 size_t *count_out)
{
    const struct mailauth_field *last = NULL;

    *count_out = 0;
    for (size_t i = 0; i < m->nfields; i++) {
        if (!str_ieq_z(m->fields[i].name, name))
            continue;
        last = &m->fields[i];
        ++*count_out;
    }
    return last;
}
