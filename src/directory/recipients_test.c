/* Who gets what comes to an address: tables of whole directories, and the lists against a model of them. */
#include "lib/base/test.h"
#include "lib/base/errors.h"
#include "src/directory/conf.h"
#include "src/directory/expand.h"
#include "src/directory/patterns.h"
#include "src/directory/url.h"
#include <arpa/inet.h>

#define NOW 1787000000000

static struct db *db;
static struct arena a = { .max = MIB(16) };

static struct address *addr_of(const char *text)
{
    struct address *x = ARENA_NEW(&a, struct address);

    CHECK(x && address_parse(&a, str_from(text), x) == 0);
    return x;
}

/* An alias whose mailbox is there. */
static void box(const char *text)
{
    static uint8_t id[12];
    struct account acc;

    id[0]++;
    CHECK(alias_add(db, &a, addr_of(text), NOW, &acc) == 0);
    CHECK(mailbox_bind(db, acc.alias_id, str_of(id, sizeof id), STR("0123456789abcdef"), STR("")) == 0);
}

static void bare(const char *text)
{
    struct account acc;

    CHECK(alias_add(db, &a, addr_of(text), NOW, &acc) == 0);
}

static int target(const char *alias, enum target_kind kind, const char *to)
{
    struct target in = { kind, str_from(to) }, clean;
    int r = alias_target_clean(&a, &in, &clean);

    return r < 0 ? r : alias_target_add(db, &a, addr_of(alias), &clean, NOW);
}

static int pattern(const char *domain, uint32_t position, const char *p, const char *to)
{
    struct pattern x = { position, str_from(p), str_from(to) };
    CLEANUP(buf_release) struct buf why = { .max = 300 };
    int r = pattern_check(x.pattern, x.target, &why);

    CHECK((r < 0) == (why.n > 0));
    return r < 0 ? r : pattern_add(db, str_from(domain), &x, NOW, &position);
}

static int list(const char *owner, bool allow, const char *who)
{
    bool alias = strchr(owner, '@') != NULL;
    struct str w;
    int r = access_who(&a, str_from(who), &w);

    return r < 0 ? r : access_add(db, &a, str_from(owner), alias ? addr_of(owner) : NULL, w, allow, NOW);
}

/* What comes of an address in one line: "box ann@example.org fwd x@y.example via ann@example.org". */
static const char *expanded(const char *to, const char *sender, const char *ip)
{
    static const char *const names[] = { "ok",       "no-domain", "no-alias", "not-ready",
                                         "disabled", "refused",   "loop" };
    static char line[KIB(4)];
    struct access_peer peer;
    struct expansion e;
    size_t n = 0;

    CHECK(!sender || access_peer_of(&a, str_from(sender), str_from(ip), &peer) == 0);
    CHECK(recipient_expand(db, &a, addr_of(to), sender ? &peer : NULL, &e) == 0);
    CHECK(e.nboxes <= EXPAND_MAX && e.nforwards <= EXPAND_MAX);
    if (e.result != EXPAND_OK) {
        snprintf(line, sizeof line, "%s%s%.0u", names[e.result], e.answer ? " " : "", 0u);
        if (e.answer)
            snprintf(line, sizeof line, "disabled %u", e.answer);
        return line;
    }
    line[0] = '\0';
    for (size_t i = 0; i < e.nboxes; i++)
        n += (size_t)snprintf(line + n, sizeof line - n, "%sbox %.*s", n ? " " : "",
                              STR_ARG(e.boxes[i].account.address));
    for (size_t i = 0; i < e.nforwards; i++)
        n += (size_t)snprintf(line + n, sizeof line - n, "%s%s %.*s via %.*s", n ? " " : "",
                              e.forwards[i].target.kind == TARGET_WEBHOOK ? "hook" : "fwd",
                              STR_ARG(e.forwards[i].target.to), STR_ARG(e.forwards[i].alias));
    return line;
}

