/* lib/base/wipe_stack: what a function that returned left behind, at any depth, is gone. */
#include "lib/base/test.h"
#include "lib/base/clock.h"
#include "lib/base/wipe_stack.h"
#include "lib/base/work.h"
#include <pthread.h>

static volatile uintptr_t lowest; /* of what leave_text wrote */

__attribute__((noinline)) static void leave_text(size_t deep)
{
    volatile char text[1000];

    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)('a' + i % 26);
    lowest = (uintptr_t)text;
    if (deep > 0)
        leave_text(deep - 1);
    __asm__ volatile("" : : "r"(text) : "memory"); /* no tail call */
}

/* Bytes between there and here that look like the text. A leaf: it must not write over them. */
__attribute__((noinline)) static size_t text_left(void)
{
    volatile const char *p = (volatile const char *)lowest, *end = __builtin_frame_address(0);
    size_t n = 0;

    for (; p < end - 512; p++)
        n += p[0] >= 'a' && p[0] <= 'z' && (p[1] == p[0] + 1 || (p[0] == 'z' && p[1] == 'a'));
    return n;
}

static void check_depths(size_t out[2])
{
    static const size_t depths[] = { 2, 20, 300 };

    for (size_t i = 0; i < ARRAY_LEN(depths); i++) {
        leave_text(depths[i]);
        out[0] += text_left() > depths[i] * 900;
        wipe_stack();
        out[1] += text_left();
    }
}

static void test_main_thread(void **state UNUSED)
{
    size_t found[2] = { 0 };

    wipe_stack();
    wipe_stack_init();
    if (!wipe_stack_active())
        skip();
    check_depths(found);
    CHECK(found[0] == 3 && found[1] == 0);
}

static void *in_thread(void *found)
{
    wipe_stack_init();
    check_depths(found);
    return NULL;
}

/* Stacks of 256 KiB and up: it stays inside. */
static void test_threads(void **state UNUSED)
{
    static const size_t sizes[] = { KIB(512), MIB(8) };

    if (!wipe_stack_active())
        skip();
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        size_t found[2] = { 0 };
        pthread_attr_t attr;
        pthread_t t;

        CHECK(pthread_attr_init(&attr) == 0 && pthread_attr_setstacksize(&attr, sizes[i]) == 0);
        CHECK(pthread_create(&t, &attr, in_thread, found) == 0);
        pthread_join(t, NULL);
        pthread_attr_destroy(&attr);
        CHECK(found[0] == 3 && found[1] == 0);
    }
}

static void leave(struct work_job *job UNUSED)
{
    leave_text(5);
}

/* A worker that has nothing more to do has wiped its stack: seen from here, since its memory is ours. */
static void test_worker(void **state UNUSED)
{
    struct work_pool *p = work_pool_new("test", 1, 0, 0);
    struct work_job job = { .run = leave };
    int64_t end = clock_mono_ms() + 5000;
    size_t left;

    if (!wipe_stack_active())
        skip();
    CHECK(p && work_submit(p, &job) == 0);
    while (work_pool_load(p) > 0)
        sched_yield();
    do {
        volatile const char *text = (volatile const char *)lowest;

        left = 0;
        for (size_t i = 0; i < 1000; i++)
            left += text[i] == (char)('a' + i % 26);
    } while (left > 40 && clock_mono_ms() < end); /* its own calls write there too */
    CHECK(left <= 40);
    work_pool_free(&p);
}

static void test_speed(void **state UNUSED)
{
    int64_t began = clock_mono_us();

    for (unsigned i = 0; i < 10000; i++)
        wipe_stack();
    print_message("wipe_stack, nothing to wipe: %.2f us\n", (double)(clock_mono_us() - began) / 10000.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_main_thread),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_worker),
        cmocka_unit_test(test_speed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
