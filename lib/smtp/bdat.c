#include "lib/smtp/bdat.h"
#include "lib/base/errors.h"
#include "lib/smtp/dot.h"
#include <assert.h>

static void fail(struct bdat *b, int e)
{
    if (!b->error)
        b->error = e;
}

static void end_of_message(struct bdat *b)
{
    if (b->last && b->cr && !b->binary)
        fail(b, E_BARE_CR);
}

void bdat_chunk(struct bdat *b, uint64_t bytes, bool last)
{
    assert(b->chunk_left == 0 && !b->last);
    b->chunk_left = bytes;
    b->last = last;
    if (b->max_bytes && (bytes > b->max_bytes || b->bytes > b->max_bytes - bytes))
        fail(b, E_TOO_BIG);
    if (bytes == 0)
        end_of_message(b);
}

/* One line, or what there is of it; its LF included. What is wrong first counts, as if bytes came singly:
 * the answer must not depend on how TCP cut them. */
static void check_line(struct bdat *b, struct str s)
{
    bool lf = s.p[s.n - 1] == '\n';
    size_t room = (b->line_max ? b->line_max : SMTP_TEXT_LINE_MAX) - b->line_bytes, text, bare, zero;
    ptrdiff_t cr, nul;

    s.n -= lf;
    cr = str_chr(s, '\r');
    nul = str_chr(s, '\0');
    text = s.n - (cr >= 0 && (size_t)cr + 1 == s.n);
    bare = b->cr ? 0 : cr < 0 ? s.n : (size_t)cr + 1;
    zero = nul < 0 ? s.n : (size_t)nul;
    b->cr = s.n ? text < s.n : b->cr;
    if (bare < s.n && bare <= zero && bare <= room + 1) /* a CR itself takes no room */
        fail(b, E_BARE_CR);
    else if (zero < s.n && zero <= room)
        fail(b, E_NUL);
    else if (text > room)
        fail(b, E_LINE_TOO_LONG);
    else if (lf && !b->cr)
        fail(b, E_BARE_LF);
    b->line_bytes = lf ? 0 : b->line_bytes + text;
    b->cr = b->cr && !lf;
}

int bdat_feed(struct bdat *b, struct str in, struct buf *out, size_t *used_out)
{
    struct str rest;
    ptrdiff_t lf;
    int r;

    in.n = (size_t)(in.n < b->chunk_left ? in.n : b->chunk_left);
    for (rest = in; rest.n && !b->binary && !b->error;) {
        lf = str_chr(rest, '\n');
        check_line(b, lf < 0 ? rest : str_slice(rest, 0, (size_t)lf + 1));
        rest = lf < 0 ? STR_NONE : str_skip(rest, (size_t)lf + 1);
    }
    b->bytes += in.n;
    b->chunk_left -= in.n;
    *used_out = in.n;
    if (!b->error && (r = buf_puts(out, in)) < 0)
        fail(b, r);
    if (b->chunk_left == 0)
        end_of_message(b);
    return b->error;
}
