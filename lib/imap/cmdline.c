#include "lib/imap/cmdline.h"
#include "lib/imap/chars.h"

/* With the buffers around it a connection that has not logged in costs under 64 KiB, whatever it sends. */
const struct cmdline_limits cmdline_limits_before_login = { KIB(8), KIB(2), KIB(12) };
const struct cmdline_limits cmdline_limits_after_login = { KIB(64), MIB(1), MIB(2) };

#define KEEP_BYTES KIB(4)  /* an idle session keeps no more than this for its next command */
#define SKIP_REST  KIB(64) /* the line behind a refused literal */

void cmdline_init(struct cmdline *c, const struct cmdline_limits *limits)
{
    *c = (struct cmdline){ .limits = *limits, .text.max = limits->total_max + 2 };
}

void cmdline_release(struct cmdline *c)
{
    buf_release(&c->text);
}

void cmdline_set_limits(struct cmdline *c, const struct cmdline_limits *limits)
{
    c->limits = *limits;
    c->text.max = limits->total_max + 2;
}

static void forget(struct cmdline *c)
{
    size_t max = c->text.max;

    if (c->text.cap > KEEP_BYTES) {
        buf_release(&c->text);
        c->text = (struct buf){ .max = max };
    } else if (c->text.n) {
        explicit_bzero(c->text.p, c->text.n); /* it may have been LOGIN */
        buf_clear(&c->text);
    }
    c->line_n = c->rest_at = 0;
    c->cr = c->failed = false;
}

void cmdline_next(struct cmdline *c)
{
    forget(c);
    c->state = CMDLINE_ST_LINE;
    c->raw = false;
}

void cmdline_expect_line(struct cmdline *c)
{
    cmdline_next(c);
    c->raw = true;
}

static void skip_literal(struct cmdline *c, uint64_t n)
{
    if (n > c->may_skip)
        c->must_close = true;
    c->pending = n;
    c->tail_n = 0;
    c->cr = false;
    c->state = n ? CMDLINE_ST_SKIP_LITERAL : CMDLINE_ST_SKIP_LINE;
}

void cmdline_stream_done(struct cmdline *c)
{
    c->rest_at = c->text.n;
    c->line_n = 0;
    c->state = CMDLINE_ST_LINE;
}

void cmdline_stream_refuse(struct cmdline *c, uint64_t most)
{
    struct literal lit = c->literal;

    cmdline_next(c);
    c->may_skip = most + SKIP_REST;
    if (!lit.sync)
        skip_literal(c, lit.n);
}

bool literal_head_at_end(struct str line, struct literal *out, size_t *at_out)
{
    size_t i = line.n;
    struct literal lit = { .sync = true };
    struct str digits;

    if (i < 3 || line.p[--i] != '}')
        return false;
    if (line.p[i - 1] == '+') { /* LITERAL+ (RFC 7888 4) */
        lit.sync = false;
        i--;
    }
    digits.n = i;
    while (i > 0 && ascii_digit(line.p[i - 1]))
        i--;
    digits = str_of(line.p + i, digits.n - i);
    if (i == 0 || line.p[i - 1] != '{' || !str_to_u64(digits, &lit.n) || lit.n > INT64_MAX)
        return false;
    i--;
    if (i > 0 && line.p[i - 1] == '~') {
        lit.binary = true;
        i--;
    }
    *out = lit;
    *at_out = i;
    return true;
}

struct str cmdline_tag(const struct cmdline *c)
{
    size_t n = 0;

    while (n < c->text.n && imap_tag_char(c->text.p[n]))
        n++;
    if (n == 0 || n > 64 || n == c->text.n || c->text.p[n] != ' ')
        return n > 0 && n <= 64 && n == c->text.n ? buf_str(&c->text) : STR("*");
    return str_of(c->text.p, n);
}

/* What stands between the command's name and its mailbox: "", or for REPLACE the message's number and a
 * space. False: none of the commands that bring messages. */
static bool brings_messages(struct str *rest)
{
    ptrdiff_t sp;

    if (str_istarts(*rest, STR("APPEND "))) {
        *rest = str_skip(*rest, 7);
        return true;
    }
    if (str_istarts(*rest, STR("UID ")))
        *rest = str_skip(*rest, 4);
    if (!str_istarts(*rest, STR("REPLACE ")))
        return false;
    *rest = str_skip(*rest, 8);
    sp = str_chr(*rest, ' ');
    *rest = str_skip(*rest, sp < 0 ? 0 : (size_t)sp + 1);
    return sp > 0;
}

