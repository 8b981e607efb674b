#include "lib/imap/search_keys.h"
#include "lib/imap/fetch_items.h"
#include "lib/imap/flags.h"

struct parser {
    struct args *a;
    const struct search_view *view;
    size_t keys, depth;
    bool modseq, fuzzy, numbers;
};

enum key_args {
    ARG_NONE,
    ARG_STRING,
    ARG_KEYWORD,
    ARG_HEADER, /* field and string */
    ARG_DATE,
    ARG_NUMBER64,
    ARG_NZ_NUMBER,
    ARG_UIDS,
    ARG_MODSEQ,
    ARG_OBJECTID,
    ARG_UID_AFTER,
    ARG_UID_BEFORE,
    ARG_KEY,
    ARG_TWO_KEYS,
};

/* One row, one key. `not`: the key is the opposite of `kind`. */
static const struct key_row {
    const char *name;
    enum search_kind kind;
    enum key_args args;
    uint32_t flag;
    bool not ;
} rows[] = {
    { "ALL", KEY_ALL, ARG_NONE, 0, false },
    { "ANSWERED", KEY_FLAG, ARG_NONE, IMAP_FLAG_ANSWERED, false },
    { "BCC", KEY_BCC, ARG_STRING, 0, false },
    { "BEFORE", KEY_BEFORE, ARG_DATE, 0, false },
    { "BODY", KEY_BODY, ARG_STRING, 0, false },
    { "CC", KEY_CC, ARG_STRING, 0, false },
    { "DELETED", KEY_FLAG, ARG_NONE, IMAP_FLAG_DELETED, false },
    { "DRAFT", KEY_FLAG, ARG_NONE, IMAP_FLAG_DRAFT, false },
    { "EMAILID", KEY_EMAILID, ARG_OBJECTID, 0, false },
    { "FLAGGED", KEY_FLAG, ARG_NONE, IMAP_FLAG_FLAGGED, false },
    { "FROM", KEY_FROM, ARG_STRING, 0, false },
    { "FUZZY", KEY_FUZZY, ARG_KEY, 0, false },
    { "HEADER", KEY_HEADER, ARG_HEADER, 0, false },
    { "KEYWORD", KEY_KEYWORD, ARG_KEYWORD, 0, false },
    { "LARGER", KEY_LARGER, ARG_NUMBER64, 0, false },
    { "MODSEQ", KEY_MODSEQ, ARG_MODSEQ, 0, false },
    { "NOT", KEY_NOT, ARG_KEY, 0, false },
    { "OLD", KEY_FLAG, ARG_NONE, IMAP_FLAG_RECENT, true },
    { "OLDER", KEY_OLDER, ARG_NZ_NUMBER, 0, false },
    { "ON", KEY_ON, ARG_DATE, 0, false },
    { "OR", KEY_OR, ARG_TWO_KEYS, 0, false },
    { "RECENT", KEY_FLAG, ARG_NONE, IMAP_FLAG_RECENT, false },
    { "SAVEDATESUPPORTED", KEY_SAVEDATESUPPORTED, ARG_NONE, 0, false },
    { "SAVEDBEFORE", KEY_SAVEDBEFORE, ARG_DATE, 0, false },
    { "SAVEDON", KEY_SAVEDON, ARG_DATE, 0, false },
    { "SAVEDSINCE", KEY_SAVEDSINCE, ARG_DATE, 0, false },
    { "SEEN", KEY_FLAG, ARG_NONE, IMAP_FLAG_SEEN, false },
    { "SENTBEFORE", KEY_SENTBEFORE, ARG_DATE, 0, false },
    { "SENTON", KEY_SENTON, ARG_DATE, 0, false },
    { "SENTSINCE", KEY_SENTSINCE, ARG_DATE, 0, false },
    { "SINCE", KEY_SINCE, ARG_DATE, 0, false },
    { "SMALLER", KEY_SMALLER, ARG_NUMBER64, 0, false },
    { "SUBJECT", KEY_SUBJECT, ARG_STRING, 0, false },
    { "TEXT", KEY_TEXT, ARG_STRING, 0, false },
    { "THREADID", KEY_THREADID, ARG_OBJECTID, 0, false },
    { "TO", KEY_TO, ARG_STRING, 0, false },
    { "UID", KEY_UID, ARG_UIDS, 0, false },
    { "UIDAFTER", KEY_UID, ARG_UID_AFTER, 0, false },
    { "UIDBEFORE", KEY_UID, ARG_UID_BEFORE, 0, false },
    { "UNANSWERED", KEY_FLAG, ARG_NONE, IMAP_FLAG_ANSWERED, true },
    { "UNDELETED", KEY_FLAG, ARG_NONE, IMAP_FLAG_DELETED, true },
    { "UNDRAFT", KEY_FLAG, ARG_NONE, IMAP_FLAG_DRAFT, true },
    { "UNFLAGGED", KEY_FLAG, ARG_NONE, IMAP_FLAG_FLAGGED, true },
    { "UNKEYWORD", KEY_KEYWORD, ARG_KEYWORD, 0, true },
    { "UNSEEN", KEY_FLAG, ARG_NONE, IMAP_FLAG_SEEN, true },
    { "X-REGEX", KEY_REGEX, ARG_HEADER, 0, false },
    { "YOUNGER", KEY_YOUNGER, ARG_NZ_NUMBER, 0, false },
};

