#include "lib/base/test.h"
#include "lib/base/errors.h"
#include "lib/conf/conf.h"
#include <arpa/inet.h>
#include <netinet/in.h>

struct values {
    uint64_t max_message, timeout, workers;
    bool strict;
    const char *name, *folder;
    uint32_t mode;
    struct conf_addrs listen;
    struct netset from;
};
#define AT(f) offsetof(struct values, f)
static const struct conf_item items[] = {
    { "mx.max_message", CONF_U64, AT(max_message), KIB(64), MIB(1024), MIB(50), .unit = "bytes",
      .help = "Largest." },
    { "mx.idle_timeout", CONF_U64, AT(timeout), 1000, 3600000, 300000, .unit = "ms", .help = "Silence." },
    { "mx.workers", CONF_U64, AT(workers), 1, 16, 2, .help = "Processes." },
    { "mx.strict", CONF_BOOL, AT(strict), .def = 1 },
    { "server.name", CONF_STR, AT(name), .sdef = "host", .min = 1, .max = 20 },
    { "server.folder", CONF_PATH, AT(folder), .sdef = "data" },
    { "server.mode", CONF_ENUM, AT(mode), .sdef = "auto", .choices = "auto|require|off" },
    { "mx.from", CONF_NETS, AT(from), .sdef = "10.0.0.0/8" },
    { "mx.listen", CONF_ADDRS, AT(listen), .sdef = "127.0.0.1:25" },
};
static const struct conf_table tables[] = { { items, 4 }, { items + 4, ARRAY_LEN(items) - 4 } };

static int load(const char *text, char *const *env, struct values *v, struct arena *a, struct buf *err)
{
    static const char *const others[] = { "LETTERLOCK_CONFIG", NULL };
    struct conf *c = conf_new(tables, 2);
    int r = conf_set_base(c, "/base");

    if (r == 0)
        r = conf_read_text(c, str_from(text), "t.conf", err);
    if (r == 0 && env)
        r = conf_read_env(c, env, others, err);
    if (r == 0)
        r = conf_values(c, items, ARRAY_LEN(items), a, v);
    conf_free(&c);
    return r;
}

static void test_defaults(void **st)
{
    struct arena a = { .max = KIB(64) };
    struct buf err = { .max = KIB(4) };
    struct values v = { 0 };

    (void)st;
    CHECK(load("", NULL, &v, &a, &err) == 0);
    CHECK(v.max_message == MIB(50) && v.timeout == 300000 && v.strict && v.mode == 0);
    CHECK(strcmp(v.name, "host") == 0 && strcmp(v.folder, "/base/data") == 0);
    CHECK(v.listen.n == 1 && strcmp(v.listen.v[0].text, "127.0.0.1:25") == 0);
    arena_release(&a);
}

static void test_values(void **st)
{
    char *env[] = { (char *)"LETTERLOCK_CONFIG=x", (char *)"PATH=/",
                    (char *)"LETTERLOCK_MX_MAX_MESSAGE=2 GiB", (char *)"LETTERLOCK_MX_WORKERS=3", NULL };
    struct arena a = { .max = KIB(64) };
    struct buf err = { .max = KIB(4) };
    struct values v = { 0 };

    (void)st;
    CHECK(
        load(
            "# c\n[mx]\nmax_message = 1MiB\r\n  idle_timeout=5 m\nstrict=off\nlisten = 10.0.0.1:26, [::1]:27,:28\n"
            "; c\n[server]\nfolder = /abs\nmode=require\nname = a=b",
            NULL, &v, &a, &err) == 0);
    CHECK(v.max_message == MIB(1) && v.timeout == 300000 && !v.strict && v.mode == 1);
    CHECK(strcmp(v.folder, "/abs") == 0 && strcmp(v.name, "a=b") == 0);
    CHECK(v.listen.n == 3 && v.listen.v[1].sa.ss_family == AF_INET6 &&
          v.listen.v[2].sa.ss_family == AF_INET6);
    CHECK(load("", env, &v, &a, &err) == E_RANGE);
    env[2] = (char *)"LETTERLOCK_MX_MAX_MESSAGE=100KiB";
    CHECK(load("[mx]\nworkers=4\n", env, &v, &a, &err) == 0);
    CHECK(v.max_message == KIB(100) && v.workers == 3);
    buf_release(&err);
    arena_release(&a);
}

