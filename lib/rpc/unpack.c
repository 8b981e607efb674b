/* lib/rpc/unpack.c
 *
 * protobuf-c follows nested messages as deep as the bytes say, on our stack. So before it is let near
 * foreign bytes their nesting is measured here, along the descriptor, with a limit. */
#include "lib/rpc/rpc.h"

#define DEPTH_MAX 64

static bool varint(struct str *in, uint64_t *out)
{
    uint64_t v = 0;

    for (unsigned shift = 0; shift < 64 && in->n; shift += 7) {
        uint8_t b = (uint8_t)in->p[0];

        *in = str_skip(*in, 1);
        v |= (uint64_t)(b & 127) << shift;
        if (!(b & 128)) {
            *out = v;
            return true;
        }
    }
    return false;
}

static bool nesting_ok(const ProtobufCMessageDescriptor *d, struct str in, int depth);

static bool length_delimited_ok(const ProtobufCMessageDescriptor *d, uint64_t key, struct str *in, int depth)
{
    const ProtobufCFieldDescriptor *f;
    uint64_t n;

    if (!varint(in, &n) || n > in->n)
        return false;
    f = protobuf_c_message_descriptor_get_field(d, (unsigned)(key >> 3));
    if (f && f->type == PROTOBUF_C_TYPE_MESSAGE &&
        (depth >= DEPTH_MAX || !nesting_ok(f->descriptor, str_slice(*in, 0, (size_t)n), depth + 1)))
        return false;
    *in = str_skip(*in, (size_t)n);
    return true;
}

static bool nesting_ok(const ProtobufCMessageDescriptor *d, struct str in, int depth)
{
    uint64_t key, skip;

    while (in.n) {
        if (!varint(&in, &key))
            return false;
        switch (key & 7) {
        case 0:
            if (!varint(&in, &skip))
                return false;
            break;
        case 1:
        case 5:
            skip = (key & 7) == 1 ? 8 : 4;
            if (in.n < skip)
                return false;
            in = str_skip(in, (size_t)skip);
            break;
        case 2:
            if (!length_delimited_ok(d, key, &in, depth))
                return false;
            break;
        default: return false; /* groups are not of proto3 */
        }
    }
    return true;
}

static void *from_arena(void *arena, size_t n)
{
    return arena_alloc(arena, n);
}

static void no_free(void *arena UNUSED, void *p UNUSED)
{
}

void *rpc_unpack(const ProtobufCMessageDescriptor *d, struct arena *a, struct str bytes)
{
    ProtobufCAllocator alloc = { .alloc = from_arena, .free = no_free, .allocator_data = a };

    if (!nesting_ok(d, bytes, 0))
        return NULL;
    return protobuf_c_message_unpack(d, &alloc, bytes.n, (const uint8_t *)bytes.p);
}
