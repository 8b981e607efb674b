#include "src/mx/peer_check.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/test.h"
#include <arpa/inet.h>
#include <netinet/in.h>

/* Questions that were asked, answered by hand. */
static struct asked {
    char name[DNS_TEXT_MAX + 1];
    uint16_t type;
    int64_t wait_ms;
    resolve_fn *done;
    void *ctx;
    bool cancelled;
} asked[32];
static size_t nasked;
static bool deaf;

static struct resolve *fake_ask(void *ctx UNUSED, const struct dns_question *q, int64_t wait_ms,
                                resolve_fn *done, void *done_ctx)
{
    struct asked *a = &asked[nasked];

    if (deaf)
        return NULL;
    CHECK(nasked < ARRAY_LEN(asked) && q->name.n <= DNS_TEXT_MAX);
    *a = (struct asked){ .type = q->type, .wait_ms = wait_ms, .done = done, .ctx = done_ctx };
    memcpy(a->name, q->name.p, q->name.n);
    nasked++;
    return (struct resolve *)(void *)a;
}

static void fake_cancel(void *ctx UNUSED, struct resolve **r)
{
    if (*r)
        ((struct asked *)(void *)*r)->cancelled = true;
    *r = NULL;
}

static const struct peer_check_io io = { fake_ask, fake_cancel };
static struct peer_facts told;
static int times;

static void done(void *ctx UNUSED, const struct peer_facts *f)
{
    told = *f;
    times++;
}

static struct peer_check *start(const struct peer_check_conf *c, const char *ip)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
    bool is4 = inet_pton(AF_INET, ip, &v4.sin_addr) == 1;

    nasked = 0;
    times = 0;
    CHECK(is4 || inet_pton(AF_INET6, ip, &v6.sin6_addr) == 1);
    return peer_check_start(
        c, &io, NULL, is4 ? (struct sockaddr *)(void *)&v4 : (struct sockaddr *)(void *)&v6, done, NULL);
}

static void say_none(size_t i, enum dns_status status)
{
    const struct dns_answer a = { .status = status };

    asked[i].done(asked[i].ctx, &a);
}

static void say_names(size_t i, const char *one, const char *two)
{
    struct dns_record r[2] = { { .type = DNS_PTR, .name = str_from(one) },
                               { .type = DNS_PTR, .name = str_from(two) } };
    const struct dns_answer a = { .status = DNS_OK, .n = two ? 2 : 1, .records = r };

    asked[i].done(asked[i].ctx, &a);
}

static void say_address(size_t i, const char *ip)
{
    struct dns_record r = { .type = asked[i].type };
    const struct dns_answer a = { .status = DNS_OK, .n = 1, .records = &r };

    CHECK(inet_pton(asked[i].type == DNS_A ? AF_INET : AF_INET6, ip, r.a) == 1);
    asked[i].done(asked[i].ctx, &a);
}

static struct peer_check_conf conf_of(const char *block, const char *allow, bool name)
{
    struct peer_check_conf c = { .name = name, .timeout_ms = 5000 };

    CHECK(peer_lists_parse(str_from(block), &c.block) == 0 &&
          peer_lists_parse(str_from(allow), &c.allow) == 0);
    return c;
}

static void test_name(void **state UNUSED)
{
    struct peer_check_conf c = conf_of("", "", true);

    CHECK(start(&c, "192.0.2.7") != NULL);
    CHECK(nasked == 1 && asked[0].type == DNS_PTR && strcmp(asked[0].name, "7.2.0.192.in-addr.arpa") == 0);
    say_names(0, "mx.example.org", "other.example.org");
    CHECK(nasked == 3 && times == 0 && asked[1].type == DNS_A);
    say_address(2, "192.0.2.7");
    say_address(1, "192.0.2.8"); /* that name is not his */
    CHECK(times == 1 && strcmp(told.name, "other.example.org") == 0 && told.listed.n == 0);
    CHECK(start(&c, "::ffff:192.0.2.7") != NULL);
    CHECK(strcmp(asked[0].name, "7.2.0.192.in-addr.arpa") == 0);
    say_names(0, "evil name\r\n.example", NULL);
    CHECK(times == 1 && told.name[0] == '\0');
    CHECK(start(&c, "2001:db8::1") != NULL);
    say_names(0, "six.example.org", NULL);
    CHECK(asked[1].type == DNS_AAAA);
    say_address(1, "2001:db8::1");
    CHECK(times == 1 && strcmp(told.name, "six.example.org") == 0);
    CHECK(start(&c, "192.0.2.7") != NULL);
    say_none(0, DNS_TIMEOUT);
    CHECK(times == 1 && told.name[0] == '\0');
}

static void test_lists(void **state UNUSED)
{
    struct peer_check_conf c = conf_of("a.example, b.example", "good.example", false);
    static const struct {
        const char *a, *b, *good, *listed;
    } rows[] = {
        { NULL, NULL, NULL, "" },
        { "127.0.0.2", "127.0.0.4", NULL, "a.example" },
        { NULL, "127.0.0.10", NULL, "b.example" },
        { NULL, "127.0.0.10", "127.0.5.1", "" },      /* allowed goes before */
        { "127.255.255.254", "127.0.0.1", NULL, "" }, /* no answers for this resolver; a dead list */
        { "192.0.2.1", NULL, NULL, "" },              /* a parked domain answers anything */
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *say[] = { rows[i].a, rows[i].b, rows[i].good };

        check_case = rows[i].listed;
        CHECK(start(&c, "192.0.2.7") != NULL);
        CHECK(nasked == 3 && strcmp(asked[1].name, "7.2.0.192.b.example") == 0);
        for (size_t k = 0; k < 3; k++)
            say[k] ? say_address(k, say[k]) : say_none(k, DNS_NXDOMAIN);
        CHECK(times == 1 && str_eq_z(told.listed, rows[i].listed));
    }
}

static void test_ends(void **state UNUSED)
{
    struct peer_check_conf c = conf_of("a.example", "", true), off = conf_of("", "good.example", false);
    struct peer_check *p;

    CHECK(start(&off, "192.0.2.7") == NULL);
    deaf = true;
    CHECK(start(&c, "192.0.2.7") == NULL);
    deaf = false;
    p = start(&c, "192.0.2.7");
    say_none(1, DNS_SERVFAIL);
    peer_check_cancel(&p);
    CHECK(asked[0].cancelled && !asked[1].cancelled && times == 0 && !p);
    clock_fake(0);
    p = start(&c, "192.0.2.7");
    CHECK(asked[0].wait_ms == 5000);
    clock_fake_advance(5000);
    say_names(0, "mx.example.org", NULL); /* no time left for its address */
    CHECK(nasked == 2 && times == 0);
    say_none(1, DNS_TIMEOUT);
    CHECK(times == 1 && told.name[0] == '\0');
    clock_real();
    CHECK(peer_lists_parse(STR("a,b,c,d,e,f,g,h,i"), &c.block) == E_LIMIT);
    CHECK(peer_lists_parse(STR("a..b"), &c.block) == E_SYNTAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_name), cmocka_unit_test(test_lists),
                                        cmocka_unit_test(test_ends) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
