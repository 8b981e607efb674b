#include "lib/imap/store_args.h"

static int modifiers(struct args *a, struct store_args *out)
{
    int r;

    if (!args_skip(a, '('))
        return 0;
    if (!args_skip_word(a, "UNCHANGEDSINCE"))
        return args_fail(a, "UNCHANGEDSINCE");
    out->has_unchangedsince = true;
    if ((r = args_sp(a)) < 0 || (r = args_number64(a, &out->unchangedsince)) < 0 ||
        (r = args_char(a, ')', "the end of the modifiers")) < 0)
        return r;
    return args_sp(a);
}

int store_args_parse(struct args *a, struct store_args *out)
{
    struct store_args s = { .how = STORE_FLAGS_REPLACE };
    int r = modifiers(a, &s);

    if (r < 0)
        return r;
    if (args_skip(a, '+'))
        s.how = STORE_FLAGS_ADD;
    else if (args_skip(a, '-'))
        s.how = STORE_FLAGS_REMOVE;
    if (args_skip_word(a, "FLAGS.SILENT"))
        s.silent = true;
    else if (!args_skip_word(a, "FLAGS"))
        return args_fail(a, "FLAGS, +FLAGS or -FLAGS");
    if ((r = args_sp(a)) < 0)
        return r;
    r = args_peek(a) == '(' ? imap_flags_parse_list(a, &s.flags) : imap_flags_parse_bare(a, &s.flags);
    if (r < 0 || (r = args_end(a)) < 0)
        return r;
    *out = s;
    return 0;
}
