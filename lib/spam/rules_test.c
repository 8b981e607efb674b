/* Every rule of a letter: one letter that has it, and one that nearly does. Whole and byte by byte. */
#include "lib/base/test.h"

#include "lib/base/file.h"
#include "lib/spam/bayes.h"
#include "lib/spam/scan.h"
#include <fcntl.h>

#define NOW_MS INT64_C(1767225600000) /* 2026-01-01 */
#define HEAD                                                                                                         \
    "Date: Thu, 01 Jan 2026 00:00:00 +0000\r\nFrom: A <a@example.net>\r\nTo: b@example.org\r\nMessage-ID: <1@x>\r\n" \
    "Subject: hello there\r\n"
#define HTML(body) HEAD "Content-Type: text/html\r\n\r\n" body "\r\n"
#define TEXT(body) HEAD "\r\n" body "\r\n"
#define FROM(from)                                         \
    "Date: Thu, 01 Jan 2026 00:00:00 +0000\r\nFrom: " from \
    "\r\nTo: b@example.org\r\nMessage-ID: <1@x>\r\nSubject: s\r\n\r\nhi\r\n"
#define FILE_(name, body)                                                                                                            \
    HEAD                                                                                                                             \
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nsee below\r\n--b\r\nContent-Type: application/octet-stream\r\n" \
        "Content-Disposition: attachment; filename=\"" name "\"\r\n\r\n" body "\r\n--b--\r\n"
#define PAD50  "01234567890123456789012345678901234567890123456789"
#define PAD300 PAD50 PAD50 PAD50 PAD50 PAD50 PAD50
#define GTUBE_                                   \
    "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD" \
    "-ANTI-UBE-TEST-EMAIL*C.34X"
#define EICAR_                           \
    "X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR" \
    "-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"

