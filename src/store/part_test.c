/* Parts: regular base64 and what only looks like it, every byte back, shared and counted, whole and in
 * pieces, through structures that lie. */
#include "lib/base/clock.h"
#include "lib/base/hex.h"
#include "lib/base/test.h"
#include "lib/mime/structure.h"
#include "src/store/dictionary.h"
#include "src/store/drop.h"
#include "src/store/mailbox_private.h"
#include "src/store/part.h"
#include <sodium.h>
#include <stdio.h>

static struct mailbox *box;

static int setup(void **state)
{
    (void)state;
    clock_fake(INT64_C(1787000000000));
    return mailbox_open_memory(&box);
}

static int teardown(void **state)
{
    (void)state;
    mailbox_close(&box);
    clock_real();
    return 0;
}

static int64_t count(const char *sql)
{
    int64_t n = -1;

    CHECK(db_get_i64(mailbox_db(box), sql, &n) == 0);
    return n;
}

/* ---- making messages ----------------------------------------------------------------------------- */

static void base64_put(struct buf *b, const uint8_t *in, size_t n, size_t line, const char *eol)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t col = 0;

    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = (uint32_t)in[i] << 16 | (i + 1 < n ? (uint32_t)in[i + 1] << 8 : 0) |
                     (i + 2 < n ? (uint32_t)in[i + 2] : 0);
        char q[4] = { digits[v >> 18], digits[v >> 12 & 63], i + 1 < n ? digits[v >> 6 & 63] : '=',
                      i + 2 < n ? digits[v & 63] : '=' };

        for (size_t k = 0; k < 4; k++, col++) {
            if (line && col == line) {
                CHECK(buf_putz(b, eol) == 0);
                col = 0;
            }
            CHECK(buf_putc(b, q[k]) == 0);
        }
    }
}

static void noise(uint8_t *p, size_t n, uint32_t seed)
{
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        p[i] = (uint8_t)(seed >> 24);
    }
}

struct attachment {
    size_t bytes, line;
    const char *eol, *tail; /* behind the digits */
    uint32_t seed;
    size_t spoiled; /* this digit is another byte; 0: none */
};

static void message_put(struct buf *b, const struct attachment *a, size_t n)
{
    CHECK(buf_putz(b,
                   "Subject: parts\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
                   "--b\r\n\r\nsee below\r\n") == 0);
    for (size_t i = 0; i < n; i++) {
        uint8_t *raw = malloc(a[i].bytes + 1);
        size_t at;

        CHECK(raw != NULL);
        noise(raw, a[i].bytes, a[i].seed);
        CHECK(buf_putz(b, i ? "\r\n" : "") == 0);
        CHECK(buf_putz(b, "--b\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n") ==
              0);
        at = b->n;
        base64_put(b, raw, a[i].bytes, a[i].line, a[i].eol);
        if (a[i].spoiled)
            b->p[at + a[i].spoiled] = '!';
        CHECK(buf_putz(b, a[i].tail) == 0);
        free(raw);
    }
    CHECK(buf_putz(b, "\r\n--b--\r\n") == 0);
}

static int64_t insert(struct str message, struct str structure, uint64_t header_bytes)
{
    struct bytes_mem m;
    struct email_in e = { .message = bytes_mem_init(&m, message),
                          .header_bytes = header_bytes,
                          .structure = structure };
    int64_t id = 0;

    CHECK(mailbox_begin(box) == 0);
    CHECK(email_insert(box, &e, &id) == 0);
    CHECK(mailbox_commit(box) == 0);
    return id;
}

static int64_t insert_scanned(struct str message)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(4) };
    CLEANUP(buf_release) struct buf packed = { .max = MIME_STRUCTURE_MAX };
    struct mime_part *root = mime_scan_all(&a, message);

    CHECK(root && mime_structure_pack(root, &a, &packed) == 0);
    return insert(message, buf_str(&packed), root->body_start);
}

static void drop(int64_t id)
{
    int r;

    CHECK(mailbox_begin(box) == 0 && email_drop_unused(box, id) >= 0);
    while ((r = mailbox_drop_some(box)) > 0)
        ;
    CHECK(r == 0 && mailbox_commit(box) == 0);
}

static void read_all(int64_t id, size_t n, size_t step, struct buf *out)
{
    for (size_t at = 0; at < n; at += step)
        CHECK(email_read(box, id, at, size_min(step, n - at), out) == 0);
}

