/* lib/crypto/spool: every slice comes back, from memory and from the file; full disks and limits. */
#include "lib/base/test.h"
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "lib/base/str.h"
#include "lib/crypto/spool.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <unistd.h>

#define TEXT_BYTES 1000003u
static char text[TEXT_BYTES];
static int dir = -1;

static void check_all(struct spool *s, size_t n)
{
    static char back[TEXT_BYTES];
    uint8_t hash[HASH_BYTES], want[HASH_BYTES];
    struct str piece;

    CHECK(spool_size(s) == n && spool_read(s, 0, back, n) == 0 && memcmp(back, text, n) == 0);
    for (size_t at = 0, i = 0; i < 60; i++, at = (at * 7 + 12345) % (n + 1)) {
        size_t len = size_min(i * 3000, n - at);

        CHECK(spool_read(s, at, back, len) == 0 && memcmp(back, text + at, len) == 0);
        CHECK(spool_at(s, at, &piece) == 0 && (at == n ? piece.n == 0 : piece.n > 0));
        CHECK(memcmp(piece.p ? piece.p : "", text + at, piece.n) == 0);
    }
    CHECK(spool_read(s, 1, back, n) == E_RANGE && spool_at(s, n + 1, &piece) == E_RANGE);
    crypto_generichash(want, sizeof want, (const uint8_t *)text, n, NULL, 0);
    spool_hash(s, hash);
    CHECK(memcmp(hash, want, sizeof want) == 0);
}

static void test_sizes_and_slices(void **state UNUSED)
{
    static const size_t sizes[] = { 0, 1, 65535, 65536, 262144, 262145, 327680, 500000, TEXT_BYTES };
    static const size_t slices[] = { 1, 13, 4096, 65536, TEXT_BYTES };

    for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
        for (size_t j = sizes[i] > 300000 ? 1 : 0; j < ARRAY_LEN(slices); j++) {
            CLEANUP(spool_free) struct spool *s = NULL;

            CHECK(spool_new(dir, sizes[i], &s) == 0);
            for (size_t at = 0; at < sizes[i]; at += slices[j])
                CHECK(spool_append(s, str_slice(str_of(text, sizes[i]), at, at + slices[j])) == 0);
            CHECK(spool_on_disk(s) == (sizes[i] > SPOOL_MEMORY_MAX));
            CHECK(spool_append(s, STR("x")) == E_TOO_BIG);
            check_all(s, sizes[i]);
        }
}

static void test_append_after_read(void **state UNUSED)
{
    CLEANUP(spool_free) struct spool *s = NULL;
    size_t at = 0;

    CHECK(spool_new(dir, TEXT_BYTES, &s) == 0);
    for (size_t n = 1; at < TEXT_BYTES; at += n, n = size_min(n * 3, TEXT_BYTES - at)) {
        CHECK(spool_append(s, str_of(text + at, n)) == 0);
        check_all(s, at + n);
    }
}

/* Nothing of the text on the disk, and no name in the folder. */
static void test_hidden(void **state UNUSED)
{
    CLEANUP(spool_free) struct spool *s = NULL;
    char path[64];
    int found = 0;
    DIR *d;

    CHECK(spool_new(dir, TEXT_BYTES, &s) == 0 && spool_append(s, str_of(text, TEXT_BYTES)) == 0);
    d = fdopendir(openat(dir, ".", O_RDONLY | O_DIRECTORY));
    for (struct dirent *e; (e = readdir(d));)
        found += e->d_name[0] != '.';
    closedir(d);
    CHECK(found == 0);
    for (int fd = 3; fd < 64; fd++) {
        static char bytes[TEXT_BYTES];
        ssize_t n;

        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        n = pread(fd, bytes, sizeof bytes, 0);
        for (size_t at = 0; n > 16 && at + 16 < TEXT_BYTES; at += 70001)
            CHECK(memmem(bytes, (size_t)n, text + at, 16) == NULL);
        found += n > 16;
    }
    CHECK(found >= 1);
}

static long writes_left;

static ssize_t failing_write(int fd, const void *p, size_t n)
{
    if (writes_left-- <= 0) {
        errno = ENOSPC;
        return -1;
    }
    return write(fd, p, size_min(n, 40000)); /* short writes too */
}

static int open_no_tmpfile(int at, const char *path, int flags, mode_t mode)
{
    if ((flags & O_TMPFILE) == O_TMPFILE) {
        errno = EOPNOTSUPP;
        return -1;
    }
    return openat(at, path, flags, mode);
}

static void test_full_disk(void **state UNUSED)
{
    struct file_ops ops = *file_ops();
    int r = 0;

    ops.write = failing_write;
    ops.openat = open_no_tmpfile;
    file_ops_set(&ops);
    for (long w = 0; w < 40 && (w == 0 || r < 0); w++) {
        CLEANUP(spool_free) struct spool *s = NULL;

        writes_left = w;
        CHECK(spool_new(dir, TEXT_BYTES, &s) == 0);
        r = spool_append(s, str_of(text, TEXT_BYTES));
        CHECK(r == (w < 30 ? E_FULL : 0));
        CHECK(spool_append(s, STR_NONE) == r);
        if (r == 0)
            check_all(s, TEXT_BYTES);
    }
    file_ops_set(NULL);
    CHECK(r == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes_and_slices),
        cmocka_unit_test(test_append_after_read),
        cmocka_unit_test(test_hidden),
        cmocka_unit_test(test_full_disk),
    };
    char path[] = "/tmp/letterlock-spool-XXXXXX";
    int r;

    randombytes_buf_deterministic(text, sizeof text, (const uint8_t[32]){ 1 });
    if (!mkdtemp(path) || (dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        return 1;
    r = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(path);
    return r;
}