static const struct {
    const char *text, *message;
    int r;
} refused[] = {
    { "[mx]\nfoo = 1", "t.conf:2: unknown key mx.foo (letterlock.conf(5) lists them all)", E_SYNTAX },
    { "x = 1", "t.conf:1: expected a [section] before the first key", E_SYNTAX },
    { "[mx]\n\nworkers = 17", "t.conf:3: mx.workers = 17: expected a number from 1 to 16", E_RANGE },
    { "[mx]\nworkers = ", "t.conf:2: mx.workers = : expected a number from 1 to 16", E_SYNTAX },
    { "[mx]\nworkers = -1", "t.conf:2: mx.workers = -1: expected a number from 1 to 16", E_SYNTAX },
    { "[mx]\nworkers=1\nworkers=1", "t.conf:3: mx.workers is given twice", E_SYNTAX },
    { "[mx]\nmax_message = 18446744073709551615GiB",
      "t.conf:2: mx.max_message = 18446744073709551615GiB: expected a number from 64KiB to 1GiB (bytes, KiB, MiB or "
      "GiB)",
      E_RANGE },
    { "[mx]\nidle_timeout = 5 KiB",
      "t.conf:2: mx.idle_timeout = 5 KiB: expected a number from 1s to 1h (ms, s, m, h or d)", E_SYNTAX },
    { "[mx]\nstrict = maybe", "t.conf:2: mx.strict = maybe: expected yes or no", E_SYNTAX },
    { "[server]\nmode = AUTO", "t.conf:2: server.mode = AUTO: expected one of auto|require|off", E_SYNTAX },
    { "[server]\nname =", "t.conf:2: server.name = : expected a text of 1 to 20 bytes", E_RANGE },
    { "[mx]\nlisten = localhost:25",
      "t.conf:2: mx.listen = localhost:25: expected a comma list of address:port, such as 127.0.0.1:25, [::1]:25",
      E_SYNTAX },
    { "[mx]\nlisten = ::1:25",
      "t.conf:2: mx.listen = ::1:25: expected a comma list of address:port, such as 127.0.0.1:25, [::1]:25",
      E_SYNTAX },
    { "[mx", "t.conf:1: expected [section]", E_SYNTAX },
    { "[mx]\nx", "t.conf:2: expected [section], key = value, or a comment (#)", E_SYNTAX },
    { "[mx]\nstrict = \x01", "t.conf:2: control bytes", E_SYNTAX },
};

static void test_refused(void **st)
{
    (void)st;
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        CLEANUP(buf_release) struct buf err = { .max = KIB(4) };
        struct arena a = { .max = KIB(64) };
        struct values v = { 0 };

        check_case = refused[i].text;
        CHECK(load(refused[i].text, NULL, &v, &a, &err) == refused[i].r);
        if (strcmp(buf_z(&err), refused[i].message) != 0)
            print_error("got: %s\n", buf_z(&err));
        CHECK(strcmp(buf_z(&err), refused[i].message) == 0);
        arena_release(&a);
    }
    check_case = "";
}

static void test_env_refused(void **st)
{
    char *env[] = { (char *)"LETTERLOCK_MX_NOTHING=1", NULL };
    CLEANUP(buf_release) struct buf err = { .max = KIB(4) };
    struct arena a = { .max = KIB(64) };
    struct values v = { 0 };

    (void)st;
    CHECK(load("", env, &v, &a, &err) == E_SYNTAX);
    CHECK(str_find(buf_str(&err), STR("LETTERLOCK_MX_NOTHING")) >= 0);
    arena_release(&a);
}

static void test_print_and_manual(void **st)
{
    CLEANUP(buf_release)
    struct buf one = { .max = KIB(16) }, two = { .max = KIB(16) }, err = { .max = KIB(4) },
               man = { .max = KIB(64) };
    struct conf *c = conf_new(tables, 2), *d = conf_new(tables, 2);

    (void)st;
    CHECK(conf_set_base(c, "/base") == 0);
    CHECK(conf_read_text(c, STR("[mx]\nmax_message = 2048 KiB\n[server]\nfolder = x\n"), "t", &err) == 0);
    CHECK(conf_print(c, items, ARRAY_LEN(items) - 1, &one) == 0);
    CHECK(str_find(buf_str(&one), STR("max_message = 2MiB\n")) >= 0);
    CHECK(str_find(buf_str(&one), STR("folder = /base/x\n")) >= 0);
    CHECK(conf_read_text(d, buf_str(&one), "t", &err) == 0);
    CHECK(conf_print(d, items, ARRAY_LEN(items) - 1, &two) == 0);
    CHECK(str_eq(buf_str(&one), buf_str(&two)));
    CHECK(conf_print_manual(tables, 2, &man) == 0);
    CHECK(str_find(buf_str(&man), STR(".SS [mx]\n")) >= 0);
    conf_free(&c);
    conf_free(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),         cmocka_unit_test(test_values),
        cmocka_unit_test(test_refused),          cmocka_unit_test(test_env_refused),
        cmocka_unit_test(test_print_and_manual),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
