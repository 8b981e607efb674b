#include "lib/spam/fields.h"

enum { LINE, NAME, REST, BODY };

static const char *const ours[] = { "x-spam-score", "x-spam-status", "x-virus-status" };

/* What is held is the beginning of one of our names, or one and spaces behind it. */
static bool may_be_ours(struct str s, bool *is_out)
{
    *is_out = false;
    for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
        size_t len = strlen(ours[i]);

        if (str_ieq(s, str_slice(str_from(ours[i]), 0, s.n)))
            return true;
        if (s.n > len && str_ieq_z(str_slice(s, 0, len), ours[i])) { /* spaces may stand before the colon */
            *is_out = str_trim(str_skip(s, len)).n == 1 && s.p[s.n - 1] == ':';
            return true;
        }
    }
    return false;
}

static int let_go(struct spam_fields *f, struct buf *out)
{
    size_t n = f->n;

    f->n = 0;
    return n ? buf_append(out, f->held, n) : 0;
}

static int name_byte(struct spam_fields *f, char c, struct buf *out)
{
    bool is;

    f->held[f->n++] = c;
    if (may_be_ours(str_of(f->held, f->n), &is) && !is && f->n < SPAM_FIELDS_HELD)
        return 0;
    f->state = REST;
    f->dropping = is;
    if (is) {
        f->removed++;
        f->n = 0;
        return 0;
    }
    return let_go(f, out);
}

/* A run of bytes up to and with the line's end. */
static int rest(struct spam_fields *f, struct str in, size_t *used, struct buf *out)
{
    const char *lf = memchr(in.p, '\n', in.n);

    *used = lf ? (size_t)(lf - in.p) + 1 : in.n;
    if (lf)
        f->state = LINE;
    return f->dropping ? 0 : buf_append(out, in.p, *used);
}

int spam_fields_feed(struct spam_fields *f, struct str in, bool end, struct buf *out)
{
    int r = 0;

    while (in.n && r == 0) {
        size_t used = 1;
        char c = in.p[0];

        if (f->state == BODY)
            return buf_puts(out, in);
        if (f->state == LINE) {
            if (c == '\r' || c == '\n')
                f->state = BODY;
            else if (c == ' ' || c == '\t')
                f->state = REST; /* goes with the field that it continues */
            else
                f->state = NAME;
            used = 0;
        } else if (f->state == NAME) {
            if (c == '\n') { /* a line without a colon */
                f->state = REST;
                f->dropping = false;
                r = let_go(f, out);
                used = 0;
            } else {
                r = name_byte(f, c, out);
            }
        } else {
            r = rest(f, in, &used, out);
        }
        in = str_skip(in, used);
    }
    return end && r == 0 ? let_go(f, out) : r;
}
