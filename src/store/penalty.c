/* src/store/penalty.c: a bad login makes the next one from the same network to the same mailbox wait,
 * longer each time, before any derivation. Two small tables that forget what was longest unused in
 * its row: a flood from many networks pushes out other floods, and costs no memory.
 *
 * A login counts as failed from when it is let in until it is known better: who opens a thousand connections
 * and guesses on all of them at once waits in one row, not a thousand times beside himself. */
#include "src/store/store.h"
#include "lib/base/rand.h"

#define ROWS        4096u
#define WAYS        4u
#define FIRST_MS    250
#define WAIT_MAX_MS 15000
#define OWNER_MAX_MS \
    500 /* where its owner logged in from lately: one of his devices has an old password, or a neighbour guesses */
#define QUEUE_MAX_MS 20000 /* who would wait longer is told to come later: clients give up after 30 s */
#define FORGET_MS    (15 * 60 * 1000)
#define KNOWN_MS     (24 * 60 * 60 * (int64_t)1000)

struct entry {
    uint64_t tag; /* 0: free */
    int64_t at_ms;
    uint32_t fails;
};

struct penalties {
    uint8_t key[KEY_BYTES]; /* so that nobody aims at a row */
    struct entry bad[ROWS][WAYS], good[ROWS][WAYS];
};

struct penalties *penalties_new(void)
{
    struct penalties *p = calloc(1, sizeof *p);

    if (p)
        rand_bytes(p->key, sizeof p->key);
    return p;
}

void penalties_free(struct penalties **p)
{
    free(*p);
    *p = NULL;
}

static uint64_t tag_of(const struct penalties *p, struct str network, const uint8_t *id)
{
    uint8_t h[HASH_BYTES];
    uint64_t tag;

    kdf2(h, p->key, "letterlock login network", network, str_of(id, id ? MAILBOX_ID_LEN : 0));
    memcpy(&tag, h, sizeof tag);
    return tag ? tag : 1;
}

static struct entry *entry_of(struct entry t[ROWS][WAYS], uint64_t tag, bool make)
{
    struct entry *row = t[tag % ROWS], *oldest = row;

    for (size_t i = 0; i < WAYS; i++) {
        if (row[i].tag == tag)
            return &row[i];
        if (row[i].at_ms < oldest->at_ms || (!row[i].tag && oldest->tag))
            oldest = &row[i];
    }
    if (!make)
        return NULL;
    *oldest = (struct entry){ .tag = tag };
    return oldest;
}

static int64_t wait_after(uint32_t fails)
{
    int64_t wait = fails == 0 ? 0 : fails > 6 ? WAIT_MAX_MS : (int64_t)FIRST_MS << (fails - 1);

    return wait < WAIT_MAX_MS ? wait : WAIT_MAX_MS;
}

static bool forgotten(const struct entry *e, int64_t now_ms)
{
    return now_ms - e->at_ms > FORGET_MS;
}

int64_t penalty_take(struct penalties *p, struct str network, const uint8_t id[MAILBOX_ID_LEN],
                     int64_t now_ms)
{
    uint64_t tag = tag_of(p, network, id);
    struct entry *e = entry_of(p->bad, tag, true);
    const struct entry *good = entry_of(p->good, tag, false);
    int64_t at = now_ms;

    if (forgotten(e, now_ms))
        *e = (struct entry){ .tag = tag };
    if (e->fails && e->at_ms + wait_after(e->fails) > now_ms)
        at = e->at_ms + wait_after(e->fails);
    if (good && now_ms - good->at_ms < KNOWN_MS && at > now_ms + OWNER_MAX_MS)
        at = now_ms + OWNER_MAX_MS;
    if (at - now_ms > QUEUE_MAX_MS)
        return E_LIMIT;
    e->fails++;
    e->at_ms = at > e->at_ms ? at : e->at_ms;
    return at - now_ms;
}

void penalty_back(struct penalties *p, struct str network, const uint8_t id[MAILBOX_ID_LEN])
{
    struct entry *e = entry_of(p->bad, tag_of(p, network, id), false);

    if (e && e->fails)
        e->fails--;
}

void penalty_bad(struct penalties *p, struct str network, const uint8_t id[MAILBOX_ID_LEN], int64_t now_ms)
{
    struct entry *e = entry_of(p->bad, tag_of(p, network, id), true);

    e->fails = forgotten(e, now_ms) ? 1 : e->fails + 1;
    e->at_ms = now_ms > e->at_ms ? now_ms : e->at_ms;
}

void penalty_good(struct penalties *p, struct str network, const uint8_t id[MAILBOX_ID_LEN], int64_t now_ms)
{
    struct entry *e = entry_of(p->bad, tag_of(p, network, id), false);

    if (e)
        *e = (struct entry){ 0 };
    entry_of(p->good, tag_of(p, network, NULL), true)->at_ms = now_ms;
    entry_of(p->good, tag_of(p, network, id), true)->at_ms = now_ms;
}

bool penalty_known(const struct penalties *p, struct str network, int64_t now_ms)
{
    struct penalties *t = (struct penalties *)(uintptr_t)p;
    const struct entry *e = entry_of(t->good, tag_of(p, network, NULL), false);

    return e && now_ms - e->at_ms < KNOWN_MS;
}
