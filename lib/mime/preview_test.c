#include "lib/base/test.h"
#include "lib/mime/charset.h"
#include "lib/mime/preview.h"
#include "lib/mime/text.h"

static const struct {
    const char *in, *out;
} texts[] = {
    { "", "" },
    { "Hello", "Hello" },
    { "  Hello,\r\n\r\n\tWorld  \r\n", "Hello, World" },
    { "Gr\xc3\xbc\xc3\x9f"
      "e\xc2\xa0 \xe2\x80\x8c \xe2\x80\x8c x\xc2\xad"
      "y",
      "Gr\xc3\xbc\xc3\x9f"
      "e xy" },
    { "a\x01"
      "b\xff"
      "c\xe2\x82",
      "abc" },
    { "> old\n> text\nNew", "New" },
    { "On Monday, Ada wrote:\n\n> old\n\nNew", "New" },
    { "On Monday, Ada\n<ada@example.org> wrote:\n> old\nNew", "New" },
    { "Note this:\nfirst", "Note this: first" },
    { "> only\n>> quoted", "only quoted" },
    { "-----\nTitle\n=====\ntext\n-- \nAda", "Title text" },
    { "-----BEGIN PGP MESSAGE-----\n\nabc\n", "" },
    { "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nHi\n-----BEGIN PGP SIGNATURE-----\nx", "Hi" },
};

static void test_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        CLEANUP(buf_release) struct buf out = { .max = MIME_PREVIEW_BYTES_MAX };

        check_case = texts[i].in;
        CHECK(mime_preview_make(str_from(texts[i].in), &out) == 0);
        if (!str_eq_z(buf_str(&out), texts[i].out))
            print_error("want %s\n got %.*s\n", texts[i].out, STR_ARG(buf_str(&out)));
        CHECK(str_eq_z(buf_str(&out), texts[i].out));
    }
    check_case = "";
}

/* 200 characters of any size, and no space at the end. */
static void test_length(void **state)
{
    static const char *const letters[] = { "x", "\xc3\xa9", "\xe4\xb8\xad", "\xf0\x9f\x98\x80" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(letters); i++)
        for (unsigned words = 0; words < 4; words++) {
            CLEANUP(buf_release)
            struct buf in = { .max = KIB(8) }, out = { .max = MIME_PREVIEW_BYTES_MAX };
            size_t chars = 0;

            for (unsigned k = 1; k <= 400; k++)
                CHECK(buf_putz(&in, words && k % (words + 1) == 0 ? " " : letters[i]) == 0);
            CHECK(mime_preview_make(buf_str(&in), &out) == 0);
            for (size_t at = 0; at < out.n;
                 at += (size_t)mime_utf8_bytes((unsigned char *)out.p + at, out.n - at))
                chars++;
            CHECK(chars <= MIME_PREVIEW_CHARS_MAX && chars >= MIME_PREVIEW_CHARS_MAX - 1);
            CHECK(out.p[out.n - 1] != ' ');
        }
}

static int nowhere(void *user, struct str text)
{
    (void)user;
    (void)text;
    return 0;
}

static const struct {
    const char *name, *in, *out;
} messages[] = {
    { "plain", "Subject: x\r\n\r\nHello\r\nWorld\r\n", "Hello World" },
    { "no text", "Content-Type: image/gif\n\nGIF", "" },
    { "no body", "Subject: x\n\n", "" },
    { "html", "Content-Type: text/html\n\n<style>b{}</style><p>Caf&eacute;</p><p>Two", "Caf\xc3\xa9 Two" },
    { "encoded",
      "Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\n=C9t=E9=\n!",
      "\xc3\x89t\xc3\xa9!" },
    { "empty first",
      "Content-Type: multipart/mixed; boundary=b\n\n--b\n\n \n--b\nContent-Type: text/html\n\n<b>Two\n--b--\n",
      "Two" },
    { "attachment",
      "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Disposition: attachment\n\nfile\n--b\n\ntext\n--b--\n",
      "text" },
    { "not for people", "Content-Type: text/calendar\n\nBEGIN:VCALENDAR", "" },
};

static void test_messages(void **state)
{
    static const size_t slices[] = { 10000, 1, 3 };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(messages) * ARRAY_LEN(slices); i++) {
        struct str in = str_from(messages[i / ARRAY_LEN(slices)].in);
        size_t slice = slices[i % ARRAY_LEN(slices)];
        struct arena a = { .max = KIB(256) };
        struct mime_text t;
        struct mime_part *root;

        check_case = messages[i / ARRAY_LEN(slices)].name;
        CHECK(mime_text_init(&t, &a, nowhere, NULL) == 0);
        for (size_t at = 0; at < in.n; at += slice)
            CHECK(mime_text_feed(&t, str_slice(in, at, at + slice)) == 0);
        CHECK(mime_text_finish(&t, &root) == 0);
        CHECK(str_eq_z(mime_text_preview(&t), messages[i / ARRAY_LEN(slices)].out));
        mime_text_release(&t);
        arena_release(&a);
    }
    check_case = "";
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_texts), cmocka_unit_test(test_length),
                                        cmocka_unit_test(test_messages) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