static const struct {
    enum spam_rule rule;
    const char *has, *near;
} cases[] = {
    { SPAM_GTUBE, TEXT("see " GTUBE_ " here"),
      TEXT("XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34Y") },
    { SPAM_GTUBE, HTML("<p>" GTUBE_), HEAD "X-Test: " GTUBE_ "\r\n\r\nhi\r\n" },
    { SPAM_EICAR, FILE_("a.txt", EICAR_), FILE_("a.txt", " " EICAR_) },
    { SPAM_EXE_CONTENT,
      FILE_("a.dat", "\x7F"
                     "ELF\x02\x01\x01 and so on"),
      FILE_("a.dat", "\x7F"
                     "ELK\x02\x01\x01 and so on") },
    { SPAM_EXE_CONTENT,
      HEAD "Content-Transfer-Encoding: base64\r\n\r\n"
           "TVqQAAMAAAAEAAAA//8AALgAAAAAAAAAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n",
      TEXT("MZ is how programs begin, and this letter too, which goes on for a while to be long enough.") },
    { SPAM_EXE_NAME, FILE_("setup.exe", "x"), FILE_("setup.exe.asc", "x") },
    { SPAM_EXE_NAME, FILE_("run.js. ", "x"), FILE_("run.json", "x") },
    { SPAM_EXE_NAME, FILE_("a.hta", "x"), FILE_("www.example.com", "x") },
    { SPAM_EXE_DISGUISED, FILE_("invoice.pdf.exe", "x"), FILE_("invoice.v2.exe", "x") },
    { SPAM_EXE_DISGUISED, FILE_("photo          .scr", "x"), FILE_("photo scr", "x") },
    { SPAM_EXE_DISGUISED,
      FILE_("invoice_\xE2\x80\xAE"
            "fdp.exe",
            "x"),
      FILE_("invoice_\xE2\x80\xA6"
            ".exe",
            "x") },
    { SPAM_SCRIPT_CONTENT, FILE_("notes", "#!/bin/sh\necho hi"), TEXT("#!/bin/sh is how it begins") },
    { SPAM_OFFICE_MACRO, FILE_("a.doc", "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1 __V.B.A"), NULL },
    { SPAM_DISK_IMAGE, FILE_("parcel.iso", "x"), FILE_("iso.txt", "x") },
    { SPAM_LINK_OTHER_HOST,
      HTML("<a href=\"http://evil.example.net/x\">https://www.bank.example.org/login</a>"),
      HTML("<a href=\"http://click.bank.example.org/x\">http://www.bank.example.org</a>") },
    { SPAM_LINK_OTHER_HOST, HTML("<a title='x>y' href=http://evil.test/>www.bank.test</a>"),
      HTML("<a href=http://evil.test/>read more at www.bank.test</a>") },
    { SPAM_LINK_OTHER_HOST, /* a stray quote hides nothing */
      HTML("<img src=\"x\"\"><a href=http://evil.test/>www.bank.test</a>"),
      HTML("<img src=\"x\"\"><a href=http://www.bank.test/>www.bank.test</a>") },
    { SPAM_URL_HOMOGRAPH, HTML("<a href=\"http://p\xD0\xB0ypal.com/\">x</a>"),
      HTML("<a href=\"http://paypal.com/\">x</a>") },
    { SPAM_URL_HOMOGRAPH, TEXT("go to https://xn--pypal-4ve.com/login now"),
      TEXT("go to https://xn--mnchen-3ya.de/ now") },
    { SPAM_URL_LOOKALIKE, TEXT("http://www.paypa1.com/"), TEXT("http://www.paypal.de/") },
    { SPAM_URL_LOOKALIKE, TEXT("http://rnicrosoft.com/"), TEXT("http://microsoft.com/") },
    { SPAM_URL_NEAR, TEXT("http://gooogle.com/"), TEXT("http://goggles.com/") },
    { SPAM_URL_NEAR, TEXT("http://faecbook.com/"), TEXT("http://book.com/") },
    { SPAM_URL_BRAND_INSIDE, TEXT("http://www.paypal.com.secure.test/"), TEXT("http://paypal.secure.test/") },
    { SPAM_URL_MIXED_SCRIPT, TEXT("http://ex\xD0\xB0mple-shop.test/"),
      TEXT("http://\xD0\xBF\xD0\xBE\xD1\x87\xD1\x82\xD0\xB0.test/") },
    { SPAM_URL_IP, TEXT("http://192.0.2.7/x"), TEXT("http://192.0.2.7.example.net/x") },
    { SPAM_URL_IP, TEXT("http://0xC0000207/x"), TEXT("http://0xcafe.test/x") },
    { SPAM_URL_USERINFO, TEXT("http://www.bank.test@evil.test/"), TEXT("http://evil.test/@www.bank.test") },
    { SPAM_FROM_HOMOGRAPH, FROM("<service@xn--pypal-4ve.com>"), FROM("<service@paypal.com>") },
    { SPAM_FROM_LOOKALIKE, FROM("<ceo@examp1e.org>"), FROM("<ceo@example.org>") },
    { SPAM_FROM_LOOKALIKE, FROM("<a@paypa1.com>"), FROM("<a@papal.com>") },
    { SPAM_FROM_NEAR, FROM("<ceo@exmaple.org>"), FROM("<ceo@sample.org>") },
    { SPAM_FROM_NAME_ADDRESS, FROM("\"boss@example.org\" <x@evil.test>"),
      FROM("\"boss@example.org\" <x@mail.example.org>") },
    { SPAM_FROM_NAME_BRAND, FROM("PayPal Service <x@evil.test>"),
      FROM("PayPal Service <x@mail.paypal.com>") },
    { SPAM_FROM_NAME_BRAND, FROM("P\xD0\xB0yPal <x@evil.test>"), FROM("Paypalooza <x@evil.test>") },
    { SPAM_REPLY_ELSEWHERE, HEAD "Reply-To: x@evil.test\r\n\r\nhi\r\n",
      HEAD "Reply-To: x@mail.example.net\r\n\r\nhi\r\n" },
    { SPAM_HTML_HIDDEN_TEXT, HTML("<div style=\"display: none\">" PAD300 PAD50 "</div><p>buy"),
      HTML("<div style=\"display: none\">a preview</div><p>" PAD50) },
    { SPAM_HTML_HIDDEN_TEXT,
      HTML("<span style='color:red;font-size:0'><span>" PAD300 "</span>" PAD50 "</span>buy"),
      HTML("<span style='font-size:0.9em'>" PAD300 PAD50 "</span>") },
    { SPAM_HTML_IMAGE_ONLY, HTML("<img src=\"http://x.test/1.png\">look"),
      HTML("<img src=\"http://x.test/1.png\">" PAD50 PAD50) },
    { SPAM_HTML_FORM, HTML("<form action='http://x.test/'>"), HTML("<p>a form</p>") },
    { SPAM_HTML_SCRIPT, HTML("<script>x()</script>"),
      HTML("<script type=\"application/ld+json\">{}</script>") },
    { SPAM_HTML_ONLY, HTML("hi"), TEXT("hi") },
    { SPAM_INVISIBLE_CHARS,
      TEXT("v\xE2\x80\x8Bi\xE2\x80\x8B"
           "a\xE2\x80\x8Bg\xE2\x80\x8Br\xE2\x80\x8B"
           "a"),
      TEXT("a\xE2\x80\x8B \xE2\x80\x8B \xE2\x80\x8B \xE2\x80\x8B \xE2\x80\x8B \xE2\x80\x8B b\xE2\x80\x8B"
           "c") },
    { SPAM_SUBJECT_CAPS, "Subject: MAKE MONEY FAST\r\n\r\nhi\r\n", "Subject: MAKE MONEY FASt\r\n\r\nhi\r\n" },
    { SPAM_DUPLICATE_FIELD, HEAD "Subject: again\r\n\r\nhi\r\n",
      HEAD "Received: a\r\nReceived: b\r\n\r\nhi\r\n" },
    { SPAM_MISSING_DATE, "From: a@example.net\r\n\r\nhi\r\n", TEXT("hi") },
    { SPAM_MISSING_FROM, "Date: Thu, 01 Jan 2026 00:00:00 +0000\r\n\r\nhi\r\n", TEXT("hi") },
    { SPAM_MISSING_MESSAGE_ID, "From: a@example.net\r\n\r\nMessage-ID: <not@here>\r\n", TEXT("hi") },
    { SPAM_MISSING_SUBJECT, "From: a@example.net\r\n\r\nhi\r\n", TEXT("hi") },
    { SPAM_MISSING_TO, "From: a@example.net\r\n\r\nhi\r\n", "Cc: b@example.org\r\n\r\nhi\r\n" },
    { SPAM_DATE_ELSEWHEN, "Date: Thu, 01 Jan 2038 00:00:00 +0000\r\n\r\nhi\r\n",
      "Date: Thu, 25 Dec 2025 00:00:00 +0000\r\n\r\nhi\r\n" },
    { SPAM_MAILING_LIST, HEAD "List-Id: <l.x>\r\nList-Post: <mailto:l@x>\r\n\r\nhi\r\n",
      HEAD "List-Id: <l.x>\r\n\r\nhi\r\n" },
    { SPAM_BULK, HEAD "Precedence: bulk\r\n\r\nhi\r\n",
      HEAD "Precedence: bulk\r\nList-Unsubscribe: <mailto:u@x>\r\n\r\nhi\r\n" },
};

