/* test/fuzz/fuzz_authres.c
 *
 * Laws of Authentication-Results: parse(print(x)) = x; a printed field is one field; a filtered message is the
 * same however it is cut, is its own filtered form, and has no field left that claims to be ours. */
#include "lib/mailauth/authres.h"
#include "test/fuzz/fuzz.h"

static bool same(struct str a, struct str b)
{
    return (a.p == NULL) == (b.p == NULL) && str_eq(a, b);
}

static void check_same(const struct authres *x, const struct authres *y)
{
    LAW(str_eq(x->id, y->id) && x->version == y->version && x->n == y->n);
    for (size_t i = 0; i < x->n; i++) {
        const struct authres_result *a = &x->results[i], *b = &y->results[i];

        LAW(str_eq(a->method, b->method) && str_eq(a->result, b->result) && same(a->reason, b->reason));
        LAW(same(a->comment, b->comment) && a->version == b->version && a->nprops == b->nprops);
        for (size_t k = 0; k < a->nprops; k++)
            LAW(str_eq(a->props[k].ptype, b->props[k].ptype) && str_eq(a->props[k].name, b->props[k].name) &&
                str_eq(a->props[k].value, b->props[k].value));
    }
}

static void check_parse(struct str in)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(4) };
    CLEANUP(buf_release) struct buf out = { .max = MIB(1) };
    static struct authres x, y;
    struct str line, rest;

    if (authres_parse(&a, in, &x) < 0)
        return;
    LAW(authres_print(&out, &x) == 0);
    LAW(authres_parse(&a, buf_str(&out), &y) == 0);
    check_same(&x, &y);
    for (rest = buf_str(&out); str_cut(rest, '\n', &line, &rest);)
        LAW(str_ends(line, STR("\r")) && rest.n && rest.p[0] == '\t');
    LAW(str_chr(line, '\r') < 0);
}

static void filter(struct str in, size_t slice, struct buf *out)
{
    struct authres_filter f;

    authres_filter_init(&f, STR("mx.test"));
    for (size_t i = 0; i < in.n; i += slice)
        LAW(authres_filter_feed(&f, str_slice(in, i, i + slice), out) == 0);
    LAW(authres_filter_end(&f, out) == 0);
    authres_filter_release(&f);
}

static void check_left(struct str message)
{
    struct mailauth_message m;

    mailauth_message_init(&m);
    mailauth_message_feed(&m, message);
    mailauth_message_end(&m);
    for (size_t i = 0; i < m.nfields && !m.error; i++) {
        CLEANUP(arena_release) struct arena a = { .max = MIB(1) };
        struct authres x;

        if (str_ieq_z(m.fields[i].name, "Authentication-Results") &&
            authres_parse(&a, m.fields[i].value, &x) == 0)
            LAW(!str_ieq_z(x.id, "mx.test"));
    }
    mailauth_message_release(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(buf_release)
    struct buf whole = { .max = MIB(8) }, cut = { .max = MIB(8) }, again = { .max = MIB(8) };
    struct str in = str_of(data, size);

    check_parse(in);
    filter(in, size + 1, &whole);
    filter(in, 1 + size % 13, &cut);
    LAW(str_eq(buf_str(&whole), buf_str(&cut)));
    filter(buf_str(&whole), size + 1, &again);
    LAW(str_eq(buf_str(&whole), buf_str(&again)));
    check_left(buf_str(&whole));
    return 0;
}
