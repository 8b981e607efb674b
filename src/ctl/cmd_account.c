/* src/ctl/cmd_account.c: accounts and limits. An account pools what its domains and aliases may use; domains
 * and aliases may have limits of their own besides. */
#include "src/ctl/cmd_account.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include <jansson.h>
#include <sysexits.h>

bool size_parse(struct str text, bool *limited_out, uint64_t *bytes_out)
{
    static const struct {
        char unit;
        unsigned shift;
    } units[] = { { 'K', 10 }, { 'M', 20 }, { 'G', 30 }, { 'T', 40 } };
    uint64_t n = 0;
    unsigned shift = 0;
    size_t i = 0;

    if (str_eq_z(text, "none")) {
        *limited_out = false;
        *bytes_out = 0;
        return true;
    }
    for (; i < text.n && text.p[i] >= '0' && text.p[i] <= '9' && n < UINT64_C(1) << 52; i++)
        n = n * 10 + (uint64_t)(text.p[i] - '0');
    if (i == 0 || text.n - i > 1)
        return false;
    for (size_t k = 0; k < ARRAY_LEN(units) && i < text.n; k++)
        if ((text.p[i] & ~0x20) == units[k].unit)
            shift = units[k].shift;
    if ((i < text.n && !shift) || n > (UINT64_C(1) << 60) >> shift)
        return false;
    *limited_out = true;
    *bytes_out = n << shift;
    return true;
}

void size_print(uint64_t bytes, char out[SIZE_TEXT_MAX])
{
    static const char units[] = "KMGTPE";
    double n = (double)bytes;
    size_t u = 0;

    if (bytes < 1024) {
        snprintf(out, SIZE_TEXT_MAX, "%llu", (unsigned long long)bytes);
        return;
    }
    for (n /= 1024; n >= 1000 && u + 2 < sizeof units; u++)
        n /= 1024;
    snprintf(out, SIZE_TEXT_MAX, n < 10 && n != (double)(int)n ? "%.1f%c" : "%.0f%c", n, units[u]);
}

json_t *quota_json(const Directory__Quota *q)
{
    json_t *limit = q && q->limited ? json_integer((json_int_t)q->limit) : json_null();

    return json_pack("{s:o, s:I, s:I}", "limit", limit, "used", (json_int_t)(q ? q->used : 0), "leased",
                     (json_int_t)(q ? q->leased : 0));
}

void quota_print(const Directory__Quota *q, char out[QUOTA_TEXT_MAX])
{
    char used[SIZE_TEXT_MAX], limit[SIZE_TEXT_MAX];

    size_print(q ? q->used : 0, used);
    if (q && q->limited)
        size_print(q->limit, limit);
    snprintf(out, QUOTA_TEXT_MAX, q && q->limited ? "%s of %s" : "%s", used, limit);
}

/* ---- limits ---- */

static int limit_command(int argc, char **argv, Directory__LeaseScope__Kind kind, const char *what)
{
    Directory__LimitRequest q = DIRECTORY__LIMIT_REQUEST__INIT;
    CLEANUP(service_close) struct service *s = NULL;
    struct args a = { .nwords = 0 };
    bool limited = false;
    int r;

    if ((r = args_parse(argc, argv, NULL, 0, 2, &a)) != 0)
        return r;
    if (!size_parse(str_from(a.words[1]), &limited, &q.limit))
        return ctl_fail(EX_DATAERR, "%s: not a size (10G, 512M, none)", a.words[1]);
    if ((r = service_open(&a, &s)) != 0)
        return r;
    q.kind = kind;
    q.name = str_pb(str_from(a.words[0]));
    q.limited = limited;
    r = service_ask(s, ROLE_DIRECTORY, DIRECTORY__OP__LIMIT_SET, &q.base, NULL, NULL);
    if (r == E_NOTFOUND)
        return ctl_fail(EX_NOUSER, "%s: no such %s here", a.words[0], what);
    if (r < 0)
        return ctl_fail(ctl_exit_code(r), "%s: %s", a.words[0], error_text(r));
    fprintf(stderr, limited ? "%s may hold %s\n" : "%s has no limit\n", a.words[0], a.words[1]);
    return EX_OK;
}

int cmd_account_limit(int argc, char **argv)
{
    return limit_command(argc, argv, DIRECTORY__LEASE_SCOPE__KIND__ACCOUNT, "account");
}

int cmd_domain_limit(int argc, char **argv)
{
    return limit_command(argc, argv, DIRECTORY__LEASE_SCOPE__KIND__DOMAIN, "domain");
}

int cmd_alias_limit(int argc, char **argv)
{
    return limit_command(argc, argv, DIRECTORY__LEASE_SCOPE__KIND__ALIAS, "address");
}

/* ---- accounts ---- */

