/* test/fuzz/fuzz_imap_fetch.c
 *
 * Law of FETCH items: the names of the response, sent again as items, mean the same items (partials
 * aside, whose length a response does not repeat). The same cursor reads STORE's arguments here. */
#include "lib/imap/fetch_items.h"
#include "lib/imap/store_args.h"
#include "test/fuzz/fuzz.h"

static void write_names(const struct fetch_items *f, struct buf *b)
{
    struct resp w = { .out = b };

    resp_z(&w, "(");
    for (size_t i = 0; i < f->n; i++) {
        struct fetch_item item = f->v[i];

        item.has_partial = false;
        resp_z(&w, i ? " " : "");
        fetch_item_name(&w, &item);
    }
    resp_z(&w, ")");
    LAW(w.r == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_release) struct arena arena = { .max = MIB(8) };
    CLEANUP(buf_release) struct buf one = { .max = MIB(4) }, two = { .max = MIB(4) };
    struct args a = args_of(&arena, str_of(data, size), false);
    struct fetch_items f, g;
    struct store_args s;

    if (size > KIB(64))
        return 0;
    if (store_args_parse(&a, &s) == 0)
        LAW(s.flags.nkeywords <= IMAP_KEYWORDS_MAX && !(s.flags.system & ~IMAP_FLAGS_SETTABLE));
    a = args_of(&arena, str_of(data, size), false);
    if (fetch_items_parse(&a, &f) < 0 || f.n == 0)
        return 0;
    write_names(&f, &one);
    a = args_of(&arena, buf_str(&one), false);
    LAW(fetch_items_parse(&a, &g) == 0 && g.n <= f.n);
    write_names(&g, &two);
    for (size_t i = 0; i < f.n; i++)
        if (f.v[i].has_partial)
            return 0; /* two partials of one section become one item */
    LAW(str_eq(buf_str(&one), buf_str(&two)));
    return 0;
}
