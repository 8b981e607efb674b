/* src/store/penalty.c: a bad login makes the next one from the same network to the same mailbox wait,
 * longer each time, before any derivation. Two small tables that forget what was longest unused in
 * its row: a flood from many networks pushes out other floods, and costs no memory. */
#include "src/store/store.h"
#include "lib/base/rand.h"

#define ROWS        4096u
#define WAYS        4u
#define FIRST_MS    250
#define WAIT_MAX_MS 15000
#define OWNER_MAX_MS \
    500 /* where its owner logged in from lately: one of his devices has an old password, or a neighbour guesses */
#define FORGET_MS (15 * 60 * 1000)
#define KNOWN_MS  (24 * 60 * 60 * (int64_t)1000)

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

int64_t penalty_ms(const struct penalties *p, struct str network, const uint8_t id[MAILBOX_ID_LEN],
                   int64_t now_ms)
{
    struct penalties *t = (struct penalties *)(uintptr_t)p;
    uint64_t tag = tag_of(p, network, id);
    const struct entry *e = entry_of(t->bad, tag, false), *good;
    int64_t wait;

    if (!e || !e->fails || now_ms - e->at_ms > FORGET_MS)
        return 0;
    wait = e->fails > 6 ? WAIT_MAX_MS : (int64_t)FIRST_MS << (e->fails - 1);
    if (wait > WAIT_MAX_MS)
        wait = WAIT_MAX_MS;
    good = entry_of(t->good, tag, false);
    if (good && now_ms - good->at_ms < KNOWN_MS && wait > OWNER_MAX_MS)
        wait = OWNER_MAX_MS;
    return e->at_ms + wait > now_ms ? e->at_ms + wait - now_ms : 0;
}

void penalty_note(struct penalties *p, struct str network, const uint8_t id[MAILBOX_ID_LEN], int64_t now_ms,
                  bool good)
{
    struct entry *e = entry_of(p->bad, tag_of(p, network, id), !good);

    if (e) {
        e->fails = good ? 0 : now_ms - e->at_ms > FORGET_MS ? 1 : e->fails + 1;
        e->at_ms = now_ms;
    }
    if (good) {
        entry_of(p->good, tag_of(p, network, NULL), true)->at_ms = now_ms;
        entry_of(p->good, tag_of(p, network, id), true)->at_ms = now_ms;
    }
}

bool penalty_known(const struct penalties *p, struct str network, int64_t now_ms)
{
    struct penalties *t = (struct penalties *)(uintptr_t)p;
    const struct entry *e = entry_of(t->good, tag_of(p, network, NULL), false);

    return e && now_ms - e->at_ms < KNOWN_MS;
}
