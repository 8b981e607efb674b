#include "lib/pop3/stuff.h"
#include "lib/base/errors.h"

void stuff_init(struct stuff *s, uint64_t body_lines)
{
    *s = (struct stuff){ .body_lines = body_lines };
}

/* A line has ended. RFC 1939 7, TOP: the header, the empty line, and so many lines of the body. */
static void line_end(struct stuff *s)
{
    if (s->in_body && s->body_lines != STUFF_ALL)
        s->body_lines--;
    if (s->line_n == 2) /* CRLF alone */
        s->in_body = true;
    s->full = s->in_body && s->body_lines == 0;
    s->line_n = 0;
    s->cr = false;
}

/* The bytes of one line that `in` begins with, its LF included. */
static struct str line_of(struct str in)
{
    ptrdiff_t lf = str_chr(in, '\n');

    return lf < 0 ? in : str_slice(in, 0, (size_t)lf + 1);
}

static int put(struct stuff *s, struct str run, struct buf *out)
{
    bool ends = run.p[run.n - 1] == '\n' && (run.n > 1 ? run.p[run.n - 2] == '\r' : s->cr);
    int r = s->line_n == 0 && run.p[0] == '.' ? buf_putc(out, '.') : 0;

    if (r < 0 || (r = buf_puts(out, run)) < 0)
        return r;
    s->cr = run.p[run.n - 1] == '\r';
    s->line_n += run.n;
    if (ends)
        line_end(s);
    return 0;
}

int stuff_feed(struct stuff *s, struct str in, struct buf *out)
{
    int r = 0;

    while (in.n && !s->full && r == 0) {
        struct str run = line_of(in);

        r = put(s, run, out);
        in = str_skip(in, run.n);
    }
    return r;
}

int stuff_end(struct stuff *s, struct buf *out)
{
    return buf_putz(out, s->line_n ? "\r\n.\r\n" : ".\r\n");
}
