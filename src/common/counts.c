#include "src/common/counts.h"

_Atomic uint64_t counts_now[COUNTS_ALL];
static _Atomic uint64_t times_now[TIMES_ALL][TIME_ROW];

const uint32_t time_bucket_ms[TIME_BUCKETS] = { 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 30000 };

void time_took(enum time_id id, int64_t us)
{
    us = us < 0 ? 0 : us;
    for (size_t i = 0; i < TIME_BUCKETS; i++)
        if (us <= (int64_t)time_bucket_ms[i] * 1000)
            atomic_fetch_add_explicit(&times_now[id][i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&times_now[id][TIME_BUCKETS], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&times_now[id][TIME_BUCKETS + 1], (uint64_t)us, memory_order_relaxed);
}

void counts_read(uint64_t counts_out[COUNTS_ALL], uint64_t times_out[TIMES_ALL * TIME_ROW])
{
    for (size_t i = 0; i < COUNTS_ALL; i++)
        counts_out[i] = atomic_load_explicit(&counts_now[i], memory_order_relaxed);
    for (size_t i = 0; i < TIMES_ALL; i++)
        for (size_t k = 0; k < TIME_ROW; k++)
            times_out[i * TIME_ROW + k] = atomic_load_explicit(&times_now[i][k], memory_order_relaxed);
}
