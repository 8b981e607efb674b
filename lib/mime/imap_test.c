/* Sections, IMAP forms and the packed tree, on one message with everything in it. */
#include "lib/base/test.h"
#include "lib/mime/header.h"
#include "lib/mime/imap_format.h"
#include "lib/mime/section.h"
#include "lib/mime/structure.h"

static const struct str message =
    STR("From: \"A \\\"B\\\"\" <a@x>\nTo: G: c@z;\nSubject: \xc3\xa9\nDate: Wed, 17 Jul 1996 02:23:25 -0700\n"
        "Message-ID: <1@x>\nContent-Type: multipart/mixed; boundary=b\nContent-Language: en, de\n\n"
        "--b\n\nfirst\nline\n"
        "--b\nContent-Type: message/rfc822\nContent-Disposition: inline; filename=m\n\n"
        "Subject: inner\nContent-Type: multipart/alternative; boundary=c\n\n"
        "--c\nContent-Type: text/html; charset=utf-8\n\n<p>\n--c\nContent-Type: image/gif\n"
        "Content-Transfer-Encoding: base64\nContent-ID: <i>\n\nR0lG\n--c--\n"
        "--b\nContent-Type: message/rfc822\n\nSubject: plain\n\ninner text\n--b--\n");

static const struct {
    const char *section;
    const char *want;
} sections[] = {
    { "1", "first\nline" },
    { "1.MIME", "\n" },
    { "1.1", NULL },
    { "1.HEADER", NULL },
    { "9", NULL },
    { "2.MIME", "Content-Type: message/rfc822\nContent-Disposition: inline; filename=m\n\n" },
    { "2.HEADER", "Subject: inner\nContent-Type: multipart/alternative; boundary=c\n\n" },
    { "2.1", "<p>" },
    { "2.1.MIME", "Content-Type: text/html; charset=utf-8\n\n" },
    { "2.2", "R0lG" },
    { "2.3", NULL },
    { "3.HEADER", "Subject: plain\n\n" },
    { "3.TEXT", "inner text" },
    { "3.1", "inner text" },
    { "3.1.MIME", "Subject: plain\n\n" },
    { "3.2", NULL },
    { "3", "Subject: plain\n\ninner text" },
    { "0", NULL },
    { "MIME", NULL },
};

static struct mime_section section_of(const char *z, uint32_t *path)
{
    struct mime_section s = { .path = path };
    struct str rest = str_from(z), word;

    for (bool more = rest.n > 0; more;) {
        more = str_cut(rest, '.', &word, &rest);
        if (str_to_u32(word, &path[s.n]))
            s.n++;
        else
            s.kind = str_eq_z(word, "MIME")   ? MIME_SECTION_MIME
                     : str_eq_z(word, "TEXT") ? MIME_SECTION_TEXT
                                              : MIME_SECTION_HEADER;
    }
    return s;
}

static void test_sections(void **state)
{
    struct arena a = { .max = KIB(64) };
    const struct mime_part *root = mime_scan_all(&a, message);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(sections); i++) {
        uint32_t path[8];
        struct mime_section s = section_of(sections[i].section, path);
        struct mime_range range;
        int found = mime_section_find(root, &s, &range);

        check_case = sections[i].section;
        CHECK(found == (sections[i].want != NULL));
        if (found)
            CHECK(str_eq_z(str_of(message.p + range.offset, range.bytes), sections[i].want));
    }
    check_case = "";
    arena_release(&a);
}

static const char body_want[] =
    "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 10 1)"
    "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 201 "
    "(NIL \"inner\" NIL NIL NIL NIL NIL NIL NIL NIL) "
    "((\"text\" \"html\" (\"charset\" \"utf-8\") NIL NIL \"7bit\" 3 0)"
    "(\"image\" \"gif\" NIL \"<i>\" NIL \"base64\" 4) \"alternative\") 13)"
    "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 26 "
    "(NIL \"plain\" NIL NIL NIL NIL NIL NIL NIL NIL) "
    "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 10 0) 2) \"mixed\")";

static const char envelope_want[] =
    "(\"Wed, 17 Jul 1996 02:23:25 -0700\" {2}\r\n\xc3\xa9 ((\"A \\\"B\\\"\" NIL \"a\" \"x\")) "
    "((\"A \\\"B\\\"\" NIL \"a\" \"x\")) ((\"A \\\"B\\\"\" NIL \"a\" \"x\")) "
    "((NIL NIL \"G\" NIL)(NIL NIL \"c\" \"z\")(NIL NIL NIL NIL)) NIL NIL NIL \"<1@x>\")";

static void check_text(struct buf *out, const char *want)
{
    if (!str_eq_z(buf_str(out), want))
        print_error("want %s\n got %.*s\n", want, STR_ARG(buf_str(out)));
    CHECK(str_eq_z(buf_str(out), want));
    buf_clear(out);
}

