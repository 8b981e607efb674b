#include "test/upgrade/sample.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/crypto/box.h"
#include "src/directory/accounts.h"
#include "src/directory/sql_directory.h"
#include "src/store/sql_notes.h"
#include "src/store/sql_temporary.h"
#include "test/upgrade/letters.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

const uint8_t sample_key[DB_KEY_BYTES] = "a key that keeps no secret......";

static char scratch[64];
static struct files files = { .dir = -1, .prefix = "" };
static const struct tempbox_keys temp_keys = { .outer = "a key that keeps no secret......", .chain = { 7 } };
static const uint8_t seed[XWING_SEED_BYTES] = { 1, 2, 3 }, id[MAILBOX_ID_LEN] = { 1, 2, 3, 4 };
#define TEMP_GENERATION UINT64_C(0x1122334455667788)

void sample_begin(void)
{
    CHECK(crypto_init() == 0 && db_init() == 0);
    clock_fake(INT64_C(1787000000000));
    snprintf(scratch, sizeof scratch, "/tmp/letterlock-upgrade-XXXXXX");
    CHECK(mkdtemp(scratch) && chdir(scratch) == 0 && mkdir("mailboxes", 0700) == 0 &&
          mkdir("mailboxes/01", 0700) == 0);
    CHECK((files.dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) >= 0);
}

void sample_end(void)
{
    char command[128];

    clock_real();
    close(files.dir);
    CHECK(chdir("/") == 0);
    snprintf(command, sizeof command, "rm -rf %s", scratch);
    CHECK(system(command) == 0);
}

/* ---- directory ---- */

static void directory_make(void)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(1) };
    struct db_options o = { .flags = DB_CREATE };
    struct account got;
    struct address addr;
    struct db *db = NULL;

    CHECK(db_open("directory.sqlite", sample_key, &o, &db) == 0 && accounts_migrate(db, NULL) == 0);
    CHECK(domain_add(db, STR("example.test"), clock_wall_ms()) == 0 &&
          domain_add(db, STR("empty.test"), clock_wall_ms()) == 0);
    CHECK(address_parse(&a, STR("Ann@example.test"), &addr) == 0 &&
          alias_add(db, &a, &addr, clock_wall_ms(), &got) == 0);
    CHECK(mailbox_bind(db, got.alias_id, str_of(id, sizeof id), STR("a state of sixteen bytes and more"),
                       STR("")) == 0 &&
          keystate_prepare(db, str_of(id, sizeof id), STR("another state of some length")) == 0);
    CHECK(address_parse(&a, STR("none@example.test"), &addr) == 0 &&
          alias_add(db, &a, &addr, clock_wall_ms(), &got) == 0);
    CHECK(db_close(&db) == 0);
}

static void directory_check(void)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(1) };
    CLEANUP(buf_release) struct buf why = { .max = KIB(1) };
    struct db_options o = { 0 };
    struct address addr;
    struct account got;
    uint64_t domains, aliases;
    struct db *db = NULL;
    int r;

    CHECK(db_open("directory.sqlite", sample_key, &o, &db) == 0);
    r = accounts_migrate(db, &why);
    if (why.n)
        print_error("%s\n", buf_z(&why));
    CHECK(r == 0);
    CHECK(why.n == 0 && db_verify(db, NULL) == 0);
    CHECK(accounts_count(db, &domains, &aliases) == 0 && domains == 2 && aliases == 2);
    CHECK(address_parse(&a, STR("ann@example.test"), &addr) == 0 && alias_get(db, &a, &addr, &got) == 0);
    CHECK(str_eq(got.address, STR("Ann@example.test")) && str_eq(got.mailbox_id, str_of(id, sizeof id)));
    CHECK(got.nstates == 2 && str_eq(got.states[0], STR("a state of sixteen bytes and more")) &&
          str_eq(got.states[1], STR("another state of some length")));
    CHECK(got.created_ms == clock_wall_ms());
    CHECK(db_close(&db) == 0);
}

