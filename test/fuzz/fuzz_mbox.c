/* test/fuzz/fuzz_mbox.c
 *
 * Law of mbox files: whatever file is read as one, its messages written anew are read again as the same messages, with the
 * same flags and keywords; and once more as the same file. */
#include "lib/base/file.h"
#include "lib/port/mbox.h"
#include "test/fuzz/fuzz.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

/* Its messages, one behind the other, as an mbox of ours; how many. */
static size_t again(struct str in, struct buf *out)
{
    CLEANUP(port_reader_free) struct port_reader *r = NULL;
    CLEANUP(buf_release) struct buf body = { .max = MIB(8) };
    struct mbox_encoder e = { .line = { .max = KIB(64) } };
    int fd = memfd_create("mbox", MFD_CLOEXEC), got;
    struct port_message m;
    char path[40];
    size_t n = 0;
    int64_t some;

    LAW(fd >= 0 && file_write(fd, in) == 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    LAW(port_mbox_reader(path, STR("INBOX"), &r) == 0);
    while ((got = r->ops->next(r, &m)) == 1) {
        LAW(str_eq(m.folder, STR("INBOX")) && m.number == ++n && m.nkeywords <= PORT_KEYWORDS_MAX);
        m.has_date = true;
        LAW(mbox_encode_begin(&e, &m, out) == 0);
        while ((some = r->ops->read(r, KIB(1), &body)) > 0)
            ;
        LAW(some == 0 && mbox_encode(&e, buf_str(&body), out) == 0 && mbox_encode_end(&e, out) == 0);
        buf_clear(&body);
    }
    LAW(got == 0);
    mbox_encoder_release(&e);
    close(fd);
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(buf_release) struct buf one = { .max = MIB(8) }, two = { .max = MIB(8) };
    size_t n = again(str_of(data, size), &one);

    LAW(again(buf_str(&one), &two) == n && str_eq(buf_str(&one), buf_str(&two)));
    return 0;
}
