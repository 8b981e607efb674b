#include "lib/base/test.h"
#include "lib/mime/scan.h"

/* A tree as one line: type/subtype[header_start,body_start,body_end,lines](children). */
static void dump(const struct mime_part *p, struct buf *out)
{
    CHECK(buf_printf(out, "%.*s/%.*s[%llu,%llu,%llu,%llu]%s", STR_ARG(p->type), STR_ARG(p->subtype),
                     (unsigned long long)p->header_start, (unsigned long long)p->body_start,
                     (unsigned long long)p->body_end, (unsigned long long)p->lines,
                     p->opaque ? "!" : "") == 0);
    if (!p->first_child)
        return;
    CHECK(buf_putc(out, '(') == 0);
    for (const struct mime_part *c = p->first_child; c; c = c->next) {
        dump(c, out);
        if (c->next)
            CHECK(buf_putc(out, ' ') == 0);
    }
    CHECK(buf_putc(out, ')') == 0);
}

static struct mime_part *scan_slices(struct arena *a, struct str in, size_t slice)
{
    struct mime_scan s;
    struct mime_part *root;

    CHECK(mime_scan_init(&s, a, NULL) == 0);
    for (size_t at = 0; at < in.n; at += slice)
        mime_scan_feed(&s, str_slice(in, at, at + slice));
    root = mime_scan_finish(&s);
    mime_scan_release(&s);
    return root;
}

static const struct {
    const char *name, *in, *tree;
} cases[] = {
    { "empty", "", "text/plain[0,0,0,0]" },
    { "header only", "Subject: x\r\n", "text/plain[0,12,12,0]" },
    { "plain", "Subject: x\r\n\r\nhi\r\nyou\r\n", "text/plain[0,14,23,2]" },
    { "bare LF", "Subject: x\n\nhi\nyou", "text/plain[0,12,18,1]" },
    { "no header", "\r\nhi", "text/plain[0,2,4,0]" },
    { "multipart",
      "Content-Type: multipart/mixed; boundary=b\r\n\r\npre\r\n--b\r\n\r\nA\r\n--b  \r\n\r\nB\r\n--b--\r\nepi\r\n",
      "multipart/mixed[0,45,84,9](text/plain[55,57,58,0] text/plain[67,69,70,0])" },
    { "empty part", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\n--b\nContent-Type: a/b\n--b--",
      "multipart/mixed[0,43,75,4](text/plain[47,48,48,0] a/b[52,69,69,0])" },
    { "no close", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nA\n",
      "multipart/mixed[0,43,50,3](text/plain[47,48,50,1])" },
    { "parent ends child",
      "Content-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: multipart/mixed; boundary=i\n\n"
      "--i\n\nA\n--o\n\nB\n--i\n--o--\n",
      "multipart/mixed[0,43,114,11](multipart/mixed[47,90,96,2](text/plain[94,95,96,0]) text/plain[101,102,107,1])" },
    { "prefixes",
      "Content-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: multipart/mixed; boundary=oo\n\n"
      "--oo\n\nA\n--oo--\n--o\n\nB\n--o--\n",
      "multipart/mixed[0,43,119,11](multipart/mixed[47,91,105,3](text/plain[96,97,98,0]) text/plain[110,111,112,0])" },
    { "message", "Content-Type: message/rfc822\n\nSubject: y\n\nhi\n",
      "message/rfc822[0,30,45,3](text/plain[30,42,45,1])" },
    { "digest", "Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: y\n\nhi\n--b--\n",
      "multipart/digest[0,44,70,6](message/rfc822[48,49,63,2](text/plain[49,61,63,0]))" },
    { "encoded message", "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nAAAA\n",
      "message/rfc822[0,64,69,1]!" },
    { "no boundary", "Content-Type: multipart/mixed\n\n--b\n\nx", "multipart/mixed[0,31,37,2]!" },
    { "bad type", "Content-Type: text\n\nx", "text/plain[0,20,21,0]" },
    { "folded", "Content-Type:\r\n multipart/mixed;\r\n\tboundary=\"b \"\r\n\r\n--b\r\n\r\nA\r\n--b--",
      "multipart/mixed[0,52,67,3](text/plain[57,59,60,0])" },
    { "no blank line at all", "Content-Type: multipart/mixed; boundary=\"b:\"\n--b:\n\nA\n--b:--\n",
      "multipart/mixed[0,45,60,4](text/plain[50,51,52,0])" },
    { "no blank line",
      "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/html\n--b\n\nB\n--b--\n",
      "multipart/mixed[0,43,84,6](text/html[47,70,70,0] text/plain[75,76,77,0])" },
};

