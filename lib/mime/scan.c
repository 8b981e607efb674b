/* The scanner. A message is lines; most of them are body and only counted (skim.c). Undecided is a
 * line only at its beginning: in a header until its ':' (do we keep this field?), in a body while it
 * may be a delimiter. Those few bytes wait in `head`, so slices may end anywhere.
 *
 *   BOL   nothing of the line read yet
 *   HEAD  its first bytes are in head, undecided
 *   LINE  rest of a line of cur's body, and further lines while they cannot be delimiters
 *   FIELD rest of a header line
 *   SKIP  rest of a delimiter line
 *
 * Invariants: cur is the innermost open part; open[] are the open multiparts that still look for
 * their delimiter, all of them ancestors of cur or cur itself (in its preamble). */
#include "lib/mime/scan.h"
#include "lib/mime/header.h"
#include "lib/mime/skim.h"

enum { BOL, HEAD, LINE, FIELD, SKIP };

#define CONTENT_ROOM KIB(32) /* of MIME_KEPT_MAX only Content-* fields may use the last bytes */

static const struct {
    struct str name;
    bool message; /* part of the envelope; else of the part */
} kept_fields[] = {
#define NAME(n, m)             \
    {                          \
        { n, sizeof n - 1 }, m \
    }
    NAME("content-type", false),
    NAME("content-transfer-encoding", false),
    NAME("content-id", false),
    NAME("content-description", false),
    NAME("content-disposition", false),
    NAME("content-language", false),
    NAME("content-location", false),
    NAME("content-md5", false),
    NAME("date", true),
    NAME("subject", true),
    NAME("from", true),
    NAME("sender", true),
    NAME("reply-to", true),
    NAME("to", true),
    NAME("cc", true),
    NAME("bcc", true),
    NAME("in-reply-to", true),
    NAME("message-id", true),
#undef NAME
};

static bool is_message_header(const struct mime_part *p)
{
    return !p->parent || p->parent->kind == MIME_MESSAGE;
}

static struct mime_part *part_open(struct mime_scan *s, struct mime_part *parent)
{
    struct mime_part *p = s->nparts < MIME_PARTS_MAX ? ARENA_NEW(s->arena, struct mime_part) : NULL;
    bool digest = parent && parent->kind == MIME_MULTIPART && mime_part_is(parent, "multipart", "digest");

    if (!p)
        return NULL;
    s->nparts++;
    p->header_start = s->pos;
    p->parent = parent;
    p->type = digest ? STR("message") : STR("text"); /* RFC 2046 5.1.5 */
    p->subtype = digest ? STR("rfc822") : STR("plain");
    if (parent) {
        p->depth = parent->depth + 1;
        parent->nchildren++;
        if (parent->last_child)
            parent->last_child->next = p;
        else
            parent->first_child = p;
        parent->last_child = p;
    }
    s->cur = p;
    s->in_header = true;
    s->keep_field = false;
    buf_clear(&s->kept);
    return p;
}

int mime_scan_init(struct mime_scan *s, struct arena *a, const struct mime_hooks *hooks)
{
    *s = (struct mime_scan){ .arena = a, .kept.max = MIME_KEPT_MAX, .state = BOL };
    if (hooks)
        s->hooks = *hooks;
    s->root = part_open(s, NULL);
    return s->root ? 0 : E_NOMEM;
}

void mime_scan_release(struct mime_scan *s)
{
    buf_release(&s->kept);
}

static bool is_encoded(const struct mime_part *p)
{
    return str_ieq_z(p->encoding, "base64") || str_ieq_z(p->encoding, "quoted-printable");
}

static void content_field(struct mime_scan *s, struct mime_part *p, const struct mime_field *f)
{
    const struct {
        const char *name;
        struct str *to;
    } texts[] = {
        { "content-id", &p->id },
        { "content-description", &p->description },
        { "content-language", &p->language },
        { "content-location", &p->location },
        { "content-md5", &p->md5 },
    };

    if (str_ieq_z(f->name, "content-type") && !p->typed)
        p->typed = mime_type_parse(s->arena, f->value, &p->type, &p->subtype, &p->params);
    else if (str_ieq_z(f->name, "content-disposition") && !p->disposition.p)
        mime_disposition_parse(s->arena, f->value, &p->disposition, &p->disposition_params);
    else if (str_ieq_z(f->name, "content-transfer-encoding") && !p->encoding.p && mime_token(f->value).n)
        p->encoding = arena_dup(s->arena, mime_token(f->value));
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (str_ieq_z(f->name, texts[i].name) && !texts[i].to->p)
            *texts[i].to = mime_unfold(s->arena, f->value);
}

