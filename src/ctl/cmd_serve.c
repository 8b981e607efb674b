/* src/ctl/cmd_serve.c: serve, status, config. */
#include "lib/base/errors.h"
#include "src/ctl/ctl.h"
#include "src/common/supervisor.h"
#include <jansson.h>
#include <sysexits.h>

/* sysexits for a configuration that could not be read; says why. */
static int config_of(const struct args *a, struct config *c)
{
    CLEANUP(buf_release) struct buf err = { .max = KIB(4) };
    int r = config_open(c, a->config, &err);

    if (r == 0)
        return 0;
    ctl_fail(0, "%s", err.n ? buf_z(&err) : error_text(r));
    return r == E_NOTFOUND ? EX_NOINPUT : r == E_SYNTAX || r == E_RANGE ? EX_CONFIG : ctl_exit_code(r);
}

int cmd_serve(int argc, char **argv)
{
    CLEANUP(config_release) struct config c = { .conf = NULL };
    struct args a = { .nwords = 0 };
    int r;

    if ((r = args_parse(argc, argv, NULL, 0, 0, &a)) != 0 || (r = config_of(&a, &c)) != 0)
        return r;
    return supervisor_run(&c, SUPERVISE_SERVICE, -1);
}

static void print_status(json_t *j)
{
    json_t *roles = json_object_get(j, "roles"), *listeners = json_object_get(j, "listeners"), *one;
    size_t i;

    printf("letterlock %s, process %lld, %s, up %.0f s\n", json_string_value(json_object_get(j, "version")),
           (long long)json_integer_value(json_object_get(j, "pid")),
           json_is_true(json_object_get(j, "stopping")) ? "stopping"
           : json_is_true(json_object_get(j, "ready"))  ? "ready"
                                                        : "starting",
           (double)json_integer_value(json_object_get(j, "uptime_ms")) / 1000.0);
    printf("%-12s %8s %-9s %8s  %s\n", "role", "process", "state", "restarts", "confined by");
    json_array_foreach(roles, i, one)
    {
        bool seccomp = json_is_true(json_object_get(one, "seccomp"));
        int abi = (int)json_integer_value(json_object_get(one, "landlock_abi"));
        char name[40];

        snprintf(name, sizeof name, "%s/%lld", json_string_value(json_object_get(one, "name")),
                 (long long)json_integer_value(json_object_get(one, "instance")));
        printf("%-12s %8lld %-9s %8lld  %s%s%s\n", name,
               (long long)json_integer_value(json_object_get(one, "pid")),
               json_string_value(json_object_get(one, "state")),
               (long long)json_integer_value(json_object_get(one, "restarts")), seccomp ? "seccomp" : "",
               seccomp && abi ? ", " : "",
               abi       ? "Landlock"
               : seccomp ? ""
                         : "NOTHING");
    }
    json_array_foreach(listeners, i, one) printf("%-16s %s\n", json_string_value(json_object_get(one, "key")),
                                                 json_string_value(json_object_get(one, "address")));
    if (!json_is_true(json_object_get(j, "own_users")))
        printf("All roles share one user (start as root with server.user set to change that).\n");
    if (!json_is_true(json_object_get(j, "tls")))
        printf("No certificate: TLS is off, and IMAP takes no passwords.\n");
}

int cmd_status(int argc, char **argv)
{
    CLEANUP(config_release) struct config c = { .conf = NULL };
    CLEANUP(buf_release) struct buf text = { .max = KIB(128) };
    struct args a = { .nwords = 0 };
    json_t *j;
    int r;

    if ((r = args_parse(argc, argv, NULL, 0, 0, &a)) != 0 || (r = config_of(&a, &c)) != 0)
        return r;
    if (service_status(&c, &text) < 0) {
        if (a.json)
            printf("{\"running\":false}\n");
        return a.json ? EX_UNAVAILABLE : ctl_fail(EX_UNAVAILABLE, "the service is not running (%s)", c.path);
    }
    if (a.json) {
        fwrite(text.p, 1, text.n, stdout);
        return EX_OK;
    }
    if (!(j = json_loadb(text.p, text.n, 0, NULL)))
        return ctl_fail(EX_SOFTWARE, "the service answered something else");
    print_status(j);
    json_decref(j);
    return EX_OK;
}

int cmd_config(int argc, char **argv)
{
    CLEANUP(config_release) struct config c = { .conf = NULL };
    CLEANUP(buf_release) struct buf out = { .max = MIB(1) };
    struct args a = { .nwords = 0 };
    bool manual = false;
    struct option opts[] = { { "--manual", NULL, &manual } };
    const struct conf_table *tables;
    size_t n;
    int r;

    if ((r = args_parse(argc, argv, opts, 1, 0, &a)) != 0)
        return r;
    tables = config_tables(&n);
    if (manual) { /* the generated part of letterlock.conf(5) */
        r = conf_print_manual(tables, n, &out);
    } else {
        if ((r = config_of(&a, &c)) != 0)
            return r;
        for (size_t i = 0; i < n && r == 0; i++)
            if (tables[i].n > 0 && (r = conf_print(c.conf, tables[i].items, tables[i].n, &out)) == 0)
                r = buf_putc(&out, '\n');
    }
    if (r == 0)
        fwrite(out.p, 1, out.n, stdout);
    return ctl_exit_code(r);
}
