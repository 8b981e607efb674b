/* What is inside archives, made here: zip (stored, deflated, with sizes ahead and behind), gzip, tar, in each other. */
#include "lib/base/test.h"
#include "lib/spam/attach.h"
#include <zlib.h>

#define EICAR_                           \
    "X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR" \
    "-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"

static void put(struct buf *b, uint32_t v, int n)
{
    for (int i = 0; i < n; i++)
        CHECK(buf_putc(b, (char)(i < 4 ? v >> 8 * i : 0)) == 0);
}

static void deflate_to(struct buf *out, struct str in, int window)
{
    z_stream z = { 0 };
    size_t room = in.n + 256;
    void *p = buf_reserve(out, room);

    CHECK(p && deflateInit2(&z, 6, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    z.next_in = (unsigned char *)(uintptr_t)in.p;
    z.avail_in = (unsigned)in.n;
    z.next_out = p;
    z.avail_out = (unsigned)room;
    CHECK(deflate(&z, Z_FINISH) == Z_STREAM_END);
    out->n += room - z.avail_out;
    deflateEnd(&z);
}

enum { STORED = 1, LATE_SIZES = 2, ENCRYPTED = 4 };

/* One entry, and the directory of it under another name. */
static void zip(struct buf *out, const char *name, const char *listed, struct str data, int how)
{
    CLEANUP(buf_release) struct buf packed = { .max = MIB(4) };
    uint32_t flags = (how & LATE_SIZES ? 8u : 0) | (how & ENCRYPTED ? 1u : 0), size;

    if (how & STORED)
        CHECK(buf_puts(&packed, data) == 0);
    else
        deflate_to(&packed, data, -15);
    size = how & LATE_SIZES ? 0 : (uint32_t)packed.n;
    CHECK(buf_append(out, "PK\x03\x04", 4) == 0);
    put(out, 20, 2);
    put(out, flags, 2);
    put(out, how & STORED ? 0 : 8, 2);
    put(out, 0, 8);
    put(out, size, 4);
    put(out, (uint32_t)data.n, 4);
    put(out, (uint32_t)strlen(name), 2);
    put(out, 3, 2);
    CHECK(buf_putz(out, name) == 0 && buf_putz(out, "xxx") == 0 && buf_puts(out, buf_str(&packed)) == 0);
    if (how & LATE_SIZES) {
        CHECK(buf_append(out, "PK\x07\x08", 4) == 0);
        put(out, 0, 4);
        put(out, (uint32_t)packed.n, 4);
        put(out, (uint32_t)data.n, 4);
    }
    CHECK(buf_append(out, "PK\x01\x02", 4) == 0);
    put(out, 20, 2);
    put(out, 20, 2);
    put(out, flags, 2);
    put(out, 8, 2);
    put(out, 0, 8);
    put(out, (uint32_t)packed.n, 4);
    put(out, (uint32_t)data.n, 4);
    put(out, (uint32_t)strlen(listed), 2);
    put(out, 0, 2 + 2 + 2 + 2 + 4 + 4);
    CHECK(buf_putz(out, listed) == 0 && buf_append(out, "PK\x05\x06", 4) == 0);
    put(out, 0, 18);
}

static void tar(struct buf *out, const char *name, char type, struct str data)
{
    char block[513] = { 0 };

    memcpy(block, name, size_min(strlen(name), 100));
    snprintf(block + 124, 12, "%011o", (unsigned)data.n);
    block[156] = type;
    memcpy(block + 257, "ustar", 6);
    CHECK(buf_append(out, block, 512) == 0 && buf_puts(out, data) == 0);
    for (size_t n = data.n; n % 512; n++)
        CHECK(buf_putc(out, '\0') == 0);
}

static struct spam_hits look_by(const char *name, struct str bytes, size_t step)
{
    struct spam_hits h = { .extra = 0 };
    struct spam_budget budget = { 0 };
    struct spam_attach *a = spam_attach_new(str_from(name), false, &h, &budget);

    CHECK(a != NULL);
    for (size_t at = 0; at < bytes.n; at += step)
        spam_attach_feed(a, str_slice(bytes, at, at + step));
    spam_attach_end(&a);
    CHECK(a == NULL && budget.bytes <= SPAM_ARCHIVE_BYTES_MAX);
    return h;
}

/* However it is cut, the same. */
static struct spam_hits look(const char *name, struct str bytes)
{
    struct spam_hits h = look_by(name, bytes, SIZE_MAX / 2), one = look_by(name, bytes, 1),
                     odd = look_by(name, bytes, 333);

    CHECK(memcmp(&h, &one, sizeof h) == 0 && memcmp(&h, &odd, sizeof h) == 0);
    return h;
}

static void test_zip(void **state UNUSED)
{
    static const int hows[] = { 0, STORED, LATE_SIZES };

    for (size_t i = 0; i < ARRAY_LEN(hows); i++) {
        CLEANUP(buf_release)
        struct buf z = { .max = MIB(1) }, other = { .max = MIB(1) }, named = { .max = MIB(1) };

        zip(&z, "a.txt", "a.txt", STR(EICAR_), hows[i]);
        CHECK(look("a.zip", buf_str(&z)).hit[SPAM_EICAR]);
        zip(&other, "a.txt", "a.txt", STR("good day"), hows[i]);
        struct spam_hits h = look("a.zip", buf_str(&other));
        CHECK(spam_score(&h) == 0);
        zip(&named, "doc/bill.pdf.js", "doc/bill.pdf.js", STR("x"), hows[i]);
        CHECK(look("a.zip", buf_str(&named)).hit[SPAM_EXE_DISGUISED]);
    }
}

static void test_zip_lies(void **state UNUSED)
{
    CLEANUP(buf_release)
    struct buf z = { .max = MIB(1) }, locked = { .max = MIB(1) }, macro = { .max = MIB(1) };

    zip(&z, "good.txt", "bad.scr", STR("x"), 0);
    CHECK(look("a.zip", buf_str(&z)).hit[SPAM_EXE_NAME]);
    zip(&locked, "a.txt", "a.txt", STR("x"), ENCRYPTED);
    CHECK(look("a.zip", buf_str(&locked)).hit[SPAM_ARCHIVE_ENCRYPTED]);
    zip(&macro, "word/vbaProject.bin", "word/vbaProject.bin", STR("x"), 0);
    CHECK(look("a.docm", buf_str(&macro)).hit[SPAM_OFFICE_MACRO]);
    buf_clear(&macro);
    zip(&macro, "word/vbaProject.bin.rels", "word/vbaProject.bin.rels", STR("x"), 0);
    CHECK(!look("a.docx", buf_str(&macro)).hit[SPAM_OFFICE_MACRO]);
}

static void test_in_each_other(void **state UNUSED)
{
    CLEANUP(buf_release) struct buf t = { .max = MIB(1) }, gz = { .max = MIB(1) }, z = { .max = MIB(1) };
    static const char program[65] = "MZ\x90";

    tar(&t, "readme", '0', STR("hello"));
    tar(&t, "tool", '0', str_of(program, 64));
    CHECK(look("a.tar", buf_str(&t)).hit[SPAM_EXE_CONTENT]);
    deflate_to(&gz, buf_str(&t), 15 + 16);
    CHECK(look("a.tar.gz", buf_str(&gz)).hit[SPAM_EXE_CONTENT]);
    zip(&z, "a.tar.gz", "a.tar.gz", buf_str(&gz), LATE_SIZES);
    CHECK(look("a.zip", buf_str(&z)).hit[SPAM_EXE_CONTENT]);
    CHECK(!look("a.zip", buf_str(&z)).hit[SPAM_ARCHIVE_LIMIT]);
    buf_clear(&t);
    tar(&t, "././@LongLink", 'L', STR("a/name/that/is/long/and/ends.exe"));
    tar(&t, "a/name/that", '0', STR("x"));
    CHECK(look("a.tar", buf_str(&t)).hit[SPAM_EXE_NAME]);
}

static void test_too_deep(void **state UNUSED)
{
    CLEANUP(buf_release) struct buf z = { .max = MIB(1) };

    zip(&z, "a.txt", "a.txt", STR("x"), 0);
    for (unsigned i = 0; i < SPAM_ARCHIVE_DEPTH_MAX; i++) {
        CLEANUP(buf_release) struct buf inner = { .max = MIB(1) };

        CHECK(!look("a.zip", buf_str(&z)).hit[SPAM_ARCHIVE_LIMIT]);
        CHECK(buf_puts(&inner, buf_str(&z)) == 0);
        buf_clear(&z);
        zip(&z, "a.zip", "a.zip", buf_str(&inner), 0);
    }
    CHECK(look("a.zip", buf_str(&z)).hit[SPAM_ARCHIVE_LIMIT]);
}

static void test_bombs(void **state UNUSED)
{
    CLEANUP(buf_release)
    struct buf zeros = { .max = MIB(40) }, gz = { .max = MIB(41) }, many = { .max = MIB(8) };
    void *p = buf_reserve(&zeros, MIB(40));

    CHECK(p != NULL);
    memset(p, 0, MIB(40));
    zeros.n = MIB(40);
    deflate_to(&gz, buf_str(&zeros), 15 + 16);
    CHECK(gz.n < MIB(1));
    CHECK(look("a.gz", buf_str(&gz)).hit[SPAM_ARCHIVE_LIMIT]);
    for (unsigned i = 0; i <= SPAM_ARCHIVE_ENTRIES_MAX; i++)
        zip(&many, "a", "a", STR("x"), STORED);
    CHECK(look("a.zip", buf_str(&many)).hit[SPAM_ARCHIVE_LIMIT]);
}

static void test_ole(void **state UNUSED)
{
    static const char with[] = "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1....\0__\0V\0B\0A\0_\0P\0R\0O\0J\0E\0C\0T\0",
                      without[] = "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1....\0_VBA_PROJECT";

    CHECK(look("a.doc", str_of(with, sizeof with - 1)).hit[SPAM_OFFICE_MACRO]);
    CHECK(!look("a.doc", str_of(without, sizeof without - 1)).hit[SPAM_OFFICE_MACRO]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zip),           cmocka_unit_test(test_zip_lies),
        cmocka_unit_test(test_in_each_other), cmocka_unit_test(test_too_deep),
        cmocka_unit_test(test_bombs),         cmocka_unit_test(test_ole),
    };

    return cmocka_run_group_tests_name("spam_archives", tests, NULL, NULL);
}
