#include "lib/imap/respond.h"
#include "lib/imap/chars.h"
#include "lib/imap/datetime.h"
#include "lib/imap/mboxname.h"

#define QUOTED_MAX 1024u /* longer strings are literals: some clients read lines into fixed buffers */

void resp_raw(struct resp *w, struct str s)
{
    if (w->r == 0)
        w->r = buf_puts(w->out, s);
}

void resp_z(struct resp *w, const char *z)
{
    resp_raw(w, str_from(z));
}

void resp_printf(struct resp *w, const char *fmt, ...)
{
    va_list ap;

    if (w->r < 0)
        return;
    va_start(ap, fmt);
    w->r = buf_vprintf(w->out, fmt, ap);
    va_end(ap);
}

static void put(struct resp *w, char c)
{
    if (w->r == 0)
        w->r = buf_putc(w->out, c);
}

static bool quotable(struct str s)
{
    if (s.n > QUOTED_MAX)
        return false;
    for (size_t i = 0; i < s.n; i++) /* 8-bit in quoted needs UTF-8 enabled and valid: literals never do */
        if (s.p[i] == '\r' || s.p[i] == '\n' || s.p[i] == '\0' || (unsigned char)s.p[i] >= 0x80)
            return false;
    return true;
}

void resp_literal_head(struct resp *w, uint64_t n, bool binary)
{
    resp_printf(w, "%s{%llu}\r\n", binary ? "~" : "", (unsigned long long)n);
}

void resp_string(struct resp *w, struct str s)
{
    if (!quotable(s)) {
        resp_literal_head(w, s.n, false);
        for (struct str head; s.n; s = str_skip(s, head.n + 1)) {
            if (!str_cut(s, '\0', &head, &(struct str){ NULL, 0 })) {
                resp_raw(w, s);
                break;
            }
            resp_raw(w, head);
            put(w, ' ');
        }
        return;
    }
    put(w, '"');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"' || s.p[i] == '\\')
            put(w, '\\');
        put(w, s.p[i]);
    }
    put(w, '"');
}

void resp_nstring(struct resp *w, struct str s)
{
    if (s.p)
        resp_string(w, s);
    else
        resp_z(w, "NIL");
}

void resp_astring(struct resp *w, struct str s)
{
    bool atom = s.n > 0 && s.n < 256 && !str_ieq_z(s, "NIL");

    for (size_t i = 0; i < s.n && atom; i++)
        atom = imap_atom_char(s.p[i]);
    if (atom)
        resp_raw(w, s);
    else
        resp_string(w, s);
}

void resp_mailbox(struct resp *w, struct str name)
{
    CLEANUP(buf_release) struct buf b = { .max = 8 * MBOXNAME_MAX };

    if (w->r < 0)
        return;
    if (w->utf8) { /* RFC 9051 9: quoted may hold UTF-8; names have no CR, LF, NUL */
        put(w, '"');
        for (size_t i = 0; i < name.n; i++) {
            if (name.p[i] == '"' || name.p[i] == '\\')
                put(w, '\\');
            put(w, name.p[i]);
        }
        put(w, '"');
        return;
    }
    w->r = mutf7_encode(name, &b);
    if (w->r == 0)
        resp_astring(w, buf_str(&b));
}

void resp_flags(struct resp *w, const struct imap_flags *f)
{
    const char *sep = "";

    put(w, '(');
    for (uint32_t bit = 1; bit <= IMAP_FLAG_RECENT; bit <<= 1) {
        if (f->system & bit) {
            resp_z(w, sep);
            resp_z(w, imap_flag_name(bit));
            sep = " ";
        }
    }
    for (size_t i = 0; i < f->nkeywords; i++) {
        resp_z(w, sep);
        resp_raw(w, f->keywords[i]);
        sep = " ";
    }
    put(w, ')');
}

void resp_date_time(struct resp *w, int64_t ms)
{
    char text[DATETIME_LEN + 1];

    datetime_write(ms, text);
    resp_printf(w, "\"%s\"", text);
}

void resp_text(struct resp *w, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        put(w, c < 0x20 || c == 0x7f || (c >= 0x80 && !w->utf8) ? '?' : (char)c);
    }
}

void resp_crlf(struct resp *w)
{
    resp_z(w, "\r\n");
}

void resp_status(struct resp *w, struct str tag, const char *condition, const char *code, struct str text)
{
    resp_raw(w, tag.p ? tag : STR("*"));
    resp_printf(w, " %s ", condition);
    if (code)
        resp_printf(w, "[%s] ", code);
    resp_text(w, text.n ? text : STR("Done"));
    resp_crlf(w);
}
