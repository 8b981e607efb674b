/* src/common/records.h
 *
 * The byte stream of FETCH and FLAG_STORE (proto/store.proto): records of u8 type, u32 length,
 * payload; rows whole, bytes as they come. Feed any slice. */
#ifndef SRC_COMMON_RECORDS_H
#define SRC_COMMON_RECORDS_H
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/rpc/rpc.h"
#include "proto/store.pb-c.h"

#define ROW_BYTES_MAX MIB(2)

struct records {
    uint8_t head[5];
    size_t head_n;
    uint32_t left;
    struct buf row;
    struct arena arena; /* of the last row: good until the next one */
    /* Return 0, an E_* that is handed on, or 1: take no more now (records_take). */
    int (*on_row)(void *ctx, Store__Row *row);
    int (*on_bytes)(void *ctx, struct str bytes); /* NULL: none are expected */
};

void records_init(struct records *r);
void records_release(struct records *r);
/* A new stream follows; the last row stays. */
void records_restart(struct records *r);
/* E_CORRUPT, E_NOMEM, or what the callbacks return. */
MUST_CHECK int records_feed(struct records *r, void *ctx, struct str in);
/* The same, until a callback wants no more now: then 1, and *in is what is left. */
MUST_CHECK int records_take(struct records *r, void *ctx, struct str *in);
#endif
