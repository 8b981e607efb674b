/* A file's first bytes decide what it is; then zip, gzip and tar are taken apart by small state machines, each of
 * which feeds what it finds to a file inside (`child`). A zip is read from its beginning, local header by local header, as
 * streams must; its directory at the end is read for names too, since the two may differ on purpose. Where sizes
 * are not known ahead, or lie, the next signature is looked for. */
#include "lib/spam/attach.h"
#include <stdlib.h>
#include <zlib.h>

#define HEAD_MAX   512u
#define NAME_MAX_  512u
#define CHUNK      KIB(4)
#define EICAR_LEAD 68u

enum kind { UNDECIDED, PLAIN, OLE, ZIP, GZIP, TAR };
enum zip_state { ZIP_SEEK, ZIP_LOCAL, ZIP_CENTRAL, ZIP_NAME, ZIP_SKIP, ZIP_STORED, ZIP_DEFLATED };

struct spam_attach {
    struct spam_hits *hits;
    struct spam_budget *budget;
    unsigned depth;
    bool inline_text;
    enum kind kind;
    size_t nhead, nname, need, mark; /* mark: bytes of the OLE pattern seen */
    uint64_t left, skip;             /* bytes of the entry, and what is passed over after its name */
    enum zip_state zip, after_name;
    uint16_t flags, method;
    uint32_t signature;
    bool inflating, give_up, long_name;
    z_stream z;
    struct spam_attach *child;
    unsigned char head[HEAD_MAX];
    char name[NAME_MAX_];
};

static void feed(struct spam_attach *a, struct str in);