/* The header of cur is complete: read what was kept of it. */
static void header_read(struct mime_scan *s)
{
    struct mime_part *p = s->cur;
    struct str block = buf_str(&s->kept);
    struct mime_field f;

    if (is_message_header(p))
        p->envelope = mime_envelope_parse(s->arena, block);
    while (mime_header_next(&block, &f))
        content_field(s, p, &f);
    s->in_header = false;
}

/* RFC 2046 5.1.1: "must not end with white space". Some encode it by RFC 2231. */
static struct str boundary_of(struct arena *a, const struct mime_param *params)
{
    CLEANUP(buf_release) struct buf text = { .max = KIB(1) };
    struct str b = mime_param_raw(params, STR("boundary"));

    if (!b.p && mime_param_text(params, STR("boundary"), &text) > 0)
        b = arena_dup(a, buf_str(&text));
    while (b.n && (b.p[b.n - 1] == ' ' || b.p[b.n - 1] == '\t'))
        b.n--;
    return str_slice(b, 0, MIME_BOUNDARY_MAX);
}

static bool multipart_begin(struct mime_scan *s, struct mime_part *p)
{
    struct str b = boundary_of(s->arena, p->params);

    if (!b.n || s->nopen == MIME_DEPTH_MAX)
        return false;
    s->open[s->nopen++] = (struct mime_open){ p, b };
    p->kind = MIME_MULTIPART;
    return true;
}

static bool message_begin(struct mime_scan *s, struct mime_part *p)
{
    p->kind = MIME_MESSAGE;
    if (part_open(s, p))
        return true;
    p->kind = MIME_LEAF;
    return false;
}

/* After the blank line: what is this body? s->pos is its first byte. */
static void body_begin(struct mime_scan *s)
{
    struct mime_part *p = s->cur;
    bool multipart, message;

    header_read(s);
    p->body_start = s->pos;
    p->lines = s->lf_count; /* until part_close: what had been counted when the body began */
    if (s->hooks.header_end)
        s->hooks.header_end(s->hooks.user, p);
    multipart = mime_part_is(p, "multipart", NULL);
    message = mime_part_is(p, "message", "rfc822") || mime_part_is(p, "message", "global");
    if (multipart || message) {
        bool room = p->depth + 1 < MIME_DEPTH_MAX && !s->frozen;

        /* RFC 2046 5.2.1 forbids encoding a message; an encoded one is a file */
        p->opaque =
            !room || (message && is_encoded(p)) || !(multipart ? multipart_begin(s, p) : message_begin(s, p));
    }
    if (p->kind == MIME_LEAF && s->hooks.body_begin)
        s->hooks.body_begin(s->hooks.user, p);
}

static void part_close(struct mime_scan *s, struct mime_part *p, uint64_t end, uint64_t lfs, unsigned eol)
{
    if (p == s->cur && s->in_header) {
        header_read(s);
        p->body_start = p->body_end = size_max(end - eol, p->header_start);
        p->lines = 0;
        if (s->hooks.header_end)
            s->hooks.header_end(s->hooks.user, p);
    } else if (eol && end - eol >= p->body_start &&
               (!p->last_child || end - eol >= p->last_child->body_end)) {
        p->body_end = end - eol;
        p->lines = lfs - 1 - p->lines;
    } else {
        p->body_end = end;
        p->lines = lfs - p->lines;
    }
    if (s->hooks.part_end)
        s->hooks.part_end(s->hooks.user, p);
}

/* Close cur and its ancestors below `top`, which becomes cur. */
static void close_to(struct mime_scan *s, struct mime_part *top, uint64_t end, uint64_t lfs, unsigned eol)
{
    while (s->cur != top) {
        part_close(s, s->cur, end, lfs, eol);
        s->cur = s->cur->parent;
    }
}

/* Which open multipart does this line delimit? RFC 2046 5.1.1: "It is sufficient that the boundary
 * appear in its entirety following the CRLF", so what follows it does not matter; but where several
 * fit, an exact line wins over a longer boundary, and that over a shorter one. */
static int boundary_find(const struct mime_scan *s, struct str line)
{
    int best = -1;

    line = str_skip(line, 2);
    while (line.n && strchr(" \t\r\n", line.p[line.n - 1]) && line.p[line.n - 1])
        line.n--;
    for (int i = (int)s->nopen - 1; i >= 0; i--) {
        struct str b = s->open[i].boundary, rest;

        if (!str_starts(line, b))
            continue;
        rest = str_skip(line, b.n);
        if (!rest.n || str_eq(rest, STR("--")))
            return i;
        if (best < 0 || b.n > s->open[best].boundary.n)
            best = i;
    }
    return best;
}

