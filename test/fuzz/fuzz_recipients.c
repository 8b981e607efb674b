/* test/fuzz/fuzz_recipients.c
 *
 * Laws of who gets what, on a directory that the input makes: lines, "D name" a domain, "N name of" another name of one, "A address"
 * an alias, "B address" one with a mailbox, "T address to" a target, "P domain pattern to" a pattern, "C domain address" a
 * catch-all, "L owner who" and "l owner who" allow and deny, "R to from ip" asks. Expansion ends, is bounded, says the same twice, and
 * names no mailbox and no target twice; a mailbox is one of ours; what is set in its one form is its own one form. */
#include "lib/base/errors.h"
#include "lib/db/db.h"
#include "src/directory/conf.h"
#include "src/directory/expand.h"
#include "src/directory/patterns.h"
#include "src/directory/url.h"
#include "test/fuzz/fuzz.h"

#define NOW 1787000000000

static struct db *db;
static struct arena a = { .max = MIB(64) };
static unsigned boxes;

static void law_once(const struct expansion *e)
{
    LAW(e->nboxes <= EXPAND_MAX && e->nforwards <= EXPAND_MAX);
    for (size_t i = 0; i < e->nboxes; i++) {
        LAW(e->boxes[i].account.mailbox_id.n == MAILBOX_ID_LEN);
        for (size_t k = 0; k < i; k++)
            LAW(!str_eq(e->boxes[i].account.mailbox_id, e->boxes[k].account.mailbox_id));
    }
    for (size_t i = 0; i < e->nforwards; i++) {
        LAW(e->forwards[i].alias.n && e->forwards[i].domain.n &&
            domain_is_ours(db, e->forwards[i].domain) == 0);
        for (size_t k = 0; k < i; k++)
            LAW(e->forwards[i].target.kind != e->forwards[k].target.kind ||
                !str_eq(e->forwards[i].target.to, e->forwards[k].target.to));
    }
    LAW(e->result != EXPAND_OK || e->nboxes + e->nforwards > 0);
}

static void ask(const struct address *to, struct str from, struct str ip)
{
    struct expansion one, two, open;
    struct access_peer peer;

    LAW(access_peer_of(&a, from, ip, &peer) == 0);
    LAW(recipient_expand(db, &a, to, &peer, &one) == 0 && recipient_expand(db, &a, to, &peer, &two) == 0 &&
        recipient_expand(db, &a, to, NULL, &open) == 0);
    law_once(&one);
    LAW(one.result == two.result && one.nboxes == two.nboxes && one.nforwards == two.nforwards);
    LAW(one.result == open.result || one.result == EXPAND_REFUSED); /* lists refuse, and do nothing else */
    LAW(!one.fixed || one.result == open.result);
}

static void lists(struct str owner, struct str who, bool allow)
{
    struct address addr;
    struct str clean, again;
    bool alias = address_parse(&a, owner, &addr) == 0;

    if (access_who(&a, who, &clean) < 0)
        return;
    LAW(access_who(&a, clean, &again) == 0 && str_eq(clean, again));
    (void)!access_add(db, &a, owner, alias ? &addr : NULL, clean, allow, NOW);
}

static void targets(const struct address *addr, struct str to)
{
    struct target t = { str_find(to, STR("://")) >= 0 ? TARGET_WEBHOOK : TARGET_ADDRESS, to }, clean, again;

    if (alias_target_clean(&a, &t, &clean) < 0)
        return;
    LAW(alias_target_clean(&a, &clean, &again) == 0 && str_eq(clean.to, again.to));
    (void)!alias_target_add(db, &a, addr, &clean, NOW);
}

static void patterns(struct str domain, struct str pattern, struct str to)
{
    CLEANUP(buf_release) struct buf why = { .max = 300 };
    struct pattern p = { 0, pattern, to };
    uint32_t position;

    if (pattern_check(pattern, to, &why) == 0)
        (void)!pattern_add(db, domain, &p, NOW, &position);
    else
        LAW(why.n > 0);
}

static void alias(const struct address *addr, bool box)
{
    uint8_t id[MAILBOX_ID_LEN] = { 0 };
    struct account acc;

    boxes++;
    id[0] = (uint8_t)boxes;
    id[1] = (uint8_t)(boxes >> 8);

    if (alias_add(db, &a, addr, NOW, &acc) == 0 && box)
        LAW(mailbox_bind(db, acc.alias_id, str_of(id, sizeof id), STR("0123456789abcdef"), STR("")) == 0);
}

static void run(struct str line)
{
    struct str verb, one, two, three;
    struct address addr;
    bool address;

    str_cut(line, ' ', &verb, &line);
    str_cut(line, ' ', &one, &line);
    str_cut(line, ' ', &two, &three);
    if (verb.n != 1)
        return;
    address = address_parse(&a, one, &addr) == 0;
    switch (verb.p[0]) {
    case 'D':
        if (address_domain(&a, one, &one) == 0)
            (void)!domain_add(db, one, NOW);
        break;
    case 'N': (void)!domain_set_alias(db, one, two); break;
    case 'A':
    case 'B':
        if (address)
            alias(&addr, verb.p[0] == 'B');
        break;
    case 'T':
        if (address)
            targets(&addr, two);
        break;
    case 'P': patterns(one, two, three); break;
    case 'C':
        if (address_parse(&a, two, &addr) == 0)
            (void)!domain_set_catch_all(db, &a, one, &addr);
        break;
    case 'S': (void)!domain_set_separators(db, one, two); break;
    case 'L':
    case 'l': lists(one, two, verb.p[0] == 'L'); break;
    case 'R':
        if (address)
            ask(&addr, two, three);
        break;
    default: break;
    }
}

/* A new directory costs fifty times what an empty one does. */
static void begin(void)
{
    static const char *const empty[] = { "UPDATE domain SET alias_of = NULL", "DELETE FROM alias",
                                         "DELETE FROM domain" };

    if (!db)
        LAW(db_open_memory(&db) == 0 && accounts_migrate(db, NULL) == 0);
    for (size_t i = 0; i < ARRAY_LEN(empty); i++)
        LAW(db_run(db, empty[i]) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = str_of(data, size), line;
    int n = 0;

    if (size > KIB(4))
        return 0;
    boxes = 0;
    directory_conf.webhook_http = true;
    begin();
    while (in.n && n++ < 100) {
        str_cut(in, '\n', &line, &in);
        run(line);
    }
    arena_release(&a);
    a = (struct arena){ .max = MIB(64) };
    return 0;
}
