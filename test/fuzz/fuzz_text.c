/* test/fuzz/fuzz_text.c
 *
 * Laws of the text extractor: how input is cut changes neither text nor tree; it never fails while its
 * sink does not. */
#include "lib/mime/text.h"
#include "test/fuzz/fuzz_mime.h"

static int collect(void *user, struct str text)
{
    return buf_puts(user, text);
}

static struct mime_part *run(struct str in, bool cut, struct arena *a, struct buf *out)
{
    struct mime_text t;
    struct mime_part *root = NULL;

    LAW(mime_text_init(&t, a, collect, out) == 0);
    for (size_t at = 0, n; at < in.n; at += n) {
        n = cut ? next_slice(in, at) : in.n;
        LAW(mime_text_feed(&t, str_slice(in, at, at + n)) == 0);
    }
    LAW(mime_text_finish(&t, &root) == 0);
    LAW(t.header_bytes <= out->n && t.bytes == out->n);
    mime_text_release(&t);
    return root;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(buf_release) struct buf one = { .max = MIB(64) }, two = { .max = MIB(64) };
    struct arena a = { .max = MIB(16) };
    struct str in = str_of(data, size);
    struct mime_part *p = run(in, false, &a, &one), *q = run(in, true, &a, &two);

    LAW(str_eq(buf_str(&one), buf_str(&two)));
    for (; p && q; p = mime_part_next(p), q = mime_part_next(q))
        LAW(p->body_start == q->body_start && p->body_end == q->body_end);
    LAW(!p && !q);
    arena_release(&a);
    return 0;
}
