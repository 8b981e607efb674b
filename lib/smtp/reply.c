#include "lib/smtp/reply.h"
#include "lib/base/errors.h"

static int put_line(struct buf *out, unsigned code, const char *enh, struct str line, bool last)
{
    size_t room, start = out->n;
    int r = buf_printf(out, "%03u%c%s%s", code % 1000u, last ? ' ' : '-', enh ? enh : "", enh ? " " : "");

    room = SMTP_REPLY_LINE_MAX - 2 - (out->n - start);
    line = str_slice(line, 0, room);
    for (size_t i = 0; i < line.n && r == 0; i++)
        r = buf_putc(out, line.p[i] >= 32 && line.p[i] < 127 ? line.p[i] : '?');
    return r < 0 ? r : buf_append(out, "\r\n", 2);
}

int smtp_reply_text(struct buf *out, unsigned code, const char *enh, struct str text)
{
    size_t was = out->n;
    struct str line;
    bool more = true;
    int r = 0;

    while (more && r == 0) {
        more = str_cut(text, '\n', &line, &text);
        r = put_line(out, code, enh, line, !more);
    }
    if (r < 0)
        out->n = was;
    return r;
}

int smtp_reply_write(struct buf *out, const struct smtp_reply *r)
{
    return smtp_reply_text(out, r->code, r->enh, str_from(r->text));
}
