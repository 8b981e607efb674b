#include "lib/mime/charset.h"
#include <errno.h>

#define REPLACEMENT    "\xEF\xBF\xBD" /* U+FFFD */
#define NAME_MAX_BYTES 40u

/* What senders call a charset is often a subset of what they use. The left side is lower case. */
static const struct {
    const char *name, *iconv;
} aliases[] = {
    { "ascii", "" },
    { "us-ascii", "" },
    { "ansi_x3.4-1968", "" },
    { "unknown-8bit", "" },
    { "x-unknown", "" },
    { "default", "" },
    { "8bit", "" },
    { "binary", "" },
    { "7bit", "" },
    { "utf8", "UTF-8" },
    { "utf-8", "UTF-8" },
    { "unicode-1-1-utf-8", "UTF-8" },
    { "iso-8859-1", "WINDOWS-1252" },
    { "iso8859-1", "WINDOWS-1252" },
    { "latin1", "WINDOWS-1252" },
    { "iso_8859-1", "WINDOWS-1252" },
    { "iso-8859-9", "WINDOWS-1254" },
    { "iso-8859-8-i", "ISO-8859-8" },
    { "iso-8859-8-e", "ISO-8859-8" },
    { "gb2312", "GB18030" },
    { "gbk", "GB18030" },
    { "x-gbk", "GB18030" },
    { "hz-gb-2312", "HZ" },
    { "shift_jis", "CP932" },
    { "shift-jis", "CP932" },
    { "sjis", "CP932" },
    { "x-sjis", "CP932" },
    { "windows-31j", "CP932" },
    { "iso-2022-jp", "ISO-2022-JP-2" },
    { "euc-kr", "CP949" },
    { "ks_c_5601-1987", "CP949" },
    { "ksc5601", "CP949" },
    { "ks_c_5601", "CP949" },
    { "big5", "CP950" },
    { "x-big5", "CP950" },
    { "tis-620", "WINDOWS-874" },
    { "unicode-1-1-utf-7", "UTF-7" },
    { "macintosh", "MACINTOSH" },
    { "x-mac-roman", "MACINTOSH" },
    { "x-mac-cyrillic", "MAC-CYRILLIC" },
    { "x-mac-ukrainian", "MAC-UK" },
    { "x-mac-ce", "MAC-CENTRALEUROPE" },
    { "x-mac-centraleurroman", "MAC-CENTRALEUROPE" },
};

static const char *const preloaded[] = {
    "WINDOWS-1250",
    "WINDOWS-1251",
    "WINDOWS-1252",
    "WINDOWS-1253",
    "WINDOWS-1254",
    "WINDOWS-1255",
    "WINDOWS-1256",
    "WINDOWS-1257",
    "WINDOWS-1258",
    "WINDOWS-874",
    "ISO-8859-2",
    "ISO-8859-3",
    "ISO-8859-4",
    "ISO-8859-5",
    "ISO-8859-6",
    "ISO-8859-7",
    "ISO-8859-8",
    "ISO-8859-10",
    "ISO-8859-13",
    "ISO-8859-14",
    "ISO-8859-15",
    "ISO-8859-16",
    "KOI8-R",
    "KOI8-U",
    "GB18030",
    "HZ",
    "CP932",
    "ISO-2022-JP-2",
    "ISO-2022-JP",
    "EUC-JP",
    "CP949",
    "ISO-2022-KR",
    "CP950",
    "BIG5-HKSCS",
    "ISO-2022-CN",
    "EUC-TW",
    "UTF-7",
    "UTF-16",
    "UTF-16LE",
    "UTF-16BE",
    "UTF-32",
    "MACINTOSH",
    "IBM437",
    "IBM850",
    "IBM852",
    "IBM866",
    "IBM775",
    "IBM855",
    "IBM857",
    "IBM860",
    "IBM861",
    "IBM862",
    "IBM863",
    "IBM864",
    "IBM865",
    "IBM869",
    "CP737",
    "CP1125",
    "ISO-8859-9E",
    "KOI8-T",
    "KOI8-RU",
    "PT154",
    "RK1048",
    "VISCII",
    "TCVN5712-1",
    "GEORGIAN-PS",
    "ARMSCII-8",
    "JOHAB",
    "EUC-JP-MS",
    "EUC-JISX0213",
    "ISO-2022-JP-3",
    "ISO-2022-CN-EXT",
    "MAC-CYRILLIC",
    "MAC-UK",
    "MAC-CENTRALEUROPE",
};

