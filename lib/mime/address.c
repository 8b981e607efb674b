/* One pass over the bytes. Every address in the list is collected twice while its kind is unknown:
 * as a phrase (words joined by single spaces: "Joe Doe") and as a specification (nothing between the
 * words: "joe@example.test"). What ends it tells which of the two it was. */
#include "lib/mime/address.h"
#include "lib/base/buf.h"
#include "lib/mime/word.h"

#define TEXT_MAX  KIB(64) /* one address; the rest of a longer one is dropped */
#define AHEAD_MAX 512u    /* how far is looked for what a word is */

struct parser {
    struct arena *a;
    struct str in;
    size_t i, count;
    struct mime_address *first, **tail;
    struct buf phrase, spec, comment, route;
    ptrdiff_t at; /* position of the last unquoted '@' in spec, or -1 */
    bool space, angle, in_angle, group, any;
};

static void put(struct buf *b, char c)
{
    if (buf_putc(b, c) < 0)
        return; /* bounded on purpose: an overlong address is cut */
}

static void entry_reset(struct parser *p)
{
    buf_clear(&p->phrase);
    buf_clear(&p->spec);
    buf_clear(&p->comment);
    buf_clear(&p->route);
    p->at = -1;
    p->space = p->angle = p->in_angle = p->any = false;
}

static struct str keep(struct parser *p, struct str s)
{
    return s.n ? arena_dup(p->a, s) : STR("");
}

static struct mime_address *emit(struct parser *p)
{
    struct mime_address *m = p->count < MIME_ADDRESSES_MAX ? ARENA_NEW(p->a, struct mime_address) : NULL;

    if (!m) {
        p->i = p->in.n; /* full: end here */
        return NULL;
    }
    p->count++;
    *p->tail = m;
    p->tail = &m->next;
    return m;
}

static void entry_end(struct parser *p)
{
    struct str spec = buf_str(&p->spec), phrase = buf_str(&p->phrase), comment = buf_str(&p->comment);
    struct mime_address *m;

    if ((p->any || p->angle) && (m = emit(p))) {
        if (p->at >= 0) {
            m->mailbox = keep(p, str_slice(spec, 0, (size_t)p->at));
            m->host = keep(p, str_skip(spec, (size_t)p->at + 1));
        } else {
            m->mailbox = keep(p, p->angle ? spec : phrase);
            m->host = STR("");
        }
        if (p->angle && phrase.n)
            m->name = keep(p, phrase);
        else if (comment.n)
            m->name = keep(p, comment); /* the old form: joe@example.test (Joe Doe) */
        if (p->route.n)
            m->route = keep(p, buf_str(&p->route));
    }
    entry_reset(p);
}

static void group_begin(struct parser *p)
{
    struct mime_address *m = emit(p);

    if (m)
        m->mailbox = keep(p, buf_str(&p->phrase));
    entry_reset(p);
    p->group = true;
}

static void group_end(struct parser *p)
{
    if (p->group && emit(p))
        p->group = false;
}

/* "joe@example.test ann@example.test": the comma is missing, but not the second address. Where an angle bracket follows,
 * all of it is a name. */
static bool comma_missing(const struct parser *p, char c)
{
    struct str rest = str_slice(p->in, p->i, p->i + AHEAD_MAX);

    if (!p->space || p->angle || p->at < 0 || (size_t)p->at + 1 == p->spec.n || c == '.' || c == '@' ||
        p->spec.p[p->spec.n - 1] == '.')
        return false;
    for (size_t i = 0; i < rest.n && rest.p[i] != ',' && rest.p[i] != ';' && rest.p[i] != '<'; i++)
        if (rest.p[i] == '@') {
            ptrdiff_t angle = str_chr(str_skip(rest, i), '<'), end = str_chr(str_skip(rest, i), ',');

            return angle < 0 || (end >= 0 && end < angle);
        }
    return false;
}

/* A byte that counts: into the specification, and into the phrase while that can be a name. */
static void text(struct parser *p, char c)
{
    if (p->angle && !p->in_angle)
        return; /* words after <…> mean nothing */
    if (comma_missing(p, c))
        entry_end(p);
    if (!p->in_angle) {
        if (p->space && p->phrase.n)
            put(&p->phrase, ' ');
        put(&p->phrase, c);
    }
    p->space = false;
    p->any = true;
    put(&p->spec, c);
}

