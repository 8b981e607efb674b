/* test/fuzz/fuzz_seqset.c
 *
 * Laws of message sets: what is written parses to the same set; ranges ascend with gaps between them.
 * And of UID ranges: picking by sequence number and by UID agree with each other. */
#include "lib/imap/uidranges.h"
#include "test/fuzz/fuzz.h"

static void check_ranges(const struct seqset *s)
{
    for (size_t i = 0; i < seqset_ranges(s); i++) {
        struct seq_range r = seqset_range(s, i);

        LAW(r.lo > 0 && r.lo <= r.hi && seqset_has(s, r.lo) && seqset_has(s, r.hi));
        LAW(i == 0 || r.lo > seqset_range(s, i - 1).hi + 1);
        LAW(r.hi == UINT32_MAX || !seqset_has(s, r.hi + 1));
    }
}

static void check_view(const struct seqset *s)
{
    CLEANUP(uidranges_release) struct uidranges view = { 0 }, picked = { 0 }, rest = { 0 };

    for (size_t i = 0; i < seqset_ranges(s); i++)
        LAW(uidranges_add(&view, seqset_range(s, i).lo, seqset_range(s, i).hi) == 0);
    LAW(view.n == seqset_ranges(s));
    LAW(uidranges_pick_uids(&view, s, &picked) == 0 && uidranges_count(&picked) == uidranges_count(&view));
    LAW(uidranges_copy(&rest, &view) == 0 && uidranges_subtract(&rest, &picked) == 0 && rest.n == 0);
    for (uint32_t seq = 1, step = uidranges_count(&view) / 50 + 1; seq <= uidranges_count(&view);
         seq += step) {
        LAW(uidranges_seq(&view, uidranges_uid(&view, seq)) == seq);
        if (seq > UINT32_MAX - step)
            break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(4) };
    CLEANUP(buf_release) struct buf one = { .max = MIB(1) }, two = { .max = MIB(1) };
    const struct seqset *s, *again;

    if (size > KIB(64) || seqset_parse(&a, str_of(data, size), 4711, &s) < 0)
        return 0;
    check_ranges(s);
    LAW(seqset_write(s, &one) == 0 && seqset_parse(&a, buf_str(&one), 1, &again) == 0);
    LAW(seqset_write(again, &two) == 0 && str_eq(buf_str(&one), buf_str(&two)));
    if (seqset_count(s) <= UINT32_MAX)
        check_view(s);
    return 0;
}
