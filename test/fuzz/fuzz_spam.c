/* test/fuzz/fuzz_spam.c
 *
 * Laws of the spam scanner: how a letter is cut changes nothing of the evidence; a score is a bounded number; what a
 * classifier says is a probability. The first byte says whether the rest is a letter or a file of its own. */
#include "lib/spam/bayes.h"
#include "lib/spam/scan.h"
#include "test/fuzz/fuzz.h"
#include <math.h>

static size_t next(const uint8_t *data, size_t at)
{
    return 1 + data[at] % 61;
}

static struct spam_hits letter(const uint8_t *data, size_t size, bool cut, uint64_t *sum)
{
    struct spam_facts facts = { .own = STR("example.org"), .now_ms = INT64_C(1767225600000) };
    struct bayes_count counts[SPAM_TOKENS_MAX];
    struct spam_scan *s = spam_scan_new(&facts);
    struct spam_evidence ev;
    struct spam_hits h;
    double p;

    LAW(s);
    for (size_t at = 0, n; at < size; at += n) {
        n = cut ? next(data, at) : size;
        n = n < size - at ? n : size - at;
        LAW(spam_scan_feed(s, str_of(data + at, n)) == 0);
    }
    LAW(spam_scan_finish(s, &ev) == 0);
    LAW(ev.ntokens <= SPAM_TOKENS_MAX && ev.nhosts <= SPAM_HOSTS_MAX);
    *sum = ev.nhosts;
    for (size_t i = 0; i < ev.ntokens; i++) {
        *sum = *sum * 31 + ev.tokens[i];
        counts[i] =
            (struct bayes_count){ (uint32_t)(ev.tokens[i] & 1023), (uint32_t)(ev.tokens[i] >> 10 & 1023) };
    }
    p = bayes_score(counts, ev.ntokens, 1023, 1023, 1);
    LAW(isfinite(p) && p >= 0 && p <= 1);
    h = ev.hits;
    spam_hit_bayes(&h, p);
    LAW(spam_score(&h) < 100000 && spam_score(&h) > -100000);
    spam_scan_free(&s);
    return h;
}

static struct spam_hits file(const uint8_t *data, size_t size, bool cut, uint64_t *sum)
{
    struct spam_hits h = { .extra = 0 };
    struct spam_budget budget = { 0 };
    struct spam_attach *a = spam_attach_new(STR("a.zip"), false, &h, &budget);

    LAW(a);
    for (size_t at = 0, n; at < size; at += n) {
        n = cut ? next(data, at) : size;
        n = n < size - at ? n : size - at;
        spam_attach_feed(a, str_of(data + at, n));
    }
    spam_attach_end(&a);
    LAW(budget.bytes <= SPAM_ARCHIVE_BYTES_MAX &&
        budget.entries <= SPAM_ARCHIVE_ENTRIES_MAX + SPAM_ARCHIVE_DEPTH_MAX);
    *sum = budget.bytes;
    return h;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct spam_hits (*run)(const uint8_t *, size_t, bool, uint64_t *) =
        size && data[0] == 'P' ? file : letter;
    uint64_t a = 0, b = 0;
    struct spam_hits one = run(data, size, false, &a), two = run(data, size, true, &b);

    LAW(memcmp(&one, &two, sizeof one) == 0 && a == b);
    return 0;
}
