/* A classifier learns, keeps what it learnt in its file, forgets what is rare, and says nothing before it knows enough. */
#include "lib/base/test.h"
#include "lib/spam/model.h"
#include <math.h>
#include <unistd.h>

static struct spam_model *map(int fd)
{
    struct spam_model *m = NULL;

    CHECK(spam_model_map(fd, &m) == 0);
    return m;
}

static int temp_file(void)
{
    char name[] = "/tmp/letterlock-model-XXXXXX";
    int fd = mkstemp(name);

    CHECK(fd >= 0 && unlink(name) == 0);
    return fd;
}

static size_t tokens_of(const struct spam_model *m, const char *text, struct spam_tokens *t)
{
    spam_tokens_init(t, spam_model_key(m));
    spam_tokens_body(t);
    spam_tokens_feed(t, str_from(text));
    spam_tokens_end(t);
    return t->n;
}

static void learn(struct spam_model *m, const char *text, bool spam, int times)
{
    static struct spam_tokens t;
    size_t n = tokens_of(m, text, &t);

    for (int i = 0; i < times; i++)
        spam_model_learn(m, t.list, n, spam);
}

static double score(struct spam_model *m, const char *text)
{
    static struct spam_tokens t;

    return spam_model_score(m, t.list, tokens_of(m, text, &t));
}

static void test_learns(void **state UNUSED)
{
    int fd = temp_file();
    struct spam_model *m = map(fd);
    uint64_t spam, ham;

    learn(m, "cheap pills buy now", true, SPAM_MODEL_LEAST);
    learn(m, "meeting at noon tomorrow", false, SPAM_MODEL_LEAST - 1);
    CHECK(score(m, "buy cheap pills") < 0); /* one letter too few */
    learn(m, "meeting at noon tomorrow", false, 1);
    CHECK(score(m, "buy cheap pills") > 0.95);
    CHECK(score(m, "noon meeting tomorrow") < 0.05);
    CHECK(fabs(score(m, "quite another thing") - 0.5) < 1e-9);
    CHECK(fabs(score(m, "") - 0.5) < 1e-9);
    spam_model_free(&m);
    m = map(fd);
    spam_model_counts(m, &spam, &ham);
    CHECK(spam == SPAM_MODEL_LEAST && ham == SPAM_MODEL_LEAST && score(m, "buy cheap pills") > 0.95);
    spam_model_free(&m);
    close(fd);
}

static void test_keys_differ(void **state UNUSED)
{
    int fd = temp_file(), other = temp_file();
    struct spam_model *a = map(fd), *b = map(other);

    CHECK(memcmp(spam_model_key(a), spam_model_key(b), SPAM_KEY_BYTES) != 0);
    spam_model_free(&a);
    spam_model_free(&b);
    close(fd);
    close(other);
}

/* However much is learnt, the file stays as large as it is, and what is seen often stays known. */
static void test_bounded(void **state UNUSED)
{
    int fd = temp_file();
    struct spam_model *m = map(fd);
    off_t size = lseek(fd, 0, SEEK_END);
    uint64_t tokens[64], spam, ham, x = 1;

    learn(m, "cheap pills", true, 60000);
    learn(m, "noon meeting", false, 300);
    for (int i = 0; i < 20000; i++) {
        for (size_t j = 0; j < ARRAY_LEN(tokens); j++)
            tokens[j] = (x = x * 6364136223846793005u + 1442695040888963407u);
        spam_model_learn(m, tokens, ARRAY_LEN(tokens), false);
    }
    spam_model_counts(m, &spam, &ham);
    CHECK(spam + ham < 60000 && lseek(fd, 0, SEEK_END) == size);
    CHECK(score(m, "cheap pills") > 0.9);
    spam_model_free(&m);
    close(fd);
}

static void test_not_a_model(void **state UNUSED)
{
    int fd = temp_file();
    struct spam_model *m = NULL;

    CHECK(write(fd, "something else", 14) == 14);
    CHECK(spam_model_map(fd, &m) == E_CORRUPT && m == NULL);
    close(fd);
}

/* The same words, however they are cut; fields apart from text. */
static void test_tokens(void **state UNUSED)
{
    static const char text[] = "subject: free offer\nreceived: from somewhere\nx-mailer: the bat\n";
    static const uint8_t key[SPAM_KEY_BYTES] = { 7 };
    static struct spam_tokens a, b, c;

    spam_tokens_init(&a, key);
    spam_tokens_init(&b, key);
    spam_tokens_init(&c, key);
    spam_tokens_feed(&a, str_from(text));
    for (size_t i = 0; i < sizeof text - 1; i++)
        spam_tokens_feed(&b, str_of(text + i, 1));
    CHECK(a.n == b.n && a.n == 6 && memcmp(a.list, b.list, a.n * sizeof *a.list) == 0);
    spam_tokens_body(&c);
    spam_tokens_feed(&c, STR("free offer, free offer! \xE3\x81\x82\xE3\x81\x84 don\xE2\x80\x99t a"));
    spam_tokens_end(&c);
    CHECK(c.n == 10); /* free, offer, free+offer, offer+free, two letters and their pairs, don */
    for (size_t i = 0; i < c.n; i++)
        for (size_t j = 0; j < a.n; j++)
            CHECK(c.list[i] != a.list[j]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_learns),  cmocka_unit_test(test_keys_differ),
        cmocka_unit_test(test_bounded), cmocka_unit_test(test_not_a_model),
        cmocka_unit_test(test_tokens),
    };

    return cmocka_run_group_tests_name("spam_model", tests, NULL, NULL);
}
