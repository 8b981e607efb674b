/* Packs of shipped frames: what was written is read as it was, every byte that is changed is noticed, and no bytes at all,
 * whoever made them, are taken for ours. */
#include "lib/base/errors.h"
#include "src/store/shipformat.h"
#include <stdlib.h>

static const uint8_t key[KEY_BYTES] = { 1 };

static void must(bool b)
{
    if (!b)
        abort();
}

/* A segment of what the input says: kind, marks, frames with that content. */
static void segment_make(struct buf *pack, struct buf *index, const uint8_t *in, size_t n, uint64_t seq)
{
    struct ship_segment g = {
        .kind = (enum ship_kind)(1 + in[0] % 3), .file = in[1], .chain = 3, .seq = seq
    };
    uint8_t entry[SHIP_INDEX_BYTES], *p;
    struct ship_entry e;
    size_t bytes;

    memset(g.mailbox, in[2], sizeof g.mailbox);
    g.page_bytes = 512;
    g.first = 1 + in[3];
    g.frames = g.kind == SHIP_END ? 0 : 1 + in[4] % 5;
    g.marks = g.kind == SHIP_FRAMES ? in[5] % (g.frames + 1) : 0;
    g.first_ms = g.marks || g.kind != SHIP_FRAMES ? 1000 : 0;
    g.last_ms = g.marks ? 1000 + (int64_t)(g.marks - 1) : g.first_ms;
    bytes = ship_segment_bytes(&g);
    must(bytes > 0);
    p = buf_reserve(pack, bytes);
    must(p != NULL);
    memset(p, n > 6 ? in[6] : 0, bytes);
    ship_segment_head_put(&g, p);
    for (uint32_t i = 0; i < g.marks; i++)
        ship_mark_put(&(struct ship_mark){ g.first + i, 1000 + (int64_t)i },
                      p + SHIP_SEGMENT_HEAD + (size_t)i * SHIP_MARK_BYTES);
    ship_segment_mac(key, str_of(p, bytes), p + bytes - SHIP_MAC_BYTES);
    ship_entry_of(&g, pack->n, p + bytes - SHIP_MAC_BYTES, &e);
    ship_entry_put(&e, entry);
    must(buf_append(index, entry, sizeof entry) == 0);
    pack->n += bytes;
}

static void law(const uint8_t *in, size_t n)
{
    CLEANUP(buf_release)
    struct buf data = { .max = MIB(4) }, index = { .max = MIB(1) }, all = { .max = MIB(8) };
    struct ship_pack p = { .kind = SHIP_PACK_SHARED, .log = 5, .seq = 6, .made_ms = 7 }, got;
    uint8_t head[SHIP_PACK_HEAD];
    size_t at;

    for (size_t i = 0; i + 8 <= n && p.segments < 8; i += 8, p.segments++)
        segment_make(&data, &index, in + i, 8, p.segments);
    for (uint32_t i = 0; i < p.segments; i++) { /* from the begin of the pack */
        struct ship_entry e;
        uint8_t *row = (uint8_t *)index.p + (size_t)i * SHIP_INDEX_BYTES;

        ship_pack_entry(str_of(row - SHIP_PACK_HEAD, 0), 0, &e);
        e.at += ship_pack_data_at(p.segments);
        ship_entry_put(&e, row);
    }
    p.bytes = ship_pack_data_at(p.segments) + data.n;
    ship_pack_seal(key, &p, buf_str(&index), head);
    must(buf_append(&all, head, sizeof head) == 0 && buf_puts(&all, buf_str(&index)) == 0 &&
         buf_puts(&all, buf_str(&data)) == 0);
    must(ship_pack_verify(key, buf_str(&all), &got) == 0 && got.segments == p.segments && got.seq == 6);
    at = (n ? in[n - 1] + (n > 1 ? in[n - 2] * 256u : 0u) : 0u) % all.n;
    all.p[at] = (char)(all.p[at] ^ (1 + (n > 2 ? in[n - 3] : 0) % 255));
    must(ship_pack_verify(key, buf_str(&all), &got) < 0);
    all.n = at; /* cut off */
    must(ship_pack_verify(key, buf_str(&all), &got) < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *in, size_t n)
{
    struct ship_segment g;
    struct ship_base b;
    struct ship_pack p;

    must(ship_pack_verify(key, str_of(in, n), &p) < 0);
    must(ship_segment_check(key, str_of(in, n), &g) < 0);
    must(ship_base_get(key, str_of(in, n), &b) < 0);
    law(in, n);
    return 0;
}