static uint16_t le16(const unsigned char *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t le32(const unsigned char *p)
{
    return (uint32_t)le16(p) | (uint32_t)le16(p + 2) << 16;
}

static struct spam_attach *attach_new(struct str name, unsigned depth, struct spam_hits *hits,
                                      struct spam_budget *b)
{
    struct spam_attach *a = calloc(1, sizeof *a);

    if (!a)
        return NULL;
    a->hits = hits;
    a->budget = b;
    a->depth = depth;
    a->nname = size_min(name.n, sizeof a->name);
    memcpy(a->name, name.p ? name.p : "", a->nname);
    return a;
}

struct spam_attach *spam_attach_new(struct str name, bool inline_text, struct spam_hits *hits,
                                    struct spam_budget *budget)
{
    struct spam_attach *a = attach_new(name, 0, hits, budget);

    spam_name_hits(name, hits);
    if (a)
        a->inline_text = inline_text;
    return a;
}

static void inflate_stop(struct spam_attach *a)
{
    if (a->inflating)
        inflateEnd(&a->z);
    a->inflating = false;
}

static bool inflate_start(struct spam_attach *a, int window)
{
    inflate_stop(a);
    a->z = (z_stream){ 0 };
    a->inflating = inflateInit2(&a->z, window) == Z_OK;
    return a->inflating;
}

static void limit(struct spam_attach *a)
{
    spam_hit(a->hits, SPAM_ARCHIVE_LIMIT);
    a->give_up = true;
}

/* ---- what a file is ---- */

static bool starts(const struct spam_attach *a, const char *magic, size_t n)
{
    return a->nhead >= n && memcmp(a->head, magic, n) == 0;
}

/* The DOS program's header says where that of Windows is; without NUL bytes it is a text that begins so. */
static bool is_program(const struct spam_attach *a)
{
    if (starts(a,
               "\x7F"
               "ELF",
               4) ||
        starts(a, "\xCF\xFA\xED\xFE", 4) || starts(a, "\xCE\xFA\xED\xFE", 4) ||
        starts(a, "\xCA\xFE\xBA\xBE", 4) || starts(a, "dex\n", 4) || starts(a, "L\0\0\0\x01\x14\x02\0", 8))
        return true;
    return starts(a, "MZ", 2) && a->nhead >= 64 && memchr(a->head, 0, 64);
}

static bool is_eicar(const struct spam_attach *a)
{
    static const char first[] = "X5O!P%@AP[4\\PZX54(P^)7CC)7}$EIC", /* in two, or this file is one */
        rest[] = "AR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*";

    return a->nhead >= EICAR_LEAD && memcmp(a->head, first, sizeof first - 1) == 0 &&
           memcmp(a->head + sizeof first - 1, rest, sizeof rest - 1) == 0;
}

static bool is_tar(const struct spam_attach *a)
{
    return a->nhead >= 263 && memcmp(a->head + 257, "ustar", 5) == 0;
}

static void decide(struct spam_attach *a)
{
    bool deeper = a->depth < SPAM_ARCHIVE_DEPTH_MAX;

    a->kind = PLAIN;
    if (is_eicar(a))
        spam_hit(a->hits, SPAM_EICAR);
    if (is_program(a))
        spam_hit(a->hits, SPAM_EXE_CONTENT);
    else if (starts(a, "#!", 2) && !a->inline_text)
        spam_hit(a->hits, SPAM_SCRIPT_CONTENT);
    else if (starts(a, "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", 8))
        a->kind = OLE;
    else if (starts(a, "PK\x03\x04", 4))
        a->kind = ZIP;
    else if (starts(a, "\x1F\x8B\x08", 3))
        a->kind = GZIP;
    else if (is_tar(a))
        a->kind = TAR;
    if (a->kind >= ZIP && !deeper) {
        limit(a);
        a->kind = PLAIN;
    }
    if (a->kind == GZIP && !inflate_start(a, 15 + 16))
        a->kind = PLAIN;
    a->zip = ZIP_SEEK;
    a->need = 0;
}

/* ---- what is inside ---- */

static void child_end(struct spam_attach *a)
{
    spam_attach_end(&a->child);
}

static void child_begin(struct spam_attach *a, struct str name)
{
    child_end(a);
    if (++a->budget->entries > SPAM_ARCHIVE_ENTRIES_MAX) {
        limit(a);
        return;
    }
    a->child = attach_new(name, a->depth + 1, a->hits, a->budget);
}

static void child_feed(struct spam_attach *a, struct str in)
{
    uint64_t room = SPAM_ARCHIVE_BYTES_MAX - a->budget->bytes;
    struct str now = str_slice(in, 0, room < in.n ? (size_t)room : in.n);

    if (a->long_name) {
        size_t n = size_min(now.n, NAME_MAX_ - a->nname);

        memcpy(a->name + a->nname, now.p, n);
        a->nname += n;
    }
    a->budget->bytes += now.n;
    if (a->child)
        feed(a->child, now);
    if (now.n < in.n)
        limit(a);
}

/* Unpack `in`; what of it was used. *ended_out: the packed bytes are over, or are none. */
static size_t unpack(struct spam_attach *a, struct str in, bool *ended_out)
{
    unsigned char out[CHUNK];
    int r = Z_OK;

    *ended_out = false;
    a->z.next_in = (unsigned char *)(uintptr_t)in.p;
    a->z.avail_in = (unsigned)in.n;
    do {
        a->z.next_out = out;
        a->z.avail_out = sizeof out;
        r = inflate(&a->z, Z_NO_FLUSH);
        child_feed(a, str_of(out, sizeof out - a->z.avail_out));
    } while (r == Z_OK && !a->give_up && (a->z.avail_in || a->z.avail_out == 0));
    *ended_out = r != Z_OK && r != Z_BUF_ERROR;
    in.n -= a->z.avail_in;
    return in.n;
}

/* Bytes into a->head until there are `need`; what of `in` was used. */
static size_t gather(struct spam_attach *a, struct str in)
{
    size_t n = size_min(in.n, a->need - a->nhead);

    memcpy(a->head + a->nhead, in.p, n);
    a->nhead += n;
    return n;
}

static void zip_enter(struct spam_attach *a, enum zip_state s, size_t need)
{
    a->zip = s;
    a->need = need;
    a->nhead = 0;
    a->signature = 0;
}

static size_t zip_seek(struct spam_attach *a, struct str in)
{
    for (size_t i = 0; i < in.n; i++) {
        a->signature = a->signature >> 8 | (uint32_t)(unsigned char)in.p[i] << 24;
        if (a->signature == 0x04034B50) {
            zip_enter(a, ZIP_LOCAL, 26);
            return i + 1;
        }
        if (a->signature == 0x02014B50) {
            zip_enter(a, ZIP_CENTRAL, 42);
            return i + 1;
        }
    }
    return in.n;
}

/* What comes after the name and the extra field of a local header. */
static void zip_data(struct spam_attach *a)
{
    bool known = !(a->flags & 8) && a->left != UINT32_MAX;

    a->skip = 0;
    if (a->flags & 1) {
        spam_hit(a->hits, SPAM_ARCHIVE_ENCRYPTED);
        child_end(a);
    }
    if (!(a->flags & 1) && a->method == 8 && inflate_start(a, -15)) {
        zip_enter(a, ZIP_DEFLATED, 0);
    } else if (!(a->flags & 1) && a->method == 0 && known && a->left) {
        zip_enter(a, ZIP_STORED, 0);
    } else {
        a->skip = known ? a->left : 0;
        zip_enter(a, a->skip ? ZIP_SKIP : ZIP_SEEK, 0);
        a->after_name = ZIP_SEEK;
        child_end(a);
    }
}

static void zip_header(struct spam_attach *a, bool central)
{
    const unsigned char *h = a->head;
    size_t n = le16(h + (central ? 24 : 22)), extra = le16(h + (central ? 26 : 24));

    a->flags = le16(h + (central ? 4 : 2));
    a->method = le16(h + (central ? 6 : 4));
    a->left = le32(h + (central ? 16 : 14));
    a->skip = extra + (central ? le16(h + 28) : 0u);
    if (n > HEAD_MAX) { /* the beginning of such a name is of no use: its end says what it is */
        spam_hit(a->hits, SPAM_ARCHIVE_LIMIT);
        a->skip += n;
        n = 0;
    }
    a->after_name = central ? ZIP_SEEK : ZIP_STORED;
    zip_enter(a, ZIP_NAME, n);
}

static void zip_after_name(struct spam_attach *a)
{
    if (a->skip)
        zip_enter(a, ZIP_SKIP, 0);
    else if (a->after_name == ZIP_SEEK)
        zip_enter(a, ZIP_SEEK, 0);
    else
        zip_data(a);
}

static void zip_name(struct spam_attach *a)
{
    struct str name = str_of(a->head, a->need);

    spam_name_hits(name, a->hits);
    if (str_ends(name, STR("vbaProject.bin")))
        spam_hit(a->hits, SPAM_OFFICE_MACRO);
    if (a->after_name != ZIP_SEEK)
        child_begin(a, name);
    zip_after_name(a);
}

static size_t zip_gathered(struct spam_attach *a, struct str in)
{
    size_t n = gather(a, in);

    if (a->nhead < a->need)
        return n;
    if (a->zip == ZIP_NAME)
        zip_name(a);
    else
        zip_header(a, a->zip == ZIP_CENTRAL);
    if (a->zip == ZIP_NAME && a->need == 0)
        zip_name(a);
    return n;
}

static size_t zip_pass(struct spam_attach *a, struct str in, uint64_t *left)
{
    size_t n = *left < in.n ? (size_t)*left : in.n;

    if (a->zip == ZIP_STORED)
        child_feed(a, str_slice(in, 0, n));
    *left -= n;
    if (*left)
        return n;
    if (a->zip == ZIP_STORED) {
        child_end(a);
        zip_enter(a, ZIP_SEEK, 0);
    } else {
        zip_after_name(a);
    }
    return n;
}

static size_t zip_step(struct spam_attach *a, struct str in)
{
    bool ended;
    size_t n;

    switch (a->zip) {
    case ZIP_SEEK: return zip_seek(a, in);
    case ZIP_LOCAL:
    case ZIP_CENTRAL:
    case ZIP_NAME: return zip_gathered(a, in);
    case ZIP_SKIP: return zip_pass(a, in, &a->skip);
    case ZIP_STORED: return zip_pass(a, in, &a->left);
    case ZIP_DEFLATED: break;
    }
    n = unpack(a, in, &ended);
    if (ended) {
        inflate_stop(a);
        child_end(a);
        zip_enter(a, ZIP_SEEK, 0);
    }
    return n;
}

static uint64_t octal(const unsigned char *p, size_t n)
{
    uint64_t v = 0;

    for (size_t i = 0; i < n && p[i] >= '0' && p[i] <= '7'; i++)
        v = v * 8 + (uint64_t)(p[i] - '0');
    return v;
}

/* A long name (GNU's type L) comes as a file before its own, whose header has only the beginning of it. */
static void tar_entry(struct spam_attach *a)
{
    struct str name = str_of(a->head, strnlen((const char *)a->head, 100));

    a->left = octal(a->head + 124, 12);
    a->skip = (512 - a->left % 512) % 512;
    a->long_name = a->head[156] == 'L' && a->left && a->left <= NAME_MAX_;
    if (a->long_name) {
        a->nname = 0;
        return;
    }
    spam_name_hits(name, a->hits);
    if (a->left)
        child_begin(a, name);
}

static void tar_entry_end(struct spam_attach *a)
{
    if (a->long_name)
        spam_name_hits(str_of(a->name, a->nname), a->hits);
    a->long_name = false;
    child_end(a);
}

/* A block of 512 bytes, or the bytes of an entry with what fills its last block. */
static size_t tar_step(struct spam_attach *a, struct str in)
{
    size_t n;

    if (a->left || a->skip) {
        uint64_t *from = a->left ? &a->left : &a->skip;

        n = *from < in.n ? (size_t)*from : in.n;
        if (from == &a->left)
            child_feed(a, str_slice(in, 0, n));
        *from -= n;
        if (a->left == 0)
            tar_entry_end(a);
        return n;
    }
    a->need = 512;
    n = gather(a, in);
    if (a->nhead < 512)
        return n;
    a->nhead = 0;
    if (memcmp(a->head + 257, "ustar", 5) != 0)
        return n; /* the end, or not an archive any more */
    tar_entry(a);
    return n;
}
static size_t gzip_step(struct spam_attach *a, struct str in)
{
    bool ended;
    size_t n;
    struct str name = str_of(a->name, a->nname);

    if (str_ends(name, STR(".gz")))
        name.n -= 3;
    if (!a->child)
        child_begin(a, name);
    n = unpack(a, in, &ended);
    if (ended) {
        child_end(a);
        a->give_up = true; /* what follows is no part of it */
    }
    return n;
}

/* Compound files name their streams in UTF-16: "_VBA_PROJECT" is where macros are. */
static void ole_feed(struct spam_attach *a, struct str in)
{
    static const char name[] = "_VBA_PROJECT";
    size_t whole = 2 * (sizeof name - 1);

    for (size_t i = 0; i < in.n && a->mark < whole; i++) {
        char want = a->mark % 2 ? '\0' : name[a->mark / 2];

        if (in.p[i] == want)
            a->mark++;
        else
            a->mark = in.p[i] == name[0];
    }
    if (a->mark == whole)
        spam_hit(a->hits, SPAM_OFFICE_MACRO);
}

static void feed_decided(struct spam_attach *a, struct str in)
{
    while (in.n && !a->give_up) {
        size_t n = in.n;

        switch (a->kind) {
        case ZIP: n = zip_step(a, in); break;
        case TAR: n = tar_step(a, in); break;
        case GZIP: n = gzip_step(a, in); break;
        case OLE: ole_feed(a, in); break;
        case PLAIN:
        case UNDECIDED: break;
        }
        in = str_skip(in, n);
    }
}

static void decide_and_go_on(struct spam_attach *a)
{
    unsigned char head[HEAD_MAX];
    size_t n = a->nhead;

    memcpy(head, a->head, n);
    decide(a);
    a->nhead = 0;
    feed_decided(a, str_of(head, n));
}

static void feed(struct spam_attach *a, struct str in)
{
    if (a->give_up)
        return;
    if (a->kind == UNDECIDED) {
        size_t n = size_min(in.n, HEAD_MAX - a->nhead);

        memcpy(a->head + a->nhead, in.p, n);
        a->nhead += n;
        in = str_skip(in, n);
        if (a->nhead < HEAD_MAX)
            return;
        decide_and_go_on(a);
    }
    feed_decided(a, in);
}

void spam_attach_feed(struct spam_attach *a, struct str bytes)
{
    if (a)
        feed(a, bytes);
}

void spam_attach_end(struct spam_attach **pa)
{
    struct spam_attach *a = *pa;

    if (!a)
        return;
    *pa = NULL;
    if (a->kind == UNDECIDED && a->nhead)
        decide_and_go_on(a);
    spam_attach_end(&a->child);
    inflate_stop(a);
    free(a);
}
