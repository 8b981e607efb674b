/* src/monitor/scrape.h
 *
 * The local port for Prometheus: GET /metrics over HTTP/1.x, one request a connection, nothing else. Whoever may connect
 * may read: it is meant for this machine or a network behind it. */
#ifndef SRC_MONITOR_SCRAPE_H
#define SRC_MONITOR_SCRAPE_H
#include "lib/base/str.h"
#include "lib/event/conn.h"

#define SCRAPE_REQUEST_MAX KIB(8)
#define SCRAPES_MAX        16u /* at once */

/* What the head of a request asks for. */
enum scrape_wants {
    SCRAPE_MORE,
    SCRAPE_METRICS,
    SCRAPE_METRICS_HEAD,
    SCRAPE_NOT_FOUND,
    SCRAPE_BAD_METHOD,
    SCRAPE_BAD
};
enum scrape_wants scrape_parse(struct str in);

struct scrape; /* one request that waits for its answer */
/* Called when somebody asks; answer it with scrape_answer, once, now or later. */
typedef void scrape_fn(struct scrape *s);
/* Accept on fd from now on, for as long as the process lives. E_NOMEM. */
MUST_CHECK int scrape_listen(struct loop *l, int fd, scrape_fn *fn);
void scrape_answer(struct scrape *s, struct str text);
#endif
