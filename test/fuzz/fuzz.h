/* test/fuzz/fuzz.h
 *
 * What every fuzz target includes first: the entry point that libFuzzer and replay.c call. */
#ifndef TEST_FUZZ_FUZZ_H
#define TEST_FUZZ_FUZZ_H
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* The law of a target: when it does not hold, name it and stop, so that the input is kept. */
#define LAW(expr)                                                                     \
    do {                                                                              \
        if (!(expr)) {                                                                \
            fprintf(stderr, "%s:%d: LAW(%s) is broken\n", __FILE__, __LINE__, #expr); \
            abort();                                                                  \
        }                                                                             \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
#endif