/* Is the literal whose head begins at `at` a message, or a piece of one? It is, unless it stands where
 * the mailbox name belongs, "tag APPEND {5}", or a URL of CATENATE (RFC 4469). */
static bool is_message_literal(const struct cmdline *c, size_t at)
{
    struct str text = buf_str(&c->text), rest = text, before = str_slice(text, 0, at);
    ptrdiff_t sp = str_chr(rest, ' ');

    if (sp < 0)
        return false;
    rest = str_skip(rest, (size_t)sp + 1);
    if (!brings_messages(&rest) || at <= (size_t)(rest.p - text.p))
        return false;
    if (before.n < 5 || !str_ieq_z(str_skip(before, before.n - 4), "URL ") ||
        (before.p[before.n - 5] != ' ' && before.p[before.n - 5] != '('))
        return true;
    return str_ifind(rest, STR("CATENATE (")) < 0; /* a mailbox may be called URL */
}

/* The command is wrong: tell once, swallow the rest of it. */
static int fail(struct cmdline *c, int error, bool line_ended)
{
    c->failed = true;
    c->may_skip = CMDLINE_DISCARD_MAX;
    c->raw = false;
    c->cr = false;
    c->tail_n = size_min(c->text.n, sizeof c->tail);
    if (c->tail_n)
        memcpy(c->tail, c->text.p + c->text.n - c->tail_n, c->tail_n);
    c->state = line_ended ? CMDLINE_ST_LINE : CMDLINE_ST_SKIP_LINE;
    return error;
}

static int refuse_literal(struct cmdline *c, int error)
{
    c->failed = true;
    c->may_skip = CMDLINE_DISCARD_MAX;
    if (c->literal.sync)
        c->state = CMDLINE_ST_LINE; /* we never say "+ ", so it never comes */
    else
        skip_literal(c, c->literal.n);
    return error;
}

/* A line ended in `text` (CRLF not stored yet). */
static int line_ended(struct cmdline *c)
{
    size_t at;
    int r;

    if (c->raw) {
        c->state = CMDLINE_ST_DONE;
        return CMDLINE_LINE;
    }
    if (!literal_head_at_end(str_skip(buf_str(&c->text), c->rest_at), &c->literal, &at)) {
        c->state = CMDLINE_ST_DONE;
        return CMDLINE_COMMAND;
    }
    at += c->rest_at;
    if (is_message_literal(c, at)) {
        if ((r = buf_append(&c->text, "\r\n", 2)) < 0)
            return refuse_literal(c, r);
        c->state = CMDLINE_ST_STREAM;
        return CMDLINE_STREAM;
    }
    if (c->literal.n > c->limits.literal_max)
        return refuse_literal(c, E_TOO_BIG);
    if (c->literal.n + 2 > c->limits.total_max - size_min(c->text.n, c->limits.total_max))
        return refuse_literal(c, E_LIMIT);
    if ((r = buf_append(&c->text, "\r\n", 2)) < 0)
        return refuse_literal(c, r);
    c->pending = c->literal.n;
    c->state = c->pending ? CMDLINE_ST_LITERAL : CMDLINE_ST_LINE;
    return c->literal.sync ? CMDLINE_CONTINUE : CMDLINE_MORE;
}

static size_t plain_run(struct str in)
{
    size_t n = 0;

    while (n < in.n && in.p[n] != '\r' && in.p[n] != '\n' && in.p[n] != '\0')
        n++;
    return n;
}