static void open_all(void)
{
    CHECK(db_open_memory(&db) == 0 && accounts_migrate(db, NULL) == 0);
    CHECK(domain_add(db, STR("example.org"), NOW) == 0 && domain_add(db, STR("example.net"), NOW) == 0 &&
          domain_add(db, STR("other.test"), NOW) == 0);
    box("Ann@example.org");
    box("bob@example.org");
    box("a+b@example.org");
    box("rest@other.test");
    bare("new@example.org");
    bare("sales@example.org");
    bare("both@example.org");
    bare("out@example.org");
    bare("off250@example.org");
    bare("off421@example.org");
    bare("off550@example.org");
    bare("somelate@example.org");
    bare("someoff@example.org");
    bare("alloff@example.org");
    bare("dangling@example.org");
    CHECK(domain_set_alias(db, STR("example.net"), STR("example.org")) == 0);
    CHECK(target("sales@example.org", TARGET_ADDRESS, "ANN@example.net") == 0);
    CHECK(target("both@example.org", TARGET_ADDRESS, "ann@example.org") == 0 &&
          target("both@example.org", TARGET_ADDRESS, "sales@example.org") == 0 &&
          target("both@example.org", TARGET_ADDRESS, "bob@example.org") == 0 &&
          target("both@example.org", TARGET_ADDRESS, "zed@far.example") == 0 &&
          target("both@example.org", TARGET_WEBHOOK, "https://Hook.Example/in?x=1") == 0);
    CHECK(target("out@example.org", TARGET_ADDRESS, "me@far.example") == 0);
    CHECK(target("bob@example.org", TARGET_ADDRESS, "bob@far.example") == 0);
    CHECK(alias_set_answer(db, &a, addr_of("off250@example.org"), 250) == 0 &&
          alias_set_answer(db, &a, addr_of("off421@example.org"), 421) == 0 &&
          alias_set_answer(db, &a, addr_of("off550@example.org"), 550) == 0 &&
          alias_set_answer(db, &a, addr_of("off550@example.org"), 451) == E_RANGE);
    CHECK(target("somelate@example.org", TARGET_ADDRESS, "ann@example.org") == 0 &&
          target("somelate@example.org", TARGET_ADDRESS, "off421@example.org") == 0);
    CHECK(target("someoff@example.org", TARGET_ADDRESS, "off550@example.org") == 0 &&
          target("someoff@example.org", TARGET_ADDRESS, "ann@example.org") == 0);
    CHECK(target("alloff@example.org", TARGET_ADDRESS, "off250@example.org") == 0);
    CHECK(target("dangling@example.org", TARGET_ADDRESS, "nobody@example.org") == 0);
    CHECK(pattern("example.org", 20, "(order|invoice)-([0-9]+)", "\\1s+\\2@far.example") == 0);
    CHECK(pattern("example.org", 10, "order-7", "bob@example.org") == 0);
    CHECK(pattern("example.org", 30, "deep(.*)", "deep\\1x@example.org") == 0);
    CHECK(pattern("example.org", 40, "spaces?(.*)", "\\1\\1\\1\\1\\1\\1\\1\\1@far.example") == 0);
    CHECK(domain_set_catch_all(db, &a, STR("other.test"), addr_of("rest@other.test")) == 0);
}

static void close_all(void)
{
    CHECK(db_close(&db) == 0);
    arena_reset(&a);
}

