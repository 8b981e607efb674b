/* src/jobs/dns_jobs.c: do the records of our domains lead here, and are the keys that sign
 * in them? One question after the other. What is not known now is said,
 * and is nothing bad. */
#include "proto/courier.pb-c.h"
#include "proto/directory.pb-c.h"
#include "src/common/resolve.h"
#include "src/jobs/jobs.h"

#define DOMAINS_MAX 1000u
#define WAIT_MS     15000

enum question { ASK_MX, ASK_SPF, ASK_DMARC, ASK_DKIM };

static struct {
    struct job *job;
    struct arena arena;
    const char **domains;
    size_t n, at;
    int question;
    struct arena key_arena; /* of the domain that is asked about */
    Courier__DkimResponse *keys;
    size_t key;
    unsigned found, unknown;
    struct buf text;
} dns;

static void ask_next(void);
static void end(int status);

static void finding(const char *what)
{
    dns.found++;
    if (buf_printf(&dns.text, "%s%s: %s", dns.text.n ? "\n" : "", dns.domains[dns.at], what) < 0)
        return; /* there are enough already */
}

static bool begins(const struct dns_answer *a, struct str with)
{
    for (size_t i = 0; i < a->n; i++)
        if (a->records[i].type == DNS_TXT && str_istarts(a->records[i].txt, with))
            return true;
    return false;
}

static bool leads_here(const struct dns_answer *a)
{
    struct str us = role_hostname(the_role());

    for (size_t i = 0; i < a->n; i++)
        if (a->records[i].type == DNS_MX && str_ieq(a->records[i].mx.host, us))
            return true;
    return false;
}

static void judge(const struct dns_answer *a)
{
    if (dns_status_is_temporary(a->status)) {
        dns.unknown++;
        return;
    }
    if (dns.question == ASK_MX && (a->n == 0 || !leads_here(a)))
        finding(a->n ? "its MX records do not name this host (server.hostname)" : "it has no MX record");
    if (dns.question == ASK_SPF && !begins(a, STR("v=spf1")))
        finding("it has no SPF record (TXT v=spf1 ...): others cannot tell our mail from forged mail");
    if (dns.question == ASK_DMARC && !begins(a, STR("v=DMARC1")))
        finding("it has no DMARC record (TXT v=DMARC1 ... at _dmarc)");
}

/* ---- the records of its DKIM keys (RFC 6376 3.6.1) ---- */

/* Its p=, without the spaces that may stand in it. */
static bool public_of(struct str record, struct buf *out)
{
    struct str rest = record, tag, name, value;

    while (rest.n) {
        str_cut(rest, ';', &tag, &rest);
        if (!str_cut(tag, '=', &name, &value) || !str_eq_z(str_trim(name), "p"))
            continue;
        for (size_t i = 0; i < value.n; i++)
            if (value.p[i] > ' ' && buf_putc(out, value.p[i]) < 0)
                return false;
        return out->n > 0;
    }
    return false;
}

static bool has_key(const struct dns_answer *a, const Courier__DkimKey *k)
{
    CLEANUP(buf_release) struct buf ours = { .max = KIB(4) };

    if (!public_of(pb_str(k->record), &ours))
        return true; /* nothing to compare with */
    for (size_t i = 0; i < a->n; i++) {
        CLEANUP(buf_release) struct buf theirs = { .max = KIB(4) };

        if (a->records[i].type == DNS_TXT && public_of(a->records[i].txt, &theirs) &&
            str_eq(buf_str(&theirs), buf_str(&ours)))
            return true;
    }
    return false;
}

static void judge_key(const struct dns_answer *a, const Courier__DkimKey *k)
{
    CLEANUP(buf_release) struct buf text = { .max = KIB(1) };

    if (dns_status_is_temporary(a->status)) {
        dns.unknown++;
        return;
    }
    if (has_key(a, k))
        return;
    if (buf_printf(
            &text,
            "%.*s._domainkey %s (letterlock domain dkim shows it): what that key signs is taken as forged",
            (int)k->selector.len, (const char *)k->selector.data,
            a->n ? "has another key than the one that signs" : "has no DKIM record") == 0 &&
        buf_putc(&text, '\0') == 0)
        finding(text.p);
}

static void key_answered(void *ctx UNUSED, const struct dns_answer *a)
{
    judge_key(a, dns.keys->keys[dns.key++]);
    ask_next();
}

static void domain_over(void)
{
    dns.question = ASK_MX;
    dns.keys = NULL;
    dns.key = 0;
    arena_release(&dns.key_arena);
    dns.at++;
    ask_next();
}

