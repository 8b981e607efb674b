/* src/store/index_kill_test.c: a process that stores and indexes is killed after every one of its steps.
 * What was acknowledged is there, is found while it waits for the index, and is in the index afterwards,
 * once. */
#include "lib/base/test.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/db/db.h"
#include "src/store/index.h"
#include "src/store/search.h"
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define EMAILS 6u
#define STEPS  (2 * EMAILS + 3 * (EMAILS / 2) + 1) /* and one that nobody ends */

static const uint8_t key[DB_KEY_BYTES] = { 7 };
static const struct mailbox_options options = { .cache_kib = 256 };
static char folder[] = "/tmp/letterlock-index-XXXXXX";
static char path[64];

/* Shared with who is killed: it writes `acknowledged` when a commit has returned. */
static struct {
    unsigned acknowledged;
} * shared;

static void die_at(unsigned *step, unsigned last)
{
    if ((*step)++ == last)
        kill(getpid(), SIGKILL);
}

static void append(struct mailbox *box, unsigned n)
{
    Store__AppendResponse out = STORE__APPEND_RESPONSE__INIT;
    struct placement at = { .folder = STR("INBOX") };
    struct email_in e = { .structure = STR("s") };
    struct bytes_mem msg, mem;
    char text[64];

    snprintf(text, sizeof text, "subject: letter\nword%u and more\n", n);
    e.message = bytes_mem_init(&msg, STR("message"));
    e.text = bytes_mem_init(&mem, str_from(text));
    e.text_header_bytes = 16;
    CHECK(mailbox_append(box, &e, &at, &out) == 0);
}

/* Two are stored, one is indexed: so that something waits all the time. */
static void work_until(unsigned last)
{
    struct mailbox *box = NULL;
    unsigned step = 0;

    if (mailbox_open(path, key, &options, NULL, &box) < 0)
        _exit(1);
    for (unsigned n = 0; n < EMAILS; n++) {
        CHECK(mailbox_begin(box) == 0);
        append(box, n);
        die_at(&step, last);
        CHECK(mailbox_commit(box) == 0);
        shared->acknowledged = n + 1;
        die_at(&step, last);
        if (n % 2 == 0)
            continue;
        CHECK(mailbox_begin(box) == 0);
        CHECK(mailbox_index_step(box, 0) == 1); /* one email: the budget is over at once */
        die_at(&step, last);
        CHECK(mailbox_index_step(box, n % 4 == 1 ? 0 : 1000) > 0);
        die_at(&step, last);
        CHECK(mailbox_commit(box) == 0);
        die_at(&step, last);
    }
    _exit(0);
}

static uint64_t found(struct mailbox *box, const char *needle, uint64_t *decided_out)
{
    struct arena a = { .max = MIB(1) };
    Store__SearchRequest q = STORE__SEARCH_REQUEST__INIT;
    Store__SearchResponse out = STORE__SEARCH_RESPONSE__INIT;
    Store__SearchKey k = STORE__SEARCH_KEY__INIT;
    struct search *s = NULL;
    uint64_t n = 0;
    int64_t id = 0;
    int r;

    CHECK(db_get_i64(mailbox_db(box), "SELECT id FROM folder WHERE name = 'INBOX'", &id) == 0);
    q.folder_id = (uint64_t)id;
    q.key = &k;
    k.type = STORE__SEARCH_KEY__TYPE__TEXT;
    k.text = str_pb(str_from(needle));
    CHECK(search_new(&q, &s) == 0);
    while ((r = search_step(s, box, INT32_MAX)) > 0)
        ;
    CHECK(r == 0 && search_answer(s, box, &a, &out) == 0);
    *decided_out = search_decided(s);
    for (size_t i = 0; i + 1 < out.n_uid_ranges; i += 2)
        n += out.uid_ranges[i + 1] - out.uid_ranges[i] + 1;
    search_free(&s);
    arena_release(&a);
    return n;
}

static void check_after(unsigned acknowledged)
{
    struct mailbox *box = NULL;
    uint64_t waiting = 0, decided = 0;
    int64_t emails = 0, rows = 0;
    char word[16];

    CHECK(mailbox_open(path, key, &options, NULL, &box) == 0);
    CHECK(db_get_i64(mailbox_db(box), "SELECT count(*) FROM email", &emails) == 0);
    CHECK(emails == acknowledged || emails == acknowledged + 1);
    CHECK(mailbox_index_waiting(box, &waiting) == 0);
    if (emails)
        CHECK(found(box, "let", &decided) == (uint64_t)emails && decided == waiting);
    CHECK(mailbox_begin(box) == 0 && mailbox_index_step(box, 10000) == (int)waiting &&
          mailbox_commit(box) == 0);
    CHECK(mailbox_index_waiting(box, &waiting) == 0 && waiting == 0);
    CHECK(
        db_get_i64(mailbox_db(box),
                   "SELECT count(*) FROM (SELECT rowid FROM search_index WHERE search_index MATCH '\"let\"')",
                   &rows) == 0);
    CHECK(rows == emails);
    if (emails)
        CHECK(found(box, "let", &decided) == (uint64_t)emails && decided == 0);
    for (unsigned i = 0; i < emails; i++) {
        snprintf(word, sizeof word, "word%u", i);
        CHECK(found(box, word, &decided) == 1);
    }
    CHECK(mailbox_close(&box) == 0);
}

static int entry_remove(const char *name, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(name);
}

static void test_kill(void **state)
{
    unsigned killed = 0;

    (void)state;
    CHECK(mkdtemp(folder));
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED);
    for (unsigned last = 0; last < STEPS; last++) {
        struct mailbox_options create = { .flags = MAILBOX_CREATE, .cache_kib = 256 };
        struct mailbox_meta meta = { .generation = 1 };
        struct mailbox *box = NULL;
        int status = 0;
        pid_t pid;

        snprintf(path, sizeof path, "%s/%u", folder, last);
        CHECK(mailbox_open(path, key, &create, &meta, &box) == 0 && mailbox_close(&box) == 0);
        shared->acknowledged = 0;
        if ((pid = fork()) == 0)
            work_until(last);
        CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
        killed += WIFSIGNALED(status);
        CHECK(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 0);
        check_after(shared->acknowledged);
    }
    CHECK(killed == STEPS - 1);
    runs_tell("killed at a step", "store and index", killed, "");
    munmap(shared, sizeof *shared);
    nftw(folder, entry_remove, 8, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_kill) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
