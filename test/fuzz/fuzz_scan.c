/* test/fuzz/fuzz_scan.c
 *
 * Laws of the scanner: how input is cut changes nothing; ranges lie in their parents, in order, and in
 * the message; lines are the LFs of the body; the packed tree comes back the same. */
#include "test/fuzz/fuzz_mime.h"
#include "lib/mime/structure.h"

static void check_part(const struct mime_part *p, struct str in)
{
    uint64_t lines = 0, at = p->body_start;

    LAW(p->header_start <= p->body_start && p->body_start <= p->body_end && p->body_end <= in.n);
    for (uint64_t i = p->body_start; i < p->body_end; i++)
        lines += in.p[i] == '\n';
    LAW(lines == p->lines);
    LAW((p->kind == MIME_MESSAGE) <= (p->nchildren == 1));
    LAW(p->kind != MIME_LEAF || !p->first_child);
    for (const struct mime_part *c = p->first_child; c; c = c->next) {
        LAW(c->parent == p && c->depth == p->depth + 1 && c->header_start >= at);
        LAW(c->body_end <= p->body_end);
        at = c->body_end;
        check_part(c, in);
    }
}

static void tree_text(const struct mime_part *root, struct buf *out)
{
    LAW(mime_imap_body(root, true, true, out) == 0);
    LAW(mime_imap_envelope(root->envelope, true, out) == 0);
    for (const struct mime_part *p = root; p; p = mime_part_next(p))
        LAW(buf_printf(out, " %llu,%llu,%llu", (unsigned long long)p->header_start,
                       (unsigned long long)p->body_start, (unsigned long long)p->body_end) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = str_of(data, size);
    struct arena a = { .max = MIB(16) };
    CLEANUP(buf_release) struct buf one = { .max = MIB(16) }, two = { .max = MIB(16) };
    CLEANUP(buf_release) struct buf packed = { .max = MIB(2) };
    struct mime_part *whole = mime_scan_all(&a, in), *cut, *again = NULL;
    struct mime_scan s;
    int r;

    LAW(mime_scan_init(&s, &a, NULL) == 0);
    for (size_t at = 0, n; at < in.n; at += n) {
        n = next_slice(in, at);
        mime_scan_feed(&s, str_slice(in, at, at + n));
    }
    cut = mime_scan_finish(&s);
    mime_scan_release(&s);
    LAW(whole->header_start == 0 && whole->body_end == in.n);
    check_part(whole, in);
    tree_text(whole, &one);
    tree_text(cut, &two);
    LAW(str_eq(buf_str(&one), buf_str(&two)));
    r = mime_structure_pack(whole, &a, &packed);
    LAW(r == 0 || r == E_LIMIT);
    if (r == 0) {
        LAW(mime_structure_unpack(&a, buf_str(&packed), &again) == 0);
        buf_clear(&two);
        tree_text(again, &two);
        LAW(str_eq(buf_str(&one), buf_str(&two)));
    }
    (void)!mime_structure_unpack(&a, in, &again); /* anything at all: no crash */
    arena_release(&a);
    return 0;
}
