/* src/ctl/cmd_status.c: what runs, how it is confined, and what the store has in hand. */
#include "lib/base/errors.h"
#include "proto/courier.pb-c.h"
#include "proto/resolver.pb-c.h"
#include "proto/store.pb-c.h"
#include "src/ctl/ctl.h"
#include <jansson.h>
#include <sysexits.h>

#define STORE_WAIT_MS 3000 /* status is asked for when something is wrong: it does not wait for it */

static long long number(const json_t *j, const char *key)
{
    return (long long)json_integer_value(json_object_get(j, key));
}

static bool yes(const json_t *j, const char *key)
{
    return json_is_true(json_object_get(j, key));
}

/* The store's counters, or null when it does not answer now. */
static json_t *store_counters(const struct args *a)
{
    Store__StatusRequest q = STORE__STATUS_REQUEST__INIT;
    CLEANUP(service_close) struct service *s = NULL;
    Store__StatusResponse *m = NULL;
    json_t *counters;

    if (service_open(a, &s) != 0)
        return json_null();
    service_patience(s, STORE_WAIT_MS);
    if (service_ask(s, ROLE_STORE, STORE__OP__STATUS, &q.base, &store__status_response__descriptor, &m) < 0)
        return json_null();
    counters = json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
        "sessions", (json_int_t)m->sessions, "open_mailboxes", (json_int_t)m->open_mailboxes, "staged_bytes",
        (json_int_t)m->staged_bytes, "delivered_open", (json_int_t)m->delivered_open, "delivered_sealed",
        (json_int_t)m->delivered_sealed, "duplicates", (json_int_t)m->duplicates, "drained",
        (json_int_t)m->drained, "checks", (json_int_t)m->checks, "check_findings",
        (json_int_t)m->check_findings, "alarms", (json_int_t)m->alarms, "retained", (json_int_t)m->retained,
        "rotations", (json_int_t)m->rotations, "open_files", (json_int_t)m->open_files, "file_bytes",
        (json_int_t)m->file_bytes, "files_opened", (json_int_t)m->files_opened, "files_given_back",
        (json_int_t)m->files_given_back, "lease_requests", (json_int_t)m->lease_requests, "over_quota",
        (json_int_t)m->over_quota, "quota_warnings", (json_int_t)m->quota_warnings, "backups",
        (json_int_t)m->backups, "backups_failed", (json_int_t)m->backups_failed);
    if (counters && m->ship)
        json_object_set_new(counters, "ship",
                            json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:I}", "packs",
                                      (json_int_t)m->ship_packs, "bytes", (json_int_t)m->ship_bytes,
                                      "waiting_packs", (json_int_t)m->ship_waiting_packs, "waiting_bytes",
                                      (json_int_t)m->ship_waiting_bytes, "behind_ms",
                                      (json_int_t)m->ship_behind_ms, "gaps", (json_int_t)m->ship_gaps,
                                      "without_base", (json_int_t)m->ship_without_base, "full",
                                      (int)m->ship_full, "failures", (json_int_t)m->ship_failures));
    return counters;
}

/* The resolver's, likewise. */
static json_t *resolver_counters(const struct args *a)
{
    Resolver__StatusRequest q = RESOLVER__STATUS_REQUEST__INIT;
    CLEANUP(service_close) struct service *s = NULL;
    Resolver__StatusResponse *m = NULL;
    json_t *list;

    if (service_open(a, &s) != 0)
        return json_null();
    service_patience(s, STORE_WAIT_MS);
    if (service_ask(s, ROLE_RESOLVER, RESOLVER__OP__STATUS, &q.base, &resolver__status_response__descriptor,
                    &m) < 0)
        return json_null();
    list = json_array();
    for (size_t i = 0; i < m->n_upstreams; i++) {
        const Resolver__Upstream *u = m->upstreams[i];

        json_array_append_new(
            list, json_pack("{s:s%, s:I, s:I, s:I, s:I}", "name", (const char *)u->name.data, u->name.len,
                            "answers", (json_int_t)u->answers, "failures", (json_int_t)u->failures, "failed",
                            (json_int_t)u->failed, "took_us", (json_int_t)u->took_us));
    }
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "asked",
                     (json_int_t)m->asked, "hits", (json_int_t)m->hits, "joined", (json_int_t)m->joined,
                     "given_up", (json_int_t)m->given_up, "refused", (json_int_t)m->refused, "prefetched",
                     (json_int_t)m->prefetched, "forged", (json_int_t)m->forged, "questions",
                     (json_int_t)m->questions, "entries", (json_int_t)m->entries, "bytes",
                     (json_int_t)m->bytes, "evicted", (json_int_t)m->evicted, "upstreams", list);
}

