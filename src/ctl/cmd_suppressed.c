/* src/ctl/cmd_suppressed.c: who gets nothing from a domain any more. */
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "proto/courier.pb-c.h"
#include "src/ctl/ctl.h"
#include <jansson.h>
#include <sysexits.h>

#define DAY_MS   INT64_C(86400000)
#define DAYS_MAX 36500u

static json_t *text_json(ProtobufCBinaryData v)
{
    json_t *j = json_stringn((const char *)v.data, v.len); /* NULL: no UTF-8 */

    return j ? j : json_null();
}

static void print_row(const Courier__Suppressed *m, json_t *list)
{
    char since[CLOCK_ISO_LEN + 1], until[CLOCK_ISO_LEN + 1];

    clock_iso(m->created_ms, since);
    clock_iso(m->until_ms, until);
    if (list)
        json_array_append_new(list, json_pack("{s:o, s:o, s:s, s:s?, s:o}", "domain", text_json(m->domain),
                                              "address", text_json(m->address), "since", since, "until",
                                              m->until_ms ? until : NULL, "why", text_json(m->why)));
    else
        printf("%.*s  %.*s  since %.10s%s%.10s%s%.*s\n", (int)m->domain.len, (const char *)m->domain.data,
               (int)m->address.len, (const char *)m->address.data, since, m->until_ms ? ", until " : "",
               m->until_ms ? until : "", m->why.len ? ": " : "", (int)m->why.len, (const char *)m->why.data);
}

static int list(struct service *s, const char *domain, bool json)
{
    Courier__SuppressedListRequest q = COURIER__SUPPRESSED_LIST_REQUEST__INIT;
    Courier__SuppressedListResponse *m = NULL;
    Courier__Suppressed after = COURIER__SUPPRESSED__INIT;
    CLEANUP(arena_release) struct arena a = { .max = KIB(64) };
    json_t *out = json ? json_array() : NULL;
    int r;

    q.domain = str_pb(str_from(domain));
    q.after = &after;
    do {
        r = service_ask(s, ROLE_COURIER, COURIER__OP__SUPPRESSED_LIST, &q.base,
                        &courier__suppressed_list_response__descriptor, &m);
        for (size_t i = 0; r == 0 && i < m->n_list; i++)
            print_row(m->list[i], out);
        if (r < 0 || !m->more || m->n_list == 0)
            break;
        arena_release(&a);
        a = (struct arena){ .max = KIB(64) };
        after.domain = str_pb(arena_dup(&a, pb_str(m->list[m->n_list - 1]->domain)));
        after.address = str_pb(arena_dup(&a, pb_str(m->list[m->n_list - 1]->address)));
        service_forget(s);
    } while (true);
    if (r == 0 && out) {
        json_dumpf(out, stdout, JSON_INDENT(2));
        putchar('\n');
    }
    json_decref(out);
    return r < 0 ? ctl_fail(ctl_exit_code(r), "%s", error_text(r)) : EX_OK;
}

static int change(struct service *s, const char *address, const char *domain, uint32_t days, bool remove)
{
    Courier__SuppressedRequest q = COURIER__SUPPRESSED_REQUEST__INIT;
    Courier__Suppressed row = COURIER__SUPPRESSED__INIT;
    int r;

    q.row = &row;
    q.remove = remove;
    row.domain = str_pb(str_from(domain));
    row.address = str_pb(str_from(address));
    row.why = str_pb(STR("added by hand"));
    row.until_ms = days ? clock_wall_ms() + days * DAY_MS : 0;
    r = service_ask(s, ROLE_COURIER, COURIER__OP__SUPPRESSED_SET, &q.base, NULL, NULL);
    if (r == E_NOTFOUND)
        return ctl_fail(EX_NOUSER, "%s: not on the list of %s", address, domain);
    if (r == E_SYNTAX)
        return ctl_fail(EX_DATAERR, "%s, %s: no address, or no domain", address, domain);
    if (r < 0)
        return ctl_fail(ctl_exit_code(r), "%s", error_text(r));
    fprintf(stderr, "%s: %s the list of %s\n", address, remove ? "taken off" : "put on", domain);
    return EX_OK;
}

int cmd_queue_suppressed(int argc, char **argv)
{
    CLEANUP(service_close) struct service *s = NULL;
    bool lists = argc > 1 && strcmp(argv[1], "list") == 0;
    const char *domain = NULL, *days = NULL;
    const struct option opts[] = { { "--domain", &domain, NULL }, { "--days", &days, NULL } };
    struct args a = { .nwords = 0 };
    uint32_t n = 0;
    bool remove;
    int r;

    if ((r = args_parse(argc, argv, opts, ARRAY_LEN(opts), lists ? 1 : 2, &a)) != 0)
        return r;
    remove = strcmp(a.words[0], "remove") == 0;
    if (!lists && !remove && strcmp(a.words[0], "add") != 0)
        return ctl_fail(EX_USAGE, "queue suppressed: list, add or remove, not %s", a.words[0]);
    if (!lists && !domain)
        return ctl_fail(EX_USAGE, "queue suppressed: whose list is it? --domain DOMAIN");
    if (days && (!str_to_u32(str_from(days), &n) || n == 0 || n > DAYS_MAX))
        return ctl_fail(EX_USAGE, "%s: not a number of days", days);
    if ((r = service_open(&a, &s)) != 0)
        return r;
    return lists ? list(s, domain, a.json) : change(s, a.words[1], domain, n, remove);
}
