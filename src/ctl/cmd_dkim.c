/* src/ctl/cmd_dkim.c: the keys that sign a domain's mail, as DNS records; and what its webhooks are signed with. */
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "proto/courier.pb-c.h"
#include "proto/directory.pb-c.h"
#include "src/common/jobs_hook.h"
#include "src/ctl/ctl.h"
#include <idn2.h>
#include <jansson.h>
#include <sysexits.h>

#define NAME_MAX_BYTES 256u

/* As A-labels, in lower case: what the courier knows it by. */
static bool name_ascii(const char *name, char out[NAME_MAX_BYTES])
{
    char *ascii = NULL;
    bool good = idn2_to_ascii_8z(name, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) == IDN2_OK &&
                strlen(ascii) < NAME_MAX_BYTES;

    if (good)
        snprintf(out, NAME_MAX_BYTES, "%s", ascii);
    idn2_free(ascii);
    return good;
}

static int is_ours(struct service *s, const char *domain)
{
    Directory__ResolveRequest q = DIRECTORY__RESOLVE_REQUEST__INIT;
    Directory__ResolveResponse *m = NULL;
    char address[NAME_MAX_BYTES + 20];
    int r;

    snprintf(address, sizeof address, "postmaster@%s", domain);
    q.address = str_pb(str_from(address));
    r = service_ask(s, ROLE_DIRECTORY, DIRECTORY__OP__RESOLVE, &q.base,
                    &directory__resolve_response__descriptor, &m);
    if (r < 0)
        return r;
    return m->result == DIRECTORY__RESOLVE_RESPONSE__RESULT__NO_DOMAIN ? E_NOTFOUND : 0;
}

static void print_key(const char *domain, const Courier__DkimKey *k)
{
    char when[CLOCK_ISO_LEN + 1];

    printf("; %.*s", (int)k->algorithm.len, (const char *)k->algorithm.data);
    if (k->signs_from_ms > k->created_ms) {
        clock_iso(k->signs_from_ms, when);
        printf(", signs from %.16sZ", when);
    }
    if (k->signs_until_ms) {
        clock_iso(k->signs_until_ms, when);
        printf(", signs until %.16sZ, leave it there seven days longer", when);
    }
    printf("\n%.*s._domainkey.%s. TXT", (int)k->selector.len, (const char *)k->selector.data, domain);
    for (size_t i = 0; i < k->record.len; i += 255) /* strings of at most 255 bytes (RFC 1035 3.3) */
        printf(" \"%.*s\"", (int)size_min(255, k->record.len - i), (const char *)k->record.data + i);
    putchar('\n');
}

static json_t *key_json(const Courier__DkimKey *k)
{
    return json_pack("{s:s%, s:s%, s:s%, s:I, s:I, s:I}", "selector", k->selector.data, k->selector.len,
                     "algorithm", k->algorithm.data, k->algorithm.len, "record", k->record.data,
                     k->record.len, "created_ms", (json_int_t)k->created_ms, "signs_from_ms",
                     (json_int_t)k->signs_from_ms, "signs_until_ms", (json_int_t)k->signs_until_ms);
}

int dkim_keys(struct service *s, const char *domain, uint32_t op)
{
    Courier__DkimRequest q = COURIER__DKIM_REQUEST__INIT;
    char name[NAME_MAX_BYTES];

    if (!name_ascii(domain, name))
        return E_SYNTAX;
    q.domain = str_pb(str_from(name));
    return service_ask(s, ROLE_COURIER, op, &q.base, NULL, NULL);
}

int cmd_domain_dkim(int argc, char **argv)
{
    Courier__DkimRequest q = COURIER__DKIM_REQUEST__INIT;
    CLEANUP(service_close) struct service *s = NULL;
    Courier__DkimResponse *m = NULL;
    bool rotate = false;
    const struct option opts[] = { { "--rotate", NULL, &rotate } };
    struct args a = { .nwords = 0 };
    char name[NAME_MAX_BYTES];
    json_t *list;
    int r;

    if ((r = args_parse(argc, argv, opts, ARRAY_LEN(opts), 1, &a)) != 0)
        return r;
    if (!name_ascii(a.words[0], name))
        return ctl_fail(EX_DATAERR, "%s: not a domain name", a.words[0]);
    if ((r = service_open(&a, &s)) != 0)
        return r;
    if ((r = is_ours(s, name)) == E_NOTFOUND)
        return ctl_fail(EX_NOHOST, "%s: no such domain here", a.words[0]);
    q.domain = str_pb(str_from(name));
    if (r == 0)
        r = service_ask(s, ROLE_COURIER, rotate ? COURIER__OP__DKIM_ROTATE : COURIER__OP__DKIM_MAKE, &q.base,
                        &courier__dkim_response__descriptor, &m);
    if (r < 0)
        return ctl_fail(ctl_exit_code(r), "%s: %s", a.words[0], error_text(r));
    list = a.json ? json_array() : NULL;
    for (size_t i = 0; i < m->n_keys; i++) {
        if (list)
            json_array_append_new(list, key_json(m->keys[i]));
        else
            print_key(name, m->keys[i]);
    }
    if (list) {
        json_dumpf(list, stdout, JSON_INDENT(2));
        putchar('\n');
        json_decref(list);
    }
    return EX_OK;
}

