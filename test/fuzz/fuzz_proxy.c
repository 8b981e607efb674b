/* test/fuzz/fuzz_proxy.c
 *
 * Laws of the PROXY protocol: what a header is does not hang on what follows it; while it is not whole, more than is there is
 * asked for, and never more than a header may have; who is known has an address of a family. */
#include "lib/base/errors.h"
#include "lib/event/proxy.h"
#include "test/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = str_of(data, size);
    struct proxy_peer p, q;
    size_t need = 0;
    ssize_t n = proxy_parse(in, &p, &need), r;

    LAW(n <= (ssize_t)size && n <= (ssize_t)PROXY_HEADER_MAX);
    LAW(n >= 0 || n == E_SYNTAX || n == E_LIMIT);
    LAW(n != 0 || (need > size && need <= PROXY_HEADER_MAX));
    if (n <= 0)
        return 0;
    LAW(!p.known || p.sa.ss_family == AF_INET || p.sa.ss_family == AF_INET6);
    for (size_t cut = 0; cut <= size && cut <= PROXY_HEADER_MAX; cut++) {
        need = 0;
        r = proxy_parse(str_slice(in, 0, cut), &q, &need);
        LAW(cut < (size_t)n ? r == 0 && need > cut && need <= (size_t)n
                            : r == n && memcmp(&p, &q, sizeof p) == 0);
    }
    return 0;
}