static void test_expand(void **state UNUSED)
{
    static const struct {
        const char *to, *want;
    } rows[] = {
        { "ann@example.org", "box Ann@example.org" },
        { "ann@example.net", "box Ann@example.org" }, /* another name of the domain */
        { "nobody@example.org", "no-alias" },
        { "ann@far.example", "no-domain" },
        { "new@example.org", "not-ready" },
        { "ann+tag@example.org", "box Ann@example.org" },
        { "Ann+Tag+More@example.net", "box Ann@example.org" },
        { "a+b@example.org", "box a+b@example.org" }, /* the alias itself wins */
        { "a+b+c@example.org", "box a+b@example.org" },
        { "a+c@example.org", "no-alias" },
        { "+ann@example.org", "no-alias" },
        { "new+tag@example.org", "not-ready" },
        { "sales@example.org", "box Ann@example.org" },
        { "out@example.org", "fwd me@far.example via out@example.org" }, /* no mailbox, none needed */
        { "bob@example.org", "box bob@example.org fwd bob@far.example via bob@example.org" },
        /* each mailbox once, whichever way */
        { "both@example.org",
          "box Ann@example.org box bob@example.org fwd zed@far.example via both@example.org "
          "hook https://hook.example/in?x=1 via both@example.org "
          "fwd bob@far.example via bob@example.org" },
        { "off250@example.org", "disabled 250" },
        { "off421@example.org", "disabled 421" },
        { "off550+tag@example.org", "disabled 550" },
        { "somelate@example.org", "disabled 421" }, /* nobody may miss it */
        { "someoff@example.org", "box Ann@example.org" },
        { "alloff@example.org", "disabled 250" },
        { "dangling@example.org", "no-alias" },
        { "order-7@example.org",
          "box bob@example.org fwd bob@far.example via bob@example.org" }, /* by position */
        { "ORDER-12@example.net", "fwd orders+12@far.example via ORDER-12@example.net" },
        { "order-x@example.org", "no-alias" },
        { "xorder-7@example.org", "no-alias" }, /* all of it, not a part */
        { "deep@example.org", "loop" },
        { "spaces123456789@example.org", "no-alias" }, /* what it makes is no address: too long */
        { "anything@other.test", "box rest@other.test" },
        { "rest+x@other.test", "box rest@other.test" },
    };

    open_all();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *got = expanded(rows[i].to, NULL, NULL);

        check_case = rows[i].to;
        if (strcmp(got, rows[i].want) != 0)
            print_error("%s: got \"%s\", want \"%s\"\n", rows[i].to, got, rows[i].want);
        CHECK(strcmp(got, rows[i].want) == 0);
    }
    check_case = "";
    close_all();
}

