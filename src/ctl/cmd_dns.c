/* src/ctl/cmd_dns.c: what the running service knows of a name, the way its roles would hear it. */
#include "lib/base/errors.h"
#include "lib/dns/name.h"
#include "proto/resolver.pb-c.h"
#include "src/common/resolve.h"
#include "src/ctl/ctl.h"
#include <arpa/inet.h>
#include <jansson.h>
#include <netinet/in.h>
#include <sysexits.h>

#define ANSWER_WAIT_MS 15000

static int exit_code(enum dns_status s)
{
    return s == DNS_OK ? EX_OK : dns_status_is_temporary(s) ? EX_TEMPFAIL : EX_NOHOST;
}

/* "PTR 192.0.2.1" means the name that belongs to it. */
static int name_of(const char *word, uint16_t type, struct buf *out)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };

    if (type == DNS_PTR && inet_pton(AF_INET, word, &v4.sin_addr) == 1)
        return dns_name_reverse((const struct sockaddr *)(const void *)&v4, STR_NONE, out);
    if (type == DNS_PTR && inet_pton(AF_INET6, word, &v6.sin6_addr) == 1)
        return dns_name_reverse((const struct sockaddr *)(const void *)&v6, STR_NONE, out);
    return buf_putz(out, word);
}

static int print_json(const struct dns_answer *a)
{
    json_t *list = json_array(), *j;

    for (size_t i = 0; i < a->n; i++) {
        CLEANUP(buf_release) struct buf text = { .max = 8 * DNS_RDATA_MAX };
        int r = dns_record_print(&a->records[i], &text);

        if (r < 0)
            return r;
        json_array_append_new(
            list, json_pack("{s:s%, s:I}", "text", text.p, text.n, "ttl", (json_int_t)a->records[i].ttl_s));
    }
    j = json_pack("{s:s, s:b, s:I, s:s%, s:o}", "status", dns_status_name(a->status), "authenticated", a->ad,
                  "ttl", (json_int_t)a->ttl_s, "name", a->name.p ? a->name.p : "", a->name.n, "records",
                  list);
    json_dumpf(j, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(j);
    return 0;
}

static int print_text(const struct dns_answer *a)
{
    printf("%.*s: %s%s, for %u s\n", STR_ARG(a->name), dns_status_name(a->status), a->ad ? ", validated" : "",
           a->ttl_s);
    for (size_t i = 0; i < a->n; i++) {
        CLEANUP(buf_release) struct buf text = { .max = 8 * DNS_RDATA_MAX };
        int r = dns_record_print(&a->records[i], &text);

        if (r < 0)
            return r;
        printf("%.*s\n", STR_ARG(buf_str(&text)));
    }
    return 0;
}

static int ask(struct service *s, struct str name, uint16_t type, bool json)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(4) };
    CLEANUP(buf_release) struct buf body = { .max = MIB(1) };
    Resolver__ResolveRequest m = RESOLVER__RESOLVE_REQUEST__INIT;
    struct dns_answer ans;
    int r;

    m.name = str_pb(name);
    m.type = type;
    service_patience(s, ANSWER_WAIT_MS);
    r = service_ask_bytes(s, ROLE_RESOLVER, RESOLVER__OP__RESOLVE, &m.base, &body);
    if (r < 0 || (r = resolve_unpack(&a, buf_str(&body), type, &ans)) < 0 ||
        (r = json ? print_json(&ans) : print_text(&ans)) < 0)
        return ctl_fail(ctl_exit_code(r), "%s", error_text(r));
    return exit_code(ans.status);
}

int cmd_dns(int argc, char **argv)
{
    CLEANUP(config_release) struct config c = { .conf = NULL };
    CLEANUP(buf_release) struct buf status = { .max = KIB(128) }, name = { .max = DNS_TEXT_MAX };
    CLEANUP(service_close) struct service *s = NULL;
    struct args a = { .nwords = 0 };
    uint16_t type;
    int r;

    if ((r = args_parse(argc, argv, NULL, 0, 2, &a)) != 0 || (r = ctl_config(&a, &c)) != 0)
        return r;
    if (!dns_type_from(str_from(a.words[1]), &type))
        return ctl_fail(EX_USAGE,
                        "%s: no type that is asked for; A AAAA MX TXT PTR CNAME NS SRV TLSA CAA are",
                        a.words[1]);
    if (name_of(a.words[0], type, &name) < 0)
        return ctl_fail(EX_DATAERR, "%s: too long", a.words[0]);
    /* a service that is started for one command has no resolver */
    if (service_status(&c, &status) < 0)
        return ctl_fail(EX_UNAVAILABLE, "the service is not running (%s)", c.path);
    if ((r = service_open(&a, &s)) != 0)
        return r;
    return ask(s, buf_str(&name), type, a.json);
}
