#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "proto/courier.pb-c.h"
#include "proto/directory.pb-c.h"
#include "src/ctl/cmd_account.h"
#include <jansson.h>
#include <sysexits.h>

void postmaster_hint(struct service *s, const char *domain)
{
    Directory__ResolveRequest q = DIRECTORY__RESOLVE_REQUEST__INIT;
    Directory__ResolveResponse *m = NULL;

    q.address = str_pb(STR("postmaster"));
    if (service_ask(s, ROLE_DIRECTORY, DIRECTORY__OP__RESOLVE, &q.base,
                    &directory__resolve_response__descriptor, &m) == 0 &&
        m->result == DIRECTORY__RESOLVE_RESPONSE__RESULT__NO_ALIAS)
        fprintf(stderr,
                "Nobody takes mail to the postmaster yet, as every mail server should: %s alias add "
                "postmaster@%s\n",
                ctl_program(), domain);
}

/* One request that names a domain; `done` is the sentence on success. */
static int domain_change(int argc, char **argv, uint32_t op, const char *done)
{
    Directory__DomainRequest q = DIRECTORY__DOMAIN_REQUEST__INIT;
    CLEANUP(service_close) struct service *s = NULL;
    struct args a = { .nwords = 0 };
    int r;

    if ((r = args_parse(argc, argv, NULL, 0, 1, &a)) != 0 || (r = service_open(&a, &s)) != 0)
        return r;
    q.domain = str_pb(str_from(a.words[0]));
    r = service_ask(s, ROLE_DIRECTORY, op, &q.base, NULL, NULL);
    if (r == E_SYNTAX)
        return ctl_fail(EX_DATAERR, "%s: not a domain name", a.words[0]);
    if (r == E_RANGE)
        return ctl_fail(
            EX_DATAERR,
            "%s: not a name that mail can come to: that has two labels or more (example.org), and "
            "the last is no number (RFC 5321 2.3.5, RFC 1123 2.1)",
            a.words[0]);
    if (r == E_BUSY && op == DIRECTORY__OP__DOMAIN_REMOVE)
        return ctl_fail(EX_DATAERR,
                        "%s still has aliases, or other domains are names of it: remove them first",
                        a.words[0]);
    if (r == E_NOTFOUND)
        return ctl_fail(EX_NOHOST, "%s: no such domain here", a.words[0]);
    if (r < 0)
        return ctl_fail(ctl_exit_code(r), "%s: %s", a.words[0], error_text(r));
    fprintf(stderr, "%s %s\n", a.words[0], done);
    if (op == DIRECTORY__OP__DOMAIN_ADD && dkim_keys(s, a.words[0], COURIER__OP__DKIM_MAKE) < 0)
        fprintf(stderr, "Its mail is not signed yet: %s domain dkim %s\n", ctl_program(), a.words[0]);
    if (op == DIRECTORY__OP__DOMAIN_REMOVE && dkim_keys(s, a.words[0], COURIER__OP__DKIM_FORGET) < 0)
        fprintf(stderr, "Its keys to sign, and whom it does not write to any more, are still there.\n");
    if (op == DIRECTORY__OP__DOMAIN_ADD)
        postmaster_hint(s, a.words[0]);
    return EX_OK;
}

int cmd_domain_add(int argc, char **argv)
{
    return domain_change(argc, argv, DIRECTORY__OP__DOMAIN_ADD, "added");
}

int cmd_domain_remove(int argc, char **argv)
{
    return domain_change(argc, argv, DIRECTORY__OP__DOMAIN_REMOVE, "removed");
}

static json_t *name_json(ProtobufCBinaryData b)
{
    return b.len ? json_stringn((const char *)b.data, b.len) : json_null();
}

static void print_domain(const Directory__Domain *d, json_t *list)
{
    char iso[CLOCK_ISO_LEN + 1], quota[QUOTA_TEXT_MAX];
    struct str account = d->quota && d->quota->account.len ? pb_str(d->quota->account) : STR("");

    quota_print(d->quota, quota);
    clock_iso(d->created_ms, iso);
    if (list) {
        json_array_append_new(
            list, json_pack("{s:s%, s:I, s:s, s:s%, s:o, s:o, s:o, s:s%, s:I, s:o}", "domain", d->domain.data,
                            d->domain.len, "aliases", (json_int_t)d->aliases, "created", iso, "account",
                            account.p, account.n, "quota", quota_json(d->quota), "alias_of",
                            name_json(d->alias_of), "catch_all", name_json(d->catch_all), "separators",
                            d->separators.len ? (const char *)d->separators.data : "", d->separators.len,
                            "patterns", (json_int_t)d->patterns, "backups", name_json(d->backup_place)));
        return;
    }
    if (d->alias_of.len)
        printf("%-40.*s is %.*s\n", (int)d->domain.len, (const char *)d->domain.data, (int)d->alias_of.len,
               (const char *)d->alias_of.data);
    else
        printf("%-40.*s %6llu aliases  since %.10s  %s\n", (int)d->domain.len, (const char *)d->domain.data,
               (unsigned long long)d->aliases, iso, quota);
    if (d->catch_all.len)
        printf("    what no alias takes goes to %.*s\n", (int)d->catch_all.len,
               (const char *)d->catch_all.data);
    if (d->backup_place.len)
        printf("    backups go to %.*s\n", (int)d->backup_place.len, (const char *)d->backup_place.data);
    if (d->patterns)
        printf("    %llu patterns\n", (unsigned long long)d->patterns);
    if (!str_eq_z(pb_str(d->separators), "+") && !d->alias_of.len)
        printf("    tags begin with: %.*s\n", d->separators.len ? (int)d->separators.len : 7,
               d->separators.len ? (const char *)d->separators.data : "nothing");
}

int cmd_domain_list(int argc, char **argv)
{
    Directory__ListRequest q = DIRECTORY__LIST_REQUEST__INIT;
    CLEANUP(service_close) struct service *s = NULL;
    Directory__DomainListResponse *m = NULL;
    struct args a = { .nwords = 0 };
    json_t *list = NULL;
    int r;

    if ((r = args_parse(argc, argv, NULL, 0, 0, &a)) != 0 || (r = service_open(&a, &s)) != 0)
        return r;
    if (a.json)
        list = json_array();
    do {
        r = service_ask(s, ROLE_DIRECTORY, DIRECTORY__OP__DOMAIN_LIST, &q.base,
                        &directory__domain_list_response__descriptor, &m);
        for (size_t i = 0; r == 0 && i < m->n_domains; i++) {
            print_domain(m->domains[i], list);
            q.after = m->domains[i]->domain;
        }
    } while (r == 0 && m->more && m->n_domains > 0);
    if (list && r == 0) {
        json_dumpf(list, stdout, JSON_INDENT(2));
        putchar('\n');
    }
    json_decref(list);
    return r < 0 ? ctl_fail(ctl_exit_code(r), "%s", error_text(r)) : EX_OK;
}
