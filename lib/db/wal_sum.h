/* lib/db/wal_sum.h: the running checksum of a -wal (SQLite's file format, 4.2), over whole pairs of 32-bit words. */
#ifndef LIB_DB_WAL_SUM_H
#define LIB_DB_WAL_SUM_H
#include "lib/base/base.h"

/* `big`: as the last bit of the -wal's magic number says. n: a multiple of 8. */
static inline void wal_sum(bool big, const uint8_t *p, size_t n, uint32_t sum[2])
{
    uint32_t a = sum[0], b = sum[1], w[2];

    _Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "words are copied as they lie");
    for (size_t i = 0; i + 8 <= n; i += 8) {
        memcpy(w, p + i, sizeof w);
        a += (big ? __builtin_bswap32(w[0]) : w[0]) + b;
        b += (big ? __builtin_bswap32(w[1]) : w[1]) + a;
    }
    sum[0] = a;
    sum[1] = b;
}
#endif