static void test_settings(void **state UNUSED)
{
    struct account acc;
    char name[64];

    open_all();
    /* domains */
    CHECK(domain_set_alias(db, STR("other.test"), STR("example.org")) == E_BUSY); /* has aliases */
    CHECK(domain_set_alias(db, STR("example.org"), STR("other.test")) == E_BUSY);
    CHECK(domain_add(db, STR("third.test"), NOW) == 0);
    CHECK(domain_set_alias(db, STR("third.test"), STR("example.net")) == E_RANGE); /* no chains */
    CHECK(domain_set_alias(db, STR("third.test"), STR("third.test")) == E_RANGE);
    CHECK(domain_set_alias(db, STR("third.test"), STR("far.example")) == E_NOTFOUND);
    CHECK(alias_add(db, &a, addr_of("x@example.net"), NOW, &acc) == E_DENIED);
    CHECK(domain_set_catch_all(db, &a, STR("example.net"), addr_of("ann@example.org")) == E_RANGE);
    CHECK(domain_set_catch_all(db, &a, STR("third.test"), addr_of("nobody@example.org")) == E_NOTFOUND);
    CHECK(domain_set_catch_all(db, &a, STR("third.test"), addr_of("ann@example.org")) == 0);
    CHECK(strcmp(expanded("who@third.test", NULL, NULL), "box Ann@example.org") == 0);
    CHECK(domain_set_catch_all(db, &a, STR("third.test"), NULL) == 0);
    CHECK(strcmp(expanded("who@third.test", NULL, NULL), "no-alias") == 0);
    CHECK(domain_set_alias(db, STR("example.net"), STR("")) == 0);
    CHECK(strcmp(expanded("ann@example.net", NULL, NULL), "no-alias") == 0);
    /* tags */
    CHECK(domain_set_separators(db, STR("example.org"), STR("-=")) == 0);
    CHECK(strcmp(expanded("ann-x@example.org", NULL, NULL), "box Ann@example.org") == 0);
    CHECK(strcmp(expanded("ann=x-y@example.org", NULL, NULL), "box Ann@example.org") == 0);
    CHECK(strcmp(expanded("ann+x@example.org", NULL, NULL), "no-alias") == 0);
    CHECK(domain_set_separators(db, STR("example.org"), STR("")) == 0);
    CHECK(strcmp(expanded("ann-x@example.org", NULL, NULL), "no-alias") == 0);
    CHECK(domain_set_separators(db, STR("example.org"), STR("a")) == E_SYNTAX);
    CHECK(domain_set_separators(db, STR("example.org"), STR(".")) == E_SYNTAX);
    CHECK(domain_set_separators(db, STR("far.example"), STR("+")) == E_NOTFOUND);
    /* targets */
    CHECK(target("out@example.org", TARGET_ADDRESS, "ME@far.example") == 0); /* the local part is theirs */
    CHECK(target("out@example.org", TARGET_ADDRESS, "me@FAR.example") == E_EXISTS);
    CHECK(target("out@example.org", TARGET_ADDRESS, "nonsense") == E_SYNTAX);
    CHECK(target("out@example.org", TARGET_WEBHOOK, "http://hook.example/") == E_DENIED);
    CHECK(target("ann@example.org", TARGET_ADDRESS, "sales@example.org") == 0);
    CHECK(target("sales@example.org", TARGET_ADDRESS, "ann@example.org") == E_RANGE);
    CHECK(target("sales@example.org", TARGET_ADDRESS, "sales@example.org") == E_RANGE);
    for (unsigned i = 2; i < directory_conf.max_targets; i++) {
        snprintf(name, sizeof name, "me%u@far.example", i);
        CHECK(target("out@example.org", TARGET_ADDRESS, name) == 0);
    }
    CHECK(target("out@example.org", TARGET_ADDRESS, "more@far.example") == E_LIMIT);
    CHECK(alias_target_remove(db, &a, addr_of("ann@example.org"),
                              &(struct target){ TARGET_MAILBOX, STR("") }) == 0);
    CHECK(strcmp(expanded("bob@example.org", NULL, NULL),
                 "box bob@example.org fwd bob@far.example via bob@example.org") == 0);
    CHECK(alias_target_remove(db, &a, addr_of("bob@example.org"),
                              &(struct target){ TARGET_MAILBOX, STR("") }) == 0);
    CHECK(strcmp(expanded("bob@example.org", NULL, NULL), "fwd bob@far.example via bob@example.org") == 0);
    CHECK(target("bob@example.org", TARGET_MAILBOX, "") == 0 &&
          target("bob@example.org", TARGET_MAILBOX, "") == E_EXISTS);
    CHECK(alias_target_remove(db, &a, addr_of("bob@example.org"),
                              &(struct target){ TARGET_ADDRESS, STR("bob@far.example") }) == 0);
    CHECK(strcmp(expanded("bob@example.org", NULL, NULL), "box bob@example.org") == 0);
    /* patterns */
    CHECK(pattern("example.org", 10, "x", "y@example.org") == E_EXISTS);
    CHECK(pattern("far.example", 0, "x", "y@example.org") == E_NOTFOUND);
    CHECK(pattern("example.org", 0, "(", "y@example.org") == E_SYNTAX);
    CHECK(pattern("example.org", 0, "x", "\\1@example.org") == E_SYNTAX);
    CHECK(pattern("example.org", 0, "(x)", "\\1") == E_SYNTAX);
    CHECK(pattern("example.org", 0, "((a{100}){100}){100}", "y@example.org") == E_SYNTAX);
    CHECK(pattern("example.org", 0, "[a-z\xc3\xa9]{900}", "y@example.org") == E_SYNTAX); /* too large */
    CHECK(pattern_remove(db, STR("example.org"), 10) == 0 &&
          pattern_remove(db, STR("example.org"), 10) == E_NOTFOUND);
    for (unsigned i = 3; i < directory_conf.max_patterns; i++)
        CHECK(pattern("example.org", 0, "x", "y@far.example") == 0);
    CHECK(pattern("example.org", 0, "x", "y@far.example") == E_LIMIT);
    CHECK(domain_remove(db, STR("third.test")) == 0);
    close_all();
}

