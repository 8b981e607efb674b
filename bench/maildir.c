/* bench/maildir.c
 *
 * What our deliveries are measured against: plain files the way Maildir writes them, tmp/ then fsync
 * then rename into new/. The folder is not synced, as common servers leave it: that favours this side.
 *   maildir FOLDER THREADS SECONDS BYTES MAILBOXES
 * Prints one JSON line. */
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
    const char *root;
    uint32_t threads, seconds, bytes, boxes;
    int64_t end_us;
} w;

struct writer {
    pthread_t thread;
    uint32_t index;
    uint64_t n;
};

static void write_one(struct writer *t, const char *text)
{
    char from[512], to[512];
    uint64_t box = (t->index + t->n * w.threads) % w.boxes;
    int fd;

    snprintf(from, sizeof from, "%s/%llu/tmp/%u.%llu", w.root, (unsigned long long)box, t->index,
             (unsigned long long)t->n);
    snprintf(to, sizeof to, "%s/%llu/new/%u.%llu", w.root, (unsigned long long)box, t->index,
             (unsigned long long)t->n);
    fd = open(from, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (fd < 0 || write(fd, text, w.bytes) != (ssize_t)w.bytes || fsync(fd) < 0 || close(fd) < 0 ||
        rename(from, to) < 0) {
        perror(from);
        exit(1);
    }
}

static void *writer_run(void *arg)
{
    struct writer *t = arg;
    char *text = malloc(w.bytes);

    memset(text, 'x', w.bytes);
    for (; clock_mono_us() < w.end_us; t->n++)
        write_one(t, text);
    free(text);
    return NULL;
}

static void make_boxes(void)
{
    static const char *const parts[] = { "", "/tmp", "/new", "/cur" };

    for (uint32_t b = 0; b < w.boxes; b++) {
        for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
            char path[512];

            snprintf(path, sizeof path, "%s/%u%s", w.root, b, parts[i]);
            mkdir(path, 0700);
        }
    }
}

int main(int argc, char **argv)
{
    uint32_t *v[] = { &w.threads, &w.seconds, &w.bytes, &w.boxes };
    struct writer writers[256] = { 0 };
    uint64_t n = 0;

    for (size_t i = 0; i < ARRAY_LEN(v); i++)
        if (argc != 6 || !str_to_u32(str_from(argv[i + 2]), v[i])) {
            fprintf(stderr, "usage: maildir FOLDER THREADS SECONDS BYTES MAILBOXES\n");
            return 64;
        }
    w.root = argv[1];
    w.threads = w.threads > 256 ? 256 : w.threads;
    make_boxes();
    w.end_us = clock_mono_us() + (int64_t)w.seconds * 1000000;
    for (uint32_t i = 0; i < w.threads; i++) {
        writers[i].index = i;
        pthread_create(&writers[i].thread, NULL, writer_run, &writers[i]);
    }
    for (uint32_t i = 0; i < w.threads; i++) {
        pthread_join(writers[i].thread, NULL);
        n += writers[i].n;
    }
    printf("{\"written\":%llu,\"rate\":%.1f}\n", (unsigned long long)n, (double)n / w.seconds);
    return 0;
}
