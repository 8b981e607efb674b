/* test/fuzz/fuzz_parts.c
 *
 * A message of any bytes, with a structure of any ranges: what is stored is read back byte for byte, whole
 * and in every slice; a check finds it sound; and when it goes, nothing of it stays. The input begins with
 * a count and as many leaves (start, length, kind), which is how a hostile parser would claim them; or,
 * with a count of 255, what the real scanner says. */
#include "lib/mime/structure.h"
#include "src/store/drop.h"
#include "src/store/mailbox_private.h"
#include "src/store/part.h"
#include "test/fuzz/fuzz.h"

#define LEAVES_MAX 8u
#define SCANNED    255u

static struct mailbox *box;

static void field(struct buf *b, uint8_t tag, uint64_t v)
{
    LAW(buf_putc(b, (char)tag) == 0);
    for (; v >= 128; v >>= 7)
        LAW(buf_putc(b, (char)(v | 128)) == 0);
    LAW(buf_putc(b, (char)v) == 0);
}

/* Takes the claims off the input. */
static void claims(struct str *in, struct buf *out)
{
    size_t n = size_min((uint8_t)in->p[0] % LEAVES_MAX, (in->n - 1) / 5);

    for (size_t i = 0; i < n; i++) {
        const uint8_t *p = (const uint8_t *)in->p + 1 + 5 * i;
        CLEANUP(buf_release) struct buf part = { .max = 64 };
        uint64_t start = p[0] | (uint64_t)p[1] << 8, bytes = p[2] | (uint64_t)p[3] << 8;

        field(&part, 0x10, p[4] & 1 ? 0 : p[4] >> 6);
        field(&part, 0x20, p[4] & 32 ? UINT64_MAX - start : start);
        field(&part, 0x28, p[4] & 16 ? UINT64_MAX - bytes : start + bytes);
        if (p[4] & 2)
            LAW(buf_append(&part,
                           "\x5a\x06"
                           "base64",
                           8) == 0);
        field(out, 0x0a, part.n);
        LAW(buf_puts(out, buf_str(&part)) == 0);
    }
    *in = str_skip(*in, 1 + 5 * n);
}

static uint64_t scanned(struct str *in, struct buf *out)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(4) };
    struct mime_part *root;

    *in = str_skip(*in, 1);
    root = mime_scan_all(&a, *in);
    if (!root || mime_structure_pack(root, &a, out) < 0)
        return 0;
    return root->body_start;
}

static void read_back(int64_t id, struct str message, size_t step)
{
    for (size_t at = 0; at < message.n; at += step) {
        CLEANUP(buf_release) struct buf got = { .max = CHUNK_BYTES_MAX };
        size_t n = size_min(step, message.n - at);

        LAW(email_read(box, id, at, n, &got) == 0);
        LAW(str_eq(buf_str(&got), str_slice(message, at, at + n)));
    }
}

static void check(void)
{
    struct parts_check c = { 0 };

    LAW(mailbox_parts_check(box, UINT64_MAX, &c) == 0);
    LAW(c.wrong_bytes + c.wrong_counts + c.wrong_maps + c.missing == 0);
}

static int64_t rows(void)
{
    int64_t n = -1;

    LAW(db_get_i64(mailbox_db(box),
                   "SELECT (SELECT count(*) FROM part) + (SELECT count(*) FROM part_row) + (SELECT count(*) "
                   "FROM email_raw) + (SELECT count(*) FROM email_top) + (SELECT count(*) FROM email) + "
                   "(SELECT count(*) FROM email_words)",
                   &n) == 0);
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(buf_release) struct buf structure = { .max = MIME_STRUCTURE_MAX };
    struct str message = str_of(data, size);
    struct email_in e = { 0 };
    struct bytes_mem m;
    int64_t id = 0, twice = 0;
    int r;

    if (size == 0 || size > KIB(512))
        return 0;
    LAW(box || mailbox_open_memory(&box) == 0);
    if (data[0] == SCANNED)
        e.header_bytes = scanned(&message, &structure);
    else
        claims(&message, &structure);
    e.message = bytes_mem_init(&m, message);
    e.structure = buf_str(&structure);
    if (data[0] != SCANNED)
        e.header_bytes = message.n ? data[0] % (message.n + 1) : 0;
    LAW(mailbox_begin(box) == 0 && email_insert(box, &e, &id) == 0 && email_insert(box, &e, &twice) == 0);
    read_back(id, message, CHUNK_BYTES_MAX);
    read_back(twice, message, 1 + message.n / 17);
    read_back(id, message, 1 + message.n / 101);
    check();
    LAW(email_drop_unused(box, id) >= 0);
    read_back(twice, message, CHUNK_BYTES_MAX);
    check();
    LAW(email_drop_unused(box, twice) >= 0);
    while ((r = mailbox_drop_some(box)) > 0)
        ;
    LAW(r == 0 && rows() == 0);
    mailbox_rollback(box);
    return 0;
}
