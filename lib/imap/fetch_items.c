#include "lib/imap/fetch_items.h"
#include "lib/imap/search_keys.h"

#define F_PEEK    BIT(0) /* never sets \Seen */
#define F_SECTION BIT(1) /* "[" section "]" follows, and "<" partial ">" may */
#define F_PARTS   BIT(2) /* the section is part numbers only */
#define F_NOPART  BIT(3) /* no partial */

/* In a row with F_SECTION the name stands before '['; the same word without '[' is another row. */
static const struct fetch_name {
    const char *name;
    enum fetch_kind kind;
    uint32_t how;
} fetch_names[] = {
    { "FLAGS", FETCH_FLAGS, F_PEEK },
    { "UID", FETCH_UID, F_PEEK },
    { "INTERNALDATE", FETCH_INTERNALDATE, F_PEEK },
    { "ENVELOPE", FETCH_ENVELOPE, F_PEEK },
    { "BODYSTRUCTURE", FETCH_BODYSTRUCTURE, F_PEEK },
    { "BODY", FETCH_BODY_STRUCTURE, F_PEEK },
    { "RFC822", FETCH_RFC822, 0 },
    { "RFC822.HEADER", FETCH_RFC822_HEADER, F_PEEK },
    { "RFC822.TEXT", FETCH_RFC822_TEXT, 0 },
    { "RFC822.SIZE", FETCH_RFC822_SIZE, F_PEEK },
    { "BODY", FETCH_BODY, F_SECTION },
    { "BODY.PEEK", FETCH_BODY, F_SECTION | F_PEEK },
    { "BINARY", FETCH_BINARY, F_SECTION | F_PARTS },
    { "BINARY.PEEK", FETCH_BINARY, F_SECTION | F_PARTS | F_PEEK },
    { "BINARY.SIZE", FETCH_BINARY_SIZE, F_SECTION | F_PARTS | F_PEEK | F_NOPART },
    { "MODSEQ", FETCH_MODSEQ, F_PEEK },
    { "EMAILID", FETCH_EMAILID, F_PEEK },
    { "THREADID", FETCH_THREADID, F_PEEK },
    { "SAVEDATE", FETCH_SAVEDATE, F_PEEK },
    { "PREVIEW", FETCH_PREVIEW, F_PEEK },
};

/* RFC 9051 6.4.5: macros stand alone, never in a list. */
static const struct {
    const char *name;
    enum fetch_kind kinds[5];
    size_t n;
} macros[] = {
    { "FAST", { FETCH_FLAGS, FETCH_INTERNALDATE, FETCH_RFC822_SIZE }, 3 },
    { "ALL", { FETCH_FLAGS, FETCH_INTERNALDATE, FETCH_RFC822_SIZE, FETCH_ENVELOPE }, 4 },
    { "FULL",
      { FETCH_FLAGS, FETCH_INTERNALDATE, FETCH_RFC822_SIZE, FETCH_ENVELOPE, FETCH_BODY_STRUCTURE },
      5 },
};

static const struct {
    const char *name;
    enum fetch_text text;
} section_texts[] = {
    { "HEADER", FETCH_TEXT_HEADER },
    { "HEADER.FIELDS", FETCH_TEXT_HEADER_FIELDS },
    { "HEADER.FIELDS.NOT", FETCH_TEXT_HEADER_FIELDS_NOT },
    { "TEXT", FETCH_TEXT_TEXT },
    { "MIME", FETCH_TEXT_MIME },
};

struct list {
    struct fetch_item v[FETCH_ITEMS_MAX];
    size_t n;
};

static bool field_name_valid(struct str s)
{
    for (size_t i = 0; i < s.n; i++) /* ftext of RFC 5322 3.6.8 */
        if (s.p[i] <= 0x20 || s.p[i] >= 0x7f || s.p[i] == ':')
            return false;
    return s.n > 0;
}

/* header-list = "(" header-fld-name *(SP header-fld-name) ")" */
static int header_list(struct args *a, struct fetch_section *s)
{
    struct str names[FETCH_FIELDS_MAX], *copy;
    size_t n = 0;
    int r;

    if ((r = args_sp(a)) < 0 || (r = args_char(a, '(', "a list of header fields")) < 0)
        return r;
    do {
        if (n == FETCH_FIELDS_MAX)
            return E_LIMIT;
        if ((r = args_astring(a, &names[n])) < 0)
            return r;
        if (!field_name_valid(names[n++]))
            return args_fail(a, "the name of a header field");
    } while (args_skip(a, ' '));
    if ((r = args_char(a, ')', "the end of the header fields")) < 0)
        return r;
    if (!(copy = ARENA_ARRAY(a->arena, n, struct str)))
        return E_NOMEM;
    memcpy(copy, names, n * sizeof *copy);
    s->fields = copy;
    s->nfields = n;
    return 0;
}