static void check_bytes(int64_t id, struct str message)
{
    static const size_t steps[] = { KIB(256), KIB(64), 9973 };
    uint32_t x = 7;

    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        CLEANUP(buf_release) struct buf got = { .max = MIB(64) };

        if (i > 1 && message.n > MIB(2))
            break;
        read_all(id, message.n, steps[i], &got);
        CHECK(str_eq(buf_str(&got), message));
    }
    for (int i = 0; i < 200; i++) {
        CLEANUP(buf_release) struct buf got = { .max = KIB(256) };
        size_t at, n;

        x = x * 1664525u + 1013904223u;
        at = (x >> 3) % message.n;
        n = size_min(1 + (x >> 7) % (i % 2 ? 300 : 5), message.n - at);
        CHECK(email_read(box, id, at, n, &got) == 0);
        CHECK(str_eq(buf_str(&got), str_slice(message, at, at + n)));
    }
}

static void check_sound(void)
{
    struct parts_check c = { 0 };
    int r;

    while ((r = mailbox_parts_check(box, KIB(100), &c)) > 0)
        ;
    CHECK(r == 0 && c.counted && c.wrong_bytes + c.wrong_counts + c.wrong_maps + c.missing == 0);
    CHECK((int64_t)c.parts == count("SELECT count(*) FROM part"));
}

/* ---- tests --------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    struct attachment a;
    int64_t part_bytes; /* of the part that it becomes; 0: none */
} cases[] = {
    { "as everyone writes it", { 5000, 76, "\r\n", "", 1, 0 }, 5000 },
    { "a line end more", { 5000, 76, "\r\n", "\r\n", 1, 0 }, 5000 },
    { "bare LF", { 5000, 76, "\n", "\n", 1, 0 }, 5000 },
    { "short lines", { 5000, 60, "\r\n", "", 1, 0 }, 5000 },
    { "long lines", { 50000, 1000, "\r\n", "", 1, 0 }, 50000 },
    { "one line", { 50001, 0, "", "\r\n", 1, 0 }, 50001 },
    { "full last line", { 57 * 40, 76, "\r\n", "", 1, 0 }, 57 * 40 },
    { "full last line and its end", { 57 * 40, 76, "\r\n", "\r\n", 1, 0 }, 57 * 40 },
    { "one pad", { 57 * 40 + 2, 76, "\r\n", "", 1, 0 }, 57 * 40 + 2 },
    { "two pads", { 57 * 40 + 1, 76, "\r\n", "", 1, 0 }, 57 * 40 + 1 },
    { "a footer", { 50000, 76, "\r\n", "\r\n____\r\na list\r\n", 1, 0 }, 50000 },
    { "a long footer",
      { 1000, 76, "\r\n",
        "\r\n____\r\na list, and all that lists have to say ___________________"
        "________________________________________________________________________________________________"
        "_________________________________________________________________________________\r\n",
        1, 0 },
      0 },
    { "spoiled early", { 50000, 76, "\r\n", "", 1, 300 }, -1 },
    { "spoiled late", { 50000, 76, "\r\n", "", 1, 66000 }, 57 * 846 + 9 },
    { "odd lines", { 50000, 75, "\r\n", "", 1, 0 }, -1 },
    { "too small", { 700, 76, "\r\n", "", 1, 0 }, 0 },
    { "several rows", { KIB(700) + 1, 76, "\r\n", "", 1, 0 }, KIB(700) + 1 },
    { "rows that nobody made before", { MIB(2) + 5, 76, "\r\n", "", 1, 0 }, MIB(2) + 5 },
    { "a row to the byte", { KIB(256), 76, "\r\n", "", 1, 0 }, KIB(256) },
    { "rows in one line", { KIB(600), 0, "", "", 1, 0 }, KIB(600) },
};

static void test_forms(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_release) struct buf m = { .max = MIB(4) };
        int64_t id, bytes;

        check_case = cases[i].name;
        message_put(&m, &cases[i].a, 1);
        id = insert_scanned(buf_str(&m));
        bytes = count("SELECT coalesce(sum(bytes), 0) FROM part");
        CHECK(cases[i].part_bytes < 0 ? bytes > (int64_t)cases[i].a.bytes : bytes == cases[i].part_bytes);
        check_bytes(id, buf_str(&m));
        check_sound();
        drop(id);
        CHECK(count("SELECT count(*) FROM part") == 0 && count("SELECT count(*) FROM part_row") == 0);
        CHECK(count("SELECT count(*) FROM email_raw WHERE part IS NULL") == 0 &&
              count("SELECT count(*) FROM email_top") == 0);
    }
    check_case = "";
}

