#include "lib/base/test.h"
#include "lib/mime/fold.h"
#include "lib/mime/html.h"
#include "lib/mime/text.h"
#include "lib/mime/thread.h"
#include <utf8proc.h>

static int collect(void *user, struct str text)
{
    return buf_puts(user, text);
}

static int extract(struct str in, size_t slice, struct buf *out, uint64_t *header_bytes)
{
    struct arena a = { .max = KIB(256) };
    struct mime_text t;
    struct mime_part *root;
    int r = mime_text_init(&t, &a, collect, out);

    for (size_t at = 0; r >= 0 && at < in.n; at += slice)
        r = mime_text_feed(&t, str_slice(in, at, at + slice));
    r = mime_text_finish(&t, &root);
    *header_bytes = t.header_bytes;
    CHECK(root && root->body_end == in.n);
    mime_text_release(&t);
    arena_release(&a);
    return r;
}

static const struct {
    const char *name, *in, *out;
    size_t header;
} cases[] = {
    { "plain", "Subject: Hello\r\n World\r\nX-Y : Z\r\n\r\nSome  TEXT\r\nmore\r\n",
      "subject: hello world\nx-y: z\nsome text more\n", 28 },
    { "words", "Subject: =?iso-8859-1?Q?Gr=FC=DFe?=\n\nx", "subject: gru\xcc\x88sse\nx\n", 18 },
    { "base64 latin1",
      "Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: base64\n\n6Q==",
      "content-type: text/plain; charset=iso-8859-1\ncontent-transfer-encoding: base64\ne\xcc\x81\n", 79 },
    { "html",
      "Content-Type: text/html\n\n<p>One&nbsp;two<br>x<b>y</b><script>no</script><!-- no --> &lt;z&#x41;</p>",
      "content-type: text/html\none two xy <za\n", 24 },
    { "undivided", "Content-Type: multipart/mixed\n\nNot divided",
      "content-type: multipart/mixed\nnot divided\n", 30 },
    { "parts",
      "Content-Type: multipart/mixed; boundary=b\n\npreamble\n--b\n\nA b\n--b\nContent-Type: image/gif; name=\"=?utf-8?q?X=C3=A9.gif?=\"\n\nR0lG\n"
      "--b\nContent-Type: message/rfc822\n\nSubject: In\n\nbody\n--b--\nepilogue",
      "content-type: multipart/mixed; boundary=b\na b\nfilename: xe\xcc\x81.gif\nsubject: in\nbody\n", 42 },
    { "addresses", "From: <a.b (c)@ (c) d.org>, \"x y\" <e@f>\nCc: a (c)@b\nSubject: a (c)@b\n",
      "from: <a.b (c)@ (c) d.org>, \"x y\" <e@f> a.b@d.org\ncc: a (c)@b a@b\nsubject: a (c)@b\n", 83 },
    { "header only", "Subject: x", "subject: x\n", 11 },
};

static void test_extract(void **state)
{
    static const size_t slices[] = { 10000, 1, 3 };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        for (size_t k = 0; k < ARRAY_LEN(slices); k++) {
            CLEANUP(buf_release) struct buf out = { .max = KIB(64) };
            uint64_t header = 0;

            check_case = cases[i].name;
            CHECK(extract(str_from(cases[i].in), slices[k], &out, &header) == 0);
            if (!str_eq_z(buf_str(&out), cases[i].out))
                print_error("want %s\n got %.*s (%zu)\n", cases[i].out, STR_ARG(buf_str(&out)), slices[k]);
            CHECK(str_eq_z(buf_str(&out), cases[i].out));
            CHECK(header == cases[i].header);
        }
    check_case = "";
}

static void test_fold(void **state)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        { "Stra\xc3\x9f"
          "e",
          "strasse" },
        { "\xef\xac\x81", "fi" },
        { "\xc3\x89", "e\xcc\x81" },
        { "E\xcc\x81", "e\xcc\x81" },
        { "a \t\r\n\xc2\xa0 b", "a b" },
        { "so\xc2\xad"
          "ft",
          "soft" },
        { "\xce\xa3\xcf\x82", "\xcf\x83\xcf\x83" },
        { "\xff", "\xef\xbf\xbd" },
        { "a\xcc\x81\xcc\xa7", "a\xcc\xa7\xcc\x81" },
        { "\xef\xbc\xa1", "a" },
        { "I", "i" },
        { "", "" },
    };

    (void)state;
    for (size_t i = 0; i < 2 * ARRAY_LEN(rows); i++) {
        CLEANUP(buf_release) struct buf out = { .max = KIB(1) };
        struct str in = str_from(rows[i / 2].in);
        struct mime_fold f = { 0 };

        check_case = rows[i / 2].in;
        for (size_t at = 0; at < in.n; at += i % 2 ? 1 : 100)
            CHECK(mime_fold_feed(&f, str_slice(in, at, at + (i % 2 ? 1 : 100)), &out) == 0);
        CHECK(mime_fold_finish(&f, &out) == 0);
        if (!str_eq_z(buf_str(&out), rows[i / 2].out))
            print_error("got '%.*s'\n", STR_ARG(buf_str(&out)));
        CHECK(str_eq_z(buf_str(&out), rows[i / 2].out));
    }
    check_case = "";
}

