/* lib/base/wipe_alloc: what was freed, by us or by a library, cannot be read any more. */
#include "lib/base/test.h"
#include "lib/base/clock.h"
#include "lib/base/wipe_alloc.h"
#include <stdlib.h>

static volatile uintptr_t hidden; /* the compiler knows what free() means: keep it from guessing */

static unsigned char pattern(size_t i)
{
    return (unsigned char)((i * 131 + 7) % 255 + 1); /* never 0: getdelim stops there */
}

/* Pairs of the pattern that stand at the old place: a single byte may be MALLOC_PERTURB_'s. The first
 * 16 bytes belong to glibc's free list. */
static size_t leftover(size_t n)
{
    const volatile unsigned char *p = (const volatile unsigned char *)hidden;
    size_t found = 0;

    for (size_t i = 16; i + 1 < n; i++)
        found += p[i] == pattern(i) && p[i + 1] == pattern(i + 1);
    return found;
}

static void *filled(size_t n)
{
    void *p = malloc(n);

    CHECK(p != NULL);
    for (size_t i = 0; i < n; i++)
        ((unsigned char *)p)[i] = pattern(i);
    hidden = (uintptr_t)p;
    return p;
}

static void test_freed(void **state UNUSED)
{
    static const size_t sizes[] = { 17, 64, 500, 2000, 20000, 100000 };

    if (!wipe_alloc_active())
        skip();
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        free(filled(sizes[i]));
        CHECK(leftover(sizes[i]) == 0);
    }
    free(NULL);
}

static void test_resized(void **state UNUSED)
{
    volatile size_t huge = SIZE_MAX / 2;
    void *p, *q;

    if (!wipe_alloc_active())
        skip();
    p = realloc(filled(500), 5000); /* moves */
    CHECK((uintptr_t)p != hidden && leftover(500) == 0 && ((unsigned char *)p)[499] == pattern(499));
    free(p);
    p = realloc(filled(500), 300); /* stays */
    CHECK((uintptr_t)p == hidden && leftover(500) == 300 - 17);
    free(p);
    p = realloc(filled(50000), 100); /* shrinks much */
    CHECK(((unsigned char *)p)[99] == pattern(99) && leftover(50000) <= 100);
    free(p);
    q = realloc(filled(1 << 20), 2 << 20); /* a mapping of its own */
    CHECK(((unsigned char *)q)[(1 << 20) - 1] == pattern((1 << 20) - 1));
    CHECK(realloc(q, 0) == NULL);
    p = realloc(NULL, 40);
    CHECK(p != NULL);
    p = reallocarray(p, 100, 100);
    CHECK(p != NULL && reallocarray(p, huge, 4) == NULL);
    free(p);
}

static void test_library(void **state UNUSED)
{
    char *line = NULL;
    size_t cap = 0;
    FILE *f;

    if (!wipe_alloc_active())
        skip();
    f = fmemopen(filled(600), 600, "r"); /* libc's own buffer and stream: freed inside libc */
    CHECK(f && getdelim(&line, &cap, 0, f) == 600);
    hidden = (uintptr_t)line;
    line = realloc(line, 9000);
    CHECK(leftover(600) == 0);
    free(line);
    fclose(f);
}

static void test_speed(void **state UNUSED)
{
    void *slots[64] = { NULL };
    int64_t began = clock_mono_us();

    for (unsigned i = 0; i < 2000000; i++) {
        free(slots[i % 64]);
        slots[i % 64] = malloc(16 + i * 37 % 500);
    }
    print_message("malloc+free of 16-516 bytes: %.0f ns (wiping: %s)\n",
                  (double)(clock_mono_us() - began) / 2000.0, wipe_alloc_active() ? "yes" : "no");
    for (unsigned i = 0; i < 64; i++)
        free(slots[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_freed),
        cmocka_unit_test(test_resized),
        cmocka_unit_test(test_library),
        cmocka_unit_test(test_speed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
