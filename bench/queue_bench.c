/* bench/queue_bench.c
 *
 * A queue of many messages by itself: filling it, what memory it takes, how long it takes to open, and what one retry costs: a
 * claim, a "later", and their commit, with all of the others waiting.
 *   queue_bench FILE MESSAGES DESTINATIONS BYTES
 * One JSON line: microseconds of processor a message (fill, retry), milliseconds (open), bytes of memory and of disk. */
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "src/courier/queue.h"
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define AT_ONCE 500u
#define RETRIES 2000u

static const uint8_t key[DB_KEY_BYTES] = { 7 };
static struct queue_rules rules = { .retry_first_ms = 60000,
                                    .retry_max_ms = 14400000,
                                    .give_up_ms = INT64_C(432000000),
                                    .delay_ms = 14400000,
                                    .bytes_max = GIB(4096),
                                    .per_destination = 20,
                                    .recipients_max = 100 };

static double processor_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static uint64_t memory_bytes(void)
{
    FILE *f = fopen("/proc/self/statm", "r");
    unsigned long long pages = 0, resident = 0;

    if (!f || fscanf(f, "%llu %llu", &pages, &resident) != 2)
        abort();
    fclose(f);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void need(int r, const char *what)
{
    if (r >= 0)
        return;
    fprintf(stderr, "queue_bench: %s: %s\n", what, error_name(r));
    exit(1);
}

static struct queue *open_it(const char *path)
{
    CLEANUP(buf_release) struct buf why = { .max = KIB(4) };
    struct queue *q = NULL;

    need(queue_open(path, key, &rules, &q, &why), "open");
    return q;
}

static void add(struct queue *q, unsigned i, unsigned dests, struct str body)
{
    char to[64], dest[32], sender[40];
    struct queue_target t = { .to = STR_NONE };
    struct queue_message m = { .bytes = body.n };
    uint8_t id[32] = { 0 }, name[QUEUE_NAME_BYTES];
    uint32_t dups;

    snprintf(dest, sizeof dest, "d%u.example", i % dests);
    snprintf(to, sizeof to, "somebody%u@%s", i, dest);
    snprintf(sender, sizeof sender, "sender%u@example.test", i % 1000);
    memcpy(id, &i, sizeof i);
    id[15] = 1;
    t.to = str_from(to);
    t.dest = str_from(dest);
    t.delivery_id = str_of(id, sizeof id);
    m.sender = str_from(sender);
    need(queue_draft(q, false, &m.id), "draft");
    need(queue_put(q, m.id, 0, body), "put");
    need(queue_add(q, &m, &t, 1, STR_NONE, name, &dups), "add");
}

static void fill(struct queue *q, unsigned messages, unsigned dests, size_t bytes)
{
    CLEANUP(buf_release) struct buf b = { .max = bytes + 1 };

    while (b.n < bytes)
        need(buf_putc(&b, (char)('a' + b.n % 26)), "body");
    for (unsigned i = 0; i < messages;) {
        need(queue_begin(q), "begin");
        for (unsigned k = 0; k < AT_ONCE && i < messages; k++)
            add(q, i++, dests, buf_str(&b));
        need(queue_commit(q), "commit");
        queue_tidy(q, false);
    }
}

/* One delivery that is put off, in a transaction each for the claim and its end, as it is when nothing else goes on. */
static int retry(struct queue *q)
{
    struct queue_claim c = { .arena = { .max = MIB(1) } };
    struct queue_outcome o[100] = { 0 };
    struct queue_counts n = { 0 };
    int64_t next;
    int r;

    need(queue_begin(q), "begin");
    need(r = queue_claim(q, &c, &next), "claim");
    need(queue_commit(q), "commit");
    if (r > 0) {
        for (size_t i = 0; i < c.n; i++)
            o[i] = (struct queue_outcome){ .result = QUEUE_DEFERRED, .code = 451, .text = STR("later") };
        need(queue_begin(q), "begin");
        need(queue_done(q, &c, o, false, &n), "done");
        need(queue_commit(q), "commit");
        queue_tidy(q, false);
    }
    arena_release(&c.arena);
    return r;
}

int main(int argc, char **argv)
{
    uint32_t v[3];
    struct queue *q;
    double fill_us, retry_us, open_us;
    int64_t began;
    unsigned tries = 0;
    uint64_t memory;
    struct stat st;

    for (int i = 0; i < 3; i++)
        if (argc != 5 || !str_to_u32(str_from(argv[i + 2]), &v[i]) || v[i] == 0)
            return 64;
    q = open_it(argv[1]);
    fill_us = processor_us();
    fill(q, v[0], v[1], v[2]);
    fill_us = (processor_us() - fill_us) / v[0];
    queue_close(&q);
    began = clock_mono_us();
    q = open_it(argv[1]);
    need(queue_totals(q, &(struct queue_totals){ 0 }), "totals");
    open_us = (double)(clock_mono_us() - began);
    retry_us = processor_us();
    while (tries < RETRIES && retry(q) > 0)
        tries++;
    retry_us = (processor_us() - retry_us) / (tries ? tries : 1);
    memory = memory_bytes();
    queue_close(&q);
    if (stat(argv[1], &st) < 0)
        return 1;
    printf(
        "{\"fill_us\":%.1f,\"open_ms\":%.1f,\"retry_us\":%.1f,\"tries\":%u,\"memory\":%llu,\"disk\":%llu}\n",
        fill_us, open_us / 1000, retry_us, tries, (unsigned long long)memory, (unsigned long long)st.st_size);
    return 0;
}