static void keys_listed(void *ctx UNUSED, int status, struct str body)
{
    dns.keys = status == 0 ? RPC_UNPACK(&dns.key_arena, body, courier__dkim_response) : NULL;
    if (dns.keys) {
        ask_next();
        return;
    }
    dns.unknown += status != E_NOTFOUND; /* that one signs nothing */
    domain_over();
}

static void ask_keys(void)
{
    Courier__DkimRequest q = COURIER__DKIM_REQUEST__INIT;
    struct rpc_ask ask = {
        .op = COURIER__OP__DKIM_LIST, .body = &q.base, .deadline_ms = WAIT_MS, .done = keys_listed
    };

    dns.key_arena.max = KIB(256);
    q.domain = str_pb(str_from(dns.domains[dns.at]));
    if (!rpc_link_ask(role_link(the_role(), ROLE_COURIER), &ask))
        end(E_NOMEM);
}

/* Those that sign, or will. */
static void ask_key(void)
{
    int64_t now = clock_wall_ms();
    char name[400];
    struct dns_question q = { .type = DNS_TXT };

    while (dns.key < dns.keys->n_keys && dns.keys->keys[dns.key]->signs_until_ms &&
           dns.keys->keys[dns.key]->signs_until_ms <= now)
        dns.key++;
    if (dns.key == dns.keys->n_keys) {
        domain_over();
        return;
    }
    snprintf(name, sizeof name, "%.*s._domainkey.%s", (int)dns.keys->keys[dns.key]->selector.len,
             (const char *)dns.keys->keys[dns.key]->selector.data, dns.domains[dns.at]);
    q.name = str_from(name);
    if (!resolve_ask(role_link(the_role(), ROLE_RESOLVER), &q, WAIT_MS, key_answered, NULL))
        end(E_NOMEM);
}

static void answered(void *ctx UNUSED, const struct dns_answer *a)
{
    judge(a);
    dns.question++;
    ask_next();
}

static void end(int status)
{
    struct job *j = dns.job;
    struct buf text = { .max = KIB(8) };
    int r = buf_printf(&text, "%zu domains looked at, %u findings, %u answers not known now%s%.*s", dns.n,
                       dns.found, dns.unknown, dns.text.n ? "\n" : "", STR_ARG(buf_str(&dns.text)));

    dns.job = NULL;
    job_ended(j, status < 0 ? status : r, dns.found > 0, status < 0 ? STR_NONE : buf_str(&text));
    buf_release(&text);
}

static void ask_next(void)
{
    static const uint16_t types[] = { DNS_MX, DNS_TXT, DNS_TXT };
    char name[300];
    struct dns_question q = { .type = DNS_TXT };

    if (dns.at == dns.n) {
        end(0);
        return;
    }
    if (dns.question == ASK_DKIM) {
        if (dns.keys)
            ask_key();
        else
            ask_keys();
        return;
    }
    q.type = types[dns.question];
    snprintf(name, sizeof name, "%s%s", dns.question == ASK_DMARC ? "_dmarc." : "", dns.domains[dns.at]);
    q.name = str_from(name);
    if (!resolve_ask(role_link(the_role(), ROLE_RESOLVER), &q, WAIT_MS, answered, NULL))
        end(E_NOMEM);
}

static void listed(void *ctx UNUSED, int status, struct str body)
{
    Directory__DomainListResponse *m =
        status == 0 ? RPC_UNPACK(&dns.arena, body, directory__domain_list_response) : NULL;

    if (status == 0 && (!m || !(dns.domains = ARENA_ARRAY(&dns.arena, m->n_domains + 1, const char *))))
        status = E_NOMEM;
    for (size_t i = 0; status == 0 && i < m->n_domains; i++)
        if ((dns.domains[dns.n] = arena_dupz(&dns.arena, pb_str(m->domains[i]->domain))))
            dns.n++;
    if (status < 0)
        end(status);
    else
        ask_next();
}

void job_dns(struct job *j)
{
    Directory__ListRequest q = DIRECTORY__LIST_REQUEST__INIT;
    struct rpc_ask ask = {
        .op = DIRECTORY__OP__DOMAIN_LIST, .body = &q.base, .deadline_ms = 60000, .done = listed
    };

    arena_release(&dns.arena);
    arena_release(&dns.key_arena);
    buf_release(&dns.text);
    memset(&dns, 0, sizeof dns);
    dns.job = j;
    dns.arena.max = MIB(4);
    dns.text.max = KIB(3);
    q.limit = DOMAINS_MAX;
    if (!rpc_link_ask(role_link(the_role(), ROLE_DIRECTORY), &ask))
        end(E_NOMEM);
}
