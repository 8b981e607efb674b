#include "lib/port/port.h"
#include "lib/base/errors.h"
#include "lib/base/hex.h"
#include <unistd.h>

bool port_format_of(const char *name, enum port_format *out)
{
    static const char *const names[PORT_FORMATS] = { "mbox", "maildir", "eml", "sqlite" };

    for (size_t i = 0; i < PORT_FORMATS; i++)
        if (str_ieq_z(str_from(name), names[i])) {
            *out = (enum port_format)i;
            return true;
        }
    return false;
}

int port_writer_open(enum port_format f, const char *path, struct str password, int64_t again,
                     struct port_writer **out)
{
    switch (f) {
    case PORT_MBOX: return port_mbox_writer(path, again >= 0, out);
    case PORT_MAILDIR: return port_maildir_writer(path, again >= 0, out);
    case PORT_EML: return port_eml_writer(path, password, again, out);
    case PORT_SQLITE: return port_sqlite_writer(path, password, again >= 0, out);
    case PORT_FORMATS: break;
    }
    return E_BUG;
}

void port_writer_free(struct port_writer **w)
{
    if (*w)
        (*w)->ops->free(*w);
    *w = NULL;
}

int port_reader_open(enum port_format f, const char *path, struct str password, struct str folder,
                     struct port_reader **out)
{
    switch (f) {
    case PORT_MBOX: return port_mbox_reader(path, folder, out);
    case PORT_MAILDIR: return port_maildir_reader(path, out);
    case PORT_EML: return port_eml_reader(path, password, out);
    case PORT_SQLITE: return port_sqlite_reader(path, password, out);
    case PORT_FORMATS: break;
    }
    return E_BUG;
}

void port_reader_free(struct port_reader **r)
{
    if (*r)
        (*r)->ops->free(*r);
    *r = NULL;
}

/* ---- names ---- */

static bool plain(char c, bool first)
{
    return (uint8_t)c > ' ' + (first ? 0 : -1) && c != '%' && c != '.' && c != '/' && c != ':' && c != '\\' &&
           c != '"' && c != '*' && c != '?' && c != '<' && c != '>' && c != '|' && c != 0x7f;
}

int port_name_encode(struct str level, struct buf *out)
{
    int r = 0;

    for (size_t i = 0; i < level.n && r == 0; i++) {
        char hex[3];

        if (plain(level.p[i], i == 0)) {
            r = buf_putc(out, level.p[i]);
        } else {
            hex_encode(&level.p[i], 1, hex);
            if ((r = buf_putc(out, '%')) == 0)
                r = buf_append(out, hex, 2);
        }
    }
    return r;
}

int port_name_decode(struct str file, struct buf *out)
{
    int r = 0;

    for (size_t i = 0; i < file.n && r == 0; i++) {
        char c = file.p[i];

        if (c == '%') {
            if (!hex_decode(str_slice(file, i + 1, i + 3), &c, 1) || c == '/' || c == '\0')
                return E_SYNTAX;
            i += 2;
        }
        r = buf_putc(out, c);
    }
    return r;
}

/* ---- bytes ---- */

/* *cr: a CR was seen and not written, since what follows decides. At the end of all it is the caller's to write. */
int port_to_lf(bool *cr, struct str in, struct buf *out)
{
    int r = 0;

    for (size_t i = 0; i < in.n && r == 0; i++) {
        if (*cr && in.p[i] != '\n')
            r = buf_putc(out, '\r');
        *cr = in.p[i] == '\r';
        if (r == 0 && !*cr)
            r = buf_putc(out, in.p[i]);
    }
    return r;
}

int port_to_crlf(bool *cr, struct str in, struct buf *out)
{
    int r = 0;

    for (size_t i = 0; i < in.n && r == 0; i++) {
        if (in.p[i] == '\n' && !*cr)
            r = buf_putc(out, '\r');
        *cr = in.p[i] == '\r';
        if (r == 0)
            r = buf_putc(out, in.p[i]);
    }
    return r;
}