/* A chain as long as may be, and one that is too long. */
static void test_depth(void **state UNUSED)
{
    char from[64], to[64];

    open_all();
    for (int i = 0; i < 7; i++) {
        snprintf(to, sizeof to, "c%d@example.org", i);
        bare(to);
    }
    CHECK(target("c0@example.org", TARGET_ADDRESS, "ann@example.org") == 0);
    for (int i = 1; i < 7; i++) {
        snprintf(from, sizeof from, "c%d@example.org", i);
        snprintf(to, sizeof to, "c%d@example.org", i - 1);
        CHECK(target(from, TARGET_ADDRESS, to) == (i < 5 ? 0 : i == 5 ? E_RANGE : 0));
    }
    CHECK(strcmp(expanded("c4@example.org", NULL, NULL), "box Ann@example.org") == 0);
    CHECK(strcmp(expanded("c6@example.org", NULL, NULL), "not-ready") == 0);
    close_all();
}

static void test_whos(void **state UNUSED)
{
    static const struct {
        const char *in, *out;
        int r;
    } whos[] = {
        { " Ann@EXAMPLE.org ", "ann@example.org", 0 },
        { "*", "*", 0 },
        { "<>", "<>", 0 },
        { "@Example.ORG", "example.org", 0 },
        { "b\xc3\xbc\x63her.example", "xn--bcher-kva.example", 0 },
        { "192.0.2.1", "192.0.2.1/32", 0 },
        { "192.0.2.0/24", "192.0.2.0/24", 0 },
        { "::ffff:192.0.2.0/120", "192.0.2.0/24", 0 },
        { "2001:DB8::/32", "2001:db8::/32", 0 },
        { "::1", "::1/128", 0 },
        { "192.0.2.1/24", NULL, E_RANGE },
        { "192.0.2.0/33", NULL, E_RANGE },
        { "192.0.2.0/24, ::1", NULL, E_SYNTAX },
        { "", NULL, E_SYNTAX },
        { "a b", NULL, E_SYNTAX },
        { "192.0.2.1.", NULL, E_SYNTAX },
        { "mx1.example2", "mx1.example2", 0 },
        { "a@", NULL, E_SYNTAX },
    };

    for (size_t i = 0; i < ARRAY_LEN(whos); i++) {
        struct str got;
        int r = access_who(&a, str_from(whos[i].in), &got);

        check_case = whos[i].in;
        CHECK(r == whos[i].r && (r < 0 || str_eq_z(got, whos[i].out)));
    }
    check_case = "";
    arena_reset(&a);
}

