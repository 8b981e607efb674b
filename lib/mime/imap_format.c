#include "lib/mime/imap_format.h"
#include "lib/mime/charset.h"

#define QUOTED_MAX 1000u /* longer strings travel as literals: some clients bound a line */

struct writer {
    struct buf *out;
    bool utf8, extended;
    int r; /* first error; nothing is written after it */
};

static void put(struct writer *w, const char *z)
{
    if (w->r >= 0)
        w->r = buf_putz(w->out, z);
}

static bool fits_quotes(struct str s, bool utf8)
{
    if (s.n > QUOTED_MAX)
        return false;
    for (size_t i = 0; i < s.n;) {
        unsigned char c = (unsigned char)s.p[i];
        int n = c < 0x80 || !utf8 ? 1 : mime_utf8_bytes((const unsigned char *)s.p + i, s.n - i);

        if (c == '\r' || c == '\n' || c == '\0' || (c >= 0x80 && !utf8) || n <= 0)
            return false;
        i += (size_t)n;
    }
    return true;
}

static int put_quoted(struct str s, struct buf *out)
{
    int r = buf_putc(out, '"');

    for (size_t i = 0; i < s.n && r >= 0; i++) {
        if (s.p[i] == '"' || s.p[i] == '\\')
            r = buf_putc(out, '\\');
        if (r >= 0)
            r = buf_putc(out, s.p[i]);
    }
    return r < 0 ? r : buf_putc(out, '"');
}

int mime_imap_nstring(struct str s, bool utf8, struct buf *out)
{
    size_t from;
    int r;

    if (!s.p)
        return buf_puts(out, STR("NIL"));
    if (fits_quotes(s, utf8))
        return put_quoted(s, out);
    if ((r = buf_printf(out, "{%zu}\r\n", s.n)) < 0)
        return r;
    from = out->n;
    if ((r = buf_puts(out, s)) < 0)
        return r;
    for (size_t i = from; i < out->n; i++) /* RFC 9051 9: CHAR8 = %x01-ff */
        if (!out->p[i])
            out->p[i] = '?';
    return 0;
}

static void put_str(struct writer *w, struct str s)
{
    if (w->r >= 0)
        w->r = mime_imap_nstring(s, w->utf8, w->out);
}

static void put_u64(struct writer *w, uint64_t n)
{
    if (w->r >= 0)
        w->r = buf_printf(w->out, " %llu", (unsigned long long)n);
}

static void put_addresses(struct writer *w, const struct mime_address *m)
{
    if (!m) {
        put(w, " NIL");
        return;
    }
    put(w, " (");
    for (; m && w->r >= 0; m = m->next) {
        const struct str fields[] = { m->name, m->route, m->mailbox, m->host };

        for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
            put(w, i ? " " : "(");
            put_str(w, fields[i]);
        }
        put(w, ")");
    }
    put(w, ")");
}

static void put_envelope(struct writer *w, const struct mime_envelope *e)
{
    const struct mime_address *lists[] = { e->from, e->sender, e->reply_to, e->to, e->cc, e->bcc };

    put(w, "(");
    put_str(w, e->date);
    put(w, " ");
    put_str(w, e->subject);
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        put_addresses(w, lists[i]);
    put(w, " ");
    put_str(w, e->in_reply_to);
    put(w, " ");
    put_str(w, e->message_id);
    put(w, ")");
}

static void put_params(struct writer *w, const struct mime_param *m, bool text)
{
    bool charset = !text || mime_param_raw(m, STR("charset")).p;

    put(w, " ");
    if (!m && charset) {
        put(w, "NIL");
        return;
    }
    put(w, "(");
    for (const char *sep = ""; m; m = m->next, sep = " ") {
        put(w, sep);
        put_str(w, m->name);
        put(w, " ");
        put_str(w, m->value);
        if (!m->next && !charset)
            put(w, " ");
    }
    if (!charset) /* RFC 2045 5.2: what a text without charset is in */
        put(w, "\"charset\" \"us-ascii\"");
    put(w, ")");
}

