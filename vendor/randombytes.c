/* vendor/randombytes.c
 *
 * The random source PQClean's code asks for. getrandom blocks only until the kernel's pool is first
 * seeded; a failure is a broken kernel or a sandbox that forgot it, and a key made without randomness
 * is worse than no process. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/random.h>

int PQCLEAN_randombytes(uint8_t *output, size_t n);

int PQCLEAN_randombytes(uint8_t *output, size_t n)
{
    while (n > 0) {
        ssize_t got = getrandom(output, n, 0);

        if (got < 0 && errno != EINTR)
            abort();
        if (got > 0) {
            output += got;
            n -= (size_t)got;
        }
    }
    return 0;
}
