/* lib/rpc/ws.h
 *
 * The frame header of WebSocket (RFC 6455 5.2), both ways, and masking. No handshake, no sockets. */
#ifndef LIB_RPC_WS_H
#define LIB_RPC_WS_H
#include "lib/base/str.h"

#define WS_HEADER_MAX 14u
#define WS_BINARY     2u
#define WS_CLOSE      8u
#define WS_PING       9u
#define WS_PONG       10u

struct ws_header {
    uint64_t bytes; /* of the payload */
    uint8_t opcode;
    bool fin, masked;
    uint8_t mask[4];
};

/* Writes the header in its shortest form; returns its length. */
size_t ws_header_put(uint8_t out[WS_HEADER_MAX], const struct ws_header *h);
/* Length of the header at the start of `in`, 0 when more bytes are needed, or E_SYNTAX: reserved bits,
 * unknown opcodes, a length that is not in its shortest form, control frames that are long or cut. */
int ws_header_get(struct str in, struct ws_header *out);
/* XOR with the mask; `at` is the position of p[0] in the payload. */
void ws_mask(uint8_t *p, size_t n, const uint8_t mask[4], uint64_t at);
#endif