/* Content-Language: one tag, or a list of them in parentheses. */
static void put_language(struct writer *w, struct str s)
{
    struct str tag, rest = s;
    bool list = s.p && str_chr(s, ',') >= 0;

    put(w, list ? " (" : " ");
    if (!list)
        put_str(w, s);
    for (bool more = list, first = true; more; first = false) {
        more = str_cut(rest, ',', &tag, &rest);
        if (!first)
            put(w, " ");
        put_str(w, str_trim(tag));
    }
    if (list)
        put(w, ")");
}

static void put_extension(struct writer *w, const struct mime_part *p)
{
    put(w, " ");
    if (p->disposition.p) {
        put(w, "(");
        put_str(w, p->disposition);
        put_params(w, p->disposition_params, false);
        put(w, ")");
    } else {
        put(w, "NIL");
    }
    put_language(w, p->language);
    put(w, " ");
    put_str(w, p->location);
}

static void put_body(struct writer *w, const struct mime_part *p);

/* The grammar wants a body inside every multipart. Where no part was found (no boundary, or one that never
 * comes) the undivided body is shown as text, so that who wrote it is read (RFC 2045 5.2); section.c finds it by the
 * same number. */
static void put_undivided(struct writer *w, const struct mime_part *p)
{
    const struct mime_part text = { .type = { "text", 4 },
                                    .subtype = { "plain", 5 },
                                    .encoding = p->encoding,
                                    .body_start = p->body_start,
                                    .body_end = p->body_end,
                                    .lines = p->lines };

    put_body(w, &text);
}

static void put_multipart(struct writer *w, const struct mime_part *p)
{
    for (const struct mime_part *c = p->first_child; c; c = c->next)
        put_body(w, c);
    if (!p->first_child)
        put_undivided(w, p);
    put(w, " ");
    put_str(w, p->subtype);
    if (w->extended) {
        put_params(w, p->params, false);
        put_extension(w, p);
    }
}

static void put_single(struct writer *w, const struct mime_part *p)
{
    static const struct mime_envelope nothing;
    static const struct mime_part nothing_in = { .type = { "text", 4 }, .subtype = { "plain", 5 } };
    bool text = mime_part_is(p, "text", NULL);
    bool message = mime_part_is(p, "message", "rfc822") || mime_part_is(p, "message", "global");

    put_str(w, p->type);
    put(w, " ");
    put_str(w, p->subtype);
    put_params(w, p->params, text);
    put(w, " ");
    put_str(w, p->id);
    put(w, " ");
    put_str(w, p->description);
    put(w, " ");
    put_str(w, p->encoding.p ? p->encoding : STR("7bit")); /* RFC 2045 6.1 */
    put_u64(w, p->body_end - p->body_start);
    if (message) {
        put(w, " ");
        put_envelope(w, p->first_child && p->first_child->envelope ? p->first_child->envelope : &nothing);
        put(w, " ");
        put_body(w, p->first_child ? p->first_child : &nothing_in);
    }
    if (text || message)
        put_u64(w, p->lines);
    if (w->extended) {
        put(w, " ");
        put_str(w, p->md5);
        put_extension(w, p);
    }
}

static void put_body(struct writer *w, const struct mime_part *p)
{
    if (w->r < 0)
        return;
    put(w, "(");
    if (mime_part_is(p, "multipart", NULL))
        put_multipart(w, p);
    else
        put_single(w, p);
    put(w, ")");
}

int mime_imap_envelope(const struct mime_envelope *e, bool utf8, struct buf *out)
{
    struct writer w = { .out = out, .utf8 = utf8 };

    put_envelope(&w, e);
    return w.r;
}

int mime_imap_body(const struct mime_part *root, bool extended, bool utf8, struct buf *out)
{
    struct writer w = { .out = out, .utf8 = utf8, .extended = extended };

    put_body(&w, root);
    return w.r;
}
