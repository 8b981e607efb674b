/* src/ctl/cmd_serve.c: serve, config. */
#include "lib/base/errors.h"
#include "src/ctl/ctl.h"
#include "src/common/supervisor.h"
#include <sysexits.h>

int cmd_serve(int argc, char **argv)
{
    CLEANUP(config_release) struct config c = { .conf = NULL };
    struct args a = { .nwords = 0 };
    int r;

    if ((r = args_parse(argc, argv, NULL, 0, 0, &a)) != 0 || (r = ctl_config(&a, &c)) != 0)
        return r;
    return supervisor_run(&c, SUPERVISE_SERVICE, -1);
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
        if ((r = ctl_config(&a, &c)) != 0)
            return r;
        r = conf_print_all(c.conf, tables, n, &out);
    }
    if (r == 0)
        fwrite(out.p, 1, out.n, stdout);
    return ctl_exit_code(r);
}
