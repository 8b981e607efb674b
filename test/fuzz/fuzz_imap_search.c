/* test/fuzz/fuzz_imap_search.c
 *
 * Laws of SEARCH programs: whatever comes, the tree stays within its limits and has the children its
 * kinds promise; an error leaves the cursor inside the text and names what it expected. */
#include "lib/imap/esearch_args.h"
#include "lib/imap/fetch_items.h"
#include "lib/imap/search_keys.h"
#include "test/fuzz/fuzz.h"

static size_t children(const struct search_key *k)
{
    size_t n = 0;

    for (const struct search_key *c = k->child; c; c = c->next)
        n++;
    return n;
}

static size_t check(const struct search_key *k, size_t depth)
{
    size_t keys = 1, n = children(k);

    LAW(depth <= 2 * SEARCH_DEPTH_MAX + 4);
    switch (k->kind) {
    case KEY_AND: LAW(n >= 1); break;
    case KEY_OR: LAW(n == 2); break;
    case KEY_NOT:
    case KEY_FUZZY: LAW(n == 1); break;
    case KEY_SEQ:
    case KEY_UID: LAW(k->set && n == 0); break;
    case KEY_FLAG: LAW(k->flag && n == 0); break;
    default: LAW(n == 0); break;
    }
    for (const struct search_key *c = k->child; c; c = c->next)
        keys += check(c, depth + 1);
    return keys;
}

/* What UPDATE keeps can be read again. */
static bool update(struct arena *arena, struct str s)
{
    struct args a = args_of(arena, s, false);
    struct fetch_items f;

    return s.n == 0 || (fetch_atts_parse(&a, &f) == 0 && a.at == s.n && f.n);
}

/* ESEARCH: nothing is searched that was not named. */
static void check_sources(struct arena *arena, struct str s)
{
    struct args a = args_of(arena, s, false);
    struct esearch_sources from;
    int r = esearch_sources_parse(&a, &from);

    LAW(a.at <= s.n && (r != E_SYNTAX || a.expected));
    if (r == 0)
        LAW((from.selected || from.n) && from.n <= ESEARCH_SOURCES_MAX &&
            (from.n || !esearch_sources_match(&from, STR("INBOX"), true)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_release) struct arena arena = { .max = MIB(4) };
    const struct search_view view = { .last_seq = 12, .last_uid = 99 };
    struct args a = args_of(&arena, str_of(data, size), false);
    struct search_program p;
    int r;

    if (size > KIB(64))
        return 0;
    check_sources(&arena, str_of(data, size));
    r = search_program_parse(&a, &view, &p);
    LAW(a.at <= size);
    if (r == 0)
        LAW(a.at == size && p.root->kind == KEY_AND && check(p.root, 0) <= SEARCH_KEYS_MAX &&
            update(&arena, p.update));
    else
        LAW(r == E_LIMIT || (r == E_SYNTAX && a.expected));
    return 0;
}