static void test_trees(void **state)
{
    static const size_t slices[] = { 1000, 1, 2, 7 };
    int bad = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        for (size_t k = 0; k < ARRAY_LEN(slices); k++) {
            struct arena a = { .max = KIB(64) };
            struct buf out = { .max = KIB(4) };

            check_case = cases[i].name;
            dump(scan_slices(&a, str_from(cases[i].in), slices[k]), &out);
            if (!str_eq_z(buf_str(&out), cases[i].tree))
                print_error("want %s\n got %.*s (slices of %zu)\n", cases[i].tree, STR_ARG(buf_str(&out)),
                            slices[k]);
            bad += !str_eq_z(buf_str(&out), cases[i].tree);
            buf_release(&out);
            arena_release(&a);
        }
    check_case = "";
    CHECK(!bad);
}

static void test_fields(void **state)
{
    struct arena a = { .max = KIB(64) };
    CLEANUP(buf_release) struct buf name = { .max = KIB(1) };
    struct mime_part *p = scan_slices(
        &a,
        STR("From: Joe <joe@example.test>\r\nSubject: =?utf-8?q?h?=\r\n =?utf-8?q?i?=\r\n"
            "Content-Type: Text/Plain; charset=\"utf-8\" ;; format=flowed\r\n"
            "Content-Disposition: attachment; filename*0*=utf-8''%e2%82%ac; filename*1=\".txt\"\r\n"
            "Content-Transfer-Encoding: Base64 (x)\r\nContent-ID: <1@x>\r\nContent-MD5: abc\r\n\r\n"),
        5);

    (void)state;
    CHECK(str_eq_z(p->type, "Text") && str_eq_z(p->subtype, "Plain"));
    CHECK(str_eq_z(mime_param_raw(p->params, STR("CHARSET")), "utf-8"));
    CHECK(str_eq_z(mime_param_raw(p->params, STR("format")), "flowed"));
    CHECK(str_eq_z(p->encoding, "Base64") && str_eq_z(p->id, "<1@x>") && str_eq_z(p->md5, "abc"));
    CHECK(str_eq_z(p->disposition, "attachment"));
    CHECK(mime_part_filename(p, &name) == 1);
    CHECK(str_eq_z(buf_str(&name), "\xe2\x82\xac.txt"));
    CHECK(p->envelope && str_eq_z(p->envelope->from->mailbox, "joe"));
    CHECK(str_eq_z(p->envelope->subject, "=?utf-8?q?h?= =?utf-8?q?i?="));
    arena_release(&a);
}

/* Over a limit the rest is opaque, and the scan goes on. */
static void test_limits(void **state)
{
    CLEANUP(buf_release) struct buf in = { .max = MIB(1) };
    struct arena a = { .max = MIB(2) }, small = { .max = KIB(2) };
    struct mime_part *p;
    uint32_t deepest = 0, count = 0;

    (void)state;
    for (int i = 0; i < 200; i++)
        CHECK(buf_putz(&in, "Content-Type: message/rfc822\n\n") == 0);
    for (p = scan_slices(&a, buf_str(&in), 64); p; p = mime_part_next(p)) {
        deepest = p->depth > deepest ? p->depth : deepest;
        CHECK(p->body_end == in.n);
        CHECK(p->opaque == (p->depth == MIME_DEPTH_MAX - 1));
    }
    CHECK(deepest == MIME_DEPTH_MAX - 1);

    buf_clear(&in);
    CHECK(buf_putz(&in, "Content-Type: multipart/mixed; boundary=b\n\n") == 0);
    for (int i = 0; i < 3000; i++)
        CHECK(buf_putz(&in, "--b\n\nx\n") == 0);
    arena_reset(&a);
    p = scan_slices(&a, buf_str(&in), 64);
    CHECK(p->opaque && p->body_end == in.n);
    for (; p; p = mime_part_next(p))
        count++;
    CHECK(count == MIME_PARTS_MAX);
    p = scan_slices(&small, buf_str(&in), 64);
    CHECK(p->opaque && p->body_end == in.n);
    arena_release(&a);
    arena_release(&small);
}

/* Two megabytes of header field cost the memory of one bounded buffer, and Content-Type is still seen. */
static void test_long_header(void **state)
{
    CLEANUP(buf_release) struct buf in = { .max = MIB(4) };
    struct arena a = { .max = KIB(512) };
    struct mime_part *p;

    (void)state;
    CHECK(buf_putz(&in, "To: a@b") == 0);
    for (int i = 0; i < 100000; i++)
        CHECK(buf_putz(&in, ",\r\n joe@example.test") == 0);
    CHECK(buf_putz(&in, "\r\nContent-Type: text/html\r\n\r\nx") == 0);
    p = scan_slices(&a, buf_str(&in), 4096);
    CHECK(mime_part_is(p, "text", "html"));
    CHECK(str_eq_z(p->envelope->to->host, "b"));
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trees),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_long_header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
