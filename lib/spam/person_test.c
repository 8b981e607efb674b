/* What is read out of a letter's search text, and what follows from a probability. */
#include "lib/base/test.h"
#include "lib/spam/person.h"
#include <stdlib.h>

static const uint8_t key[SPAM_KEY_BYTES] = { 1, 2, 3 }, other_key[SPAM_KEY_BYTES] = { 4 };

static struct person_letter read_one(const uint8_t *k, const char *header, const char *body, const char *id)
{
    struct person_letter l;

    CHECK(person_read(k, str_from(header), str_from(body), str_from(id), &l) == 0);
    return l;
}

static int64_t sender_of(const char *from)
{
    char header[200];

    snprintf(header, sizeof header, "subject: x\nfrom: %s\n", from);
    return read_one(key, header, "", "").sender;
}

static void test_senders(void **state)
{
    static const struct {
        const char *name, *from;
        bool ann;
    } cases[] = {
        { "bare", "ann@example.net", true },
        { "name", "ann <ann@example.net>", true },
        { "an address as a name", "\"bob@example.org\" <ann@example.net>", true },
        { "a comment", "ann@example.net (ann)", true },
        { "someone else, her name", "\"ann@example.net\" <eve@example.org>", false },
        { "not closed", "ann <ann@example.net", true },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        check_case = cases[i].name;

        CHECK((sender_of(cases[i].from) == sender_of("ann@example.net")) == cases[i].ann);
    }
    CHECK(sender_of("nobody") == 0 && sender_of("@") == 0 && sender_of("a@") == 0 && sender_of("@b") == 0);
}

static void test_recipients(void **state)
{
    static const char text[] = "from: me@example.test\nto: ann <ann@example.net>, bob@example.org\n"
                               "subject: to x@y\ncc: <carl@example.com>\n";
    int64_t to[PERSON_SENT_MAX];

    (void)state;
    CHECK(person_recipients(key, str_from(text), to) == 3);
    CHECK(to[0] == sender_of("ann@example.net") && to[1] == sender_of("bob@example.org") &&
          to[2] == sender_of("carl@example.com"));
}

static void test_letters(void **state)
{
    static const char text[] = "from: a@b\nsubject: cheap pills\n", with[] =
                                                                        "received: by us\nx-spam-score: 7.5\n"
                                                                        "from: a@b\nsubject: cheap pills\n";
    struct person_letter a = read_one(key, text, "buy now", "<1@x>"),
                         b = read_one(key, with, "buy now", "<1@x>"),
                         c = read_one(key, text, "buy now", "<2@x>"),
                         d = read_one(other_key, text, "buy now", "<1@x>");

    (void)state;
    CHECK(a.n > 4 && a.n == b.n && memcmp(a.tokens, b.tokens, a.n * sizeof a.tokens[0]) == 0);
    CHECK(memcmp(a.id, b.id, sizeof a.id) == 0 && memcmp(a.id, c.id, sizeof a.id) != 0);
    CHECK(a.tokens[0] != d.tokens[0] && a.sender != d.sender);
    for (size_t i = 1; i < a.n; i++)
        CHECK(a.tokens[i] > a.tokens[i - 1] && a.tokens[i] < INT64_C(1) << 40);
    CHECK(!a.scanned && b.scanned && b.points == 750);
}

static void test_said(void **state)
{
    struct person_letter l = read_one(key,
                                      "x-spam-score: -0.5\nx-spam-score: 9\nx-spam-status: no, score=-0.5, "
                                      "required=4.0, tests=spf_pass,dmarc_pass, spf_fail\n",
                                      "", "");

    (void)state;
    CHECK(l.scanned && l.points == -50 && l.forged && !l.infected);
    CHECK(read_one(key, "x-virus-status: infected (eicar)\n", "", "").infected);
    CHECK(!read_one(key, "x-virus-status: clean\n", "", "").infected);
    l = read_one(key, "subject: tests=dmarc_fail\nx-spam-score: lots\n", "", "");
    CHECK(!l.scanned && !l.forged && !l.infected);
}

/* Whatever stands in a text, memory is bounded. */
static void test_long(void **state)
{
    char *text = malloc(MIB(1));

    (void)state;
    CHECK(text != NULL);
    for (size_t i = 0; i < MIB(1); i++)
        text[i] = i % 7 == 6 ? ' ' : (char)('a' + i * 2654435761u / 65536 % 26);
    struct person_letter l;
    CHECK(person_read(key, str_of(text, MIB(1)), str_of(text, MIB(1)), STR_NONE, &l) == 0);
    CHECK(l.n <= PERSON_TOKENS_MAX && l.n > 100);
    free(text);
}

static void test_verdicts(void **state)
{
    static const struct person_sender stranger = { 0 }, friend = { .written = true }, often = { .ham = 5 };
    struct person_letter plain = { .scanned = true, .points = 700 }, forged = { .forged = true },
                         ill = { .scanned = true, .infected = true },
                         firm = { .scanned = true, .points = 1500 }, unseen = { 0 };

    (void)state;
    CHECK(person_verdict(0.999999995, &plain, false) == PERSON_SAYS_JUNK);
    CHECK(person_verdict(0.9999, &plain, false) == PERSON_SAYS_NOTHING);
    CHECK(person_verdict(0.999999995, &plain, true) == PERSON_SAYS_NOTHING);
    CHECK(person_verdict(0.0001, &plain, true) == PERSON_SAYS_HAM);
    CHECK(person_verdict(0.0001, &firm, true) == PERSON_SAYS_NOTHING);
    CHECK(person_verdict(0.0001, &forged, true) == PERSON_SAYS_NOTHING);
    CHECK(person_verdict(0.0001, &ill, true) == PERSON_SAYS_NOTHING);
    CHECK(person_verdict(0.0001, &unseen, true) == PERSON_SAYS_NOTHING);
    CHECK(person_weigh(0.9999, &plain, &stranger) == 0.9999);
    CHECK(person_weigh(0.9999, &plain, &friend) < 0.95 && person_weigh(0.9999, &plain, &often) < 0.998);
    CHECK(person_weigh(0.9999, &forged, &friend) == 0.9999);
    CHECK(person_weigh(1.0, &plain, &friend) == 1.0 && person_weigh(0.0, &plain, &friend) == 0.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_senders), cmocka_unit_test(test_recipients), cmocka_unit_test(test_letters),
        cmocka_unit_test(test_said),    cmocka_unit_test(test_long),       cmocka_unit_test(test_verdicts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