static int account_change(int argc, char **argv, uint32_t op, const char *done)
{
    Directory__AccountRequest q = DIRECTORY__ACCOUNT_REQUEST__INIT;
    CLEANUP(service_close) struct service *s = NULL;
    struct args a = { .nwords = 0 };
    bool gives = op == DIRECTORY__OP__ACCOUNT_GIVE;
    int r;

    if ((r = args_parse(argc, argv, NULL, 0, gives ? 2 : 1, &a)) != 0 || (r = service_open(&a, &s)) != 0)
        return r;
    q.name = str_pb(str_from(a.words[0]));
    if (gives)
        q.member = str_pb(str_from(a.words[1]));
    r = service_ask(s, ROLE_DIRECTORY, op, &q.base, NULL, NULL);
    if (r == E_SYNTAX)
        return ctl_fail(EX_DATAERR,
                        gives ? "%s: not a domain or address"
                              : "%s: not a name (letters, digits, '.', '_' and '-')",
                        a.words[gives]);
    if (r == E_BUSY && op == DIRECTORY__OP__ACCOUNT_REMOVE)
        return ctl_fail(EX_DATAERR, "%s still has domains or addresses: give them to another one first",
                        a.words[0]);
    if (r == E_DENIED && op == DIRECTORY__OP__ACCOUNT_REMOVE)
        return ctl_fail(EX_DATAERR, "%s stays: what belongs to no other account belongs to it", a.words[0]);
    if (r == E_NOTFOUND)
        return ctl_fail(EX_NOUSER, gives ? "%s or %s: not here" : "%s: no such account", a.words[0],
                        gives ? a.words[1] : "");
    if (r < 0)
        return ctl_fail(ctl_exit_code(r), "%s: %s", a.words[0], error_text(r));
    fprintf(stderr, "%s %s\n", a.words[gives], done);
    return EX_OK;
}

int cmd_account_add(int argc, char **argv)
{
    return account_change(argc, argv, DIRECTORY__OP__ACCOUNT_ADD, "added");
}

int cmd_account_remove(int argc, char **argv)
{
    return account_change(argc, argv, DIRECTORY__OP__ACCOUNT_REMOVE, "removed");
}

int cmd_account_give(int argc, char **argv)
{
    return account_change(argc, argv, DIRECTORY__OP__ACCOUNT_GIVE, "belongs to it now");
}

static json_t *account_json(const Directory__Account *m)
{
    char iso[CLOCK_ISO_LEN + 1];

    clock_iso(m->created_ms, iso);
    return json_pack("{s:s%, s:I, s:I, s:I, s:o, s:s}", "account", m->name.data, m->name.len, "domains",
                     (json_int_t)m->domains, "aliases", (json_int_t)m->aliases, "messages",
                     (json_int_t)m->messages, "quota", quota_json(m->quota), "created", iso);
}

static void account_print(const Directory__Account *m)
{
    char quota[QUOTA_TEXT_MAX];

    quota_print(m->quota, quota);
    printf("%-24.*s %6llu domains %6llu addresses besides  %s\n", (int)m->name.len,
           (const char *)m->name.data, (unsigned long long)m->domains, (unsigned long long)m->aliases, quota);
}

/* All of them, or the one that is called so. */
static int accounts(const struct args *a, const char *only)
{
    Directory__ListRequest q = DIRECTORY__LIST_REQUEST__INIT;
    CLEANUP(service_close) struct service *s = NULL;
    Directory__AccountListResponse *m = NULL;
    json_t *list = a->json ? json_array() : NULL;
    size_t n = 0;
    int r = service_open(a, &s);

    q.domain = str_pb(str_from(only));
    do {
        r = r ? r
              : service_ask(s, ROLE_DIRECTORY, DIRECTORY__OP__ACCOUNT_LIST, &q.base,
                            &directory__account_list_response__descriptor, &m);
        for (size_t i = 0; r == 0 && i < m->n_accounts; i++, n++) {
            if (list)
                json_array_append_new(list, account_json(m->accounts[i]));
            else
                account_print(m->accounts[i]);
            q.after = m->accounts[i]->name;
        }
    } while (r == 0 && m->more && m->n_accounts > 0);
    if (r == 0 && *only && n == 0)
        r = ctl_fail(EX_NOUSER, "%s: no such account", only);
    else if (r < 0)
        r = ctl_fail(ctl_exit_code(r), "%s", error_text(r));
    if (list && r == 0) {
        json_dumpf(*only ? json_array_get(list, 0) : list, stdout, JSON_INDENT(2));
        putchar('\n');
    }
    json_decref(list);
    return r;
}

int cmd_account_list(int argc, char **argv)
{
    struct args a = { .nwords = 0 };
    int r = args_parse(argc, argv, NULL, 0, 0, &a);

    return r ? r : accounts(&a, "");
}

int cmd_account_show(int argc, char **argv)
{
    struct args a = { .nwords = 0 };
    int r = args_parse(argc, argv, NULL, 0, 1, &a);

    return r ? r : accounts(&a, a.words[0]);
}