#define SIXTY "a23456789b23456789c23456789d23456789e23456789f23456789g23456789"
static void test_lists(void **state UNUSED)
{
    static const struct {
        const char *to, *sender, *ip, *want;
    } rows[] = {
        { "ann@example.org", "x@good.example", "192.0.2.1", "box Ann@example.org" },
        { "ann@example.org", "x@bad.example", "192.0.2.1", "refused" },
        { "ann@example.org", "x@mail.BAD.example", "192.0.2.1", "refused" },
        { "ann@example.org", SIXTY "-12345=ann=example.org@news.bad.example", "192.0.2.1", "refused" },
        { "ann@example.org", "\"a b\"@bad.example", "192.0.2.1", "refused" },
        { "ann@example.org", "x@\xe2\x98\x83.BAD.example", "192.0.2.1", "refused" }, /* a snowman */
        { "ann@example.org", SIXTY "-12345@good.bad.example", "192.0.2.1", "box Ann@example.org" },
        { "ann@example.org", "x@notbad.example", "192.0.2.1", "box Ann@example.org" },
        { "ann@example.org", "Friend@bad.example", "192.0.2.1", "box Ann@example.org" },
        { "ann@example.org", "x@good.bad.example", "192.0.2.1", "box Ann@example.org" },
        { "ann+t@example.net", "x@bad.example", "192.0.2.1", "refused" },
        { "bob@example.org", "x@bad.example", "192.0.2.1",
          "box bob@example.org fwd bob@far.example via bob@example.org" },
        { "bob@example.org", "x@bad.example", "198.51.100.7", "refused" },
        { "bob@example.org", "x@y.example", "198.51.100.130",
          "box bob@example.org fwd bob@far.example via bob@example.org" },
        { "ann@example.org", "x@y.example", "198.51.100.7",
          "refused" }, /* nothing in her own list fits: the domain's */
        { "ann@example.org", "friend@bad.example", "198.51.100.7", "box Ann@example.org" },
        { "ann@example.org", "", "2001:db8::1", "refused" },
        { "ann@example.org", "", "2001:db9::1", "box Ann@example.org" },
        { "a+b@example.org", "x@y.example", "192.0.2.1", "refused" }, /* only one is let in */
        { "a+b@example.org", "", "192.0.2.1", "refused" },
        { "a+b@example.org", "boss@y.example", "192.0.2.1", "box a+b@example.org" },
        { "order-9@example.org", "x@y.example", "198.51.100.7", "refused" },
        { "off550@example.org", "x@y.example", "198.51.100.7", "disabled 550" },
        { "nobody@example.org", "x@y.example", "198.51.100.7", "no-alias" },
        { "rest@other.test", "x@y.example", "198.51.100.7", "box rest@other.test" },
        { "new@other.test", "nonsense", "nonsense", "box rest@other.test" },
    };

    open_all();
    CHECK(list("ann@example.org", false, "bad.example") == 0 &&
          list("ann@example.org", true, "friend@bad.example") == 0 &&
          list("ann@example.org", true, "good.bad.example") == 0 &&
          list("ann@example.org", false, "2001:db8::/32") == 0);
    CHECK(list("example.org", false, "198.51.100.0/24") == 0 &&
          list("example.org", true, "198.51.100.128/25") == 0);
    CHECK(list("a+b@example.org", false, "*") == 0 && list("a+b@example.org", true, "boss@y.example") == 0);
    CHECK(list("ann@example.org", false, "bad.example") == E_EXISTS &&
          list("example.net", true, "x.example") == E_RANGE &&
          list("far.example", true, "x.example") == E_NOTFOUND);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *got = expanded(rows[i].to, rows[i].sender, rows[i].ip);

        check_case = rows[i].to;
        if (strcmp(got, rows[i].want) != 0)
            print_error("%s from %s %s: got \"%s\", want \"%s\"\n", rows[i].to, rows[i].sender, rows[i].ip,
                        got, rows[i].want);
        CHECK(strcmp(got, rows[i].want) == 0);
    }
    check_case = "";
    close_all();
}

/* ---- the lists against a model ----
 * The model says it the long way: it asks, from the most exact to the least, whether there is a row of just that. */

#define MODEL_ROWS 12u
struct model_row {
    char who[64];
    bool allow;
};

static bool has_row(const struct model_row *v, size_t n, const char *who, bool allow)
{
    for (size_t i = 0; i < n; i++)
        if (v[i].allow == allow && strcmp(v[i].who, who) == 0)
            return true;
    return false;
}

/* 1 allow, 0 deny, -1 nothing fits. */
static int decided(const struct model_row *v, size_t n, const char *who)
{
    return has_row(v, n, who, true) ? 1 : has_row(v, n, who, false) ? 0 : -1;
}

static int model(const struct model_row *v, size_t n, const char *address, const char *domain, const char *ip)
{
    uint8_t addr[4], net[4];
    char text[64];
    int r = decided(v, n, *address ? address : "<>");

    for (const char *d = domain; r < 0 && d; d = strchr(d, '.') ? strchr(d, '.') + 1 : NULL)
        r = *d ? decided(v, n, d) : -1;
    CHECK(inet_pton(AF_INET, ip, addr) == 1);
    for (int bits = 32; r < 0 && bits >= 0; bits--) {
        for (int i = 0; i < 4; i++) {
            int keep = bits - 8 * i;

            net[i] = (uint8_t)(keep >= 8 ? addr[i] : keep <= 0 ? 0 : addr[i] & (0xff << (8 - keep)));
        }
        snprintf(text, sizeof text, "%u.%u.%u.%u/%d", net[0], net[1], net[2], net[3], bits);
        r = decided(v, n, text);
    }
    return r < 0 ? decided(v, n, "*") : r;
}