static int parse_key(struct parser *p, struct search_key **out);

static int key_new(struct parser *p, enum search_kind kind, struct search_key **out)
{
    if (++p->keys > SEARCH_KEYS_MAX)
        return E_LIMIT;
    if (!(*out = ARENA_NEW(p->a->arena, struct search_key)))
        return E_NOMEM;
    (*out)->kind = kind;
    return 0;
}

static int parse_set(struct parser *p, enum search_kind kind, struct search_key *key)
{
    size_t was = p->a->at;
    struct str text;
    int r = args_set_text(p->a, &text);

    if (r < 0)
        return r;
    if (str_eq_z(text, "$")) {
        key->kind = KEY_SAVED;
        return 0;
    }
    key->kind = kind;
    p->numbers |= kind == KEY_SEQ;
    r = seqset_parse_lenient(p->a->arena, text, kind == KEY_UID ? p->view->last_uid : p->view->last_seq,
                             &key->set);
    if (r == E_SYNTAX) {
        p->a->at = was;
        return args_fail(p->a, "a set of message numbers");
    }
    return r;
}

/* UIDAFTER, UIDBEFORE uniqueid (RFC 9738 3.2): every UID on one side of it, which is not part of it. */
static int parse_side(struct parser *p, bool after, struct search_key *key)
{
    struct seq_range r = { 1, UINT32_MAX };
    uint32_t uid;
    int s = args_nz_number(p->a, &uid);

    if (s < 0)
        return s;
    if (after)
        r.lo = uid + 1;
    else
        r.hi = uid - 1;
    return seqset_make(p->a->arena, &r, r.lo != 0 && r.lo <= r.hi, &key->set);
}

/* MODSEQ [entry-name SP entry-type-req] mod-sequence-valzer (RFC 7162 3.1.5). We keep one number for
 * all flags of a message, so the entry only narrows what we cannot tell apart. */
static int parse_modseq(struct parser *p, struct search_key *key)
{
    struct str entry;
    int r;

    p->modseq = true;
    if (args_peek(p->a) == '"') {
        if ((r = args_string(p->a, &entry)) < 0 || (r = args_sp(p->a)) < 0)
            return r;
        if (!args_skip_word(p->a, "all") && !args_skip_word(p->a, "priv") && !args_skip_word(p->a, "shared"))
            return args_fail(p->a, "all, priv or shared");
        if ((r = args_sp(p->a)) < 0)
            return r;
    }
    return args_number64(p->a, &key->number);
}

static int parse_children(struct parser *p, struct search_key *key, size_t n)
{
    struct search_key **at = &key->child;
    int r = 0;

    for (size_t i = 0; i < n && r == 0; i++) {
        if (i > 0 && (r = args_sp(p->a)) < 0)
            break;
        if ((r = parse_key(p, at)) == 0)
            at = &(*at)->next;
    }
    return r;
}