static void next_part(struct mime_scan *s, struct mime_part *multipart)
{
    if (!part_open(s, multipart))
        s->frozen = multipart->opaque = true; /* the rest of the message is its body, unread */
}

static void delimiter(struct mime_scan *s, int which, bool closes, bool line_ended)
{
    struct mime_part *p = s->open[which].part;

    close_to(s, p, s->line_start, s->lf_count, s->eol);
    s->in_header = false;
    s->nopen = (uint32_t)which + !closes;
    s->lf_count += line_ended;
    s->state = line_ended ? BOL : SKIP;
    if (!closes && line_ended)
        next_part(s, p);
}

static void emit_body(struct mime_scan *s, struct str bytes)
{
    if (s->cur->kind == MIME_LEAF && bytes.n && s->hooks.body)
        s->hooks.body(s->hooks.user, s->cur, bytes);
}

static void emit_header(struct mime_scan *s, struct str bytes)
{
    if (bytes.n && s->hooks.header)
        s->hooks.header(s->hooks.user, s->cur, bytes);
}

static void keep(struct mime_scan *s, struct str bytes)
{
    size_t max = s->keep_content ? MIME_KEPT_MAX : MIME_KEPT_MAX - CONTENT_ROOM;

    if (s->kept.n < max && buf_puts(&s->kept, str_slice(bytes, 0, max - s->kept.n)) < 0)
        s->keep_field = false;
}

static bool field_is_kept(struct mime_scan *s, struct str line)
{
    struct str name, rest;

    if (!str_cut(line, ':', &name, &rest))
        return false;
    name = str_trim(name);
    for (size_t i = 0; i < ARRAY_LEN(kept_fields); i++)
        if (str_ieq(name, kept_fields[i].name)) {
            s->keep_content = !kept_fields[i].message;
            return s->keep_content || is_message_header(s->cur);
        }
    return false;
}

/* The last byte was consumed; was it a line end, and how long is that? */
static void note_end(struct mime_scan *s, struct str used)
{
    if (used.p[used.n - 1] == '\n') {
        char before = used.n > 1 ? used.p[used.n - 2] : s->last;

        s->eol = before == '\r' ? 2 : 1;
        s->line_start = s->pos + used.n;
    }
    s->last = used.p[used.n - 1];
    s->pos += used.n;
}

static void header_line(struct mime_scan *s, struct str head, bool line_ended)
{
    s->lf_count += line_ended;
    s->state = line_ended ? BOL : FIELD;
    emit_header(s, head);
    if (str_eq(head, STR("\r\n")) || str_eq(head, STR("\n"))) {
        body_begin(s);
        return;
    }
    if (head.p[0] != ' ' && head.p[0] != '\t') {
        s->keep_content = true;
        if (s->kept.n && s->kept.p[s->kept.n - 1] != '\n')
            keep(s, STR("\n")); /* a field that was cut must not swallow the next */
        s->keep_field = field_is_kept(s, head);
    }
    if (s->keep_field)
        keep(s, head);
}

/* The blank line is missing and this header's own multipart begins: seen in the wild, and read so by
 * others, so that a filter must see these parts too. */
static bool own_delimiter(struct mime_scan *s, struct str line)
{
    struct str value = mime_header_find(buf_str(&s->kept), STR("content-type")), type, subtype, b;
    struct mime_param *params = NULL;
    struct arena scratch = { .max = KIB(64) };
    bool found;

    if (!value.p || s->frozen)
        return false;
    found = mime_type_parse(&scratch, value, &type, &subtype, &params) && str_ieq_z(type, "multipart");
    b = found ? boundary_of(&scratch, params) : STR_NONE;
    found = b.n && str_starts(str_skip(line, 2), b);
    arena_release(&scratch);
    return found;
}

static void body_begin_here(struct mime_scan *s)
{
    uint64_t pos = s->pos;

    s->pos = s->line_start;
    s->eol = 0; /* the line end before it belongs to the header */
    body_begin(s);
    s->pos = pos;
}

/* Enough of the line's beginning is here. */
static void head_decide(struct mime_scan *s, bool line_ended)
{
    struct str head = str_of(s->head, s->head_n);
    int which = -1;

    s->head_n = 0;
    if (s->nopen && !s->frozen && str_starts(head, STR("--")))
        which = boundary_find(s, head);
    if (which < 0 && s->in_header && str_starts(head, STR("--")) && own_delimiter(s, head)) {
        body_begin_here(s);
        which = s->nopen ? boundary_find(s, head) : -1;
    }
    if (which >= 0) {
        struct str rest = str_skip(head, 2 + s->open[which].boundary.n);

        delimiter(s, which, str_starts(rest, STR("--")), line_ended);
        return;
    }
    if (s->in_header) {
        header_line(s, head, line_ended);
        return;
    }
    s->lf_count += line_ended;
    s->state = line_ended ? BOL : LINE;
    emit_body(s, head);
}

