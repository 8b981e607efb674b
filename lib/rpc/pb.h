/* lib/rpc/pb.h
 *
 * Bytes in protobuf messages as struct str, and back. Borrowed both ways. */
#ifndef LIB_RPC_PB_H
#define LIB_RPC_PB_H
#include "lib/base/str.h"
#include <protobuf-c/protobuf-c.h>

static inline struct str pb_str(ProtobufCBinaryData b)
{
    return (struct str){ (const char *)b.data, b.len };
}
static inline ProtobufCBinaryData str_pb(struct str s)
{
    return (ProtobufCBinaryData){ .len = s.n, .data = (uint8_t *)(uintptr_t)s.p };
}
#endif