/* section-part = nz-number *("." nz-number); stops before "." and a letter. */
static int section_part(struct args *a, struct fetch_section *s)
{
    uint32_t path[FETCH_DEPTH_MAX], *copy;
    size_t n = 0;
    int r;

    while (args_peek(a) >= '0' && args_peek(a) <= '9') {
        if (n == FETCH_DEPTH_MAX)
            return E_LIMIT;
        if ((r = args_nz_number(a, &path[n++])) < 0)
            return r;
        if (args_peek(a) == ']' || args_peek(a) < 0)
            break;
        if ((r = args_char(a, '.', "a section")) < 0)
            return r;
        if (args_peek(a) == ']' || args_peek(a) < 0)
            return args_fail(a, "a section");
    }
    if (!(copy = ARENA_ARRAY(a->arena, n, uint32_t)))
        return E_NOMEM;
    memcpy(copy, path, n * sizeof *copy);
    s->path = copy;
    s->npath = n;
    return 0;
}

static int section_text(struct args *a, struct fetch_section *s)
{
    for (size_t i = 0; i < ARRAY_LEN(section_texts); i++) {
        if (!args_skip_word(a, section_texts[i].name))
            continue;
        s->text = section_texts[i].text;
        if (s->text == FETCH_TEXT_MIME && s->npath == 0) /* MIME belongs to a part */
            return args_fail(a, "a part number before MIME");
        return s->text == FETCH_TEXT_HEADER_FIELDS || s->text == FETCH_TEXT_HEADER_FIELDS_NOT
                   ? header_list(a, s)
                   : 0;
    }
    return args_fail(a, "a section");
}

static int section(struct args *a, bool parts_only, struct fetch_section *s)
{
    int r = args_char(a, '[', "a section");

    if (r < 0 || (r = section_part(a, s)) < 0)
        return r;
    if (args_peek(a) != ']' && !parts_only && (r = section_text(a, s)) < 0)
        return r;
    return args_char(a, ']', "the end of the section");
}

int fetch_section_parse(struct args *a, struct fetch_section *out)
{
    struct fetch_section s = { .text = FETCH_TEXT_ALL };
    int r = section_part(a, &s);

    if (r < 0 || (args_peek(a) >= 0 && (r = section_text(a, &s)) < 0) || (r = args_end(a)) < 0)
        return r;
    *out = s;
    return 0;
}

static int partial(struct args *a, struct fetch_item *item)
{
    int r;

    if (!args_skip(a, '<'))
        return 0;
    if ((r = args_number64(a, &item->partial_off)) < 0 || (r = args_char(a, '.', "a dot")) < 0 ||
        (r = args_number64(a, &item->partial_len)) < 0)
        return r;
    if (item->partial_len == 0)
        return args_fail(a, "a length of one octet at least");
    item->has_partial = true;
    return args_char(a, '>', "the end of the partial");
}

static const struct fetch_name *name_of(struct str word, bool bracket)
{
    for (size_t i = 0; i < ARRAY_LEN(fetch_names); i++)
        if (((fetch_names[i].how & F_SECTION) != 0) == bracket && str_ieq_z(word, fetch_names[i].name))
            return &fetch_names[i];
    return NULL;
}

static bool same_section(const struct fetch_section *x, const struct fetch_section *y)
{
    if (x->text != y->text || x->npath != y->npath || x->nfields != y->nfields ||
        (x->npath && memcmp(x->path, y->path, x->npath * sizeof *x->path) != 0))
        return false;
    for (size_t i = 0; i < x->nfields; i++)
        if (!str_eq(x->fields[i], y->fields[i]))
            return false;
    return true;
}

static int add(struct list *l, const struct fetch_item *item)
{
    for (size_t i = 0; i < l->n; i++) {
        struct fetch_item *have = &l->v[i];

        if (have->kind != item->kind || have->has_partial != item->has_partial ||
            have->partial_off != item->partial_off || have->partial_len != item->partial_len ||
            !same_section(&have->section, &item->section))
            continue;
        have->peek = have->peek && item->peek;
        return 0;
    }
    if (l->n == FETCH_ITEMS_MAX)
        return E_LIMIT;
    l->v[l->n++] = *item;
    return 0;
}

static int one_item(struct args *a, struct list *l)
{
    struct fetch_item item = { .kind = FETCH_FLAGS };
    const struct fetch_name *name;
    size_t was = a->at;
    struct str word;
    int r = args_word(a, &word);

    if (r < 0 || !(name = name_of(word, args_peek(a) == '['))) {
        a->at = was;
        return args_fail(a, "a FETCH item");
    }
    item.kind = name->kind;
    item.peek = (name->how & F_PEEK) != 0;
    if ((name->how & F_SECTION) && (r = section(a, (name->how & F_PARTS) != 0, &item.section)) < 0)
        return r;
    if ((name->how & F_SECTION) && !(name->how & F_NOPART) && (r = partial(a, &item)) < 0)
        return r;
    was = a->at;
    if (item.kind == FETCH_PREVIEW && args_skip(a, ' ') && args_skip(a, '(')) { /* RFC 8970 3.1 */
        if (!args_skip_word(a, "LAZY") || !args_skip(a, ')'))
            return args_fail(a, "(LAZY)");
        item.lazy = true;
    } else {
        a->at = was;
    }
    return add(l, &item);
}

