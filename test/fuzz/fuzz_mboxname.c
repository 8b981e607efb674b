/* test/fuzz/fuzz_mboxname.c
 *
 * Laws of mailbox names: modified UTF-7 that is accepted has no other spelling (decode, encode: the
 * same bytes); every UTF-8 text comes back; an accepted name is valid and is its own canonical form; a
 * pattern without wildcards matches itself, and '*' everything. */
#include "lib/imap/mboxname.h"
#include "test/fuzz/fuzz.h"

static void check_codec(struct str in)
{
    CLEANUP(buf_release) struct buf a = { .max = MIB(1) }, b = { .max = MIB(1) }, c = { .max = MIB(1) };

    if (mutf7_decode(in, &a) == 0)
        LAW(mutf7_encode(buf_str(&a), &b) == 0 && str_eq(buf_str(&b), in));
    buf_clear(&b);
    if (mutf7_encode(in, &b) == 0)
        LAW(mutf7_decode(buf_str(&b), &c) == 0 && str_eq(buf_str(&c), in));
}

static void check_name(struct str in, bool utf8)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(1) };
    struct str name, again;

    if (mboxname_from_wire(&a, in, utf8, &name) < 0)
        return;
    LAW(mboxname_valid(name));
    LAW(mboxname_from_wire(&a, name, true, &again) == 0 && str_eq(name, again));
    LAW(mboxname_match(name, name) && mboxname_match(STR("*"), name));
    LAW(mboxname_match(STR("%"), name) == (str_chr(name, '/') < 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = str_of(data, size), pattern, name;

    if (size > KIB(16))
        return 0;
    check_codec(in);
    check_name(in, false);
    check_name(in, true);
    if (str_cut(in, '\n', &pattern, &name))
        mboxname_match(pattern, name);
    return 0;
}