/* `domain`: of ours, or the one that the jobs role calls in the name of. */
static int webhook_key(struct service *s, const char *domain, bool rotate, bool as_json)
{
    Courier__WebhookKeyRequest q = COURIER__WEBHOOK_KEY_REQUEST__INIT;
    Courier__WebhookKeyResponse *m = NULL;
    int r;

    q.domain = str_pb(str_from(domain));
    q.rotate = rotate;
    r = service_ask(s, ROLE_COURIER, COURIER__OP__WEBHOOK_KEY, &q.base,
                    &courier__webhook_key_response__descriptor, &m);
    if (r < 0)
        return ctl_fail(ctl_exit_code(r), "%s: %s", domain, error_text(r));
    printf(as_json ? "{\"key\":\"%.*s\"}\n" : "%.*s\n", (int)m->key.len, (const char *)m->key.data);
    return EX_OK;
}

int cmd_domain_webhook_key(int argc, char **argv)
{
    CLEANUP(service_close) struct service *s = NULL;
    bool rotate = false;
    const struct option opts[] = { { "--rotate", NULL, &rotate } };
    struct args a = { .nwords = 0 };
    char name[NAME_MAX_BYTES];
    int r;

    if ((r = args_parse(argc, argv, opts, ARRAY_LEN(opts), 1, &a)) != 0)
        return r;
    if (!name_ascii(a.words[0], name))
        return ctl_fail(EX_DATAERR, "%s: not a domain name", a.words[0]);
    if ((r = service_open(&a, &s)) != 0)
        return r;
    if ((r = is_ours(s, name)) == E_NOTFOUND)
        return ctl_fail(EX_NOHOST, "%s: no such domain here", a.words[0]);
    if (r < 0)
        return ctl_fail(ctl_exit_code(r), "%s: %s", a.words[0], error_text(r));
    return webhook_key(s, name, rotate, a.json);
}

int cmd_jobs_webhook_key(int argc, char **argv)
{
    CLEANUP(service_close) struct service *s = NULL;
    bool rotate = false;
    const struct option opts[] = { { "--rotate", NULL, &rotate } };
    struct args a = { .nwords = 0 };
    int r = args_parse(argc, argv, opts, ARRAY_LEN(opts), 0, &a);

    if (r != 0 || (r = service_open(&a, &s)) != 0)
        return r;
    return webhook_key(s, JOBS_HOOK_DOMAIN, rotate, a.json);
}

int cmd_domain_bounce_webhook(int argc, char **argv)
{
    Courier__BounceWebhookRequest q = COURIER__BOUNCE_WEBHOOK_REQUEST__INIT;
    CLEANUP(service_close) struct service *s = NULL;
    Courier__BounceWebhookResponse *m = NULL;
    const char *to = NULL;
    bool none = false;
    const struct option opts[] = { { "--to", &to, NULL }, { "--none", NULL, &none } };
    struct args a = { .nwords = 0 };
    char name[NAME_MAX_BYTES];
    int r;

    if ((r = args_parse(argc, argv, opts, ARRAY_LEN(opts), 1, &a)) != 0)
        return r;
    if (!name_ascii(a.words[0], name) || (to && none))
        return ctl_fail(EX_DATAERR, "%s: not a domain name, or both --to and --none", a.words[0]);
    if ((r = service_open(&a, &s)) != 0)
        return r;
    if ((r = is_ours(s, name)) == E_NOTFOUND)
        return ctl_fail(EX_NOHOST, "%s: no such domain here", a.words[0]);
    q.domain = str_pb(str_from(name));
    q.set = to || none;
    q.url = str_pb(str_from(to));
    if (r == 0)
        r = service_ask(s, ROLE_COURIER, COURIER__OP__BOUNCE_WEBHOOK, &q.base,
                        &courier__bounce_webhook_response__descriptor, &m);
    if (r == E_SYNTAX)
        return ctl_fail(EX_DATAERR, "%s: no URL, or http:// without courier.webhook_http", to);
    if (r < 0)
        return ctl_fail(ctl_exit_code(r), "%s: %s", a.words[0], error_text(r));
    if (a.json)
        printf(m->url.len ? "{\"url\":\"%.*s\"}\n" : "{\"url\":null}\n", (int)m->url.len,
               (const char *)m->url.data);
    else if (m->url.len)
        printf("%.*s\n", (int)m->url.len, (const char *)m->url.data);
    return EX_OK;
}
