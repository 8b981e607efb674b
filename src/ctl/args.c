#include "src/ctl/ctl.h"
#include "lib/base/errors.h"
#include <errno.h>
#include <stdarg.h>
#include <sysexits.h>

int ctl_fail(int code, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    fflush(stdout);
    fputs("letterlock: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    return code;
}

/* C0, DEL, and C1 as UTF-8 has them. */
const char *ctl_shown(const char *name, char *out, size_t cap)
{
    size_t n = 0;

    for (const char *p = name ? name : ""; *p && n + 1 < cap; p++) {
        bool c1 = (uint8_t)p[0] == 0xc2 && (uint8_t)p[1] >= 0x80 && (uint8_t)p[1] < 0xa0;

        out[n++] = (uint8_t)*p < 0x20 || *p == 0x7f || c1 ? '?' : *p;
        p += c1;
    }
    if (cap)
        out[n] = '\0';
    return out;
}

const char *ctl_program(void)
{
    return program_invocation_name;
}

int ctl_exit_code(int e)
{
    static const struct {
        int e, code;
    } rows[] = {
        { 0, EX_OK },
        { E_NOTFOUND, EX_NOUSER },
        { E_EXISTS, EX_DATAERR },
        { E_DENIED, EX_NOPERM },
        { E_AUTH, EX_NOPERM },
        { E_SYNTAX, EX_DATAERR },
        { E_RANGE, EX_DATAERR },
        { E_WEAK, EX_DATAERR },
        { E_LIMIT, EX_DATAERR },
        { E_BUSY, EX_TEMPFAIL },
        { E_UNAVAIL, EX_TEMPFAIL },
        { E_TIMEOUT, EX_TEMPFAIL },
        { E_CLOSED, EX_TEMPFAIL },
        { E_CORRUPT, EX_DATAERR },
        { E_IO, EX_IOERR },
        { E_FULL, EX_IOERR },
        { E_NOMEM, EX_OSERR },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].e == e)
            return rows[i].code;
    return EX_SOFTWARE;
}

static int take_option(int argc, char **argv, int *i, const struct option *opts, size_t nopts)
{
    struct str name, value;
    bool has_value = str_cut(str_from(argv[*i]), '=', &name, &value);

    for (size_t k = 0; k < nopts; k++) {
        if (!str_eq_z(name, opts[k].name))
            continue;
        if (opts[k].flag) {
            *opts[k].flag = true;
            return has_value ? ctl_fail(EX_USAGE, "%s takes no value", opts[k].name) : 0;
        }
        if (!has_value && *i + 1 >= argc)
            return ctl_fail(EX_USAGE, "%s needs a value", opts[k].name);
        *opts[k].text = has_value ? value.p : argv[++*i];
        return 0;
    }
    return ctl_fail(EX_USAGE, "unknown option %s (--help lists them)", argv[*i]);
}

int args_parse(int argc, char **argv, const struct option *opts, size_t nopts, size_t nwords,
               struct args *out)
{
    const struct option common[] = { { "--config", &out->config, NULL }, { "--json", NULL, &out->json } };
    struct option all[16];
    size_t n = ARRAY_LEN(common);
    int r = 0;
    bool only_words = false; /* after "--" */

    memcpy(all, common, sizeof common);
    for (size_t i = 0; i < nopts && n < ARRAY_LEN(all); i++)
        all[n++] = opts[i];
    for (int i = 1; i < argc && r == 0; i++) {
        if (!only_words && strcmp(argv[i], "--") == 0)
            only_words = true;
        else if (!only_words && strncmp(argv[i], "--", 2) == 0)
            r = take_option(argc, argv, &i, all, n);
        else if (!only_words && argv[i][0] == '-' && out->nwords == nwords)
            r = ctl_fail(EX_USAGE, "unknown option %s (--help lists them)", argv[i]);
        else if (out->nwords == WORDS_MAX || out->nwords == nwords)
            r = ctl_fail(EX_USAGE, "%s: one word too many: %s", argv[0], argv[i]);
        else
            out->words[out->nwords++] = argv[i];
    }
    if (r == 0 && out->nwords < nwords)
        r = ctl_fail(EX_USAGE, "%s: something is missing (--help says what)", argv[0]);
    return r;
}
