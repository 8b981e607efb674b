#include "src/store/grams.h"
#include "lib/base/test.h"
#include <stdlib.h>
#include <string.h>

static bool has(const char *text, size_t n, const char *needle, size_t m)
{
    struct grams g = { 0 };
    uint32_t want[GRAMS_NEEDLE_MAX];

    grams_add(&g, str_of(text, n));
    return grams_may_have(str_of(g.bits, grams_pack(&g)), want, grams_of(str_of(needle, m), want, 0));
}

static void test_texts(void **state)
{
    static const struct {
        const char *text, *needle;
        bool may;
    } rows[] = {
        { "a word here", "word", true }, /* too short to say anything */
        { "some sentence of words", "sentence", true },
        { "some sentence of words", "sentances", false },
        { "some sentence of words", "e of words", true },
        { "some sentence of words", "letter sentence", false },
        { "sent1ence", "sentence", false },
        { "r\xc3\xa9servation", "r\xc3\xa9servation", true },
        { "r\xc3\xa9servation", "reservation", false },
        { "\xd0\xbf\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82", "\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82",
          true },
        { "\xd0\xbf\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82", "\xd0\xb2\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82",
          false },
        { "", "sentence", false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check_case = rows[i].needle;
        CHECK(has(rows[i].text, strlen(rows[i].text), rows[i].needle, strlen(rows[i].needle)) == rows[i].may);
    }
    check_case = "";
}

/* Whatever the bytes: a text may have each piece of itself. */
static void test_pieces(void **state)
{
    static const unsigned char letters[] = { 'a',  'b',  'c',  ' ',  'z', 0x80, 0xBF,
                                             0xC3, 0xE3, 0xF0, 0xFF, '1', 'q' };
    uint64_t x = 7;

    (void)state;
    for (int round = 0; round < 2000; round++) {
        char text[48];
        size_t n = 1 + (size_t)round % sizeof text;

        for (size_t i = 0; i < n; i++) {
            x = x * UINT64_C(6364136223846793005) + 1442695040888963407u;
            text[i] = (char)letters[(x >> 33) % ARRAY_LEN(letters)];
        }
        for (size_t from = 0; from < n; from += 3)
            for (size_t to = from + 1; to <= n; to += 2)
                CHECK(has(text, n, text + from, to - from));
    }
}

/* More bits than are half empty are kept, up to a length; what is no length of ours excludes nothing. */
static void test_sizes(void **state)
{
    struct grams few = { 0 }, many = { 0 };
    uint32_t want[GRAMS_NEEDLE_MAX];
    size_t n = grams_of(STR("anything at all"), want, 0);
    char word[8] = "aaaaaaa";

    (void)state;
    grams_add(&few, STR_NONE); /* a letter without text */
    grams_add(&few, STR("some words that are said once"));
    CHECK(grams_pack(&few) == GRAMS_BYTES_MIN);
    for (unsigned i = 0; i < 26 * 26 * 26; i++) {
        word[0] = (char)('a' + i % 26);
        word[2] = (char)('a' + i / 26 % 26);
        word[4] = (char)('a' + i / 26 / 26);
        grams_add(&many, str_of(word, 7));
    }
    CHECK(grams_pack(&many) == GRAMS_BYTES_MAX);
    CHECK(n > 0 && grams_may_have(STR(""), want, n) && grams_may_have(str_of(few.bits, 17), want, n));
    CHECK(!grams_may_have(str_of(few.bits, GRAMS_BYTES_MIN), want, n));
    for (int i = 0; i < 20; i++)
        n = grams_of(STR("counted to their bound"), want, n);
    CHECK(n == GRAMS_NEEDLE_MAX);
}

/* It is stored: the same for ever. */
static void test_fixed(void **state)
{
    uint32_t want[GRAMS_NEEDLE_MAX];

    (void)state;
    CHECK(grams_of(STR("letterlock"), want, 0) == 6);
    CHECK(want[0] == UINT32_C(0xa1101ae1) && want[5] == UINT32_C(0x236e02f0));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_fixed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
