/* test/fuzz/fuzz_imap_fetch.c
 *
 * Law of FETCH items: the names of the response, sent again as items, mean the same items (partials
 * aside, whose length a response does not repeat). The same cursor reads STORE's, APPEND's and NOTIFY's arguments here,
 * and URLs: what NOTIFY keeps of FETCH items can be read again, and events stand together as they must; what a URL names is named again by the URL that is made of it. */
#include "lib/imap/append_args.h"
#include "lib/imap/fetch_items.h"
#include "lib/imap/imap_url.h"
#include "lib/imap/notify_args.h"
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

/* Each literal's bytes are taken from what follows its head, so that the whole is read. */
static void read_append(struct arena *arena, struct str in)
{
    struct append_reader p = { .single = false };
    struct append_event e = { .kind = APPEND_EV_MESSAGE };
    size_t begun = 0, ended = 0;

    while (e.kind != APPEND_EV_END) {
        ptrdiff_t end = str_find(in, STR("\r\n"));
        struct args a = args_of(arena, str_slice(in, 0, end < 0 ? in.n : (size_t)end + 2), false);
        size_t was;

        do {
            was = a.at;
            if (append_next(&p, &a, &e) < 0)
                return;
            LAW(a.at >= was && a.at <= a.text.n);
            begun += e.kind == APPEND_EV_MESSAGE;
            ended += e.kind == APPEND_EV_MESSAGE_END;
            LAW(begun >= ended && begun - ended <= 1 && begun <= APPEND_MESSAGES_MAX);
        } while (e.kind != APPEND_EV_LITERAL && e.kind != APPEND_EV_END);
        LAW(e.kind == APPEND_EV_END ? begun == ended && begun > 0 : a.at == a.text.n);
        in = str_skip(in, a.text.n);
        in = str_skip(in, e.literal.n < in.n ? (size_t)e.literal.n : in.n);
    }
}

static void read_url(struct arena *arena, struct str in)
{
    CLEANUP(buf_release) struct buf again = { .max = KIB(64) };
    struct imap_url u, v;

    if (imap_url_parse(arena, in, &u) < 0)
        return;
    LAW(u.uid > 0 && u.mailbox.n <= IMAP_URL_MAX);
    LAW(imap_url_write(in, &again) == 0 && str_chr(buf_str(&again), ']') < 0);
    LAW(imap_url_parse(arena, buf_str(&again), &v) == 0 && str_eq(u.mailbox, v.mailbox));
    LAW(u.uid == v.uid && u.uidvalidity == v.uidvalidity && u.section.npath == v.section.npath);
    LAW(u.section.text == v.section.text && u.section.nfields == v.section.nfields);
}

static void check_notify(struct arena *arena, struct str s)
{
    struct args a = args_of(arena, s, false), again;
    struct fetch_items f;
    struct notify_args n;
    int r = notify_args_parse(&a, &n);

    LAW(a.at <= s.n && (r != E_SYNTAX || a.expected));
    if (r < 0)
        return;
    LAW(n.n <= NOTIFY_GROUPS_MAX && !(n.selected & ~(uint32_t)NOTIFY_MESSAGES));
    LAW(!(n.selected & NOTIFY_FLAGS) || (n.selected & NOTIFY_NEW));
    again = args_of(arena, n.fetch, false);
    LAW(!n.fetch.n || (fetch_atts_parse(&again, &f) == 0 && again.at == n.fetch.n && f.n));
    for (size_t i = 0; i < n.n; i++) {
        uint32_t both = n.groups[i].events & (NOTIFY_NEW | NOTIFY_EXPUNGE);

        LAW(n.groups[i].events && (!both || both == (NOTIFY_NEW | NOTIFY_EXPUNGE)));
        LAW(n.groups[i].where.kind != MBOX_SELECTED && n.groups[i].where.n <= MBOX_FILTER_NAMES_MAX);
    }
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
    read_append(&arena, str_of(data, size));
    read_url(&arena, str_of(data, size));
    check_notify(&arena, str_of(data, size));
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
