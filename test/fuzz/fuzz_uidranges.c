/* test/fuzz/fuzz_uidranges.c
 *
 * Law: ranges of UIDs are the set that a plain bitmap is, whatever is added, removed, subtracted or
 * picked, and sequence numbers count its bits. */
#include "lib/imap/uidranges.h"
#include "test/fuzz/fuzz.h"

#define UIDS 200u

struct model {
    bool has[UIDS + 1];
};

static void same(const struct uidranges *u, const struct model *m)
{
    uint32_t seq = 0, before = 0;

    for (uint32_t uid = 1; uid <= UIDS; uid++) {
        seq += m->has[uid];
        LAW(uidranges_has(u, uid) == m->has[uid]);
        LAW(uidranges_seq(u, uid) == (m->has[uid] ? seq : 0));
        LAW(uidranges_rank(u, uid) == seq);
        if (!m->has[uid])
            continue;
        LAW(uidranges_uid(u, seq) == uid && uidranges_next(u, before) == uid);
        before = uid;
    }
    LAW(uidranges_count(u) == seq && uidranges_last(u) == before);
    LAW(uidranges_next(u, before) == 0 && uidranges_uid(u, seq + 1) == 0 && uidranges_uid(u, 0) == 0);
    for (size_t i = 1; i < u->n; i++)
        LAW(u->r[i - 1].hi + 1 < u->r[i].lo); /* one way to say a set */
}

static void pick(const struct uidranges *u, struct model *m, const struct uidranges *names)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(1) };
    CLEANUP(uidranges_release) struct uidranges out = { 0 };
    struct seq_range r[UIDS];
    const struct seqset *set;

    for (size_t i = 0; i < names->n; i++)
        r[i] = (struct seq_range){ names->r[i].lo, names->r[i].hi };
    LAW(seqset_make(&a, r, names->n, &set) == 0);
    LAW(uidranges_pick_uids(u, set, &out) == 0);
    for (uint32_t uid = 1; uid <= UIDS; uid++)
        m->has[uid] = m->has[uid] && uidranges_has(names, uid);
    same(&out, m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(uidranges_release) struct uidranges u = { 0 }, gone = { 0 };
    struct model m = { { false } }, g = { { false } };

    for (size_t i = 0; i + 3 <= size && i < 600; i += 3) {
        uint32_t a = 1 + data[i + 1] % UIDS, b = 1 + data[i + 2] % UIDS, lo = a < b ? a : b,
                 hi = a < b ? b : a;
        bool add = data[i] & 1, second = data[i] & 2;
        struct uidranges *to = second ? &gone : &u;
        struct model *at = second ? &g : &m;

        LAW((add ? uidranges_add(to, lo, hi) : uidranges_remove(to, lo, hi)) == 0);
        for (uint32_t uid = lo; uid <= hi; uid++)
            at->has[uid] = add;
        same(to, at);
    }
    LAW(uidranges_subtract(&u, &gone) == 0);
    for (uint32_t uid = 1; uid <= UIDS; uid++)
        m.has[uid] = m.has[uid] && !g.has[uid];
    same(&u, &m);
    LAW(uidranges_add(&u, 1 + (uint32_t)size % UIDS, UIDS) == 0);
    for (uint32_t uid = 1 + (uint32_t)size % UIDS; uid <= UIDS; uid++)
        m.has[uid] = true;
    pick(&u, &m, &gone);
    return 0;
}
