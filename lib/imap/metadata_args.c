#include "lib/imap/metadata_args.h"
#include "lib/base/errors.h"

static int mailbox(struct args *a, struct str *out)
{
    size_t was = a->at;
    struct str s;

    if (args_astring(a, &s) == 0 && s.n == 0) {
        *out = STR("");
        return 0;
    }
    a->at = was;
    return args_mailbox(a, out);
}

static size_t components(struct str name)
{
    size_t n = 0;

    for (size_t i = 0; i < name.n; i++)
        n += name.p[i] == '/';
    return n;
}

static bool is_below(struct str name, const char *scope)
{
    size_t n = strlen(scope);

    return name.n >= n && str_ieq_z(str_slice(name, 0, n), scope) && (name.n == n || name.p[n] == '/');
}

/* RFC 5464 3.2: what is no name is a BAD in any command. */
static bool entry_valid(struct str name, bool prefix)
{
    size_t least = 2;

    if (name.n > METADATA_ENTRY_MAX || !(is_below(name, "/private") || is_below(name, "/shared")))
        return false;
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] < 0x20 || name.p[i] > 0x7e || name.p[i] == '*' || name.p[i] == '%' ||
            (name.p[i] == '/' && (i + 1 == name.n || name.p[i + 1] == '/')))
            return false;
    if (is_below(name, "/private/vendor") || is_below(name, "/shared/vendor"))
        least = 4;
    return prefix || components(name) >= least;
}

static int entry(struct args *a, bool prefix, struct str *out)
{
    size_t was = a->at;
    int r = args_astring(a, out);

    if (r == 0 && !entry_valid(*out, prefix)) {
        a->at = was;
        r = args_fail(a, "the name of an annotation");
    }
    return r;
}

int metadata_entries_parse(struct args *a, bool bare, const struct str **out, size_t *n_out)
{
    struct str *v = ARENA_ARRAY(a->arena, METADATA_ENTRIES_AT_ONCE, struct str);
    bool many = args_skip(a, '(');
    size_t n = 0;
    int r;

    if (!v)
        return E_NOMEM;
    if (!many && !bare)
        return args_fail(a, "a list of annotations");
    do {
        if (n == METADATA_ENTRIES_AT_ONCE)
            return E_LIMIT;
        if ((r = entry(a, bare, &v[n++])) < 0)
            return r;
    } while (many && args_skip(a, ' '));
    if (many && (r = args_char(a, ')', "the end of the annotations")) < 0)
        return r;
    *out = v;
    *n_out = n;
    return 0;
}

static int depth(struct args *a, uint32_t *out)
{
    static const char *const words[] = { "0", "1", "infinity" };

    for (uint32_t i = 0; i < ARRAY_LEN(words); i++)
        if (args_skip_word(a, words[i])) {
            *out = i;
            return 0;
        }
    return args_fail(a, "0, 1 or infinity");
}

static int one_option(struct args *a, struct metadata_args *m)
{
    int r;

    if (args_skip_word(a, "MAXSIZE")) {
        m->has_max = true;
        return (r = args_sp(a)) < 0 ? r : args_number64(a, &m->max_bytes);
    }
    if (args_skip_word(a, "DEPTH"))
        return (r = args_sp(a)) < 0 ? r : depth(a, &m->depth);
    return args_fail(a, "MAXSIZE or DEPTH");
}

/* Behind "(". */
static int options(struct args *a, struct metadata_args *m)
{
    int r;

    do {
        if ((r = one_option(a, m)) < 0)
            return r;
    } while (args_skip(a, ' '));
    return args_char(a, ')', "the end of the options");
}

/* The formal syntax has the options before the mailbox, the examples behind it: both are meant. */
int metadata_get_parse(struct args *a, struct metadata_args *out)
{
    struct metadata_args m = { 0 };
    bool given = false;
    int r = args_sp(a), range = 0;

    if (r == 0 && args_skip(a, '(')) {
        given = true;
        if ((r = options(a, &m)) == 0)
            r = args_sp(a);
    }
    if (r < 0 || ((range = mailbox(a, &m.mailbox)) < 0 && range != E_RANGE) || range == E_RANGE ||
        (r = args_sp(a)) < 0)
        return r < 0 ? r : range;
    if (!given && args_peek(a) == '(') {
        size_t was = a->at;

        args_skip(a, '(');
        if (args_skip_word(a, "MAXSIZE") || args_skip_word(a, "DEPTH")) {
            a->at = was + 1;
            if ((r = options(a, &m)) < 0 || (r = args_sp(a)) < 0)
                return r;
        } else {
            a->at = was;
        }
    }
    if ((r = metadata_entries_parse(a, true, &m.entries, &m.n)) < 0 || (r = args_end(a)) < 0)
        return r;
    *out = m;
    return 0;
}

/* value = nstring / literal8 */
static int value(struct args *a, struct str *out)
{
    struct literal how;
    int r;

    if (args_peek(a) == '~')
        return args_literal(a, out, &how);
    if ((r = args_nstring(a, out)) == 0 && !out->p && a->text.p[a->at - 1] == '"')
        *out = STR("");
    return r;
}

int metadata_set_parse(struct args *a, struct metadata_args *out)
{
    struct metadata_args m = { 0 };
    struct metadata_item *v = ARENA_ARRAY(a->arena, METADATA_ENTRIES_AT_ONCE, struct metadata_item);
    int r;

    if (!v)
        return E_NOMEM;
    if ((r = args_sp(a)) < 0 || (r = mailbox(a, &m.mailbox)) < 0 || (r = args_sp(a)) < 0 ||
        (r = args_char(a, '(', "a list of annotations")) < 0)
        return r;
    do {
        if (m.n == METADATA_ENTRIES_AT_ONCE)
            return E_LIMIT;
        if ((r = entry(a, false, &v[m.n].entry)) < 0 || (r = args_sp(a)) < 0 ||
            (r = value(a, &v[m.n].value)) < 0)
            return r;
        m.n++;
    } while (args_skip(a, ' '));
    if ((r = args_char(a, ')', "the end of the annotations")) < 0 || (r = args_end(a)) < 0)
        return r;
    m.items = v;
    *out = m;
    return 0;
}
