#include "src/monitor/scrape.h"
#include "lib/base/buf.h"
#include "lib/base/errors.h"
#include <unistd.h>

#define IDLE_MS   10000
#define LINGER_MS 2000

struct scrape {
    struct conn *conn; /* NULL: gone */
    bool asked;        /* scrape_answer comes: it frees */
    bool head;
};
static struct {
    struct loop *loop;
    scrape_fn *fn;
    unsigned now;
} all;

static bool takes(struct str *in, const char *word)
{
    struct str w = str_from(word);

    if (in->n < w.n || memcmp(in->p, w.p, w.n) != 0)
        return false;
    *in = str_skip(*in, w.n);
    return true;
}

enum scrape_wants scrape_parse(struct str in)
{
    bool head = false, whole = false;

    for (size_t i = 3; i < in.n && !whole; i++)
        whole = memcmp(in.p + i - 3, "\r\n\r\n", 4) == 0;
    if (!whole)
        return SCRAPE_MORE;
    if (takes(&in, "HEAD "))
        head = true;
    else if (!takes(&in, "GET "))
        return SCRAPE_BAD_METHOD;
    if (in.n == 0 || in.p[0] != '/')
        return SCRAPE_BAD;
    if (!takes(&in, "/metrics") || (in.p[0] != ' ' && in.p[0] != '?'))
        return SCRAPE_NOT_FOUND;
    return head ? SCRAPE_METRICS_HEAD : SCRAPE_METRICS;
}

static void say(struct scrape *s, const char *status, const char *more, struct str body)
{
    CLEANUP(buf_release) struct buf out = { .max = MIB(2) };

    if (buf_printf(
            &out,
            "HTTP/1.1 %s\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: %zu\r\n"
            "%sConnection: close\r\n\r\n",
            status, body.n, more) < 0 ||
        (!s->head && buf_puts(&out, body) < 0) || conn_write(s->conn, buf_str(&out)) < 0)
        conn_abort(s->conn, E_LIMIT);
    else
        conn_close(s->conn, LINGER_MS);
}

static ssize_t on_data(void *ctx, struct str in)
{
    struct scrape *s = ctx;
    enum scrape_wants w = scrape_parse(in);

    switch (w) {
    case SCRAPE_MORE: return 0;
    case SCRAPE_NOT_FOUND: say(s, "404 Not Found", "", STR("Only /metrics is here.\n")); break;
    case SCRAPE_BAD: say(s, "400 Bad Request", "", STR("That is no request.\n")); break;
    case SCRAPE_BAD_METHOD:
        say(s, "405 Method Not Allowed", "Allow: GET, HEAD\r\n", STR("GET and HEAD only.\n"));
        break;
    case SCRAPE_METRICS:
    case SCRAPE_METRICS_HEAD:
        s->head = w == SCRAPE_METRICS_HEAD;
        s->asked = true;
        conn_pause(s->conn);
        all.fn(s);
    }
    return (ssize_t)in.n;
}

static void on_close(void *ctx, int why UNUSED)
{
    struct scrape *s = ctx;

    s->conn = NULL;
    all.now--;
    if (!s->asked)
        free(s);
}

void scrape_answer(struct scrape *s, struct str text)
{
    s->asked = false;
    if (s->conn)
        say(s, "200 OK", "", text);
    else
        free(s);
}

static void accepted(void *ctx UNUSED, int fd, const struct sockaddr *peer UNUSED, socklen_t peer_len UNUSED)
{
    static const struct conn_limits limits = { .in_max = SCRAPE_REQUEST_MAX,
                                               .out_max = MIB(2),
                                               .out_low = KIB(64) };
    static const struct conn_ops ops = { .on_data = on_data, .on_close = on_close };
    struct scrape *s = all.now < SCRAPES_MAX ? calloc(1, sizeof *s) : NULL;

    if (!s) {
        close(fd);
        return;
    }
    if (!(s->conn = conn_new(all.loop, fd, &limits, &ops, s))) {
        free(s);
        return;
    }
    all.now++;
    conn_idle_ms(s->conn, IDLE_MS);
    conn_stall_ms(s->conn, IDLE_MS);
}

int scrape_listen(struct loop *l, int fd, scrape_fn *fn)
{
    all.loop = l;
    all.fn = fn;
    return listener_new(l, fd, accepted, NULL) ? 0 : E_NOMEM;
}