static const uint8_t key[SPAM_KEY_BYTES] = { 1 };

static struct spam_hits look(struct str bytes, size_t step, struct psl *psl)
{
    struct spam_facts facts = { .own = STR("example.org"), .psl = psl, .now_ms = NOW_MS };
    struct spam_evidence ev;
    struct spam_scan *s;

    memcpy(facts.key, key, sizeof key);
    s = spam_scan_new(&facts);
    CHECK(s != NULL);
    for (size_t at = 0; at < bytes.n; at += step)
        CHECK(spam_scan_feed(s, str_slice(bytes, at, at + step)) == 0);
    CHECK(spam_scan_finish(s, &ev) == 0);
    CHECK(ev.ntokens <= SPAM_TOKENS_MAX);
    spam_scan_free(&s);
    return ev.hits;
}

static void test_rules(void **state UNUSED)
{
    static const size_t steps[] = { SIZE_MAX / 2, 1, 7 };
    struct psl *psl = NULL;

    CHECK(psl_open(NULL, &psl) == 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        for (size_t j = 0; j < ARRAY_LEN(steps); j++) {
            check_case = cases[i].has;
            if (cases[i].rule == SPAM_OFFICE_MACRO)
                continue; /* archives_test.c: its bytes hold NUL */
            CHECK(look(str_from(cases[i].has), steps[j], psl).hit[cases[i].rule]);
            check_case = cases[i].near;
            CHECK(!look(str_from(cases[i].near), steps[j], psl).hit[cases[i].rule]);
        }
    psl_close(&psl);
}

/* A rule that a test forgot is a rule that nobody knows to work. */
static void test_every_rule_has_a_case(void **state UNUSED)
{
    static const enum spam_rule elsewhere[] = {
        SPAM_ARCHIVE_ENCRYPTED, SPAM_ARCHIVE_LIMIT, /* archives_test.c */
        SPAM_SPF_PASS,          SPAM_SPF_FAIL,      SPAM_SPF_SOFTFAIL,    SPAM_DKIM_PASS, SPAM_DKIM_FAIL,
        SPAM_DMARC_PASS,        SPAM_DMARC_FAIL,    SPAM_NO_REVERSE_NAME, SPAM_HELO_ODD,  SPAM_SENDER_ODD,
        SPAM_URL_LISTED,        SPAM_CLAMAV,        SPAM_RSPAMD, /* the MX's */
        SPAM_BAYES_00,          SPAM_BAYES_10,      SPAM_BAYES_80,        SPAM_BAYES_95,  SPAM_BAYES_99,
        SPAM_BAYES_999,         SPAM_BAYES_SURE,
    };

    for (size_t r = 0; r < SPAM_RULES; r++) {
        bool known = false;

        for (size_t i = 0; i < ARRAY_LEN(cases); i++)
            known = known || cases[i].rule == r;
        for (size_t i = 0; i < ARRAY_LEN(elsewhere); i++)
            known = known || elsewhere[i] == r;
        check_case = spam_rows[r].name;
        CHECK(known);
    }
}

/* doc/spam.md prints the table: every name with its points. */
static void test_rules_are_documented(void **state UNUSED)
{
    CLEANUP(buf_release) struct buf doc = { .max = KIB(256) };
    char path[1024];

    snprintf(path, sizeof path, "%s/doc/spam.md", getenv("SRCDIR") ? getenv("SRCDIR") : ".");
    CHECK(file_read(AT_FDCWD, path, &doc) == 0);
    for (size_t r = 0; r < SPAM_RULES; r++) {
        CLEANUP(buf_release) struct buf row = { .max = KIB(1) };

        check_case = spam_rows[r].name;
        CHECK(buf_printf(&row, "| `%s` | ", spam_rows[r].name) == 0 &&
              spam_points(spam_rows[r].score, &row) == 0);
        CHECK(str_find(buf_str(&doc), buf_str(&row)) > 0);
    }
}

static void test_plain_letter_is_clean(void **state UNUSED)
{
    struct spam_hits h = look(str_from(TEXT("See you at https://www.example.org/ tomorrow.")), 3, NULL);

    CHECK(spam_score(&h) == 0);
}

static void test_scores(void **state UNUSED)
{
    CLEANUP(buf_release) struct buf out = { .max = 1000 };
    struct spam_hits h = { .extra = 0 };

    CHECK(spam_names(&h, &out) == 0 && str_eq_z(buf_str(&out), "none"));
    buf_clear(&out);
    spam_hit(&h, SPAM_MISSING_DATE);
    spam_hit(&h, SPAM_BAYES_00);
    spam_hit(&h, SPAM_MISSING_DATE);
    CHECK(spam_score(&h) == -100);
    CHECK(spam_names(&h, &out) == 0 && str_eq_z(buf_str(&out), "BAYES_00,MISSING_DATE"));
    buf_clear(&out);
    CHECK(spam_points(-100, &out) == 0 && spam_points(-5, &out) == 0 && spam_points(1234, &out) == 0);
    CHECK(str_eq_z(buf_str(&out), "-1.00.012.3"));
    h.extra = INT32_MAX;
    CHECK(spam_score(&h) == 9900);
}

static void test_points(void **state UNUSED)
{
    static const struct {
        const char *text;
        int points; /* -1: refused */
    } rows[] = { { "6", 600 },   { "4.5", 450 }, { "4.05", 405 }, { "0", 0 },   { "never", SPAM_NEVER },
                 { "", -1 },     { "-1", -1 },   { "4.", -1 },    { ".5", -1 }, { "4.555", -1 },
                 { "1001", -1 }, { "x", -1 } };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int points = -1;

        check_case = rows[i].text;
        CHECK(spam_points_parse(str_from(rows[i].text), &points) == (rows[i].points >= 0) &&
              points == rows[i].points);
    }
}

static void test_bayes_rows(void **state UNUSED)
{
    static const struct {
        double p;
        int score;
    } rows[] = { { BAYES_NONE, 0 }, { 0, -200 },      { 0.0099, -200 }, { 0.01, -80 }, { 0.1, 0 },
                 { 0.5, 0 },        { 0.79, 0 },      { 0.8, 150 },     { 0.95, 300 }, { 0.99, 450 },
                 { 0.999, 550 },    { 0.99999, 550 }, { 1, 650 } };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct spam_hits h = { .extra = 0 };

        spam_hit_bayes(&h, rows[i].p);
        CHECK(spam_score(&h) == rows[i].score);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_every_rule_has_a_case),
        cmocka_unit_test(test_rules_are_documented),
        cmocka_unit_test(test_plain_letter_is_clean),
        cmocka_unit_test(test_scores),
        cmocka_unit_test(test_points),
        cmocka_unit_test(test_bayes_rows),
    };

    return cmocka_run_group_tests_name("spam_rules", tests, NULL, NULL);
}
