/* lib/rpc/ws: the frame header both ways (RFC 6455 5.2, 5.7). */
#include "lib/base/test.h"
#include "lib/base/errors.h"
#include "lib/rpc/ws.h"

static void test_round_trip(void **state UNUSED)
{
    static const uint64_t sizes[] = { 0, 1, 125, 126, 65535, 65536, UINT64_C(1) << 40 };

    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        for (int masked = 0; masked < 2; masked++) {
            struct ws_header in = { .bytes = sizes[i],
                                    .opcode = WS_BINARY,
                                    .fin = true,
                                    .masked = masked,
                                    .mask = { 1, 2, 3, 4 } },
                             out;
            uint8_t wire[WS_HEADER_MAX];
            size_t n = ws_header_put(wire, &in);

            for (size_t cut = 0; cut < n; cut++)
                CHECK(ws_header_get(str_of(wire, cut), &out) == 0);
            CHECK(ws_header_get(str_of(wire, n), &out) == (int)n);
            CHECK(out.bytes == in.bytes && out.fin && out.masked == in.masked && out.opcode == WS_BINARY);
        }
    }
}

static void test_refused(void **state UNUSED)
{
    static const struct {
        const char *name;
        uint8_t wire[10];
        size_t n;
    } cases[] = {
        { "reserved bit", { 0xc2, 0x00 }, 2 },
        { "unknown opcode", { 0x83, 0x00 }, 2 },
        { "long ping", { 0x89, 126, 0, 200 }, 4 },
        { "cut ping", { 0x09, 0x00 }, 2 },
        { "16-bit length not minimal", { 0x82, 126, 0, 5 }, 4 },
        { "64-bit length not minimal", { 0x82, 127, 0, 0, 0, 0, 0, 0, 255, 255 }, 10 },
        { "length over 63 bits", { 0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0 }, 10 },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ws_header h;

        check_case = cases[i].name;
        CHECK(ws_header_get(str_of(cases[i].wire, cases[i].n), &h) == E_SYNTAX);
    }
}

static void test_mask(void **state UNUSED)
{
    static const uint8_t mask[4] = { 0x37, 0xfa, 0x21, 0x3d };
    uint8_t whole[37], parts[37];

    for (size_t i = 0; i < sizeof whole; i++)
        whole[i] = parts[i] = (uint8_t)i;
    ws_mask(whole, sizeof whole, mask, 0);
    for (size_t i = 0; i < sizeof whole; i++)
        CHECK(whole[i] == (uint8_t)(i ^ mask[i & 3]));
    ws_mask(parts, 5, mask, 0);
    ws_mask(parts + 5, sizeof parts - 5, mask, 5);
    CHECK(memcmp(whole, parts, sizeof whole) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_mask),
    };

    return cmocka_run_group_tests_name("ws", tests, NULL, NULL);
}