static uint32_t next(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void test_lists_as_the_model(void **state UNUSED)
{
    static const char *const names[] = { "a@x.test",    "b@x.test",   "a@y.x.test",  "x.test",
                                         "y.x.test",    "test",       "z.y.x.test",  "*",
                                         "<>",          "10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32",
                                         "10.1.2.0/31", "0.0.0.0/0" };
    static const struct {
        const char *address, *domain;
    } senders[] = { { "a@x.test", "x.test" },
                    { "b@x.test", "x.test" },
                    { "a@y.x.test", "y.x.test" },
                    { "c@z.y.x.test", "z.y.x.test" },
                    { "", NULL },
                    { "q@elsewhere.example", "elsewhere.example" } };
    static const char *const ips[] = { "10.1.2.3", "10.1.2.1", "10.2.0.1", "192.0.2.1" };
    uint32_t seed = 7;

    for (int round = 0; round < 3000; round++) {
        struct model_row v[MODEL_ROWS];
        size_t n = next(&seed) % MODEL_ROWS, s = next(&seed) % ARRAY_LEN(senders);
        const char *ip = ips[next(&seed) % ARRAY_LEN(ips)];
        struct access_verdict got = { 0 };
        struct access_peer peer;
        int want;

        CHECK(access_peer_of(&a, str_from(senders[s].address), str_from(ip), &peer) == 0);
        for (size_t i = 0; i < n; i++) {
            snprintf(v[i].who, sizeof v[i].who, "%s", names[next(&seed) % ARRAY_LEN(names)]);
            v[i].allow = next(&seed) & 1;
            access_weigh(&got, str_from(v[i].who), v[i].allow, &peer);
        }
        want = model(v, n, senders[s].address, senders[s].domain, ip);
        CHECK((got.rank ? got.allow : -1) == want);
        arena_reset(&a);
    }
}

static void test_urls(void **state UNUSED)
{
    static const struct {
        const char *in, *out;
        bool http;
        int r;
    } rows[] = {
        { "https://hook.example", "https://hook.example/", false, 0 },
        { "HTTPS://Hook.EXAMPLE:8443/A/b?c=D", "https://hook.example:8443/A/b?c=D", false, 0 },
        { "https://hook.example?x", "https://hook.example/?x", false, 0 },
        { "https://192.0.2.1/x", "https://192.0.2.1/x", false, 0 },
        { "https://[2001:db8::1]:1/x", "https://[2001:db8::1]:1/x", false, 0 },
        { "https://b\xc3\xbc\x63her.example/", "https://xn--bcher-kva.example/", false, 0 },
        { "http://hook.example/", NULL, false, E_DENIED },
        { "http://hook.example/", "http://hook.example/", true, 0 },
        { "ftp://hook.example/", NULL, true, E_SYNTAX },
        { "https://user:secret@hook.example/", NULL, false, E_SYNTAX },
        { "https://hook.example/#part", NULL, false, E_SYNTAX },
        { "https://hook.example/a b", NULL, false, E_SYNTAX },
        { "https://hook.example/\r\nHost: x", NULL, false, E_SYNTAX },
        { "https://hook.example:0/", NULL, false, E_SYNTAX },
        { "https://hook.example:65536/", NULL, false, E_SYNTAX },
        { "https://[::g]/", NULL, false, E_SYNTAX },
        { "https:///x", NULL, false, E_SYNTAX },
        { "https://", NULL, false, E_SYNTAX },
        { "hook.example", NULL, false, E_SYNTAX },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct str got, again;
        int r = url_clean(&a, str_from(rows[i].in), rows[i].http, &got);

        check_case = rows[i].in;
        CHECK(r == rows[i].r && (r < 0 || str_eq_z(got, rows[i].out)));
        CHECK(r < 0 || (url_clean(&a, got, true, &again) == 0 && str_eq(got, again)));
    }
    check_case = "";
    arena_reset(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expand),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_lists_as_the_model),
        cmocka_unit_test(test_urls),
        cmocka_unit_test(test_whos),
    };
    int r = cmocka_run_group_tests(tests, NULL, NULL);

    arena_release(&a);
    return r;
}
