/* test/fuzz/fuzz_conf.c: what was accepted, printed and read again is accepted and prints the same; every
 * refusal says why; values keep their ranges. */
#include "lib/base/errors.h"
#include "lib/conf/conf.h"
#include "test/fuzz/fuzz.h"

struct values {
    uint64_t bytes, ms, n;
    bool yes;
    const char *text, *path;
    uint32_t mode;
    struct conf_addrs listen;
};
#define AT(f) offsetof(struct values, f)
static const struct conf_item items[] = {
    { "a.bytes", CONF_U64, AT(bytes), 0, UINT64_MAX, 1, .unit = "bytes" },
    { "a.ms", CONF_U64, AT(ms), 0, UINT64_MAX, 1, .unit = "ms" },
    { "a.n", CONF_U64, AT(n), 5, 500, 5 },
    { "a.yes", CONF_BOOL, AT(yes) },
    { "b.text", CONF_STR, AT(text) },
    { "b.path", CONF_PATH, AT(path) },
    { "b.mode", CONF_ENUM, AT(mode), .sdef = "auto", .choices = "auto|require|off" },
    { "b.listen", CONF_ADDRS, AT(listen) },
};
static const struct conf_table table = { items, ARRAY_LEN(items) };

/* Reads `text`; 0 with its print, or the error. */
static int round_trip(struct str text, struct buf *out)
{
    CLEANUP(buf_release) struct buf err = { .max = KIB(8) };
    struct arena a = { .max = MIB(1) };
    struct conf *c = conf_new(&table, 1);
    struct values v;
    int r = conf_set_base(c, "/base");

    if (r == 0)
        r = conf_read_text(c, text, "fuzz", &err);
    LAW(r == 0 || err.n > 0 || r == E_NOMEM);
    if (r == 0) {
        LAW(conf_values(c, items, ARRAY_LEN(items), &a, &v) == 0);
        LAW(v.n >= 5 && v.n <= 500 && v.mode <= 2);
    }
    if (r == 0)
        r = conf_print(c, items, ARRAY_LEN(items), out);
    arena_release(&a);
    conf_free(&c);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(buf_release) struct buf one = { .max = MIB(1) }, two = { .max = MIB(1) };

    if (round_trip(str_of(data, size), &one) < 0)
        return 0;
    LAW(round_trip(buf_str(&one), &two) == 0);
    LAW(str_eq(buf_str(&one), buf_str(&two)));
    return 0;
}
