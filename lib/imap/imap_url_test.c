#include "lib/imap/imap_url.h"
#include "lib/base/test.h"

static const struct {
    const char *url;
    const char *mailbox; /* NULL: not a URL */
    uint32_t uidvalidity, uid;
    const char *section; /* as BODY has it */
    uint64_t off, len;
} cases[] = {
    { "/Drafts;UIDVALIDITY=385759045/;UID=20/;section=HEADER", "Drafts", 385759045, 20, "HEADER", 0, 0 },
    { "/Drafts;UIDVALIDITY=385759045/;UID=20/;Section=1.MIME", "Drafts", 385759045, 20, "1.MIME", 0, 0 },
    { "/Drafts/;UID=3002", "Drafts", 0, 3002, "", 0, 0 },
    { "/inbox/;uid=1/;PARTIAL=10.20", "INBOX", 0, 1, "", 10, 20 },
    { "/a/b%20c/d/;UID=7/;SECTION=1.2.TEXT/;PARTIAL=0", "a/b c/d", 0, 7, "1.2.TEXT", 0, 0 },
    { "/%C3%A9/;UID=7", "\xc3\xa9", 0, 7, "", 0, 0 },
    { "/x/;UID=7/;SECTION=HEADER.FIELDS%20(To%20Cc)", "x", 0, 7, "HEADER.FIELDS (To Cc)", 0, 0 },
    { ";UID=9/;SECTION=2", "", 0, 9, "2", 0, 0 },
    { "/;UID=9", "", 0, 9, "", 0, 0 },
    { "imap://example.org/Drafts/;UID=20", NULL, 0, 0, NULL, 0, 0 },
    { "//example.org/Drafts/;UID=20", NULL, 0, 0, NULL, 0, 0 },
    { "Drafts/;UID=20", NULL, 0, 0, NULL, 0, 0 },
    { "/Drafts", NULL, 0, 0, NULL, 0, 0 },
    { "/Drafts/;UID=0", NULL, 0, 0, NULL, 0, 0 },
    { "/Drafts/;UID=", NULL, 0, 0, NULL, 0, 0 },
    { "/Drafts/;UID=4294967296", NULL, 0, 0, NULL, 0, 0 },
    { "/Drafts/;UID=20x", NULL, 0, 0, NULL, 0, 0 },
    { "/Drafts/;UID=20/;SECTION=", NULL, 0, 0, NULL, 0, 0 },
    { "/Drafts/;UID=20/;SECTION=1.", NULL, 0, 0, NULL, 0, 0 },
    { "/Drafts/;UID=20/;SECTION=MIME", NULL, 0, 0, NULL, 0, 0 },
    { "/Drafts/;UID=20/;SECTION=1/;SECTION=2", NULL, 0, 0, NULL, 0, 0 },
    { "/Drafts/;UID=20/;PARTIAL=1.0", NULL, 0, 0, NULL, 0, 0 },
    { "/Drafts/;UID=20/;PARTIAL=.5", NULL, 0, 0, NULL, 0, 0 },
    { "/Drafts;UIDVALIDITY=0/;UID=20", NULL, 0, 0, NULL, 0, 0 },
    { ";UIDVALIDITY=1/;UID=20", NULL, 0, 0, NULL, 0, 0 },
    { "/Drafts/;UID=20;URLAUTH=anonymous:internal:0123", NULL, 0, 0, NULL, 0, 0 },
    { "/Drafts?SUBJECT%20x/;UID=20", NULL, 0, 0, NULL, 0, 0 },
    { "/a%00b/;UID=20", NULL, 0, 0, NULL, 0, 0 },
    { "/a%0/;UID=20", NULL, 0, 0, NULL, 0, 0 },
    { "/a b/;UID=20", NULL, 0, 0, NULL, 0, 0 },
    { "/%FF/;UID=20", NULL, 0, 0, NULL, 0, 0 },
    { "", NULL, 0, 0, NULL, 0, 0 },
};

static void test_urls(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(arena_release) struct arena arena = { .max = KIB(64) };
        CLEANUP(buf_release) struct buf b = { .max = KIB(1) }, want = { .max = KIB(1) };
        struct imap_url u;
        struct fetch_item item = { .kind = FETCH_BODY };
        struct resp w = { .out = &b };
        int r = imap_url_parse(&arena, str_from(cases[i].url), &u);

        check_case = cases[i].url;
        CHECK(r == (cases[i].mailbox ? 0 : E_SYNTAX));
        if (r < 0)
            continue;
        item.section = u.section;
        fetch_item_name(&w, &item);
        CHECK(buf_printf(&want, "BODY[%s]", cases[i].section) == 0);
        CHECK(str_eq(buf_str(&b), buf_str(&want)));
        CHECK(str_eq_z(u.mailbox, cases[i].mailbox) && u.uidvalidity == cases[i].uidvalidity);
        CHECK(u.uid == cases[i].uid && u.partial_off == cases[i].off && u.partial_len == cases[i].len);
    }
    check_case = "";
}

static void test_write(void **state UNUSED)
{
    CLEANUP(buf_release) struct buf b = { .max = KIB(1) };

    CHECK(imap_url_write(STR("/a]b\r\n\"\\\xc3\xa9/;UID=1"), &b) == 0);
    CHECK(str_eq_z(buf_str(&b), "/a%5Db%0D%0A%22%5C%C3%A9/;UID=1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_urls), cmocka_unit_test(test_write) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