/* Text of a line, up to its end at most. */
static int feed_line(struct cmdline *c, struct str in, size_t *used)
{
    size_t n, room = c->limits.line_max - c->line_n;
    int r;

    if (c->cr) {
        c->cr = false;
        if (in.p[0] != '\n')
            return fail(c, E_BARE_CR, false);
        *used = 1;
        return line_ended(c);
    }
    n = size_min(plain_run(in), room);
    n = size_min(n, c->limits.total_max - size_min(c->limits.total_max, c->text.n));
    if ((r = buf_append(&c->text, in.p, n)) < 0)
        return fail(c, r, false);
    c->line_n += n;
    *used = n;
    if (n == in.n)
        return CMDLINE_MORE;
    switch (in.p[n]) {
    case '\r':
        c->cr = true;
        *used = n + 1;
        return CMDLINE_MORE;
    case '\n': /* strict on purpose: what ends a line for us must end it for every proxy before us */
        *used = n + 1;
        return fail(c, E_BARE_LF, true);
    case '\0': *used = n + 1; return fail(c, E_NUL, false);
    default: return fail(c, n == room ? E_LINE_TOO_LONG : E_LIMIT, false);
    }
}

static int feed_literal(struct cmdline *c, struct str in, size_t *used)
{
    size_t n = c->pending < in.n ? (size_t)c->pending : in.n;
    const char *nul = c->literal.binary ? NULL : memchr(in.p, '\0', n);
    int r;

    if (nul) { /* literal = "{" number "}" CRLF *CHAR8, and CHAR8 has no NUL */
        *used = (size_t)(nul - in.p) + 1;
        c->failed = true;
        c->may_skip = CMDLINE_DISCARD_MAX;
        skip_literal(c, c->pending - *used);
        return E_NUL;
    }
    *used = n;
    if ((r = buf_append(&c->text, in.p, n)) < 0) {
        c->failed = true;
        c->may_skip = CMDLINE_DISCARD_MAX;
        skip_literal(c, c->pending - n);
        return r;
    }
    c->pending -= n;
    if (c->pending == 0)
        c->state = CMDLINE_ST_LINE;
    return CMDLINE_MORE;
}

static void skip_line(struct cmdline *c, struct str in, size_t *used)
{
    struct literal lit;
    size_t i, at;

    for (i = 0; i < in.n && in.p[i] != '\n'; i++) {
        if (in.p[i] == '\r')
            continue;
        if (c->tail_n == sizeof c->tail)
            memmove(c->tail, c->tail + 1, --c->tail_n);
        c->tail[c->tail_n++] = in.p[i];
    }
    *used = size_min(i + 1, in.n);
    if (i == in.n)
        return;
    if (literal_head_at_end(str_of(c->tail, c->tail_n), &lit, &at) && !lit.sync)
        skip_literal(c, lit.n);
    else
        cmdline_next(c);
}

/* Swallowing has an end: a line without one, or literal after literal, would keep us busy for ever. */
static int skip(struct cmdline *c, struct str in, size_t *used)
{
    bool was = c->must_close;

    c->must_close = false;
    in = str_slice(in, 0, c->may_skip < in.n ? (size_t)c->may_skip + 1 : in.n);
    if (c->state == CMDLINE_ST_SKIP_LINE) {
        skip_line(c, in, used);
    } else {
        *used = c->pending < in.n ? (size_t)c->pending : in.n;
        c->pending -= *used;
        if (c->pending == 0)
            c->state = CMDLINE_ST_SKIP_LINE;
    }
    if (*used > c->may_skip)
        c->must_close = true;
    else
        c->may_skip -= *used;
    if (!c->must_close) {
        c->must_close = was;
        return CMDLINE_MORE;
    }
    c->may_skip = CMDLINE_DISCARD_MAX;
    c->failed = true;
    return E_LIMIT;
}

static int step(struct cmdline *c, struct str in, size_t *used)
{
    switch (c->state) {
    case CMDLINE_ST_LINE: return feed_line(c, in, used);
    case CMDLINE_ST_LITERAL: return feed_literal(c, in, used);
    case CMDLINE_ST_SKIP_LINE:
    case CMDLINE_ST_SKIP_LITERAL: return skip(c, in, used);
    case CMDLINE_ST_STREAM:
    case CMDLINE_ST_DONE: break;
    }
    return E_BUG;
}

int cmdline_feed(struct cmdline *c, struct str in, size_t *used_out)
{
    size_t at = 0;
    int r = CMDLINE_MORE;

    if (c->failed)
        forget(c); /* state and the skipped literal stay */
    while (r == CMDLINE_MORE && at < in.n) {
        size_t used = 0;

        r = step(c, str_skip(in, at), &used);
        at += used;
    }
    *used_out = at;
    return r;
}