static int parse_args(struct parser *p, enum key_args how, struct search_key *key)
{
    struct args *a = p->a;
    uint32_t n = 0;
    int r = how == ARG_NONE ? 0 : args_sp(a);

    if (r < 0)
        return r;
    switch (how) {
    case ARG_NONE: return 0;
    case ARG_STRING: return args_astring(a, &key->text);
    case ARG_KEYWORD: return args_atom(a, &key->text);
    case ARG_OBJECTID: return args_astring(a, &key->text);
    case ARG_HEADER:
        if ((r = args_astring(a, &key->field)) < 0 || (r = args_sp(a)) < 0)
            return r;
        return args_astring(a, &key->text);
    case ARG_DATE: return args_date(a, &key->day);
    case ARG_NUMBER64: return args_number64(a, &key->number);
    case ARG_NZ_NUMBER:
        r = args_nz_number(a, &n);
        key->number = n;
        return r;
    case ARG_UIDS: return parse_set(p, KEY_UID, key);
    case ARG_UID_AFTER: return parse_side(p, true, key);
    case ARG_UID_BEFORE: return parse_side(p, false, key);
    case ARG_MODSEQ: return parse_modseq(p, key);
    case ARG_KEY: return parse_children(p, key, 1);
    case ARG_TWO_KEYS: return parse_children(p, key, 2);
    }
    return E_BUG;
}

/* Wrap `key` in a KEY_NOT. */
static int negate(struct parser *p, struct search_key **key)
{
    struct search_key * not ;
    int r = key_new(p, KEY_NOT, &not );

    if (r == 0) {
        not ->child = *key;
        *key = not ;
    }
    return r;
}

/* NEW is RECENT and UNSEEN. */
static int parse_new(struct parser *p, struct search_key **out)
{
    struct search_key *and, *recent, *unseen;
    int r;

    if ((r = key_new(p, KEY_AND, &and)) < 0 || (r = key_new(p, KEY_FLAG, &recent)) < 0 ||
        (r = key_new(p, KEY_FLAG, &unseen)) < 0)
        return r;
    recent->flag = IMAP_FLAG_RECENT;
    unseen->flag = IMAP_FLAG_SEEN;
    if ((r = negate(p, &unseen)) < 0)
        return r;
    and->child = recent;
    recent->next = unseen;
    *out = and;
    return 0;
}

static int parse_named(struct parser *p, struct search_key **out)
{
    size_t was = p->a->at;
    struct search_key *key;
    struct str word;
    int r = args_word(p->a, &word);

    if (r == 0 && str_ieq_z(word, "NEW"))
        return parse_new(p, out);
    for (size_t i = 0; i < ARRAY_LEN(rows) && r == 0; i++) {
        if (!str_ieq_z(word, rows[i].name))
            continue;
        if ((r = key_new(p, rows[i].kind, &key)) < 0)
            return r;
        key->flag = rows[i].flag;
        p->fuzzy |= key->kind == KEY_FUZZY;
        if ((r = parse_args(p, rows[i].args, key)) < 0 || (rows[i].not &&(r = negate(p, &key)) < 0))
            return r;
        *out = key;
        return 0;
    }
    p->a->at = was;
    return args_fail(p->a, "a SEARCH key");
}

/* One key and more, separated by spaces, until `end` (-1: of the command), under `and`. */
static int parse_all(struct parser *p, int end, struct search_key *and)
{
    struct search_key **at = &and->child;
    int r;

    do {
        if ((r = parse_key(p, at)) < 0)
            return r;
        at = &(*at)->next;
    } while (args_skip(p->a, ' '));
    return args_peek(p->a) == end ? 0 : args_fail(p->a, "a space and a SEARCH key, or the end");
}

static int parse_key(struct parser *p, struct search_key **out)
{
    int c = args_peek(p->a), r;
    struct search_key *key = NULL;

    if (p->depth == SEARCH_DEPTH_MAX)
        return E_LIMIT;
    p->depth++;
    if (c == '(') {
        p->a->at++;
        if ((r = key_new(p, KEY_AND, &key)) == 0 && (r = parse_all(p, ')', key)) == 0)
            p->a->at++;
    } else if (c == '*' || c == '$' || (c >= '0' && c <= '9')) {
        if ((r = key_new(p, KEY_SEQ, &key)) == 0)
            r = parse_set(p, KEY_SEQ, key);
    } else {
        r = parse_named(p, &key);
    }
    p->depth--;
    if (r == 0)
        *out = key;
    return r;
}

static const struct {
    const char *name;
    uint32_t bit;
} returns[] = {
    { "MIN", SEARCH_RETURN_MIN },
    { "MAX", SEARCH_RETURN_MAX },
    { "ALL", SEARCH_RETURN_ALL },
    { "COUNT", SEARCH_RETURN_COUNT },
    { "SAVE", SEARCH_RETURN_SAVE },
    { "PARTIAL", SEARCH_RETURN_PARTIAL },
    { "UPDATE", SEARCH_RETURN_UPDATE },
    { "CONTEXT", SEARCH_RETURN_CONTEXT },
    { "RELEVANCY", SEARCH_RETURN_RELEVANCY },
};