static const uint16_t windows_1252[32] = {
    0x20AC, 0xFFFD, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
    0x2039, 0x0152, 0xFFFD, 0x017D, 0xFFFD, 0xFFFD, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0xFFFD, 0x017E, 0x0178,
};

size_t mime_utf8_put(uint32_t cp, char *p)
{
    if (cp > 0x10FFFF || (cp >= 0xD800 && cp < 0xE000))
        cp = 0xFFFD;
    if (cp < 0x80) {
        p[0] = (char)cp;
        return 1;
    }
    if (cp < 0x800) {
        p[0] = (char)(0xC0 | (cp >> 6));
        p[1] = (char)(0x80 | (cp & 63));
        return 2;
    }
    if (cp < 0x10000) {
        p[0] = (char)(0xE0 | (cp >> 12));
        p[1] = (char)(0x80 | ((cp >> 6) & 63));
        p[2] = (char)(0x80 | (cp & 63));
        return 3;
    }
    p[0] = (char)(0xF0 | (cp >> 18));
    p[1] = (char)(0x80 | ((cp >> 12) & 63));
    p[2] = (char)(0x80 | ((cp >> 6) & 63));
    p[3] = (char)(0x80 | (cp & 63));
    return 4;
}

int mime_utf8_bytes(const unsigned char *p, size_t n)
{
    unsigned char lo = 0x80, hi = 0xBF; /* bounds of the second byte: RFC 3629 4 */
    int want;

    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xC2 || p[0] > 0xF4)
        return 0;
    want = p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
    if (p[0] == 0xE0)
        lo = 0xA0;
    else if (p[0] == 0xED)
        hi = 0x9F;
    else if (p[0] == 0xF0)
        lo = 0x90;
    else if (p[0] == 0xF4)
        hi = 0x8F;
    for (int i = 1; i < want; i++) {
        if ((size_t)i == n)
            return -1;
        if (p[i] < lo || p[i] > hi)
            return 0;
        lo = 0x80;
        hi = 0xBF;
    }
    return want;
}

/* Converters whose every character stands for itself, so that it does not matter how input is cut. The
 * others keep a state which, in glibc, after an error depends on where their input began: those are
 * fed byte by byte. */
static const char *const stateless[] = {
    "iso-8859-",    "windows-1250", "windows-1251", "windows-1252", "windows-1253", "windows-1254",
    "windows-1256", "windows-1257", "windows-874",  "koi8-",        "gb18030",      "cp932",
    "cp949",        "cp950",        "euc-jp",       "euc-kr",       "macintosh",    "ibm",
};

static bool is_stateless(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(stateless); i++)
        if (str_istarts(name, str_from(stateless[i])))
            return true;
    return false;
}

static void open_iconv(struct mime_charset *c, const char *name)
{
    c->by_byte = !is_stateless(str_from(name));
    c->cd = iconv_open("UTF-8", name);
    c->open = c->cd != (iconv_t)-1; // NOLINT: the value iconv_open fails with
    c->unknown = !c->open;
    c->kind = c->open ? MIME_CS_ICONV : MIME_CS_GUESS;
}

void mime_charset_init(struct mime_charset *c, struct str name)
{
    char z[NAME_MAX_BYTES + 1];
    size_t n = 0;

    *c = (struct mime_charset){ .kind = MIME_CS_GUESS };
    name = str_trim(name);
    if (!name.n || name.n > NAME_MAX_BYTES)
        return;
    for (; n < name.n; n++) {
        if (!ascii_alpha(name.p[n]) && !ascii_digit(name.p[n]) && !memchr("-_.:+", name.p[n], 5))
            return; /* no "//" for iconv, which takes options behind it */
        z[n] = ascii_lower(name.p[n]);
    }
    z[n] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(aliases); i++)
        if (strcmp(z, aliases[i].name) == 0) {
            if (strcmp(aliases[i].iconv, "UTF-8") == 0)
                c->kind = MIME_CS_UTF8;
            else if (*aliases[i].iconv)
                open_iconv(c, aliases[i].iconv);
            return;
        }
    open_iconv(c, z);
}

void mime_charset_release(struct mime_charset *c)
{
    if (c->open)
        iconv_close(c->cd);
    explicit_bzero(c, sizeof *c);
}

static int put_odd(struct mime_charset *c, unsigned char b, struct buf *out)
{
    char u[4];
    uint32_t cp = b < 0xA0 ? windows_1252[b - 0x80] : b;

    if (c->kind == MIME_CS_UTF8)
        return buf_append(out, REPLACEMENT, 3);
    return buf_append(out, u, mime_utf8_put(cp, u));
}

/* Valid UTF-8 passes in runs, the rest byte by byte. Returns bytes left over (an unfinished
 * character), or an error. */
