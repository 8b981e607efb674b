#include "lib/port/zip_format.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"

#define SIG_LOCAL      UINT32_C(0x04034b50)
#define SIG_CENTRAL    UINT32_C(0x02014b50)
#define SIG_END        UINT32_C(0x06054b50)
#define SIG_END_64     UINT32_C(0x06064b50)
#define SIG_END_64_AT  UINT32_C(0x07064b50)
#define VERSION_NEEDED 51u                        /* AES (APPNOTE 4.4.3.2) */
#define VERSION_MADE   (3u << 8 | VERSION_NEEDED) /* on Unix: the attributes are a file's mode */
#define FLAGS          0x0801u                    /* encrypted; the name is UTF-8 (4.4.4) */
#define METHOD_AES     99u
#define METHOD_DEFLATE 8u
#define EXTRA_AES      0x9901u
#define EXTRA_TIME     0x5455u
#define EXTRA_64       0x0001u
#define MODE           (UINT32_C(0100600) << 16)
#define HEAD_BYTES     30u
#define EXTRA_BYTES    20u /* of AES and the time */
#define EXTRA_LOCAL_64 20u
#define DOS_FIRST      INT64_C(315532800) /* 1980 */

/* ---- numbers ---- */

static int le(struct buf *out, uint64_t v, size_t n)
{
    uint8_t *p = buf_reserve(out, n);

    if (!p)
        return E_LIMIT;
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(v >> 8 * i);
    out->n += n;
    return 0;
}

static uint64_t of_le(const char *p, size_t n)
{
    uint64_t v = 0;

    for (size_t i = n; i-- > 0;)
        v = v << 8 | (uint8_t)p[i];
    return v;
}

struct field {
    uint64_t v;
    size_t n;
};

static int fields(struct buf *out, const struct field *f, size_t n)
{
    int r = 0;

    for (size_t i = 0; i < n && r == 0; i++)
        r = le(out, f[i].v, f[i].n);
    return r;
}

/* Since 1980, in steps of two seconds, of no zone; the exact one is in the extra field. */
static uint32_t dos_time(int64_t s)
{
    int64_t days, year;
    unsigned month, day;
    uint32_t left;

    s = s < DOS_FIRST ? DOS_FIRST : s;
    days = s / 86400;
    left = (uint32_t)(s % 86400);
    clock_civil_from_days(days, &year, &month, &day);
    return ((uint32_t)(year - 1980) << 9 | month << 5 | day) << 16 | left / 3600 << 11 | left / 60 % 60 << 5 |
           left % 60 / 2;
}

/* ---- an entry ---- */

static int extras(const struct zip_entry *e, struct buf *out)
{
    const struct field f[] = { { EXTRA_AES, 2 },
                               { 7, 2 },
                               { 2, 2 } /* AE-2: no CRC */,
                               { 'A' | 'E' << 8, 2 },
                               { 3, 1 } /* 256 bits */,
                               { METHOD_DEFLATE, 2 },
                               { EXTRA_TIME, 2 },
                               { 5, 2 },
                               { 1, 1 } /* of modification */,
                               { (uint32_t)e->mtime_s, 4 } };

    return fields(out, f, ARRAY_LEN(f));
}

int zip_local_put(const struct zip_entry *e, struct buf *out)
{
    const struct field head[] = { { SIG_LOCAL, 4 },
                                  { VERSION_NEEDED, 2 },
                                  { FLAGS, 2 },
                                  { METHOD_AES, 2 },
                                  { dos_time(e->mtime_s), 4 },
                                  { 0, 4 },
                                  { e->zip64 ? UINT32_MAX : e->packed, 4 },
                                  { e->zip64 ? UINT32_MAX : e->bytes, 4 },
                                  { e->name.n, 2 },
                                  { EXTRA_BYTES + (e->zip64 ? EXTRA_LOCAL_64 : 0), 2 } };
    const struct field sizes[] = { { EXTRA_64, 2 }, { 16, 2 }, { e->bytes, 8 }, { e->packed, 8 } };
    int r;

    if (e->name.n == 0 || e->name.n > ZIP_NAME_MAX ||
        (!e->zip64 && (e->bytes >= UINT32_MAX || e->packed >= UINT32_MAX)))
        return E_LIMIT;
    if ((r = fields(out, head, ARRAY_LEN(head))) < 0 || (r = buf_puts(out, e->name)) < 0 ||
        (r = e->zip64 ? fields(out, sizes, ARRAY_LEN(sizes)) : 0) < 0)
        return r;
    return extras(e, out);
}

