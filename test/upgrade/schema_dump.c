/* test/upgrade/schema_dump.c: what tools/schema-dump runs. Writes test/data/schema/<set>-<version>.sql for
 * every version that has none: of the newest a sample that today's program makes, of one between the
 * stored one before it, brought up by its migration. What is there is never written again. */
#include "test/upgrade/sample.h"
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static void save(const struct sample *s, size_t version)
{
    CLEANUP(buf_release) struct buf text = { .max = MIB(64) };
    struct db_options o = { 0 };
    struct db *db = NULL;
    char path[1024];
    int fd;

    CHECK(db_open(s->path, sample_key, &o, &db) == 0);
    dump_write(db, &text);
    CHECK(db_close(&db) == 0);
    dump_path(s, version, path, sizeof path);
    CHECK((fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644)) >= 0);
    CHECK(write(fd, text.p, text.n) == (ssize_t)text.n && close(fd) == 0);
    printf("%s: %zu bytes\n", path, text.n);
}

static void upgrade(const struct sample *s, size_t version, struct str before)
{
    struct migration_set until = *s->set;
    struct db_options o = { 0 };
    struct db *db = NULL;

    until.n = version;
    dump_load(s->path, before);
    CHECK(db_open(s->path, sample_key, &o, &db) == 0 && migrate_run(db, &until, NULL) == 0 &&
          db_close(&db) == 0);
}

int main(void)
{
    for (size_t i = 0; i < nsamples; i++)
        for (size_t v = 1; v <= samples[i].set->n; v++) {
            CLEANUP(buf_release) struct buf there = { .max = MIB(64) }, before = { .max = MIB(64) };

            if (dump_read(&samples[i], v, &there))
                continue;
            sample_begin();
            if (v == samples[i].set->n)
                samples[i].make();
            else if (v > 1 && dump_read(&samples[i], v - 1, &before))
                upgrade(&samples[i], v, buf_str(&before));
            else
                fprintf(stderr, "%s: version %zu has neither a text nor one before it\n", samples[i].name, v);
            save(&samples[i], v);
            sample_end();
        }
    return 0;
}
