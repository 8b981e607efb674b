#include "lib/imap/imap_url.h"
#include "lib/base/hex.h"
#include "lib/imap/mboxname.h"

/* bchar (RFC 5092 11) and what it encodes. ';' begins a parameter, and is encoded where it does not. */
static int decode(struct arena *a, struct str in, struct str *out)
{
    char *p = arena_alloc(a, in.n + 1);
    size_t n = 0;

    if (!p)
        return E_NOMEM;
    for (size_t i = 0; i < in.n; i++) {
        unsigned char c = (unsigned char)in.p[i];

        if (c == '%') {
            if (!hex_decode(str_slice(in, i + 1, i + 3), &c, 1) || c == '\0')
                return E_SYNTAX;
            i += 2;
        } else if (c <= 0x20 || c >= 0x7f || strchr("\"<>\\^`{|}#?;[]", c)) {
            return E_SYNTAX;
        }
        p[n++] = (char)c;
    }
    *out = str_of(p, n);
    return 0;
}

/* Cut `s` before `mark` (any case): what follows the mark is *tail. False: it is not there. */
static bool cut(struct str *s, const char *mark, struct str *tail)
{
    ptrdiff_t at = str_ifind(*s, str_from(mark));

    if (at < 0)
        return false;
    *tail = str_skip(*s, (size_t)at + strlen(mark));
    *s = str_slice(*s, 0, (size_t)at);
    return true;
}

static int mailbox(struct arena *a, struct str path, struct imap_url *u)
{
    struct str validity, name;
    int r;

    if (cut(&path, ";UIDVALIDITY=", &validity) &&
        (!str_to_u32(validity, &u->uidvalidity) || u->uidvalidity == 0))
        return E_SYNTAX;
    if (path.n == 0)
        return u->uidvalidity ? E_SYNTAX : 0;
    if (path.p[0] != '/' || path.n == 1 || path.p[1] == '/')
        return E_SYNTAX; /* "//" is a server; what does not begin so is relative to a level that we do not keep */
    if ((r = decode(a, str_skip(path, 1), &name)) < 0)
        return r;
    r = mboxname_from_wire(a, name, true, &u->mailbox);
    return r == E_RANGE ? E_SYNTAX : r;
}

static int section(struct arena *a, struct str text, struct imap_url *u)
{
    struct str plain;
    struct args args;
    int r = text.n ? decode(a, text, &plain) : E_SYNTAX;

    if (r < 0)
        return r;
    args = args_of(a, plain, true);
    return fetch_section_parse(&args, &u->section);
}

static int partial(struct str text, struct imap_url *u)
{
    struct str off = text, len = STR_NONE;

    u->has_partial = true;
    if (str_chr(text, '.') >= 0 && str_cut(text, '.', &off, &len) &&
        (!str_to_u64(len, &u->partial_len) || u->partial_len == 0))
        return E_SYNTAX;
    return str_to_u64(off, &u->partial_off) ? 0 : E_SYNTAX;
}

int imap_url_parse(struct arena *a, struct str url, struct imap_url *out)
{
    struct imap_url u = { .uid = 0 };
    struct str path = url, uid, sect, part;
    bool has_sect, has_part;
    int r;

    if (url.n > IMAP_URL_MAX)
        return E_LIMIT;
    if (str_istarts(url, STR(";UID="))) {
        path = STR("");
        uid = str_skip(url, 5);
    } else if (!cut(&path, "/;UID=", &uid)) {
        return E_SYNTAX;
    }
    has_part = cut(&uid, "/;PARTIAL=", &part);
    has_sect = cut(&uid, "/;SECTION=", &sect);
    if (!str_to_u32(uid, &u.uid) || u.uid == 0)
        return E_SYNTAX;
    if ((r = mailbox(a, path, &u)) < 0 || (has_sect && (r = section(a, sect, &u)) < 0) ||
        (has_part && (r = partial(part, &u)) < 0))
        return r;
    *out = u;
    return 0;
}

int imap_url_write(struct str url, struct buf *out)
{
    int r = 0;

    for (size_t i = 0; i < url.n && r == 0; i++) {
        unsigned char c = (unsigned char)url.p[i];

        if (c <= 0x20 || c >= 0x7f || c == ']' || c == '\\' || c == '"')
            r = buf_printf(out, "%%%02X", c);
        else
            r = buf_putc(out, (char)c);
    }
    return r;
}
