#include "lib/rpc/ws.h"
#include "lib/base/errors.h"

size_t ws_header_put(uint8_t out[WS_HEADER_MAX], const struct ws_header *h)
{
    size_t n = 2;

    out[0] = (uint8_t)((h->fin ? 0x80 : 0) | h->opcode);
    if (h->bytes < 126) {
        out[1] = (uint8_t)h->bytes;
    } else if (h->bytes <= UINT16_MAX) {
        out[1] = 126;
        out[n++] = (uint8_t)(h->bytes >> 8);
        out[n++] = (uint8_t)h->bytes;
    } else {
        out[1] = 127;
        for (int shift = 56; shift >= 0; shift -= 8)
            out[n++] = (uint8_t)(h->bytes >> shift);
    }
    if (h->masked) {
        out[1] |= 0x80;
        memcpy(out + n, h->mask, 4);
        n += 4;
    }
    return n;
}

static bool opcode_ok(uint8_t op, bool fin, uint64_t bytes)
{
    if (op >= WS_CLOSE) /* control frames: whole, at most 125 bytes (RFC 6455 5.5) */
        return op <= WS_PONG && fin && bytes <= 125;
    return op <= WS_BINARY;
}

int ws_header_get(struct str in, struct ws_header *out)
{
    const uint8_t *p = (const uint8_t *)in.p;
    struct ws_header h = { 0 };
    size_t n = 2, wide;

    if (in.n < 2)
        return 0;
    if (p[0] & 0x70)
        return E_SYNTAX; /* no extension was negotiated */
    h.fin = p[0] >> 7;
    h.opcode = p[0] & 15;
    h.masked = p[1] >> 7;
    h.bytes = p[1] & 127;
    wide = h.bytes == 126 ? 2 : h.bytes == 127 ? 8 : 0;
    if (in.n < n + wide + (h.masked ? 4 : 0))
        return 0;
    if (wide) {
        h.bytes = 0;
        for (size_t i = 0; i < wide; i++)
            h.bytes = h.bytes << 8 | p[n++];
        if (h.bytes < (wide == 2 ? 126u : 65536u) || h.bytes >> 63)
            return E_SYNTAX; /* "the minimal number of bytes MUST be used" (RFC 6455 5.2) */
    }
    if (h.masked) {
        memcpy(h.mask, p + n, 4);
        n += 4;
    }
    if (!opcode_ok(h.opcode, h.fin, h.bytes))
        return E_SYNTAX;
    *out = h;
    return (int)n;
}

void ws_mask(uint8_t *p, size_t n, const uint8_t mask[4], uint64_t at)
{
    uint8_t turned[8];
    uint64_t wide, word;
    size_t i = 0;

    for (size_t k = 0; k < 8; k++)
        turned[k] = mask[(at + k) & 3];
    memcpy(&wide, turned, 8);
    for (; i + 8 <= n; i += 8) {
        memcpy(&word, p + i, 8);
        word ^= wide;
        memcpy(p + i, &word, 8);
    }
    for (; i < n; i++)
        p[i] ^= turned[i & 7];
}
