/* test/fuzz/fuzz_rpc.c
 *
 * Laws of RPC bytes: a frame header that was accepted is the shortest form of itself; a message that
 * was unpacked and packed again is a fixpoint, however deep or odd the bytes were. */
#include "lib/rpc/rpc.h"
#include "lib/rpc/ws.h"
#include "proto/rpc.pb-c.h"
#include "proto/store.pb-c.h"
#include "test/fuzz/fuzz.h"

static void header_law(struct str in)
{
    uint8_t again[WS_HEADER_MAX];
    struct ws_header h;
    int n = ws_header_get(in, &h);

    if (n > 0) {
        LAW(ws_header_put(again, &h) == (size_t)n);
        LAW(memcmp(again, in.p, (size_t)n) == 0);
    }
}

static void message_law(const ProtobufCMessageDescriptor *d, struct str in)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(8) };
    ProtobufCMessage *m = rpc_unpack(d, &a, in), *m2;
    size_t n = m ? protobuf_c_message_get_packed_size(m) : 0, n2;
    uint8_t *p = m ? arena_alloc(&a, n) : NULL, *p2;

    if (!p)
        return;
    LAW(protobuf_c_message_pack(m, p) == n);
    m2 = rpc_unpack(d, &a, str_of(p, n));
    if (!m2)
        return; /* the arena is full */
    n2 = protobuf_c_message_get_packed_size(m2);
    LAW(n2 == n);
    if (!(p2 = arena_alloc(&a, n)))
        return;
    protobuf_c_message_pack(m2, p2);
    LAW(memcmp(p, p2, n) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = str_of(data, size);

    header_law(in);
    message_law(&rpc__frame__descriptor, in);
    message_law(&store__search_request__descriptor, in);
    message_law(&store__deliver_request__descriptor, in);
    return 0;
}
