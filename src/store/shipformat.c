#include "src/store/shipformat.h"
#include "lib/base/errors.h"
#include "lib/base/hex.h"
#include "lib/crypto/onetime.h"
#include "lib/db/wal_sum.h"
#include <sodium.h>

#define VERSION       1
#define PAGE_MIN      512u
#define INDEX_MAC_AT  80u
#define WAL_VERSION   3007000u
#define WAL_MAGIC     0x377f0682u /* | 1: checksums are big-endian */
#define FRAME_SUM_AT  16u
#define FRAME_SALT_AT 8u
#define WAL_SALT_AT   16u
#define WAL_SUM_AT    24u
#define BASE_HASH_AT  72u
#define BASE_MAC_AT   104u

static uint32_t be32_get(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static const uint8_t *u8(struct str s)
{
    return (const uint8_t *)s.p;
}

/* A key for one MAC: the context holds a nonce, so none is used twice. */
static void once_key(const uint8_t key[KEY_BYTES], const char *label, struct str context,
                     uint8_t out[KEY_BYTES])
{
    kdf(out, key, label, context);
}

/* ---- segments ---------------------------------------------------------------------------------- */

static size_t unit_bytes(const struct ship_segment *s)
{
    return s->kind == SHIP_FRAMES ? ship_frame_bytes(s->page_bytes) : s->page_bytes;
}

static bool sane(const struct ship_segment *s)
{
    bool page = s->page_bytes >= PAGE_MIN && s->page_bytes <= SHIP_PAGE_MAX &&
                (s->page_bytes & (s->page_bytes - 1)) == 0;

    switch (s->kind) {
    case SHIP_FRAMES:
        return page && s->frames > 0 && s->frames <= SHIP_FRAMES_MAX && s->first > 0 &&
               s->first <= UINT32_MAX - s->frames && s->marks <= SHIP_MARKS_MAX && s->marks <= s->frames;
    case SHIP_WHOLE: return page && s->frames <= SHIP_SEGMENT_MAX / PAGE_MIN && s->marks == 0;
    case SHIP_END: return s->frames == 0 && s->marks == 0;
    }
    return false;
}

size_t ship_segment_data_at(const struct ship_segment *s)
{
    return SHIP_SEGMENT_HEAD + (size_t)s->marks * SHIP_MARK_BYTES;
}

size_t ship_segment_bytes(const struct ship_segment *s)
{
    size_t n;

    if (!sane(s))
        return 0;
    n = ship_segment_data_at(s) + (size_t)s->frames * unit_bytes(s) + SHIP_MAC_BYTES;
    return n <= SHIP_SEGMENT_MAX ? n : 0;
}

void ship_segment_head_put(const struct ship_segment *s, uint8_t out[SHIP_SEGMENT_HEAD])
{
    memset(out, 0, SHIP_SEGMENT_HEAD);
    memcpy(out, "LLSG", 4);
    out[4] = VERSION;
    out[5] = (uint8_t)s->kind;
    memcpy(out + 8, s->mailbox, MAILBOX_ID_LEN);
    le32_put(out + 20, s->marks);
    le64_put(out + 24, s->file);
    le64_put(out + 32, s->chain);
    le64_put(out + 40, s->seq);
    le64_put(out + 48, (uint64_t)s->first_ms);
    le64_put(out + 56, (uint64_t)s->last_ms);
    memcpy(out + 64, s->salts, SHIP_SALT_BYTES);
    memcpy(out + 72, s->sum, SHIP_SUM_BYTES);
    le32_put(out + 80, s->first);
    le32_put(out + 84, s->frames);
    le32_put(out + 88, s->page_bytes);
    le32_put(out + 92, s->magic);
    memcpy(out + 96, s->before, SHIP_MAC_BYTES);
    memcpy(out + 112, s->nonce, SHIP_NONCE_BYTES);
}

int ship_segment_head_get(struct str bytes, struct ship_segment *out)
{
    const uint8_t *p = u8(bytes);
    struct ship_segment s = { .kind = SHIP_END };

    if (bytes.n < SHIP_SEGMENT_HEAD || memcmp(p, "LLSG", 4) != 0)
        return E_CORRUPT;
    if (p[4] > VERSION)
        return E_VERSION;
    if (p[4] != VERSION || p[5] < SHIP_FRAMES || p[5] > SHIP_END || p[6] || p[7])
        return E_CORRUPT;
    s.kind = (enum ship_kind)p[5];
    memcpy(s.mailbox, p + 8, MAILBOX_ID_LEN);
    s.marks = le32_get(p + 20);
    s.file = le64_get(p + 24);
    s.chain = le64_get(p + 32);
    s.seq = le64_get(p + 40);
    s.first_ms = (int64_t)le64_get(p + 48);
    s.last_ms = (int64_t)le64_get(p + 56);
    memcpy(s.salts, p + 64, SHIP_SALT_BYTES);
    memcpy(s.sum, p + 72, SHIP_SUM_BYTES);
    s.first = le32_get(p + 80);
    s.frames = le32_get(p + 84);
    s.page_bytes = le32_get(p + 88);
    s.magic = le32_get(p + 92);
    memcpy(s.before, p + 96, SHIP_MAC_BYTES);
    memcpy(s.nonce, p + 112, SHIP_NONCE_BYTES);
    if (!ship_segment_bytes(&s))
        return E_CORRUPT;
    *out = s;
    return 0;
}

void ship_mark_put(const struct ship_mark *m, uint8_t out[SHIP_MARK_BYTES])
{
    le32_put(out, m->frame);
    le64_put(out + 4, (uint64_t)m->ms);
}

void ship_mark_get(const uint8_t in[SHIP_MARK_BYTES], struct ship_mark *out)
{
    out->frame = le32_get(in);
    out->ms = (int64_t)le64_get(in + 4);
}

void ship_segment_mac(const uint8_t key[KEY_BYTES], struct str segment, uint8_t out[SHIP_MAC_BYTES])
{
    uint8_t once[KEY_BYTES];

    once_key(key, "letterlock ship segment v1", str_slice(segment, 0, SHIP_SEGMENT_HEAD), once);
    onetime_mac(once, str_slice(segment, 0, segment.n - SHIP_MAC_BYTES), out);
    bytes_wipe(once, sizeof once);
}

/* Marks go forward, in frames and in time, and end within. */
static bool marks_sane(const struct ship_segment *s, const uint8_t *p)
{
    struct ship_mark m = { .ms = s->first_ms }, was = { .frame = s->first - 1, .ms = s->first_ms };

    for (uint32_t i = 0; i < s->marks; i++, was = m) {
        ship_mark_get(p + (size_t)i * SHIP_MARK_BYTES, &m);
        if (m.frame <= was.frame || m.ms < was.ms || m.frame >= s->first + s->frames ||
            (i == 0 && m.ms != s->first_ms))
            return false;
    }
    return s->marks == 0 || m.ms == s->last_ms;
}

int ship_segment_check(const uint8_t key[KEY_BYTES], struct str segment, struct ship_segment *out)
{
    uint8_t mac[SHIP_MAC_BYTES];
    struct ship_segment s;
    int r = ship_segment_head_get(segment, &s);

    if (r < 0)
        return r;
    if (ship_segment_bytes(&s) != segment.n)
        return E_CORRUPT;
    ship_segment_mac(key, segment, mac);
    if (!bytes_same(mac, u8(segment) + segment.n - SHIP_MAC_BYTES, SHIP_MAC_BYTES) ||
        (s.kind == SHIP_FRAMES && !marks_sane(&s, u8(segment) + SHIP_SEGMENT_HEAD)))
        return E_CORRUPT;
    *out = s;
    return 0;
}

/* ---- packs ------------------------------------------------------------------------------------- */

void ship_entry_of(const struct ship_segment *s, uint64_t at, const uint8_t mac[SHIP_MAC_BYTES],
                   struct ship_entry *out)
{
    *out = (struct ship_entry){ .kind = s->kind,
                                .file = s->file,
                                .chain = s->chain,
                                .seq = s->seq,
                                .first_ms = s->first_ms,
                                .last_ms = s->last_ms,
                                .at = at,
                                .bytes = ship_segment_bytes(s) };
    memcpy(out->mailbox, s->mailbox, MAILBOX_ID_LEN);
    memcpy(out->mac, mac, SHIP_MAC_BYTES);
}

void ship_entry_put(const struct ship_entry *e, uint8_t out[SHIP_INDEX_BYTES])
{
    memset(out, 0, SHIP_INDEX_BYTES);
    memcpy(out, e->mailbox, MAILBOX_ID_LEN);
    le32_put(out + 12, (uint32_t)e->kind);
    le64_put(out + 16, e->file);
    le64_put(out + 24, e->chain);
    le64_put(out + 32, e->seq);
    le64_put(out + 40, (uint64_t)e->first_ms);
    le64_put(out + 48, (uint64_t)e->last_ms);
    le64_put(out + 56, e->at);
    le64_put(out + 64, e->bytes);
    memcpy(out + 72, e->mac, SHIP_MAC_BYTES);
}

void ship_pack_entry(struct str head_and_index, uint32_t i, struct ship_entry *out)
{
    const uint8_t *p = u8(head_and_index) + SHIP_PACK_HEAD + (size_t)i * SHIP_INDEX_BYTES;

    memcpy(out->mailbox, p, MAILBOX_ID_LEN);
    out->kind = (enum ship_kind)le32_get(p + 12);
    out->file = le64_get(p + 16);
    out->chain = le64_get(p + 24);
    out->seq = le64_get(p + 32);
    out->first_ms = (int64_t)le64_get(p + 40);
    out->last_ms = (int64_t)le64_get(p + 48);
    out->at = le64_get(p + 56);
    out->bytes = le64_get(p + 64);
    memcpy(out->mac, p + 72, SHIP_MAC_BYTES);
}

static void pack_mac(const uint8_t key[KEY_BYTES], struct str head, struct str index,
                     uint8_t out[SHIP_MAC_BYTES])
{
    crypto_onetimeauth_state state;
    uint8_t once[KEY_BYTES];

    once_key(key, "letterlock ship pack v1", head, once);
    crypto_onetimeauth_init(&state, once);
    crypto_onetimeauth_update(&state, u8(head), head.n);
    crypto_onetimeauth_update(&state, u8(index), index.n);
    crypto_onetimeauth_final(&state, out);
    bytes_wipe(once, sizeof once);
    bytes_wipe(&state, sizeof state);
}

void ship_pack_seal(const uint8_t key[KEY_BYTES], struct ship_pack *p, struct str index,
                    uint8_t out[SHIP_PACK_HEAD])
{
    memset(out, 0, SHIP_PACK_HEAD);
    memcpy(out, "LLPK", 4);
    out[4] = VERSION;
    out[5] = (uint8_t)p->kind;
    le64_put(out + 8, p->log);
    le64_put(out + 16, p->seq);
    le64_put(out + 24, (uint64_t)p->made_ms);
    le32_put(out + 32, p->segments);
    le64_put(out + 40, p->bytes);
    memcpy(out + 48, p->before, SHIP_MAC_BYTES);
    memcpy(out + 64, p->nonce, SHIP_NONCE_BYTES);
    pack_mac(key, str_of(out, INDEX_MAC_AT), index, p->mac);
    memcpy(out + INDEX_MAC_AT, p->mac, SHIP_MAC_BYTES);
}

int ship_pack_head_get(struct str bytes, struct ship_pack *out)
{
    const uint8_t *p = u8(bytes);
    struct ship_pack k = { .kind = SHIP_PACK_SHARED };

    if (bytes.n < SHIP_PACK_HEAD || memcmp(p, "LLPK", 4) != 0)
        return E_CORRUPT;
    if (p[4] > VERSION)
        return E_VERSION;
    if (p[4] != VERSION || p[5] < SHIP_PACK_SHARED || p[5] > SHIP_PACK_MAILBOX || p[6] || p[7] ||
        le32_get(p + 36))
        return E_CORRUPT;
    k.kind = (enum ship_pack_kind)p[5];
    k.log = le64_get(p + 8);
    k.seq = le64_get(p + 16);
    k.made_ms = (int64_t)le64_get(p + 24);
    k.segments = le32_get(p + 32);
    k.bytes = le64_get(p + 40);
    memcpy(k.before, p + 48, SHIP_MAC_BYTES);
    memcpy(k.nonce, p + 64, SHIP_NONCE_BYTES);
    memcpy(k.mac, p + INDEX_MAC_AT, SHIP_MAC_BYTES);
    if (k.segments > SHIP_PACK_SEGMENTS || k.bytes < ship_pack_data_at(k.segments))
        return E_CORRUPT;
    *out = k;
    return 0;
}

int ship_pack_check(const uint8_t key[KEY_BYTES], const struct ship_pack *p, struct str all)
{
    uint64_t at = ship_pack_data_at(p->segments);
    uint8_t mac[SHIP_MAC_BYTES];

    if (all.n < at)
        return E_CORRUPT;
    pack_mac(key, str_slice(all, 0, INDEX_MAC_AT), str_slice(all, SHIP_PACK_HEAD, at), mac);
    if (!bytes_same(mac, u8(all) + INDEX_MAC_AT, SHIP_MAC_BYTES))
        return E_CORRUPT;
    for (uint32_t i = 0; i < p->segments; i++) {
        struct ship_entry e;

        ship_pack_entry(all, i, &e);
        if (e.at != at || e.bytes > SHIP_SEGMENT_MAX || e.bytes > p->bytes - at)
            return E_CORRUPT;
        at += e.bytes;
    }
    return at == p->bytes ? 0 : E_CORRUPT;
}

static bool entry_is_of(const struct ship_entry *e, const struct ship_segment *s, struct str segment)
{
    return memcmp(e->mailbox, s->mailbox, MAILBOX_ID_LEN) == 0 && e->kind == s->kind && e->file == s->file &&
           e->chain == s->chain && e->seq == s->seq && e->first_ms == s->first_ms &&
           e->last_ms == s->last_ms &&
           memcmp(e->mac, segment.p + segment.n - SHIP_MAC_BYTES, SHIP_MAC_BYTES) == 0;
}

int ship_pack_verify(const uint8_t key[KEY_BYTES], struct str pack, struct ship_pack *out)
{
    struct ship_pack p;
    int r = ship_pack_head_get(pack, &p);

    if (r < 0 || (r = p.bytes == pack.n ? 0 : E_CORRUPT) < 0 || (r = ship_pack_check(key, &p, pack)) < 0)
        return r;
    for (uint32_t i = 0; i < p.segments; i++) {
        struct ship_segment s;
        struct ship_entry e;
        struct str bytes;

        ship_pack_entry(pack, i, &e);
        bytes = str_slice(pack, e.at, e.at + e.bytes);
        if ((r = ship_segment_check(key, bytes, &s)) < 0)
            return r;
        if (!entry_is_of(&e, &s, bytes))
            return E_CORRUPT;
    }
    *out = p;
    return 0;
}

/* ---- bases ------------------------------------------------------------------------------------- */

static void base_mac(const uint8_t key[KEY_BYTES], const uint8_t *bytes, uint8_t out[HASH_BYTES])
{
    kdf(out, key, "letterlock ship base v1", str_of(bytes, BASE_MAC_AT));
}

void ship_base_put(const uint8_t key[KEY_BYTES], const struct ship_base *b, uint8_t out[SHIP_BASE_BYTES])
{
    memset(out, 0, SHIP_BASE_BYTES);
    memcpy(out, "LLBI", 4);
    out[4] = VERSION;
    memcpy(out + 8, b->mailbox, MAILBOX_ID_LEN);
    le64_put(out + 24, b->file);
    le64_put(out + 32, b->chain);
    le64_put(out + 40, b->seq);
    le64_put(out + 48, (uint64_t)b->valid_ms);
    le64_put(out + 56, b->bytes);
    memcpy(out + BASE_HASH_AT, b->hash, HASH_BYTES);
    base_mac(key, out, out + BASE_MAC_AT);
}

int ship_base_get(const uint8_t key[KEY_BYTES], struct str bytes, struct ship_base *out)
{
    const uint8_t *p = u8(bytes);
    uint8_t mac[HASH_BYTES];

    if (bytes.n != SHIP_BASE_BYTES || memcmp(p, "LLBI", 4) != 0)
        return E_CORRUPT;
    if (p[4] > VERSION)
        return E_VERSION;
    base_mac(key, p, mac);
    if (!bytes_same(mac, p + BASE_MAC_AT, HASH_BYTES))
        return E_CORRUPT;
    memcpy(out->mailbox, p + 8, MAILBOX_ID_LEN);
    out->file = le64_get(p + 24);
    out->chain = le64_get(p + 32);
    out->seq = le64_get(p + 40);
    out->valid_ms = (int64_t)le64_get(p + 48);
    out->bytes = le64_get(p + 56);
    memcpy(out->hash, p + BASE_HASH_AT, HASH_BYTES);
    return 0;
}

/* ---- a -wal (SQLite's file format, 4) ---------------------------------------------------------- */

static void be32_put(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

int ship_wal_head(const uint8_t in[SHIP_WAL_HEAD], struct ship_wal *out)
{
    struct ship_wal w = { .magic = be32_get(in), .page_bytes = be32_get(in + 8) };
    uint32_t sum[2] = { 0, 0 };

    if ((w.magic & ~1u) != WAL_MAGIC || be32_get(in + 4) != WAL_VERSION || w.page_bytes < PAGE_MIN ||
        w.page_bytes > SHIP_PAGE_MAX || (w.page_bytes & (w.page_bytes - 1)))
        return E_CORRUPT;
    wal_sum(w.magic & 1, in, WAL_SUM_AT, sum);
    if (sum[0] != be32_get(in + WAL_SUM_AT) || sum[1] != be32_get(in + WAL_SUM_AT + 4))
        return E_CORRUPT;
    memcpy(w.salts, in + WAL_SALT_AT, SHIP_SALT_BYTES);
    memcpy(w.sum, in + WAL_SUM_AT, SHIP_SUM_BYTES);
    *out = w;
    return 0;
}

bool ship_wal_frame(const struct ship_wal *w, const uint8_t *frame, uint8_t sum[SHIP_SUM_BYTES])
{
    uint32_t running[2] = { be32_get(sum), be32_get(sum + 4) };
    uint8_t now[SHIP_SUM_BYTES];

    if (memcmp(frame + FRAME_SALT_AT, w->salts, SHIP_SALT_BYTES) != 0 || be32_get(frame) == 0)
        return false;
    wal_sum(w->magic & 1, frame, FRAME_SALT_AT, running);
    wal_sum(w->magic & 1, frame + SHIP_FRAME_HEAD, w->page_bytes, running);
    be32_put(now, running[0]);
    be32_put(now + 4, running[1]);
    if (memcmp(now, frame + FRAME_SUM_AT, SHIP_SUM_BYTES) != 0)
        return false;
    memcpy(sum, now, SHIP_SUM_BYTES);
    return true;
}

uint32_t ship_frame_page(const uint8_t *frame)
{
    return be32_get(frame);
}

uint32_t ship_frame_pages(const uint8_t *frame)
{
    return be32_get(frame + 4);
}
