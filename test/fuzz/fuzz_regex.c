/* test/fuzz/fuzz_regex.c
 *
 * Laws of expressions: whatever stands in every match by regex_literals stands in each text that matches, or the
 * index would hide mail that was asked for; what is found lies in the text; parts of a whole match lie in it. Input: the
 * expression, a line feed, the text. */
#include "lib/mime/fold.h"
#include "lib/regex/fold.h"
#include "lib/regex/re2.h"
#include "lib/regex/rewrite.h"
#include "test/fuzz/fuzz.h"

static void literals(struct str pattern, struct str text)
{
    CLEANUP(buf_release) struct buf out = { .max = KIB(64) };
    struct str rest, one;

    LAW(regex_literals(pattern, &out) == 0);
    for (rest = buf_str(&out); rest.n;) {
        LAW(str_cut(rest, '\n', &one, &rest));
        LAW(one.n >= 3 && str_find(text, one) >= 0);
    }
}

static void search(struct str pattern, struct str text)
{
    CLEANUP(buf_release) struct buf folded = { .max = KIB(64) }, in = { .max = MIB(1) };
    CLEANUP(regex_free) struct regex *re = NULL;
    size_t from = 0, to = 0;

    if (regex_fold(pattern, &folded) < 0 || mime_fold_append(text, &in) < 0 || folded.n > REGEX_PATTERN_MAX)
        return;
    re = regex_new(folded.n ? folded.p : "", folded.n, NULL, 0);
    if (!re || !regex_has(re, in.n ? in.p : "", in.n))
        return;
    LAW(regex_find(re, in.n ? in.p : "", in.n, &from, &to) == 1 && from <= to && to <= in.n);
    literals(buf_str(&folded), buf_str(&in));
}

static void whole(struct str pattern, struct str text)
{
    size_t from[REWRITE_GROUPS_MAX + 1], to[REWRITE_GROUPS_MAX + 1];
    CLEANUP(rewrite_free) struct rewrite *re = NULL;

    if (pattern.n > REWRITE_PATTERN_MAX || !(re = rewrite_new(pattern.p, pattern.n, NULL, 0)))
        return;
    LAW(rewrite_groups(re) >= 0 && rewrite_groups(re) <= (int)REWRITE_GROUPS_MAX);
    if (!rewrite_match(re, text.p, text.n, from, to))
        return;
    LAW(from[0] == 0 && to[0] == text.n);
    for (int i = 1; i <= rewrite_groups(re); i++)
        LAW(from[i] <= to[i] && to[i] <= text.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str pattern, text = STR("");

    str_cut(str_of(data, size), '\n', &pattern, &text);
    if (pattern.n == 0 || pattern.n > REGEX_PATTERN_MAX)
        return 0;
    if (!text.p)
        text = STR("");
    search(pattern, text);
    whole(pattern, text);
    return 0;
}
