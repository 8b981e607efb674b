#include "lib/pop3/command.h"
#include "lib/base/errors.h"

int pop3_command_parse(struct str line, struct pop3_command *out)
{
    struct str keyword, rest;

    (void)str_cut(line, ' ', &keyword, &rest); /* no space: rest is empty */
    if (keyword.n < 3 || keyword.n > POP3_KEYWORD_MAX)
        return E_SYNTAX;
    for (size_t i = 0; i < keyword.n; i++)
        if (!ascii_alpha(keyword.p[i]) && !ascii_digit(keyword.p[i]))
            return E_SYNTAX;
    *out = (struct pop3_command){ keyword, rest };
    return 0;
}

int pop3_arg(struct str *rest, struct str *out)
{
    struct str head, tail;

    (void)str_cut(*rest, ' ', &head, &tail);
    if (head.n == 0)
        return E_SYNTAX;
    *out = head;
    *rest = tail;
    return 0;
}

int pop3_number(struct str *rest, uint32_t *out)
{
    struct str arg, was = *rest;
    int r = pop3_arg(rest, &arg);

    if (r < 0)
        return r;
    for (size_t i = 0; i < arg.n; i++)
        if (!ascii_digit(arg.p[i])) {
            *rest = was;
            return E_SYNTAX;
        }
    return str_to_u32(arg, out) ? 0 : E_RANGE;
}