static size_t head_step(struct mime_scan *s, struct str in)
{
    size_t i = 0;
    bool ended = false, decided = false;

    while (i < in.n && !decided) {
        char c = in.p[i++];

        s->head[s->head_n++] = c;
        ended = c == '\n';
        decided = ended || s->head_n == sizeof s->head;
        if (s->in_header)
            decided = decided || (c == ':' && !(s->head[0] == '-' && s->head[1] == '-'));
        else
            decided = decided || (s->head_n == 2 && c != '-');
    }
    if (!decided) {
        s->last = in.p[i - 1];
        s->pos += i;
        return i;
    }
    if (ended) { /* note_end moves line_start on, and a delimiter needs the old one */
        uint64_t start = s->line_start;
        uint8_t eol = s->eol;
        char before = s->head_n > 1 ? s->head[s->head_n - 2] : s->last;

        s->pos += i;
        s->last = '\n';
        s->line_start = start;
        s->eol = eol;
        head_decide(s, true);
        s->line_start = s->pos;
        s->eol = before == '\r' ? 2 : 1;
        return i;
    }
    s->last = in.p[i - 1];
    s->pos += i;
    head_decide(s, false);
    return i;
}

static size_t line_step(struct mime_scan *s, struct str in)
{
    bool look = s->nopen && !s->frozen;
    size_t n = mime_skim(in.p, in.n, &s->lf_count);

    while (!look && n < in.n)
        n += mime_skim(in.p + n, in.n - n, &s->lf_count);
    emit_body(s, str_slice(in, 0, n));
    s->state = in.p[n - 1] == '\n' ? BOL : LINE;
    note_end(s, str_slice(in, 0, n));
    return n;
}

/* FIELD and SKIP: to the end of this line. */
static size_t rest_step(struct mime_scan *s, struct str in)
{
    const char *lf = memchr(in.p, '\n', in.n);
    size_t n = lf ? (size_t)(lf - in.p) + 1 : in.n;
    struct str used = str_slice(in, 0, n);
    bool field = s->state == FIELD;

    if (field) {
        emit_header(s, used);
        if (s->keep_field)
            keep(s, used);
    }
    note_end(s, used);
    if (lf) {
        s->lf_count++;
        s->state = BOL;
        /* a delimiter too long for head: its part begins after it */
        if (!field && s->nopen && s->open[s->nopen - 1].part == s->cur)
            next_part(s, s->cur);
    }
    return n;
}

void mime_scan_feed(struct mime_scan *s, struct str in)
{
    while (in.n) {
        size_t n = 0;

        switch (s->state) {
        case BOL: s->state = s->in_header || (in.p[0] == '-' && s->nopen && !s->frozen) ? HEAD : LINE; break;
        case HEAD: n = head_step(s, in); break;
        case LINE: n = line_step(s, in); break;
        default: n = rest_step(s, in); break;
        }
        in = str_skip(in, n);
    }
}

struct mime_part *mime_scan_finish(struct mime_scan *s)
{
    if (s->head_n) /* the last line had no line end */
        head_decide(s, false);
    close_to(s, NULL, s->pos, s->lf_count, 0);
    return s->root;
}

struct mime_part *mime_scan_all(struct arena *a, struct str message)
{
    struct mime_scan *s = ARENA_NEW(a, struct mime_scan);
    struct mime_part *root;

    if (!s || mime_scan_init(s, a, NULL) < 0)
        return NULL;
    mime_scan_feed(s, message);
    root = mime_scan_finish(s);
    mime_scan_release(s);
    return root;
}

struct mime_part *mime_part_next(const struct mime_part *p)
{
    if (p->first_child)
        return p->first_child;
    while (p && !p->next)
        p = p->parent;
    return p ? p->next : NULL;
}

void mime_part_shift(struct mime_part *root, uint64_t n)
{
    for (struct mime_part *p = root; p; p = mime_part_next(p)) {
        p->header_start += p == root ? 0 : n;
        p->body_start += n;
        p->body_end += n;
    }
}

int mime_part_filename(const struct mime_part *p, struct buf *out)
{
    int r = mime_param_text(p->disposition_params, STR("filename"), out);

    return r ? r : mime_param_text(p->params, STR("name"), out);
}

bool mime_part_is(const struct mime_part *p, const char *type, const char *subtype)
{
    return str_ieq_z(p->type, type) && (!subtype || str_ieq_z(p->subtype, subtype));
}

bool mime_part_is_text(const struct mime_part *p)
{
    return mime_part_is(p, "text", NULL) || (p->opaque && mime_part_is(p, "multipart", NULL));
}