static void print_resolver(const json_t *resolver)
{
    const json_t *u;

    if (!json_is_object(resolver)) {
        printf("The resolver does not answer now: names are not looked up.\n");
        return;
    }
    printf("Names: %lld asked for, %lld from the cache (%lld answers kept), %lld given up\n",
           number(resolver, "asked"), number(resolver, "hits"), number(resolver, "entries"),
           number(resolver, "given_up"));
    for (size_t i = 0; (u = json_array_get(json_object_get(resolver, "upstreams"), i)); i++)
        printf("  %-28s %lld answers, %.1f ms, %lld failures%s\n",
               json_string_value(json_object_get(u, "name")), number(u, "answers"),
               (double)number(u, "took_us") / 1000.0, number(u, "failures"),
               number(u, "failed") ? "; failing now" : "");
}

/* And the queue. */
static json_t *courier_counters(const struct args *a)
{
    Courier__StatusRequest q = COURIER__STATUS_REQUEST__INIT;
    CLEANUP(service_close) struct service *s = NULL;
    Courier__StatusResponse *m = NULL;

    if (service_open(a, &s) != 0)
        return json_null();
    service_patience(s, STORE_WAIT_MS);
    if (service_ask(s, ROLE_COURIER, COURIER__OP__STATUS, &q.base, &courier__status_response__descriptor,
                    &m) < 0)
        return json_null();
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "messages",
                     (json_int_t)m->messages, "targets", (json_int_t)m->targets, "bytes",
                     (json_int_t)m->bytes, "active", (json_int_t)m->active, "oldest_ms",
                     (json_int_t)m->oldest_ms, "enqueued", (json_int_t)m->enqueued, "delivered",
                     (json_int_t)m->delivered, "deferred", (json_int_t)m->deferred, "failed",
                     (json_int_t)m->failed, "uncertain", (json_int_t)m->uncertain);
}

static void print_courier(const json_t *courier)
{
    if (!json_is_object(courier)) {
        printf("The courier does not answer now: nothing is taken that should be sent.\n");
        return;
    }
    printf(
        "Queue: %lld messages to %lld recipients, %lld bytes, %lld under way, oldest %lld min; since the courier "
        "started: %lld queued, %lld delivered, %lld put off, %lld failed\n",
        number(courier, "messages"), number(courier, "targets"), number(courier, "bytes"),
        number(courier, "active"), number(courier, "oldest_ms") / 60000, number(courier, "enqueued"),
        number(courier, "delivered"), number(courier, "deferred"), number(courier, "failed"));
    if (number(courier, "uncertain"))
        printf("%lld may have arrived twice: the other side's answer was lost\n",
               number(courier, "uncertain"));
}

static void print_role(const json_t *one)
{
    bool seccomp = yes(one, "seccomp"), landlock = number(one, "landlock_abi") > 0;
    const char *state = json_string_value(json_object_get(one, "state"));
    const char *confined = state && strcmp(state, "ready") != 0 ? "-" /* it says so when it is ready */
                           : seccomp && landlock                ? "seccomp, Landlock"
                           : seccomp                            ? "seccomp"
                           : landlock                           ? "Landlock"
                                                                : "NOTHING";
    char name[40];

    snprintf(name, sizeof name, "%s/%lld", json_string_value(json_object_get(one, "name")),
             number(one, "instance"));
    printf("%-12s %-10s %8lld %-9s %8lld  %s\n", name, json_string_value(json_object_get(one, "user")),
           number(one, "pid"), state, number(one, "restarts"), confined);
}

static void print_ship(const json_t *ship)
{
    if (!ship)
        return;
    printf(
        "Shipped: %lld packs, %lld bytes; %lld bytes wait for the storage, the oldest for %lld s; %lld mailboxes "
        "without a first copy\n",
        number(ship, "packs"), number(ship, "bytes"), number(ship, "waiting_bytes"),
        number(ship, "behind_ms") / 1000, number(ship, "without_base"));
    if (json_is_true(json_object_get(ship, "full")))
        printf(
            "ATTENTION: the spool of what is shipped is full: nothing is shipped until the storage answers\n");
    if (number(ship, "gaps"))
        printf("ATTENTION: %lld files could not be shipped without a gap; moments in it cannot be restored\n",
               number(ship, "gaps"));
}