/* One picture in three messages, wrapped in three ways, twice in one of them: it is there once. */
static void test_shared(void **state)
{
    const struct attachment a[] = { { 9000, 76, "\r\n", "", 5, 0 },
                                    { 9000, 64, "\r\n", "", 5, 0 },
                                    { 9000, 0, "", "", 5, 0 },
                                    { 3000, 76, "\r\n", "", 6, 0 } };
    CLEANUP(buf_release)
    struct buf one = { .max = MIB(1) }, two = { .max = MIB(1) }, three = { .max = MIB(1) };
    int64_t id[3];

    (void)state;
    message_put(&one, a, 1);
    message_put(&two, a, 4);
    message_put(&three, a + 2, 2);
    id[0] = insert_scanned(buf_str(&one));
    id[1] = insert_scanned(buf_str(&two));
    id[2] = insert_scanned(buf_str(&three));
    CHECK(count("SELECT count(*) FROM part") == 2 && count("SELECT sum(refs) FROM part") == 7);
    check_bytes(id[0], buf_str(&one));
    check_bytes(id[1], buf_str(&two));
    check_bytes(id[2], buf_str(&three));
    check_sound();
    drop(id[1]);
    CHECK(count("SELECT sum(refs) FROM part") == 3);
    check_bytes(id[0], buf_str(&one));
    check_bytes(id[2], buf_str(&three));
    drop(id[0]);
    check_bytes(id[2], buf_str(&three));
    check_sound();
    drop(id[2]);
    CHECK(count("SELECT count(*) FROM part") == 0 && count("SELECT count(*) FROM part_row") == 0);
}

/* Parts of a message in a message are parts too. */
static void test_nested(void **state)
{
    const struct attachment a = { 9000, 76, "\r\n", "", 5, 0 };
    CLEANUP(buf_release) struct buf inner = { .max = MIB(1) }, outer = { .max = MIB(1) };
    int64_t first, second;

    (void)state;
    message_put(&inner, &a, 1);
    CHECK(buf_putz(&outer, "Subject: Fwd\r\nContent-Type: multipart/mixed; boundary=outer\r\n\r\n--outer\r\n"
                           "Content-Type: message/rfc822\r\n\r\n") == 0);
    CHECK(buf_puts(&outer, buf_str(&inner)) == 0 && buf_putz(&outer, "\r\n--outer--\r\n") == 0);
    first = insert_scanned(buf_str(&inner));
    second = insert_scanned(buf_str(&outer));
    CHECK(count("SELECT count(*) FROM part") == 1 && count("SELECT refs FROM part") == 2);
    check_bytes(second, buf_str(&outer));
    drop(first);
    check_bytes(second, buf_str(&outer));
    drop(second);
}

/* Text that is one leaf: raw, compressed. */
static void test_large_text(void **state)
{
    CLEANUP(buf_release) struct buf m = { .max = MIB(4) };
    int64_t id;

    (void)state;
    CHECK(buf_putz(&m, "Subject: long\r\n\r\n") == 0);
    for (size_t i = 0; m.n < KIB(700); i++)
        CHECK(buf_printf(&m, "line %zu of a letter that goes on and on\r\n", i) == 0);
    id = insert_scanned(buf_str(&m));
    CHECK(count("SELECT count(*) FROM part_row") == 3 &&
          count("SELECT count(*) FROM email_raw WHERE part IS NULL") == 0);
    CHECK(count("SELECT sum(length(data)) FROM part_row") < (int64_t)KIB(150));
    check_bytes(id, buf_str(&m));
    check_sound();
    drop(id);
}

static void part_field(struct buf *b, char tag, uint64_t v)
{
    CHECK(buf_putc(b, tag) == 0);
    for (; v >= 128; v >>= 7)
        CHECK(buf_putc(b, (char)(v | 128)) == 0);
    CHECK(buf_putc(b, (char)v) == 0);
}

/* A structure is a claim: ranges that overlap, lie outside, before the body or backwards, base64 that is none. */
static void test_lies(void **state)
{
    const struct attachment a = { 20000, 76, "\r\n", "", 5, 0 };
    CLEANUP(buf_release) struct buf m = { .max = MIB(1) };
    uint32_t x = 99;

    (void)state;
    message_put(&m, &a, 1);
    for (int round = 0; round < 300; round++) {
        CLEANUP(buf_release) struct buf s = { .max = KIB(4) };
        int64_t id;

        for (int i = 0; i < 4; i++) {
            CLEANUP(buf_release) struct buf p = { .max = 256 };

            x = x * 1664525u + 1013904223u;
            part_field(&p, 0x10, 0);
            part_field(&p, 0x20, round % 5 == 4 && i == 1 ? UINT64_MAX - x : (x >> 5) % (m.n + 50));
            x = x * 1664525u + 1013904223u;
            part_field(&p, 0x28, round % 7 == 6 && i == 2 ? UINT64_MAX : (x >> 5) % (m.n + 50));
            if (x & 1)
                CHECK(buf_append(&p,
                                 "\x5a\x06"
                                 "BASE64",
                                 8) == 0);
            part_field(&s, 0x0a, p.n);
            CHECK(buf_puts(&s, buf_str(&p)) == 0);
        }
        id = insert(buf_str(&m), buf_str(&s), (x >> 9) % m.n);
        check_bytes(id, buf_str(&m));
        drop(id);
    }
    CHECK(count("SELECT count(*) FROM part") == 0 && count("SELECT count(*) FROM part_row") == 0);
}

