/* Laws: the next moment is later than the one asked from, matches, and is the first of those that do. */
#include "lib/schedule/schedule.h"
#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct schedule s;
    int64_t at = 0, next;

    if (size < 6)
        return 0;
    for (size_t i = 0; i < 6; i++)
        at = at << 8 | data[i];
    at %= INT64_C(253402300800000);
    if (schedule_parse(str_of(data + 6, size - 6), &s) < 0)
        return 0;
    next = schedule_next(&s, at);
    assert(next > at);
    if (next == SCHEDULE_NEVER)
        return 0;
    assert(schedule_matches(&s, next));
    assert(schedule_next(&s, next - 1) == next);
    for (int64_t m = (at / 60000 + 1) * 60000, n = 0; m < next && n < 500; m += 60000, n++)
        assert(!schedule_matches(&s, m));
    return 0;
}
