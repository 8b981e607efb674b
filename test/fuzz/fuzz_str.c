/* test/fuzz/fuzz_str.c
 *
 * Laws of lib/base/str: cutting loses nothing, searching finds the first place, a number printed
 * again is the same number. The first input byte is the separator. */
#include "lib/base/str.h"
#include "test/fuzz/fuzz.h"
#include <inttypes.h>

static void check_cut(struct str s, char sep)
{
    struct str head, tail;
    ptrdiff_t at = str_chr(s, sep);
    bool found = str_cut(s, sep, &head, &tail);

    LAW(found == (at >= 0));
    LAW(head.n + tail.n + (found ? 1 : 0) == s.n);
    LAW(str_starts(s, head) && (!found || str_ends(s, tail)));
    LAW(!found || (size_t)at == head.n);
}

static void check_find(struct str s)
{
    struct str needle = str_slice(s, s.n / 3, s.n / 2);
    ptrdiff_t at = str_find(s, needle), iat = str_ifind(s, needle);

    LAW(at >= 0 && (size_t)at <= s.n / 3);
    LAW(str_starts(str_skip(s, (size_t)at), needle));
    LAW(iat >= 0 && iat <= at);
}

static void check_number(struct str s)
{
    uint64_t n = 0, again = 0;
    char text[24];

    if (!str_to_u64(s, &n))
        return;
    snprintf(text, sizeof(text), "%" PRIu64, n);
    LAW(str_to_u64(str_from(text), &again) && again == n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str s = str_of(data, size), trimmed = str_trim(s);

    check_number(s);
    check_find(s);
    LAW(str_eq(trimmed, str_trim(trimmed)));
    LAW(str_cmp(s, trimmed) == 0 || !str_eq(s, trimmed));
    if (size > 0)
        check_cut(str_skip(s, 1), s.p[0]);
    return 0;
}