/* What a check is there for. */
static void test_check_sees(void **state)
{
    const struct attachment a[] = { { 9000, 76, "\r\n", "", 5, 0 }, { 8000, 76, "\r\n", "", 6, 0 } };
    CLEANUP(buf_release) struct buf m = { .max = MIB(1) };
    struct parts_check c = { 0 };

    (void)state;
    message_put(&m, a, 2);
    insert_scanned(buf_str(&m));
    CHECK(db_run(mailbox_db(box), "UPDATE part SET refs = 2 WHERE id = 1") == 0);
    CHECK(db_run(mailbox_db(box),
                 "UPDATE part_row SET data = zeroblob(bytes), codec = 0 WHERE id = 131072") == 0);
    CHECK(mailbox_parts_check(box, MIB(1), &c) == 0);
    CHECK(c.wrong_counts == 1 && c.wrong_bytes == 1 && c.missing == 0 && c.parts == 2);
    CHECK(db_run(mailbox_db(box), "DELETE FROM part WHERE id = 1") == 0);
    c = (struct parts_check){ 0 };
    CHECK(mailbox_parts_check(box, MIB(1), &c) == 0);
    CHECK(c.missing == 1 && c.wrong_counts == 0);
}

/* 50 MiB in one part: deep inside it a piece costs two rows and no more. */
static void test_deep(void **state)
{
    const struct attachment a = { MIB(37) + 5, 76, "\r\n", "", 9, 0 };
    CLEANUP(buf_release) struct buf m = { .max = MIB(60) };
    int64_t id;

    (void)state;
    message_put(&m, &a, 1);
    id = insert_scanned(buf_str(&m));
    CHECK(count("SELECT count(*) FROM part_row") == 149);
    check_bytes(id, buf_str(&m));
    drop(id);
    CHECK(count("SELECT count(*) FROM part_row") == 0);
}

static void test_map(void **state)
{
    static const struct segment v[] = {
        { 0, 1, 1, false, { 0, 0 } },
        { UINT64_MAX, UINT64_MAX, INT64_MAX, true, { 0, 0 } },
        { 128, 300, 5, true, { 76, 2 } },
        { 1, 2, 3, true, { 1000, 1 } },
    };
    CLEANUP(buf_release) struct buf map = { .max = 1000 };
    struct segment s;
    struct str in;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(v); i++)
        CHECK(segment_put(&map, &v[i]) == 0);
    in = buf_str(&map);
    for (size_t i = 0; i < ARRAY_LEN(v); i++) {
        CHECK(segment_take(&in, &s) == 1);
        CHECK(s.gap == v[i].gap && s.bytes == v[i].bytes && s.part == v[i].part && s.base64 == v[i].base64 &&
              s.form.line == v[i].form.line && s.form.eol == v[i].form.eol);
    }
    CHECK(segment_take(&in, &s) == 0);
    for (size_t n = 1; n < 4; n++) { /* cut off */
        in = str_slice(buf_str(&map), 0, n);
        CHECK(segment_take(&in, &s) == E_CORRUPT);
    }
}

/* The dictionary is part of the format of every mailbox: whoever changes a byte of it loses mail. */
static void test_dictionary(void **state)
{
    static const char want[] = "fa4cdba1aad433575e7c1435b1d98872e5ffa011eb2bcd7981ebe29cf4082f3f";
    uint8_t hash[32];
    char text[2 * sizeof hash + 1];

    (void)state;
    crypto_generichash(hash, sizeof hash, dictionary_mail_1, dictionary_mail_1_bytes, NULL, 0);
    hex_encode(hash, sizeof hash, text);
    CHECK(strcmp(text, want) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dictionary),
        cmocka_unit_test(test_map),
        cmocka_unit_test_setup_teardown(test_forms, setup, teardown),
        cmocka_unit_test_setup_teardown(test_shared, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nested, setup, teardown),
        cmocka_unit_test_setup_teardown(test_large_text, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lies, setup, teardown),
        cmocka_unit_test_setup_teardown(test_check_sees, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deep, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
