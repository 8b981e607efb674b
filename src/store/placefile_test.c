#include "lib/base/test.h"
#include "lib/base/buf.h"
#include "lib/base/errors.h"
#include "src/store/placefile.h"
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static char dir[64];
static struct files files = { .dir = -1 };
static const uint8_t ann[MAILBOX_ID_LEN] = { 1, 2, 3 }, bob[MAILBOX_ID_LEN] = { 1, 2, 3, 0, 0, 0, 0, 0, 9 };

static int setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/letterlock-test-XXXXXX");
    return mkdtemp(dir) && (files.dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) >= 0 ? 0 : -1;
}

static int teardown(void **state)
{
    char command[128];

    (void)state;
    close(files.dir);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

static void is(struct placefile *p, const uint8_t *id, const char *want)
{
    CLEANUP(buf_release) struct buf text = { .max = KIB(2) };
    char now[PLACE_NAME_MAX + 1];
    struct place_names n;

    placefile_get(p, id, &n);
    for (size_t i = 0; i < n.n; i++)
        CHECK(buf_printf(&text, i ? " %s" : "%s", n.name[i]) == 0);
    check_case = want;
    CHECK(str_eq_z(buf_str(&text), want));
    placefile_now(p, id, now);
    CHECK(strcmp(now, n.name[0]) == 0);
}

static struct placefile *again(struct placefile *p)
{
    placefile_free(&p);
    CHECK(placefile_open(&files, &p) == 0);
    return p;
}

static void places(void **state)
{
    struct placefile *p = NULL;

    (void)state;
    p = again(p);
    is(p, ann, "default");
    /* A new mailbox is there at once; one that has files from the next start on, and then its former place is known. */
    CHECK(placefile_set(p, ann, "one", false) == 1 && placefile_set(p, ann, "one", true) == 0);
    is(p, ann, "one");
    CHECK(placefile_set(p, bob, "two", true) == 1);
    is(p, bob, "default two");
    CHECK(placefile_set(p, bob, "three", true) == 1);
    is(p, bob, "default three two");
    p = again(p);
    is(p, bob, "three two default");
    is(p, ann, "one");
    CHECK(placefile_set(p, bob, "default", true) == 1 && placefile_set(p, bob, "three", true) == 1);
    is(p, bob, "three default two");
    CHECK(placefile_forget(p, bob) == 0 && placefile_set(p, ann, PLACE_DEFAULT, true) == 1);
    is(p, bob, "default");
    p = again(p);
    is(p, bob, "default");
    is(p, ann, "default one");
    /* So many that one would be forgotten: not. */
    for (int i = 0; i < (int)PLACES_EACH_MAX - 2; i++) {
        char name[8];

        snprintf(name, sizeof name, "n%d", i);
        CHECK(placefile_set(p, ann, name, true) == 1);
    }
    CHECK(placefile_set(p, ann, "ninth", true) == E_LIMIT);
    p = again(p);
    placefile_free(&p);
}

static void damaged(void **state)
{
    struct placefile *p = NULL;
    int fd = openat(files.dir, "places", O_WRONLY | O_TRUNC | O_CLOEXEC);

    (void)state;
    CHECK(fd >= 0 && write(fd, "010203000000000000000000\n", 25) == 25);
    close(fd);
    CHECK(placefile_open(&files, &p) == E_CORRUPT && !p);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(places), cmocka_unit_test(damaged) };

    return cmocka_run_group_tests(tests, setup, teardown);
}