int search_partial_parse(struct args *a, int64_t *from_out, int64_t *to_out)
{
    bool minus = args_skip(a, '-');
    uint32_t from, to;
    int r;

    if ((r = args_nz_number(a, &from)) < 0 || (r = args_char(a, ':', "a range")) < 0)
        return r;
    if (minus != args_skip(a, '-'))
        return args_fail(a, "a range with both ends of one sign");
    if ((r = args_nz_number(a, &to)) < 0)
        return r;
    *from_out = minus ? -(int64_t)from : (int64_t)from;
    *to_out = minus ? -(int64_t)to : (int64_t)to;
    return 0;
}

/* modifier-update = "UPDATE" [ "(" fetch-att *(SP fetch-att) ")" ]; the example has a space between (RFC 5465 7, 8). */
static int update_items(struct args *a, struct search_program *out)
{
    struct fetch_items f;
    size_t was = a->at, from;
    int r;

    args_skip(a, ' ');
    if (args_peek(a) != '(') {
        a->at = was;
        return 0;
    }
    from = a->at;
    if ((r = fetch_atts_parse(a, &f)) == 0)
        out->update = str_slice(a->text, from, a->at);
    return r;
}

static int one_return(struct args *a, struct search_program *out)
{
    const uint32_t windows = SEARCH_RETURN_PARTIAL | SEARCH_RETURN_ALL;
    int r;

    for (size_t i = 0; i < ARRAY_LEN(returns); i++) {
        if (!args_skip_word(a, returns[i].name))
            continue;
        if ((returns[i].bit & windows) && (out->returns & windows)) /* RFC 9394 3.1 */
            return args_fail(a, "one of ALL and PARTIAL, once");
        out->returns |= returns[i].bit;
        if (returns[i].bit == SEARCH_RETURN_UPDATE)
            return update_items(a, out);
        if (returns[i].bit != SEARCH_RETURN_PARTIAL)
            return 0;
        r = args_sp(a);
        return r < 0 ? r : search_partial_parse(a, &out->partial_from, &out->partial_to);
    }
    return args_fail(a, "a SEARCH return option");
}

int search_return_parse(struct args *a, struct search_program *out)
{
    int r;

    if (!args_skip_word(a, "RETURN"))
        return 0;
    if ((r = args_sp(a)) < 0 || (r = args_char(a, '(', "a list of return options")) < 0)
        return r;
    out->has_return = true;
    if (!args_skip(a, ')')) {
        do {
            if ((r = one_return(a, out)) < 0)
                return r;
        } while (args_skip(a, ' '));
        if ((r = args_char(a, ')', "the end of the return options")) < 0)
            return r;
    }
    if ((out->returns & ~(SEARCH_RETURN_UPDATE | SEARCH_RETURN_CONTEXT)) == 0)
        out->returns |= SEARCH_RETURN_ALL; /* RFC 4731 3.1: none means ALL */
    return args_sp(a);
}

static int parse_charset(struct args *a, struct search_program *out)
{
    int r;

    if (!args_skip_word(a, "CHARSET"))
        return 0;
    if ((r = args_sp(a)) < 0 || (r = args_astring(a, &out->charset)) < 0)
        return r;
    return args_sp(a);
}

int search_keys_parse(struct args *a, const struct search_view *view, struct search_program *out)
{
    struct parser p = { .a = a, .view = view };
    int r;

    if ((r = key_new(&p, KEY_AND, &out->root)) < 0 || (r = parse_all(&p, -1, out->root)) < 0)
        return r;
    if ((out->returns & SEARCH_RETURN_RELEVANCY) && !p.fuzzy) /* RFC 6203 4 */
        return args_fail(a, "a FUZZY key, for RELEVANCY");
    out->modseq = p.modseq;
    out->fuzzy = p.fuzzy;
    out->numbers = p.numbers;
    return 0;
}

int search_program_parse(struct args *a, const struct search_view *view, struct search_program *out)
{
    struct search_program s = { .returns = 0 };
    int r;

    if ((r = search_return_parse(a, &s)) < 0 || (r = parse_charset(a, &s)) < 0 ||
        (r = search_keys_parse(a, view, &s)) < 0)
        return r;
    *out = s;
    return 0;
}
