#include "lib/smtp/linereader.h"
#include "lib/base/errors.h"

/* Keep the bytes of one run that holds no LF. What is wrong first counts, however the run was cut. */
static int keep(struct linereader *l, struct str run)
{
    size_t room = l->line.max - l->line.n, text, bare, zero;
    ptrdiff_t cr, nul;

    if (run.n == 0 || l->error)
        return 0;
    cr = str_chr(run, '\r');
    nul = str_chr(run, '\0');
    text = run.n - (cr >= 0 && (size_t)cr + 1 == run.n);
    bare = l->cr ? 0 : cr < 0 ? run.n : (size_t)cr + 1;
    zero = nul < 0 ? run.n : (size_t)nul;
    if (bare < run.n && bare <= zero && bare <= room + 1) /* a CR itself takes no room */
        l->error = E_BARE_CR;
    else if (zero < run.n && zero <= room)
        l->error = E_NUL;
    else if (text > room)
        l->error = E_LINE_TOO_LONG;
    l->cr = text < run.n;
    return l->error ? 0 : buf_puts(&l->line, str_slice(run, 0, text));
}

int linereader_feed(struct linereader *l, struct str in, size_t *used_out, struct str *line_out)
{
    ptrdiff_t lf = str_chr(in, '\n');
    struct str run = lf < 0 ? in : str_slice(in, 0, (size_t)lf);
    int r;

    if (l->done) {
        buf_clear(&l->line);
        l->done = false;
    }
    *used_out = run.n + (lf >= 0);
    if ((r = keep(l, run)) < 0)
        return r;
    l->seen += run.n;
    if (l->seen > LINEREADER_GARBAGE_MAX)
        return E_LIMIT;
    if (lf < 0)
        return 0;
    r = l->error ? l->error : l->cr ? 1 : E_BARE_LF;
    l->done = true;
    l->error = 0;
    l->seen = 0;
    l->cr = false;
    if (r == 1)
        *line_out = buf_str(&l->line);
    return r;
}

void linereader_release(struct linereader *l)
{
    buf_release(&l->line);
}