/* ---- notes ---- */

static void notes_make(void)
{
    struct note one = { .generation = 0, .seq = 77 }, two = { .generation = 5, .seq = 3, .link = { 9 } };
    struct notes *n = NULL;

    CHECK(notes_open(&files, sample_key, &n) == 0);
    notes_put(n, id, &one);
    notes_put(n, id, &two);
    CHECK(notes_close(&n) == 0);
}

static void notes_check(void)
{
    struct notes *n = NULL;
    struct note got;

    CHECK(notes_open(&files, sample_key, &n) == 0);
    CHECK(notes_get(n, id, 0, &got) == 1 && got.seq == 77);
    CHECK(notes_get(n, id, 5, &got) == 1 && got.seq == 3 && got.link[0] == 9);
    CHECK(notes_close(&n) == 0);
}

/* ---- temporary mailboxes ---- */

#define TEMP_PATH "mailboxes/01/010203040000000000000000-tmp-1122334455667788.sqlite"

static void temporary_make(void)
{
    uint8_t pk[XWING_PUBLIC_BYTES];
    struct tempbox *t = NULL;

    CHECK(xwing_public(seed, pk) == 0);
    CHECK(tempbox_open_generation(&files, id, &temp_keys, TEMP_GENERATION, &t) == 0 && tempbox_begin(t) == 0);
    for (unsigned n = 1; n <= 2; n++) {
        CLEANUP(buf_release) struct buf bytes = { .max = MIB(1) };
        struct temp_record rec = { .operation = { (uint8_t)n },
                                   .has_delivery = n == 1,
                                   .delivery = { (uint8_t)n },
                                   .received_ms = clock_wall_ms() };
        struct bytes_mem m;

        letter_make(n, &bytes);
        CHECK(tempbox_add(t, pk, 3, &rec, bytes_mem_init(&m, buf_str(&bytes))) == 0);
    }
    CHECK(tempbox_commit(t) == 0 && tempbox_close(&t) == 0);
}

static void temp_record_check(struct tempbox *t, const struct temp_record *rec)
{
    CLEANUP(buf_release) struct buf want = { .max = MIB(1) }, got = { .max = MIB(1) };
    struct arrival arrival;
    struct spool *s = NULL;
    uint32_t generation = 0;

    letter_make((unsigned)rec->seq, &want);
    CHECK(tempbox_verify(t, rec->seq) == 0 && tempbox_key_generation(t, rec->seq, &generation) == 0 &&
          generation == 3);
    CHECK(rec->bytes == want.n && rec->received_ms == clock_wall_ms());
    CHECK(spool_new(files.dir, MIB(1), &s) == 0 && tempbox_unseal(t, rec, seed, &arrival, s) == 0);
    CHECK(buf_reserve(&got, want.n) && spool_read(s, 0, got.p, want.n) == 0);
    got.n = want.n;
    CHECK(str_eq(buf_str(&got), buf_str(&want)));
    spool_free(&s);
}

static void temporary_check(void)
{
    struct tempbox *t = NULL;
    struct temp_record rec;
    uint64_t n = 0;

    CHECK(tempbox_open_generation(&files, id, &temp_keys, TEMP_GENERATION, &t) == 0);
    CHECK(db_verify(tempbox_db(t), NULL) == 0 && tempbox_count(t, &n) == 0 && n == 2);
    for (uint64_t seq = 0; tempbox_next(t, seq, &rec) > 0; seq = rec.seq)
        temp_record_check(t, &rec);
    CHECK(tempbox_close(&t) == 0);
}

/* ---- */

const struct sample samples[] = {
    { "directory", &sql_directory, "directory.sqlite", directory_make, directory_check },
    { "mailbox", &sql_mailbox, LETTERS_PATH, letters_make, letters_check },
    { "notes", &sql_notes, "notes.sqlite", notes_make, notes_check },
    { "temporary", &sql_temporary, TEMP_PATH, temporary_make, temporary_check },
};
const size_t nsamples = ARRAY_LEN(samples);