static void print_store(const json_t *store)
{
    if (!json_is_object(store)) {
        printf("The store does not answer now.\n");
        return;
    }
    printf("%lld sessions, %lld open mailboxes; since the store started: %lld messages into open mailboxes, "
           "%lld sealed, %lld drained, %lld repeats recognised\n",
           number(store, "sessions"), number(store, "open_mailboxes"), number(store, "delivered_open"),
           number(store, "delivered_sealed"), number(store, "drained"), number(store, "duplicates"));
    printf(
        "%lld mailboxes checked, %lld findings; %lld messages gone from Trash and Junk by age; %lld data keys "
        "changed\n",
        number(store, "checks"), number(store, "check_findings"), number(store, "retained"),
        number(store, "rotations"));
    printf("%lld backups taken, %lld failed\n", number(store, "backups"), number(store, "backups_failed"));
    print_ship(json_object_get(store, "ship"));
    if (number(store, "alarms"))
        printf("ALARMS: %lld (files older than noted, missing or damaged: the log says which)\n",
               number(store, "alarms"));
    printf("Quotas: %lld refused, %lld warnings, leases asked for %lld times\n", number(store, "over_quota"),
           number(store, "quota_warnings"), number(store, "lease_requests"));
}

static const char *user_at(const json_t *roles, size_t i)
{
    return json_string_value(json_object_get(json_array_get(roles, i), "user"));
}

/* Loud about what separates less than it could: roles of one user could do each other's what the sandbox lets them. */
static void print_shared(const json_t *roles)
{
    bool one = true;

    for (size_t i = 1; i < json_array_size(roles); i++)
        one = one && strcmp(user_at(roles, 0), user_at(roles, i)) == 0;
    printf(
        one ? "All roles share one user (start as root with store.user, imap.user, ... set to change that).\n"
            : "Some roles share a user (store.user, directory.user, imap.user, ... give each its own).\n");
}

static void print_status(const json_t *j)
{
    const json_t *one;
    size_t i;

    printf("letterlock %s, process %lld, %s, up %.0f s\n", json_string_value(json_object_get(j, "version")),
           number(j, "pid"),
           yes(j, "stopping") ? "stopping"
           : yes(j, "ready")  ? "ready"
                              : "starting",
           (double)number(j, "uptime_ms") / 1000.0);
    printf("%-12s %-10s %8s %-9s %8s  %s\n", "role", "user", "process", "state", "restarts", "confined by");
    for (i = 0; (one = json_array_get(json_object_get(j, "roles"), i)); i++)
        print_role(one);
    for (i = 0; (one = json_array_get(json_object_get(j, "listeners"), i)); i++)
        printf("%-16s %s\n", json_string_value(json_object_get(one, "key")),
               json_string_value(json_object_get(one, "address")));
    print_store(json_object_get(j, "store"));
    print_courier(json_object_get(j, "courier"));
    print_resolver(json_object_get(j, "resolver"));
    if (!yes(j, "own_users"))
        print_shared(json_object_get(j, "roles"));
    if (!yes(j, "tls"))
        printf("No certificate: TLS is off, and IMAP takes no passwords.\n");
}

static bool is_ready(const json_t *j, const char *role)
{
    const json_t *one, *roles = json_object_get(j, "roles");

    for (size_t i = 0; (one = json_array_get(roles, i)); i++)
        if (strcmp(json_string_value(json_object_get(one, "name")), role) == 0)
            return strcmp(json_string_value(json_object_get(one, "state")), "ready") == 0;
    return false;
}

int cmd_status(int argc, char **argv)
{
    CLEANUP(config_release) struct config c = { .conf = NULL };
    CLEANUP(buf_release) struct buf text = { .max = KIB(128) };
    struct args a = { .nwords = 0 };
    json_t *j;
    int r;

    if ((r = args_parse(argc, argv, NULL, 0, 0, &a)) != 0 || (r = ctl_config(&a, &c)) != 0)
        return r;
    if ((r = service_status(&c, &text)) == E_DENIED)
        return ctl_fail(EX_NOPERM, "%s: only the owner of the service may ask", c.server.run_dir);
    if (r == E_TIMEOUT)
        return ctl_fail(EX_TEMPFAIL, "the service does not answer (%s)", c.path);
    if (r < 0) {
        if (a.json)
            printf("{\"running\":false}\n");
        return a.json ? EX_UNAVAILABLE : ctl_fail(EX_UNAVAILABLE, "the service is not running (%s)", c.path);
    }
    if (!(j = json_loadb(text.p, text.n, 0, NULL)))
        return ctl_fail(EX_SOFTWARE, "the service answered something else");
    json_object_set_new(j, "running", json_true());
    json_object_set_new(j, "store", yes(j, "ready") ? store_counters(&a) : json_null());
    json_object_set_new(j, "courier", is_ready(j, "courier") ? courier_counters(&a) : json_null());
    json_object_set_new(j, "resolver", is_ready(j, "resolver") ? resolver_counters(&a) : json_null());
    if (a.json) {
        json_dumpf(j, stdout, JSON_INDENT(2));
        putchar('\n');
    } else {
        print_status(j);
    }
    json_decref(j);
    return EX_OK;
}