static bool macro(struct args *a, struct list *l)
{
    for (size_t i = 0; i < ARRAY_LEN(macros); i++) {
        if (!args_skip_word(a, macros[i].name))
            continue;
        for (size_t k = 0; k < macros[i].n; k++)
            l->v[l->n++] = (struct fetch_item){ .kind = macros[i].kinds[k], .peek = true };
        return true;
    }
    return false;
}

/* fetch-modifiers of RFC 4466: " (CHANGEDSINCE 12 VANISHED)" */
static int modifiers(struct args *a, struct fetch_items *out)
{
    int r;

    if (!args_skip(a, ' '))
        return 0;
    if ((r = args_char(a, '(', "FETCH modifiers")) < 0)
        return r;
    do {
        if (args_skip_word(a, "CHANGEDSINCE")) {
            if ((r = args_sp(a)) < 0 || (r = args_number64(a, &out->changedsince)) < 0)
                return r;
            out->has_changedsince = true;
        } else if (args_skip_word(a, "PARTIAL")) {
            if ((r = args_sp(a)) < 0 ||
                (r = search_partial_parse(a, &out->partial_from, &out->partial_to)) < 0)
                return r;
            out->has_partial = true;
        } else if (args_skip_word(a, "VANISHED")) {
            out->vanished = true;
        } else {
            return args_fail(a, "a FETCH modifier");
        }
    } while (args_skip(a, ' '));
    return args_char(a, ')', "the end of the modifiers");
}

/* Behind "(" */
static int item_list(struct args *a, struct list *l)
{
    int r;

    do {
        if ((r = one_item(a, l)) < 0)
            return r;
    } while (args_skip(a, ' '));
    return args_char(a, ')', "a space or the end of the FETCH items");
}

static int items(struct args *a, struct list *l)
{
    if (macro(a, l))
        return 0;
    return args_skip(a, '(') ? item_list(a, l) : one_item(a, l);
}

static int keep(struct arena *a, const struct list *l, struct fetch_items *out)
{
    struct fetch_item *v = ARENA_ARRAY(a, l->n, struct fetch_item);

    if (!v)
        return E_NOMEM;
    memcpy(v, l->v, l->n * sizeof *v);
    out->v = v;
    out->n = l->n;
    return 0;
}

int fetch_items_parse(struct args *a, struct fetch_items *out)
{
    struct list l = { .n = 0 };
    struct fetch_items f = { .n = 0 };
    int r;

    if ((r = items(a, &l)) < 0 || (r = modifiers(a, &f)) < 0 || (r = args_end(a)) < 0 ||
        (r = keep(a->arena, &l, &f)) < 0)
        return r;
    *out = f;
    return 0;
}

int fetch_atts_parse(struct args *a, struct fetch_items *out)
{
    struct list l = { .n = 0 };
    struct fetch_items f = { .n = 0 };
    int r;

    if ((r = args_char(a, '(', "a list of FETCH items")) < 0 || (r = item_list(a, &l)) < 0 ||
        (r = keep(a->arena, &l, &f)) < 0)
        return r;
    *out = f;
    return 0;
}

bool fetch_items_have(const struct fetch_items *f, enum fetch_kind kind)
{
    for (size_t i = 0; i < f->n; i++)
        if (f->v[i].kind == kind)
            return true;
    return false;
}

static void write_section(struct resp *w, const struct fetch_section *s)
{
    resp_z(w, "[");
    for (size_t i = 0; i < s->npath; i++)
        resp_printf(w, "%s%u", i ? "." : "", s->path[i]);
    for (size_t i = 0; i < ARRAY_LEN(section_texts); i++)
        if (s->text == section_texts[i].text)
            resp_printf(w, "%s%s", s->npath ? "." : "", section_texts[i].name);
    for (size_t i = 0; i < s->nfields; i++) {
        resp_z(w, i ? " " : " (");
        resp_astring(w, s->fields[i]);
    }
    resp_z(w, s->nfields ? ")]" : "]");
}

void fetch_item_name(struct resp *w, const struct fetch_item *item)
{
    for (size_t i = 0; i < ARRAY_LEN(fetch_names); i++) {
        if (fetch_names[i].kind != item->kind)
            continue; /* the first row of a kind is the one without .PEEK */
        resp_z(w, fetch_names[i].name);
        if (fetch_names[i].how & F_SECTION)
            write_section(w, &item->section);
        break;
    }
    if (item->has_partial)
        resp_printf(w, "<%llu>", (unsigned long long)item->partial_off);
}
