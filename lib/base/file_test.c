/* lib/base/file.c: bytes of files arrive whole, however the kernel cuts them. */
#include "lib/base/test.h"
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* What the calls do: at most `bite` bytes each, every third is interrupted, `fails` is the errno once `room` is used up. */
static struct kernel {
    size_t bite, room;
    int fails;
    unsigned calls;
} kernel;

static ssize_t served(size_t *n)
{
    if (++kernel.calls % 3 == 0) {
        errno = EINTR;
        return -1;
    }
    *n = size_min(*n, kernel.bite);
    if (kernel.fails && *n > kernel.room) {
        *n = kernel.room;
        if (*n == 0) {
            errno = kernel.fails;
            return -1;
        }
    }
    kernel.room -= kernel.fails ? *n : 0;
    return 0;
}

static ssize_t some_write(int fd, const void *p, size_t n)
{
    return served(&n) < 0 ? -1 : write(fd, p, n);
}

static ssize_t some_pwrite(int fd, const void *p, size_t n, off_t at)
{
    return served(&n) < 0 ? -1 : pwrite(fd, p, n, at);
}

static ssize_t some_read(int fd, void *p, size_t n)
{
    return served(&n) < 0 ? -1 : read(fd, p, n);
}

static ssize_t some_pread(int fd, void *p, size_t n, off_t at)
{
    return served(&n) < 0 ? -1 : pread(fd, p, n, at);
}

static int file_begin(struct kernel k)
{
    static struct file_ops ops;
    char path[] = "/tmp/file_test.XXXXXX";
    int fd = mkstemp(path);

    CHECK(fd >= 0 && unlink(path) == 0);
    ops = *file_ops();
    ops.write = some_write;
    ops.pwrite = some_pwrite;
    ops.read = some_read;
    ops.pread = some_pread;
    file_ops_set(&ops);
    kernel = k;
    return fd;
}

static void file_over(int fd)
{
    file_ops_set(NULL);
    CHECK(close(fd) == 0);
}

static const char TEXT[] = "all of it, whatever it is cut into";
#define TEXT_N (sizeof TEXT - 1)
#define ALL    str_of(TEXT, TEXT_N)

static void test_pieces(void **state UNUSED)
{
    for (size_t bite = 1; bite <= TEXT_N + 1; bite++) {
        int fd = file_begin((struct kernel){ .bite = bite });
        char back[TEXT_N + 8];

        CHECK(file_write(fd, ALL) == 0);
        CHECK(file_read_at(fd, back, TEXT_N, 0) == (int64_t)TEXT_N && memcmp(back, TEXT, TEXT_N) == 0);
        CHECK(file_write_at(fd, STR("IT"), 7) == 0 && lseek(fd, 0, SEEK_CUR) == (off_t)TEXT_N);
        CHECK(file_read_exact(fd, back, 6, 4) == 0 && memcmp(back, "of IT,", 6) == 0);
        CHECK(lseek(fd, 10, SEEK_SET) == 10);
        CHECK(file_read_next(fd, back, 9) == 9 && memcmp(back, " whatever", 9) == 0);
        file_over(fd);
    }
}

static void test_end_of_file(void **state UNUSED)
{
    int fd = file_begin((struct kernel){ .bite = 5 });
    char back[TEXT_N + 8];

    CHECK(file_write(fd, ALL) == 0 && file_write(fd, STR("")) == 0);
    CHECK(file_read_at(fd, back, sizeof back, 4) == (int64_t)TEXT_N - 4);
    CHECK(file_read_at(fd, back, 1, TEXT_N) == 0 && file_read_next(fd, back, 1) == 0);
    CHECK(file_read_exact(fd, back, 2, TEXT_N - 2) == 0 &&
          file_read_exact(fd, back, 2, TEXT_N - 1) == E_CORRUPT);
    CHECK(file_read_at(fd, back, 1, UINT64_MAX) == E_RANGE &&
          file_write_at(fd, STR("x"), UINT64_MAX) == E_RANGE);
    file_over(fd);
}

static void test_full(void **state UNUSED)
{
    struct str rest = ALL;
    int fd = file_begin((struct kernel){ .bite = 4, .room = 10, .fails = ENOSPC });

    CHECK(file_write_rest(fd, &rest) == E_FULL && errno == ENOSPC && rest.p == TEXT + 10 &&
          rest.n == TEXT_N - 10);
    CHECK(file_write(fd, rest) == E_FULL && file_write_at(fd, rest, 3) == E_FULL);
    kernel.fails = 0;
    CHECK(file_write_rest(fd, &rest) == 0 && rest.n == 0 && lseek(fd, 0, SEEK_CUR) == (off_t)TEXT_N);
    file_over(fd);
}

static void test_failures(void **state UNUSED)
{
    int fd = file_begin((struct kernel){ .bite = 0 });
    char c;

    CHECK(file_write(fd, STR("x")) ==
          E_IO); /* a file that takes nothing and says nothing is no end without end */
    kernel = (struct kernel){ .bite = 1, .fails = EIO };
    CHECK(file_write(fd, STR("x")) == E_IO && file_read_at(fd, &c, 1, 0) == E_IO &&
          file_read_next(fd, &c, 1) == E_IO);
    CHECK(file_read_exact(fd, &c, 1, 0) == E_IO);
    file_over(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_end_of_file),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_failures),
    };

    return cmocka_run_group_tests_name("file", tests, NULL, NULL);
}
