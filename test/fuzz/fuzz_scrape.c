/* test/fuzz/fuzz_scrape.c
 *
 * Law of the port for Prometheus: once it is known what is asked for, what follows does not change it. */
#include "src/monitor/scrape.h"
#include "test/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum scrape_wants was = SCRAPE_MORE, is;

    for (size_t n = 0; n <= size && n <= SCRAPE_REQUEST_MAX; n++) {
        is = scrape_parse(str_of(data, n));
        LAW(was == SCRAPE_MORE || is == was);
        was = is;
    }
    return 0;
}
