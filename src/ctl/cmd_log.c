/* src/ctl/cmd_log.c: what was decided about a person's mail, day by day. */
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "proto/monitor.pb-c.h"
#include "src/ctl/ctl.h"
#include <jansson.h>
#include <sysexits.h>

#define DAY_MS    INT64_C(86400000)
#define PAGE      500u
#define ANSWER_MS 30000

/* "2026-11-22" to the instant it begins, UTC. */
static bool day_from(const char *text, int64_t *ms_out)
{
    char iso[CLOCK_ISO_LEN + 1];

    if (strlen(text) != 10)
        return false;
    snprintf(iso, sizeof iso, "%sT00:00:00.000Z", text);
    return clock_from_iso(iso, CLOCK_ISO_LEN, ms_out);
}

static void add(json_t *j, const char *key, ProtobufCBinaryData v)
{
    if (v.len > 0)
        json_object_set_new(j, key, json_stringn((const char *)v.data, v.len));
}

static void print_json(const Monitor__Note *n)
{
    char at[CLOCK_ISO_LEN + 1];
    json_t *j = json_object();

    clock_iso(n->at_ms, at);
    json_object_set_new(j, "at", json_string(at));
    add(j, "person", n->person);
    add(j, "service", n->service);
    add(j, "event", n->event);
    add(j, "other", n->other);
    add(j, "id", n->id);
    add(j, "why", n->why);
    add(j, "client", n->client);
    add(j, "name", n->name);
    add(j, "auth", n->auth);
    if (n->bytes)
        json_object_set_new(j, "bytes", json_integer((json_int_t)n->bytes));
    json_object_set_new(j, "tls", json_boolean(n->tls));
    json_dumpf(j, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(j);
}

static void word(const char *before, ProtobufCBinaryData v, const char *behind)
{
    if (v.len > 0)
        printf("%s%.*s%s", before, (int)v.len, (const char *)v.data, behind);
}

static void print_text(const Monitor__Note *n)
{
    char at[CLOCK_ISO_LEN + 1];

    clock_iso(n->at_ms, at);
    printf("%.19sZ %.*s:", at, (int)n->service.len, (const char *)n->service.data);
    word(" ", n->event, "");
    word(" from or to <", n->other, ">");
    word(" at ", n->client, "");
    word(" (", n->name, ")");
    if (n->tls)
        printf(" over TLS");
    if (n->bytes)
        printf(", %llu bytes", (unsigned long long)n->bytes);
    word(", ", n->auth, "");
    word(": ", n->why, "");
    word(" [", n->id, "]");
    putchar('\n');
}

/* What left for elsewhere, as the courier tells of it. */
static bool is_forward(const Monitor__Note *n)
{
    return str_eq_z(pb_str(n->service), "courier") && str_starts(pb_str(n->event), STR("forward"));
}

static int query(struct service *s, Monitor__QueryRequest *q, bool forwards, bool json)
{
    Monitor__QueryResponse *m = NULL;
    unsigned long long n = 0;
    int r;

    do {
        r = service_ask(s, ROLE_MONITOR, MONITOR__OP__QUERY, &q->base, &monitor__query_response__descriptor,
                        &m);
        if (r < 0)
            return ctl_fail(ctl_exit_code(r), "%s", error_text(r));
        for (size_t i = 0; i < m->n_notes; i++) {
            if (forwards && !is_forward(m->notes[i]))
                continue;
            (json ? print_json : print_text)(m->notes[i]);
            n++;
        }
        q->after = m->last;
        bool more = m->more;
        service_forget(s);
        if (!more)
            break;
    } while (true);
    if (n == 0 && !json)
        printf("Nothing is known of that address and time.\n");
    return 0;
}

int cmd_log(int argc, char **argv)
{
    CLEANUP(config_release) struct config c = { .conf = NULL };
    CLEANUP(buf_release) struct buf status = { .max = KIB(128) };
    CLEANUP(service_close) struct service *s = NULL;
    Monitor__QueryRequest q = MONITOR__QUERY_REQUEST__INIT;
    const char *day = NULL;
    bool forwards = false;
    const struct option opts[] = { { .name = "--day", .text = &day },
                                   { .name = "--forwards", .flag = &forwards } };
    struct args a = { .nwords = 0 };
    int r;

    if ((r = args_parse(argc, argv, opts, ARRAY_LEN(opts), 1, &a)) != 0 || (r = ctl_config(&a, &c)) != 0)
        return r;
    if (day && !day_from(day, &q.from_ms))
        return ctl_fail(EX_USAGE, "%s: expected a day as 2026-11-22", day);
    q.to_ms = day ? q.from_ms + DAY_MS : 0;
    q.limit = PAGE;
    q.person = str_pb(str_from(a.words[0]));
    if (service_status(&c, &status) < 0)
        return ctl_fail(EX_UNAVAILABLE, "the service is not running (%s)", c.path);
    if ((r = service_open(&a, &s)) != 0)
        return r;
    service_patience(s, ANSWER_MS);
    return query(s, &q, forwards, a.json);
}