/* From an opening quote or bracket to its end; what is inside loses its backslashes. */
static void quoted(struct parser *p, char end, bool keep_marks)
{
    if (keep_marks)
        text(p, p->in.p[p->i]);
    p->any = p->any || !p->angle;
    for (p->i++; p->i < p->in.n && p->in.p[p->i] != end; p->i++) {
        if (p->in.p[p->i] == '\\' && p->i + 1 < p->in.n)
            p->i++;
        if (p->in.p[p->i] != '\r' && p->in.p[p->i] != '\n')
            text(p, p->in.p[p->i]);
    }
    if (keep_marks)
        text(p, end);
    p->i++;
}

static void comment(struct parser *p)
{
    size_t depth = 1;

    buf_clear(&p->comment); /* the last one names the person */
    for (p->i++; p->i < p->in.n; p->i++) {
        char c = p->in.p[p->i];

        if (c == '\\' && p->i + 1 < p->in.n)
            c = p->in.p[++p->i];
        else if (c == '(')
            depth++;
        else if (c == ')' && --depth == 0)
            break;
        if (c != '\r' && c != '\n')
            put(&p->comment, c);
    }
    p->i++;
    p->space = true;
}

static void angle_begin(struct parser *p)
{
    struct str rest, route;

    buf_clear(&p->spec);
    p->at = -1;
    p->angle = p->in_angle = true;
    p->i++;
    rest = str_skip(p->in, p->i);
    if (rest.n && rest.p[0] == '@') { /* RFC 5322 4.4 obs-route: <@a,@b:joe@example.test> */
        size_t n = 0;

        while (n < rest.n && rest.p[n] != ':' && rest.p[n] != '>')
            n++;
        if (n < rest.n && rest.p[n] == ':') {
            route = str_trim(str_slice(rest, 0, n));
            if (buf_puts(&p->route, route) < 0)
                buf_clear(&p->route);
            p->i += n + 1;
        }
    }
}

static void step(struct parser *p)
{
    char c = p->in.p[p->i];
    size_t word;

    switch (c) {
    case ' ':
    case '\t':
    case '\r':
    case '\n':
        p->space = true;
        p->i++;
        return;
    case '(': comment(p); return;
    case '"': quoted(p, '"', false); return;
    case '[': quoted(p, ']', true); return;
    case '<': p->angle ? (void)p->i++ : angle_begin(p); return;
    case '>':
        p->in_angle = false;
        p->i++;
        return;
    case ',':
        p->i++;
        if (!p->in_angle)
            entry_end(p);
        return;
    case ';':
        p->i++;
        entry_end(p);
        group_end(p);
        return;
    case ':':
        p->i++;
        if (!p->in_angle && !p->angle && !p->group && p->at < 0)
            group_begin(p);
        return;
    case '@':
        if (p->in_angle || !p->angle)
            p->at = (ptrdiff_t)p->spec.n;
        break;
    case '\\':
        if (p->i + 1 < p->in.n)
            c = p->in.p[++p->i];
        break;
    case '=': /* an encoded word may hold what would else end the address: =?utf-8?Q?Doe,_Joe?= */
        for (word = mime_word_bytes(str_skip(p->in, p->i)); word > 1; word--)
            text(p, p->in.p[p->i++]);
        c = p->in.p[p->i];
        break;
    default: break;
    }
    text(p, c);
    p->i++;
}

struct mime_address *mime_address_parse(struct arena *a, struct str value)
{
    struct parser p = { .a = a,
                        .in = value,
                        .phrase.max = TEXT_MAX,
                        .spec.max = TEXT_MAX,
                        .comment.max = TEXT_MAX,
                        .route.max = TEXT_MAX };

    p.tail = &p.first;
    entry_reset(&p);
    while (p.i < p.in.n)
        step(&p);
    entry_end(&p);
    group_end(&p);
    buf_release(&p.phrase);
    buf_release(&p.spec);
    buf_release(&p.comment);
    buf_release(&p.route);
    return p.first;
}