static void test_forms(void **state)
{
    struct arena a = { .max = KIB(64) };
    CLEANUP(buf_release) struct buf out = { .max = KIB(16) };
    const struct mime_part *root = mime_scan_all(&a, message);

    (void)state;
    CHECK(mime_imap_body(root, false, false, &out) == 0);
    check_text(&out, body_want);
    CHECK(mime_imap_envelope(root->envelope, false, &out) == 0);
    check_text(&out, envelope_want);
    CHECK(mime_imap_body(root, true, false, &out) == 0);
    CHECK(str_ends(buf_str(&out), STR(" \"mixed\" (\"boundary\" \"b\") NIL (\"en\" \"de\") NIL)")));
    CHECK(str_find(buf_str(&out), STR(" 13 NIL (\"inline\" (\"filename\" \"m\")) NIL NIL)")) > 0);
    buf_clear(&out);
    CHECK(mime_imap_nstring(STR_NONE, false, &out) == 0);
    check_text(&out, "NIL");
    CHECK(mime_imap_nstring(STR(""), false, &out) == 0);
    check_text(&out, "\"\"");
    CHECK(mime_imap_nstring(STR("\xc3\xa9"), true, &out) == 0);
    check_text(&out, "\"\xc3\xa9\"");
    CHECK(mime_imap_nstring(STR("\xe9"), true, &out) == 0);
    check_text(&out, "{1}\r\n\xe9");
    CHECK(mime_imap_nstring(STR("a\0b\n"), true, &out) == 0);
    check_text(&out, "{4}\r\na?b\n");
    arena_release(&a);
}

static void test_opaque_forms(void **state)
{
    struct arena a = { .max = KIB(64) };
    CLEANUP(buf_release) struct buf out = { .max = KIB(16) };

    (void)state;
    CHECK(mime_imap_body(mime_scan_all(&a, STR("Content-Type: multipart/mixed\n\nx")), false, false, &out) ==
          0);
    check_text(&out, "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 1 0) \"mixed\")");
    CHECK(
        mime_imap_body(
            mime_scan_all(&a, STR("Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nAAAA")),
            false, false, &out) == 0);
    check_text(&out,
               "(\"message\" \"rfc822\" NIL NIL NIL \"base64\" 4 (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) "
               "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0) 0)");
    arena_release(&a);
}

/* What BODYSTRUCTURE shows as the only part of a multipart that has none is there to be fetched. */
static void test_undivided(void **state)
{
    static const char *const inputs[] = {
        "Content-Type: multipart/mixed\n\nabc",
        "Content-Type: multipart/mixed; boundary=x\n\nabc",
    };
    static const uint32_t path[] = { 1, 1 };
    struct arena a = { .max = KIB(64) };
    struct mime_range r;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(inputs); i++) {
        CLEANUP(buf_release) struct buf out = { .max = KIB(16) };
        struct str in = str_from(inputs[i]);
        const struct mime_part *root = mime_scan_all(&a, in);

        check_case = inputs[i];
        CHECK(mime_imap_body(root, false, false, &out) == 0);
        CHECK(str_istarts(buf_str(&out),
                          STR("((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 3 0)")));
        CHECK(mime_section_find(root, &(struct mime_section){ .path = path, .n = 1 }, &r) == 1);
        CHECK(r.bytes == 3 && r.offset + 3 == in.n);
        CHECK(mime_section_find(root, &(struct mime_section){ .path = path, .n = 2 }, &r) == 0);
    }
    arena_release(&a);
}

static void test_pack(void **state)
{
    struct arena a = { .max = KIB(64) }, b = { .max = KIB(64) };
    CLEANUP(buf_release)
    struct buf packed = { .max = KIB(16) }, one = { .max = KIB(16) }, two = { .max = KIB(16) };
    struct mime_part *root = mime_scan_all(&a, message), *again = NULL;

    (void)state;
    mime_part_shift(root, 100);
    CHECK(mime_structure_pack(root, &a, &packed) == 0);
    CHECK(mime_structure_unpack(&b, buf_str(&packed), &again) == 0);
    CHECK(again->body_start == root->body_start && again->header_start == 0);
    CHECK(again->first_child->header_start == root->first_child->header_start);
    CHECK(again->envelope->sent.ms == root->envelope->sent.ms && again->envelope->has_sent);
    CHECK(mime_imap_body(root, true, false, &one) == 0 && mime_imap_body(again, true, false, &two) == 0);
    CHECK(str_eq(buf_str(&one), buf_str(&two)));
    buf_clear(&one);
    buf_clear(&two);
    CHECK(mime_imap_envelope(root->envelope, false, &one) == 0);
    CHECK(mime_imap_envelope(again->envelope, false, &two) == 0);
    CHECK(str_eq(buf_str(&one), buf_str(&two)));
    for (size_t i = 0; i < packed.n; i++) { /* damage anywhere: an answer or an error, never a crash */
        struct arena c = { .max = KIB(64) };
        packed.p[i] = (char)(packed.p[i] ^ 0x55);
        (void)!mime_structure_unpack(&c, buf_str(&packed), &again);
        packed.p[i] = (char)(packed.p[i] ^ 0x55);
        (void)!mime_structure_unpack(&c, str_of(packed.p, i), &again);
        arena_release(&c);
    }
    CHECK(mime_structure_unpack(&b, STR(""), &again) == E_CORRUPT);
    arena_release(&a);
    arena_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sections),  cmocka_unit_test(test_forms), cmocka_unit_test(test_opaque_forms),
        cmocka_unit_test(test_undivided), cmocka_unit_test(test_pack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
