/* lib/base/test.h
 *
 * What a unit test includes first: cmocka, and CHECK, which names the failing expression and, when
 * the test is a table, the row (set check_case at the top of the loop). */
#ifndef LIB_BASE_TEST_H
#define LIB_BASE_TEST_H
#include "lib/base/base.h"
#include <setjmp.h>
#include <stdarg.h>
/* cmocka wants the four headers above first */
#include <cmocka.h>

static UNUSED const char *check_case = "";

#define CHECK(expr)                                                                                   \
    do {                                                                                              \
        if (!(expr)) {                                                                                \
            print_error("CHECK(%s) fails%s%s\n", #expr, *check_case ? " in case: " : "", check_case); \
            _fail(__FILE__, __LINE__);                                                                \
        }                                                                                             \
    } while (0)

/* So many runs under faults of one kind, or with chances of one: what `bench/run.mjs faults` adds up. seed: what
 * repeats them, as its variable is set; "" where there is no chance. All are words without quotes. */
static UNUSED void runs_tell(const char *kind, const char *of, size_t runs, const char *seed)
{
    print_message("# runs: {\"kind\":\"%s\",\"of\":\"%s\",\"runs\":%zu,\"seed\":\"%s\"}\n", kind, of, runs,
                  seed);
}
#endif
