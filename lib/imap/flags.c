#include "lib/imap/flags.h"
#include "lib/imap/chars.h"

static const struct {
    const char *name;
    uint32_t bit;
} system_flags[] = {
    { "\\Answered", IMAP_FLAG_ANSWERED }, { "\\Flagged", IMAP_FLAG_FLAGGED },
    { "\\Deleted", IMAP_FLAG_DELETED },   { "\\Seen", IMAP_FLAG_SEEN },
    { "\\Draft", IMAP_FLAG_DRAFT },       { "\\Recent", IMAP_FLAG_RECENT },
};

const char *imap_flag_name(uint32_t bit)
{
    for (size_t i = 0; i < ARRAY_LEN(system_flags); i++)
        if (system_flags[i].bit == bit)
            return system_flags[i].name;
    return NULL;
}

uint32_t imap_flag_bit(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(system_flags); i++)
        if (str_ieq_z(name, system_flags[i].name))
            return system_flags[i].bit;
    return 0;
}

bool imap_keyword_valid(struct str name)
{
    if (name.n == 0 || name.n > IMAP_KEYWORD_MAX)
        return false;
    for (size_t i = 0; i < name.n; i++)
        if (!imap_atom_char(name.p[i]))
            return false;
    return true;
}

struct collector {
    struct imap_flags flags;
    struct str keywords[IMAP_KEYWORDS_MAX];
};

static int add_keyword(struct args *a, struct collector *c, struct str name)
{
    if (!imap_keyword_valid(name))
        return args_fail(a, "a keyword of at most 100 characters");
    for (size_t i = 0; i < c->flags.nkeywords; i++)
        if (str_ieq(c->keywords[i], name))
            return 0;
    if (c->flags.nkeywords == IMAP_KEYWORDS_MAX)
        return E_LIMIT;
    c->keywords[c->flags.nkeywords++] = name;
    return 0;
}

static int one_flag(struct args *a, struct collector *c)
{
    size_t was = a->at;
    bool system = args_skip(a, '\\');
    struct str name;
    uint32_t bit;
    int r = args_atom(a, &name);

    if (r == 0 && !system)
        r = add_keyword(a, c, name);
    if (r == 0 && system) {
        bit = imap_flag_bit(str_slice(a->text, was, a->at));
        c->flags.system |= bit;
        if (!(bit & IMAP_FLAGS_SETTABLE))
            r = args_fail(a, "a flag that can be set");
    }
    if (r < 0)
        a->at = was;
    return r;
}

static int finish(struct args *a, struct collector *c, struct imap_flags *out)
{
    struct str *kw = ARENA_ARRAY(a->arena, c->flags.nkeywords, struct str);

    if (!kw)
        return E_NOMEM;
    memcpy(kw, c->keywords, c->flags.nkeywords * sizeof *kw);
    *out = c->flags;
    out->keywords = kw;
    return 0;
}

int imap_flags_parse_bare(struct args *a, struct imap_flags *out)
{
    struct collector c = { .flags.system = 0 };
    int r;

    do {
        if ((r = one_flag(a, &c)) < 0)
            return r;
    } while (args_skip(a, ' '));
    return finish(a, &c, out);
}

int imap_flags_parse_list(struct args *a, struct imap_flags *out)
{
    struct collector c = { .flags.system = 0 };
    int r = args_char(a, '(', "a list of flags");

    if (r < 0)
        return r;
    if (args_skip(a, ')'))
        return finish(a, &c, out);
    do {
        if ((r = one_flag(a, &c)) < 0)
            return r;
    } while (args_skip(a, ' '));
    if ((r = args_char(a, ')', "a space or the end of the flags")) < 0)
        return r;
    return finish(a, &c, out);
}