/* What was read is written again: whatever is not ours differs somewhere. */
static bool same(struct str in, const struct zip_entry *e)
{
    CLEANUP(buf_release) struct buf own = { .max = ZIP_LOCAL_MAX };

    return zip_local_put(e, &own) == 0 && str_eq(in, buf_str(&own));
}

int zip_local_get(struct str in, struct zip_entry *out)
{
    struct zip_entry e = { .bytes = 0 };
    size_t name, extra, all;

    if (in.n < HEAD_BYTES)
        return 0;
    name = (size_t)of_le(in.p + 26, 2);
    extra = (size_t)of_le(in.p + 28, 2);
    all = HEAD_BYTES + name + extra;
    if (name == 0 || name > ZIP_NAME_MAX || (extra != EXTRA_BYTES && extra != EXTRA_BYTES + EXTRA_LOCAL_64))
        return E_CORRUPT;
    if (in.n < all)
        return 0;
    e.zip64 = extra != EXTRA_BYTES;
    e.name = str_slice(in, HEAD_BYTES, HEAD_BYTES + name);
    e.packed = e.zip64 ? of_le(in.p + HEAD_BYTES + name + 12, 8) : of_le(in.p + 18, 4);
    e.bytes = e.zip64 ? of_le(in.p + HEAD_BYTES + name + 4, 8) : of_le(in.p + 22, 4);
    e.mtime_s = (int32_t)of_le(in.p + all - 4, 4);
    if (!same(str_slice(in, 0, all), &e))
        return E_CORRUPT;
    *out = e;
    return (int)all;
}

int zip_central_put(const struct zip_entry *e, uint64_t offset, const struct zip_limits *l, struct buf *out)
{
    bool far = offset >= l->bytes;
    size_t more = (e->zip64 ? 16u : 0u) + (far ? 8u : 0u);
    const struct field head[] = { { SIG_CENTRAL, 4 },
                                  { VERSION_MADE, 2 },
                                  { VERSION_NEEDED, 2 },
                                  { FLAGS, 2 },
                                  { METHOD_AES, 2 },
                                  { dos_time(e->mtime_s), 4 },
                                  { 0, 4 },
                                  { e->zip64 ? UINT32_MAX : e->packed, 4 },
                                  { e->zip64 ? UINT32_MAX : e->bytes, 4 },
                                  { e->name.n, 2 },
                                  { EXTRA_BYTES + (more ? 4 + more : 0), 2 },
                                  { 0, 2 }, /* comment, disk, kind of text */
                                  { 0, 2 },
                                  { 0, 2 },
                                  { MODE, 4 },
                                  { far ? UINT32_MAX : offset, 4 } };
    const struct field large[] = { { EXTRA_64, 2 },
                                   { more, 2 },
                                   { e->bytes, e->zip64 ? 8 : 0 },
                                   { e->packed, e->zip64 ? 8 : 0 },
                                   { offset, far ? 8 : 0 } };
    int r;

    if ((r = fields(out, head, ARRAY_LEN(head))) < 0 || (r = buf_puts(out, e->name)) < 0 ||
        (r = more ? fields(out, large, ARRAY_LEN(large)) : 0) < 0)
        return r;
    return extras(e, out);
}

int zip_end_put(uint64_t entries, uint64_t offset, uint64_t bytes, const struct zip_limits *l,
                struct buf *out)
{
    bool many = entries >= l->entries, far = offset >= l->bytes, large = bytes >= l->bytes;
    const struct field end_64[] = { { SIG_END_64, 4 },
                                    { 44, 8 }, /* of what follows in this record */
                                    { VERSION_MADE, 2 },
                                    { VERSION_NEEDED, 2 },
                                    { 0, 8 }, /* disks */
                                    { entries, 8 },
                                    { entries, 8 },
                                    { bytes, 8 },
                                    { offset, 8 },
                                    { SIG_END_64_AT, 4 },
                                    { 0, 4 },
                                    { offset + bytes, 8 },
                                    { 1, 4 } };
    const struct field end[] = { { SIG_END, 4 },
                                 { 0, 4 },
                                 { many ? UINT16_MAX : entries, 2 },
                                 { many ? UINT16_MAX : entries, 2 },
                                 { large ? UINT32_MAX : bytes, 4 },
                                 { far ? UINT32_MAX : offset, 4 },
                                 { 0, 2 } };
    int r = many || far || large ? fields(out, end_64, ARRAY_LEN(end_64)) : 0;

    return r < 0 ? r : fields(out, end, ARRAY_LEN(end));
}