static int feed_utf8(struct mime_charset *c, const unsigned char *p, size_t n, struct buf *out)
{
    size_t i = 0, from = 0;
    int r, len = 1;

    while (i < n) {
        if (p[i] < 0x80) {
            i++;
            continue;
        }
        len = mime_utf8_bytes(p + i, n - i);
        if (len < 0)
            break;
        if (len > 0) {
            i += (size_t)len;
            continue;
        }
        if ((r = buf_append(out, p + from, i - from)) < 0 || (r = put_odd(c, p[i], out)) < 0)
            return r;
        from = ++i;
    }
    r = buf_append(out, p + from, i - from);
    return r < 0 ? r : (int)(n - i);
}

static int feed_iconv(struct mime_charset *c, const unsigned char *p, size_t n, struct buf *out)
{
    char *in = (char *)(uintptr_t)p;

    while (n) {
        size_t room = n * 4 + 16, left = room;
        char *at = buf_reserve(out, room);
        size_t got;

        if (!at)
            return out->max - out->n < room ? E_LIMIT : E_NOMEM;
        got = iconv(c->cd, &in, &n, &at, &left);
        out->n += room - left;
        if (got != (size_t)-1)
            break;
        if (errno == EINVAL)
            return (int)n;
        if (errno == E2BIG)
            continue;
        if (buf_append(out, REPLACEMENT, 3) < 0)
            return E_LIMIT;
        if (c->by_byte)
            iconv(c->cd, NULL, NULL, NULL, NULL); /* UTF-7: out of its base64 */
        in++;
        n--;
    }
    return 0;
}

/* What the converter holds back until it sees the next character. */
static int flush_iconv(struct mime_charset *c, struct buf *out)
{
    size_t room = 64, left = room;
    char *at = buf_reserve(out, room);

    if (!at)
        return out->max - out->n < room ? E_LIMIT : E_NOMEM;
    iconv(c->cd, NULL, NULL, &at, &left);
    out->n += room - left;
    return 0;
}

static int feed_some(struct mime_charset *c, const unsigned char *p, size_t n, struct buf *out)
{
    return c->kind == MIME_CS_ICONV ? feed_iconv(c, p, n, out) : feed_utf8(c, p, n, out);
}

int mime_charset_feed(struct mime_charset *c, struct str in, struct buf *out)
{
    const unsigned char *p = (const unsigned char *)in.p;
    int left;

    while ((c->npend || c->by_byte) && in.n) { /* finish the character that the last slice began */
        c->pend[c->npend++] = *p++;
        in.n--;
        left = feed_some(c, c->pend, c->npend, out);
        if (left < 0)
            return left;
        memmove(c->pend, c->pend + c->npend - (size_t)left, (size_t)left);
        c->npend = (size_t)left;
        if (c->npend == sizeof c->pend) { /* iconv waits for ever: no character is so long */
            c->npend = 0;
            if ((left = buf_append(out, REPLACEMENT, 3)) < 0)
                return left;
        }
    }
    if (!in.n)
        return 0;
    left = feed_some(c, p, in.n, out);
    if (left < 0)
        return left;
    if ((size_t)left > sizeof c->pend - 1)
        return buf_append(out, REPLACEMENT, 3);
    memcpy(c->pend, p + in.n - (size_t)left, (size_t)left);
    c->npend = (size_t)left;
    return 0;
}

int mime_charset_finish(struct mime_charset *c, struct buf *out)
{
    size_t n = c->npend;
    int r = 0;

    c->npend = 0;
    if (c->kind == MIME_CS_ICONV)
        return n && (r = buf_append(out, REPLACEMENT, 3)) < 0 ? r : flush_iconv(c, out);
    for (size_t i = 0; i < n && r >= 0; i++)
        r = put_odd(c, c->pend[i], out);
    return r;
}

int mime_charset_append(struct str name, struct str in, struct buf *out)
{
    struct mime_charset c;
    int r;

    mime_charset_init(&c, name);
    if ((r = mime_charset_feed(&c, in, out)) >= 0)
        r = mime_charset_finish(&c, out);
    mime_charset_release(&c);
    return r;
}

int mime_charset_preload(void)
{
    static iconv_t kept[ARRAY_LEN(preloaded)]; /* never closed: an open converter keeps its file */
    int n = 0;

    for (size_t i = 0; i < ARRAY_LEN(preloaded); i++) {
        if (!kept[i])
            kept[i] = iconv_open("UTF-8", preloaded[i]);
        n += kept[i] != (iconv_t)-1;
    }
    return n;
}