/* Every character there is: folding twice changes nothing, and what utf8proc makes of it is what we do. */
static void test_fold_all(void **state)
{
    (void)state;
    for (uint32_t cp = 0xA1; cp < 0x110000; cp++) {
        CLEANUP(buf_release) struct buf one = { .max = KIB(1) }, two = { .max = KIB(1) };
        utf8proc_uint8_t *want = NULL;
        char u[4];
        struct str in = str_of(u, mime_utf8_put(cp, u));

        CHECK(mime_fold_append(in, &one) == 0 && mime_fold_append(buf_str(&one), &two) == 0);
        CHECK(one.n <= in.n * MIME_FOLD_GROWTH && str_eq(buf_str(&one), buf_str(&two)));
        if (utf8proc_map((const utf8proc_uint8_t *)in.p, (utf8proc_ssize_t)in.n, &want,
                         UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD | UTF8PROC_IGNORE) > 0 &&
            !str_eq_z(buf_str(&one), " ")) /* all white space is one space with us */
            CHECK(str_eq_z(buf_str(&one), (const char *)want));
        free(want);
    }
}

static void test_html(void **state)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        { "a<b>b</b>c", "abc" },
        { "a<p>b", "a\nb" },
        { "a < b", "a < b" },
        { "&amp;&lt;&euro;", "&<\xe2\x82\xac" },
        { "&nope; &#65;&#x42;&#xfffffff;", "&nope; AB\xef\xbf\xbd" },
        { "&copy &amp", "\xc2\xa9 &" },
        { "&#146;", "\xe2\x80\x99" },
        { "<a href='>'>x</a>", "x" },
        { "<img src=\"x\"\">a<b>", "a" },
        { "<b it's>a</b it's>b", "ab" },
        { "<b a = '>'>c", "c" },
        { "<b a=x'>c", "c" },
        { "<!-- <b> -- > -->y", "y" },
        { "<!-->z", "z" },
        { "<!DOCTYPE x>z", "z" },
        { "<style>a{}</styl</style>b", "b" },
        { "<SCRIPT>if (a<b) '</script>c", "c" },
        { "x<", "x<" },
        { "a<br/>b", "a\nb" },
        { "<img alt=\"x\">", "" },
    };

    (void)state;
    for (size_t i = 0; i < 2 * ARRAY_LEN(rows); i++) {
        CLEANUP(buf_release) struct buf out = { .max = KIB(1) };
        struct str in = str_from(rows[i / 2].in);
        struct mime_html h = { 0 };

        check_case = rows[i / 2].in;
        for (size_t at = 0; at < in.n; at += i % 2 ? 1 : 100)
            CHECK(mime_html_feed(&h, str_slice(in, at, at + (i % 2 ? 1 : 100)), &out) == 0);
        CHECK(mime_html_finish(&h, &out) == 0);
        if (!str_eq_z(buf_str(&out), rows[i / 2].out))
            print_error("got '%.*s'\n", STR_ARG(buf_str(&out)));
        CHECK(str_eq_z(buf_str(&out), rows[i / 2].out));
    }
    check_case = "";
}

static void test_subjects(void **state)
{
    static const struct {
        const char *in, *out;
        bool reply;
    } rows[] = {
        { "Hello", "hello", false },
        { "Re: Hello", "hello", true },
        { "RE[2]: fwd: Hello (fwd)", "hello", true },
        { "[list] Re: [list] Hello", "hello", true },
        { "[list]", "[list]", false },
        { "[Fwd: Re: Hello]", "hello", true },
        { "=?utf-8?q?Re:_x?=", "x", true },
        { "Re:", "", true },
        { "Request", "request", false },
    };
    struct str ids = STR(" <a@b> junk <c@d>\r\n <e"), id;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_release) struct buf out = { .max = KIB(1) };
        bool reply = false;

        check_case = rows[i].in;
        CHECK(mime_subject_base(str_from(rows[i].in), &out, &reply) == 0);
        if (!str_eq_z(buf_str(&out), rows[i].out))
            print_error("got '%.*s'\n", STR_ARG(buf_str(&out)));
        CHECK(str_eq_z(buf_str(&out), rows[i].out) && reply == rows[i].reply);
    }
    check_case = "";
    CHECK(mime_message_id_next(&ids, &id) && str_eq_z(id, "a@b"));
    CHECK(mime_message_id_next(&ids, &id) && str_eq_z(id, "c@d"));
    CHECK(!mime_message_id_next(&ids, &id));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_extract), cmocka_unit_test(test_fold),     cmocka_unit_test(test_fold_all),
        cmocka_unit_test(test_html),    cmocka_unit_test(test_subjects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
