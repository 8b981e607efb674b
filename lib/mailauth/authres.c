#include "lib/mailauth/authres.h"

#define COMMENT_DEPTH_MAX 16u
#define LINE_WANTED       76u

/* ---- reading ---- */

struct reader {
    struct arena *a;
    struct str in;
    int error;
};

static char peek(const struct reader *r)
{
    return r->in.n ? *r->in.p : '\0';
}

static bool take(struct reader *r, char c)
{
    if (r->error || r->in.n == 0 || *r->in.p != c)
        return false;
    r->in = str_skip(r->in, 1);
    return true;
}

static void fail(struct reader *r, int e)
{
    if (!r->error)
        r->error = e;
    r->in = STR("");
}

/* After '(': up to its ')'. Returns the text without what is nested left out: raw bytes, unfolded later. */
static struct str comment_rest(struct reader *r)
{
    struct str start = r->in;
    unsigned depth = 1;

    while (r->in.n && depth) {
        char c = *r->in.p;

        r->in = str_skip(r->in, c == '\\' ? 2 : 1);
        depth += c == '(' ? 1 : 0;
        depth -= c == ')' ? 1 : 0;
        if (depth > COMMENT_DEPTH_MAX)
            fail(r, E_LIMIT);
    }
    if (depth) {
        fail(r, E_SYNTAX);
        return STR_NONE;
    }
    return str_slice(start, 0, (size_t)(r->in.p - start.p) - 1);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Comments and white space; *comment_out: the first comment, when it is wanted. */
static void skip_cfws(struct reader *r, struct str *comment_out)
{
    while (r->in.n && !r->error) {
        if (is_space(*r->in.p)) {
            r->in = str_skip(r->in, 1);
        } else if (take(r, '(')) {
            struct str c = comment_rest(r);

            if (comment_out && !comment_out->p)
                *comment_out = c;
        } else {
            break;
        }
    }
}

static bool is_control(char c)
{
    return (c >= 0 && c < ' ') || c == 0x7f;
}

/* Into the arena, with line ends and quoting backslashes taken off. */
static struct str unquoted(struct reader *r, struct str raw)
{
    char *p = arena_alloc(r->a, raw.n + 1);
    size_t n = 0;

    if (!p) {
        fail(r, E_NOMEM);
        return STR("");
    }
    for (size_t i = 0; i < raw.n; i++) {
        char c = raw.p[i];

        if (c == '\r' || c == '\n')
            continue;
        if (c == '\\' && i + 1 < raw.n)
            c = raw.p[++i];
        if (c == '\t')
            c = ' ';
        if (is_control(c)) {
            fail(r, E_SYNTAX);
            return STR("");
        }
        p[n++] = c;
    }
    if (n > AUTHRES_VALUE_MAX)
        fail(r, E_LIMIT);
    return str_of(p, n);
}

static struct str quoted(struct reader *r)
{
    struct str start = r->in;

    while (r->in.n && *r->in.p != '"')
        r->in = str_skip(r->in, *r->in.p == '\\' ? 2 : 1);
    if (r->in.n == 0) {
        fail(r, E_SYNTAX);
        return STR("");
    }
    start = str_slice(start, 0, (size_t)(r->in.p - start.p));
    r->in = str_skip(r->in, 1);
    return unquoted(r, start);
}

/* Bytes up to one of `stops`, white space or a control. */
static struct str word(struct reader *r, const char *stops)
{
    size_t n = 0;

    while (n < r->in.n && !is_space(r->in.p[n]) && !is_control(r->in.p[n]) && !strchr(stops, r->in.p[n]))
        n++;
    if (n > AUTHRES_VALUE_MAX)
        fail(r, E_LIMIT);
    else if (n == 0)
        fail(r, E_SYNTAX);
    else
        r->in = str_skip(r->in, n);
    return str_of(r->in.p - n, r->error ? 0 : n);
}

/* token, quoted-string, or an address whose local-part may be quoted. */
static struct str value(struct reader *r)
{
    struct str local, domain;
    char *p;

    if (!take(r, '"'))
        return word(r, ";()\"");
    local = quoted(r);
    if (r->error || peek(r) != '@')
        return local;
    domain = word(r, ";()\"");
    if (!r->error && local.n + domain.n > AUTHRES_VALUE_MAX)
        fail(r, E_LIMIT);
    if (r->error || !(p = arena_alloc(r->a, local.n + domain.n)))
        return STR("");
    memcpy(p, local.p, local.n);
    memcpy(p + local.n, domain.p, domain.n);
    return str_of(p, local.n + domain.n);
}

static uint32_t number(struct reader *r)
{
    size_t n = 0;
    uint32_t v = 0;

    while (n < r->in.n && ascii_digit(r->in.p[n]))
        n++;
    if (n > 4 || !str_to_u32(str_slice(r->in, 0, n), &v) || v == 0)
        fail(r, E_SYNTAX);
    else
        r->in = str_skip(r->in, n);
    return v;
}

static void prop_or_reason(struct reader *r, struct authres_result *res)
{
    struct str name = word(r, ";()=.\""), second = STR_NONE;

    skip_cfws(r, NULL);
    if (take(r, '.')) {
        skip_cfws(r, NULL);
        second = word(r, ";()=\"");
        skip_cfws(r, NULL);
    }
    if (!take(r, '=')) {
        fail(r, E_SYNTAX);
        return;
    }
    skip_cfws(r, NULL);
    if (second.p && res->nprops < AUTHRES_PROPS_MAX)
        res->props[res->nprops++] = (struct authres_prop){ name, second, value(r) };
    else if (second.p)
        fail(r, E_LIMIT);
    else if (str_ieq_z(name, "reason") && !res->reason.p)
        res->reason = value(r);
    else
        fail(r, E_SYNTAX);
}

static void result(struct reader *r, struct authres *out)
{
    struct authres_result *res;
    struct str comment = STR_NONE;

    if (out->n == AUTHRES_RESULTS_MAX) {
        fail(r, E_LIMIT);
        return;
    }
    res = &out->results[out->n];
    *res = (struct authres_result){ .method = word(r, ";()=/\"") };
    skip_cfws(r, NULL);
    if (take(r, '/')) {
        skip_cfws(r, NULL);
        res->version = number(r);
        skip_cfws(r, NULL);
    }
    if (!take(r, '=')) { /* "none" stands alone */
        if (out->n || !str_ieq_z(res->method, "none") || res->version)
            fail(r, E_SYNTAX);
        return;
    }
    skip_cfws(r, NULL);
    res->result = word(r, ";()=\"");
    skip_cfws(r, &comment);
    if (comment.p)
        res->comment = unquoted(r, comment);
    for (; r->in.n && peek(r) != ';' && !r->error; skip_cfws(r, NULL))
        prop_or_reason(r, res);
    out->n++;
}

static struct str read_id(struct reader *r)
{
    skip_cfws(r, NULL);
    return value(r);
}

int authres_parse(struct arena *a, struct str text, struct authres *out)
{
    struct reader r = { .a = a, .in = text };

    out->n = 0;
    out->version = 0;
    out->id = read_id(&r);
    skip_cfws(&r, NULL);
    if (ascii_digit(peek(&r)))
        out->version = number(&r);
    skip_cfws(&r, NULL);
    while (!r.error && r.in.n) {
        if (!take(&r, ';')) {
            fail(&r, E_SYNTAX);
            break;
        }
        skip_cfws(&r, NULL);
        if (r.in.n)
            result(&r, out);
        skip_cfws(&r, NULL);
    }
    return r.error;
}

bool authres_claims(struct str text, struct str id)
{
    CLEANUP(arena_release) struct arena a = { .max = KIB(64) };
    struct reader r = { .a = &a, .in = text };
    struct str found = read_id(&r);

    return r.error || str_ieq(found, id);
}

/* ---- writing ---- */

static bool is_plain(char c)
{
    return ascii_alpha(c) || ascii_digit(c) || (c && strchr(".-_@+!#$%&'*^`{|}~", c));
}

static int put_value(struct buf *out, struct str s)
{
    bool plain = s.n > 0;
    int r;

    s = str_slice(s, 0, AUTHRES_VALUE_MAX);
    for (size_t i = 0; i < s.n; i++)
        plain = plain && is_plain(s.p[i]);
    if (plain)
        return buf_puts(out, s);
    r = buf_putc(out, '"');
    for (size_t i = 0; i < s.n && r == 0; i++) {
        char c = is_control(s.p[i]) ? '?' : s.p[i];

        r = c == '"' || c == '\\' ? buf_printf(out, "\\%c", c) : buf_putc(out, c);
    }
    return r < 0 ? r : buf_putc(out, '"');
}

/* Method, result, ptype, property: our own words, or what the parser let through. */
static int put_word(struct buf *out, struct str s)
{
    int r = 0;

    for (size_t i = 0; i < s.n && r == 0; i++)
        r = buf_putc(out, is_control(s.p[i]) || is_space(s.p[i]) || strchr(";()=\"", s.p[i]) ? '?' : s.p[i]);
    return r;
}

static int put_comment(struct buf *out, struct str s)
{
    int r = buf_putz(out, " (");

    s = str_slice(s, 0, AUTHRES_VALUE_MAX);
    for (size_t i = 0; i < s.n && r == 0; i++) {
        char c = is_control(s.p[i]) ? '?' : s.p[i];

        r = c == '(' || c == ')' || c == '\\' ? buf_printf(out, "\\%c", c) : buf_putc(out, c);
    }
    return r < 0 ? r : buf_putc(out, ')');
}

/* A space, or a new line when `n` more bytes would be too many. */
static int put_gap(struct buf *out, size_t n)
{
    ptrdiff_t lf = str_rchr(buf_str(out), '\n');
    size_t column = out->n - (size_t)(lf + 1);

    return buf_putz(out, column + 1 + n > LINE_WANTED ? "\r\n\t" : " ");
}

static int put_result(struct buf *out, const struct authres_result *res)
{
    int r;

    if ((r = put_word(out, res->method)) < 0 ||
        (res->version && (r = buf_printf(out, "/%u", res->version)) < 0) || (r = buf_putc(out, '=')) < 0 ||
        (r = put_word(out, res->result)) < 0 || (res->comment.p && (r = put_comment(out, res->comment)) < 0))
        return r;
    if (res->reason.p && ((r = put_gap(out, res->reason.n + 9)) < 0 || (r = buf_putz(out, "reason=")) < 0 ||
                          (r = put_value(out, res->reason)) < 0))
        return r;
    for (size_t i = 0; i < res->nprops; i++) {
        const struct authres_prop *p = &res->props[i];

        if ((r = put_gap(out, p->ptype.n + p->name.n + p->value.n + 5)) < 0 ||
            (r = put_word(out, p->ptype)) < 0 || (r = buf_putc(out, '.')) < 0 ||
            (r = put_word(out, p->name)) < 0 || (r = buf_putc(out, '=')) < 0 ||
            (r = put_value(out, p->value)) < 0)
            return r;
    }
    return 0;
}

int authres_print(struct buf *out, const struct authres *res)
{
    size_t was = out->n;
    int r = put_value(out, res->id);

    if (r == 0 && res->version)
        r = buf_printf(out, " %u", res->version);
    if (r == 0 && res->n == 0)
        r = buf_putz(out, "; none");
    for (size_t i = 0; i < res->n && r == 0; i++)
        if ((r = buf_putz(out, ";\r\n\t")) == 0)
            r = put_result(out, &res->results[i]);
    if (r < 0)
        out->n = was;
    return r;
}

struct authres_result *authres_add(struct authres *r, struct str method, struct str res)
{
    if (r->n == AUTHRES_RESULTS_MAX)
        return NULL;
    r->results[r->n] = (struct authres_result){ .method = method, .result = res };
    return &r->results[r->n++];
}

void authres_prop(struct authres_result *r, const char *ptype, const char *name, struct str v)
{
    if (r && r->nprops < AUTHRES_PROPS_MAX)
        r->props[r->nprops++] = (struct authres_prop){ str_from(ptype), str_from(name), v };
}

int authres_merge(const struct mailauth_message *m, struct str id, struct buf *out)
{
    CLEANUP(arena_release) struct arena a = { .max = KIB(512) };
    struct authres *all = ARENA_NEW(&a, struct authres), *one = ARENA_NEW(&a, struct authres);

    if (!all || !one)
        return E_NOMEM;
    all->id = id;
    for (size_t i = 0; i < m->nfields; i++) {
        if (!str_ieq_z(m->fields[i].name, "Authentication-Results") ||
            authres_parse(&a, m->fields[i].value, one) < 0 || !str_ieq(one->id, id))
            continue;
        for (size_t k = 0; k < one->n && all->n < AUTHRES_RESULTS_MAX; k++)
            all->results[all->n++] = one->results[k];
    }
    return authres_print(out, all);
}

/* ---- taking ours away ---- */

enum { IN_NAME, HELD, PASS, DROP, BODY };
static const char field_name[] = "authentication-results";

void authres_filter_init(struct authres_filter *f, struct str id)
{
    *f = (struct authres_filter){ .id = id, .held = { .max = AUTHRES_HELD_MAX }, .state = PASS };
}

void authres_filter_release(struct authres_filter *f)
{
    buf_release(&f->held);
}

static int flush_held(struct authres_filter *f, struct buf *out)
{
    int r = buf_puts(out, buf_str(&f->held));

    buf_clear(&f->held);
    return r;
}

/* What is held is a whole field, or as much of one as we look at. */
static int decide(struct authres_filter *f, struct buf *out)
{
    struct str name, text;

    str_cut(buf_str(&f->held), ':', &name, &text);
    f->state = authres_claims(text, f->id) ? DROP : PASS;
    if (f->state == PASS)
        return flush_held(f, out);
    f->removed++;
    buf_clear(&f->held);
    return 0;
}

/* May this beginning of a line still become our field's name? */
static bool name_fits(struct str line)
{
    size_t n = sizeof field_name - 1, i = 0;

    for (; i < line.n && i < n; i++)
        if (ascii_lower(line.p[i]) != field_name[i])
            return false;
    for (; i < line.n; i++)
        if (line.p[i] != ' ' && line.p[i] != '\t' && !(line.p[i] == ':' && i >= n))
            return false;
    return true;
}

static int name_byte(struct authres_filter *f, char c, struct buf *out)
{
    if (f->held.n == f->held.max || !name_fits(buf_str(&f->held))) { /* 4 KiB of spaces are no field */
        f->state = PASS;
        return flush_held(f, out);
    }
    if (c == ':')
        f->state = HELD;
    return 0;
}

static int filter_byte(struct authres_filter *f, char c, struct buf *out)
{
    int r = 0;

    if (f->at == 0 &&
        !(f->begun && (c == ' ' || c == '\t'))) { /* not a folded line: a field ends, one begins */
        if (f->state == HELD)
            r = decide(f, out);
        f->state = IN_NAME;
        f->begun = true;
    }
    if (r == 0 && f->state == HELD && f->held.n == f->held.max)
        r = decide(f, out);
    if (r < 0)
        return r;
    switch (f->state) {
    case IN_NAME:
        if ((r = buf_putc(&f->held, c)) == 0)
            r = name_byte(f, c, out);
        break;
    case HELD: r = buf_putc(&f->held, c); break;
    case PASS: r = buf_putc(out, c); break;
    default: break;
    }
    if (c == '\n') {
        if (f->at == 0 || (f->at == 1 && f->cr))
            f->state = BODY;
        f->at = 0;
        return r;
    }
    f->cr = c == '\r' && f->at == 0;
    f->at++;
    return r;
}

/* Bytes that need no thought: the body, the rest of a line that passes or does not. */
static size_t run_length(const struct authres_filter *f, struct str in)
{
    ptrdiff_t lf;

    if (f->state == BODY)
        return in.n;
    if (f->at < 2 || (f->state != PASS && f->state != DROP))
        return 0;
    lf = str_chr(in, '\n');
    return lf < 0 ? in.n : (size_t)lf;
}

int authres_filter_feed(struct authres_filter *f, struct str in, struct buf *out)
{
    int r = 0;

    while (in.n && r == 0) {
        size_t n = run_length(f, in);

        if (n && f->state != DROP)
            r = buf_append(out, in.p, n);
        if (n == 0) {
            r = filter_byte(f, *in.p, out);
            n = 1;
        }
        in = str_skip(in, n);
    }
    return r;
}

int authres_filter_end(struct authres_filter *f, struct buf *out)
{
    return f->state == HELD ? decide(f, out) : flush_held(f, out);
}
