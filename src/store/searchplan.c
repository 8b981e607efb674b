/* src/store/searchplan.c: what the indexes say of every key, and what follows for the whole.
 *
 * A key answers with two sets inside the set it is asked about: messages that match for certain and
 * those that may. AND asks its children one after the other, the cheapest first, each only about what
 * the ones before left possible; OR does not ask again about what matches already; NOT turns "certain"
 * into "impossible". A key that would cost more to look up than the few messages in question cost to
 * look at is not looked up. Every statement is fixed text. */
#include "src/store/search_private.h"

#define FEW_ROWS  32u /* so many messages are looked at one by one rather than by an index */
#define FEW_TEXTS 64u

#define T(name) STORE__SEARCH_KEY__TYPE__##name

/* ?1 folder, ?2 the key's number or date. UIDs in any order. */
static const struct {
    Store__SearchKey__Type type;
    bool date;
    const char *sql;
} by_row[] = {
    { T(LARGER), false, "SELECT uid FROM message WHERE folder_id = ?1 AND bytes > ?2" },
    { T(SMALLER), false, "SELECT uid FROM message WHERE folder_id = ?1 AND bytes < ?2" },
    { T(INTERNAL_FROM), true,
      "SELECT uid FROM message INDEXED BY message_internal "
      "WHERE folder_id = ?1 AND behind = 0 AND internal >= ?2 " MESSAGES_BEHIND("internal >= ?2") },
    { T(INTERNAL_BEFORE), true,
      "SELECT uid FROM message INDEXED BY message_internal "
      "WHERE folder_id = ?1 AND behind = 0 AND internal < ?2 " MESSAGES_BEHIND("internal < ?2") },
    { T(SAVED_FROM), true, "SELECT uid FROM message WHERE folder_id = ?1 AND saved >= ?2" },
    { T(SAVED_BEFORE), true, "SELECT uid FROM message WHERE folder_id = ?1 AND saved < ?2" },
    { T(MODSEQ), false,
      "SELECT uid FROM message INDEXED BY message_changed "
      "WHERE folder_id = ?1 AND modseq > added AND modseq > ?2 - 1 " MESSAGES_ADDED_FROM },
};

int64_t iso_ms(struct str iso)
{
    int64_t ms = 0;

    return clock_from_iso(iso.p, iso.n, &ms) ? ms : 0;
}

/* Rows of `st` are UIDs, in any order. */
static int uids_collect(struct search *s, struct stmt *st, struct uidset *out)
{
    unsigned n = 0;
    int r;

    while ((r = stmt_step(st)) > 0) {
        uint32_t uid = (uint32_t)stmt_u64(st, 0);

        if (out->n && uid == out->v[out->n - 1] + 1) {
            out->v[out->n - 1] = uid;
        } else if ((r = uidset_push(out, uid, uid)) < 0) {
            return r;
        }
        if (++n % 1024 == 0 && atomic_load_explicit(&s->stop, memory_order_relaxed))
            return E_CANCELED;
    }
    uidset_normalize(out);
    return r;
}

/* n->yes = what was found, inside the bound. */
static int certain(struct node *n, const struct uidset *bound, struct uidset *got)
{
    if (bound)
        return set_and(got, bound, &n->yes);
    set_move(&n->yes, got);
    return 0;
}

static int bound_or_all(struct search *s, struct mailbox *box, const struct uidset *bound,
                        const struct uidset **out)
{
    *out = bound;
    return bound ? 0 : search_all(s, box, out);
}

/* Nothing is known of these. */
static int all_maybe(struct search *s, struct mailbox *box, struct node *n, const struct uidset *bound)
{
    int r = bound_or_all(s, box, bound, &bound);

    n->planned = false;
    return r < 0 ? r : set_copy(bound, &n->maybe);
}

static int all_certain(struct search *s, struct mailbox *box, struct node *n, const struct uidset *bound)
{
    int r = bound_or_all(s, box, bound, &bound);

    return r < 0 ? r : set_copy(bound, &n->yes);
}

/* ---- leaves ----------------------------------------------------------------------------------- */

static int plan_row(struct search *s, struct mailbox *box, struct node *n, const struct uidset *bound,
                    size_t i)
{
    CLEANUP(uidset_release) struct uidset got = { 0 };
    CLEANUP(stmt_release) struct stmt *st = NULL;
    char date[CLOCK_ISO_LEN + 1];
    int r = stmt_get(box->db, by_row[i].sql, &st);

    if (r < 0)
        return r;
    clock_iso(n->ms, date);
    stmt_bind_u64(st, 1, s->folder_id);
    if (by_row[i].date)
        stmt_bind_str(st, 2, str_of(date, CLOCK_ISO_LEN));
    else
        stmt_bind_i64(st, 2, n->number);
    return (r = uids_collect(s, st, &got)) < 0 ? r : certain(n, bound, &got);
}

/* \Seen is what is not unseen: few messages usually are. */
static int plan_seen(struct search *s, struct mailbox *box, struct node *n, const struct uidset *bound)
{
    static const char sql[] =
        "SELECT uid FROM message INDEXED BY message_unseen "
        "WHERE folder_id = ?1 AND behind = 0 AND flags & 8 = 0 " MESSAGES_BEHIND("flags & 8 = 0");
    CLEANUP(uidset_release) struct uidset unseen = { 0 };
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = bound_or_all(s, box, bound, &bound);

    if (r < 0 || (r = stmt_get(box->db, sql, &st)) < 0)
        return r;
    stmt_bind_u64(st, 1, s->folder_id);
    return (r = uids_collect(s, st, &unseen)) < 0 ? r : set_minus(bound, &unseen, &n->yes);
}

static int plan_flags(struct search *s, struct mailbox *box, struct node *n, const struct uidset *bound)
{
    CLEANUP(uidset_release) struct uidset got = { 0 };
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int64_t flags = n->k->number;
    int r;

    if (flags == STORE__FLAG__SEEN)
        return plan_seen(s, box, n, bound);
    r = stmt_get(box->db,
                 flags & STORE__FLAG__DELETED
                     ? "SELECT uid FROM message WHERE folder_id = ?1 AND flags & 4 <> 0 AND flags & ?2 = ?2"
                 : flags & STORE__FLAG__FLAGGED
                     ? "SELECT uid FROM message WHERE folder_id = ?1 AND flags & 2 <> 0 AND flags & ?2 = ?2"
                     : "SELECT uid FROM message WHERE folder_id = ?1 AND flags & ?2 = ?2",
                 &st);
    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, s->folder_id);
    stmt_bind_i64(st, 2, flags);
    return (r = uids_collect(s, st, &got)) < 0 ? r : certain(n, bound, &got);
}

/* Messages of folder ?1 whose email has such a column, by ?2: from the table that is written behind, and what it
 * waits for. Some come twice. */
#define EMAILS_BY(what, table, column, op)                                                              \
    "SELECT " what " FROM " table " t CROSS JOIN email e ON e.id = t.email_id CROSS JOIN message m ON " \
    "m.email_id = e.id WHERE t." column " " op " ?2 AND m.folder_id = ?1 "                              \
    "UNION ALL SELECT " what " FROM email e CROSS JOIN message m ON m.email_id = e.id "                 \
    "WHERE e.id > (SELECT indexed_upto FROM meta) AND e." column " " op " ?2 AND m.folder_id = ?1 "     \
    "UNION ALL SELECT " what                                                                            \
    " FROM unindexed u CROSS JOIN email e ON e.id = u.email_id CROSS JOIN message m "                   \
    "ON m.email_id = e.id WHERE u.state = 0 AND e." column " " op " ?2 AND m.folder_id = ?1"

/* RFC 9051 6.4.4: "disregarding time and timezone", so the day is that of the Date field's own zone,
 * which may be a day before or after the same moment in UTC. */
static int plan_sent(struct search *s, struct mailbox *box, struct node *n, const struct uidset *bound)
{
    static const char from_sql[] = EMAILS_BY("m.uid, e.sent, e.sent_zone", "email_by_date", "sent", ">=");
    static const char before_sql[] = EMAILS_BY("m.uid, e.sent, e.sent_zone", "email_by_date", "sent", "<");
    CLEANUP(uidset_release) struct uidset got = { 0 };
    CLEANUP(stmt_release) struct stmt *st = NULL;
    bool from = n->k->type == T(SENT_FROM);
    char date[CLOCK_ISO_LEN + 1];
    int r = stmt_get(box->db, from ? from_sql : before_sql, &st);

    if (r < 0)
        return r;
    clock_iso(n->ms + (from ? -86400000 : 86400000), date);
    stmt_bind_u64(st, 1, s->folder_id);
    stmt_bind_str(st, 2, str_of(date, CLOCK_ISO_LEN));
    while ((r = stmt_step(st)) > 0) {
        uint32_t uid = (uint32_t)stmt_u64(st, 0);

        if ((iso_ms(stmt_str(st, 1)) + stmt_i64(st, 2) * 60000 >= n->number) == from &&
            (r = uidset_push(&got, uid, uid)) < 0)
            return r;
    }
    uidset_normalize(&got);
    return r < 0 ? r : certain(n, bound, &got);
}

static int plan_keyword(struct search *s, struct mailbox *box, struct node *n, const struct uidset *bound)
{
    static const char sql[] = "SELECT uid FROM message_keyword WHERE keyword_id = ?1 AND folder_id = ?2";
    CLEANUP(uidset_release) struct uidset got = { 0 };
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int64_t id = 0;
    int r = keyword_id(box, pb_str(n->k->text), false, &id);

    if (r < 0)
        return r == E_NOTFOUND ? 0 : r;
    if ((r = stmt_get(box->db, sql, &st)) < 0)
        return r;
    stmt_bind_i64(st, 1, id);
    stmt_bind_u64(st, 2, s->folder_id);
    return (r = uids_collect(s, st, &got)) < 0 ? r : certain(n, bound, &got);
}

static int plan_object(struct search *s, struct mailbox *box, struct node *n, const struct uidset *bound)
{
    static const char by_email[] = "SELECT m.uid FROM email e JOIN message m ON m.email_id = e.id "
                                   "WHERE e.object_id = ?2 AND m.folder_id = ?1";
    static const char by_thread[] = EMAILS_BY("m.uid", "email_by_thread", "thread_id", "=");
    CLEANUP(uidset_release) struct uidset got = { 0 };
    CLEANUP(stmt_release) struct stmt *st = NULL;
    bool email = n->k->type == T(EMAIL_ID);
    uint8_t id[12];
    int r;

    if (!object_id_parse(pb_str(n->k->text), email ? 'M' : 'T', id))
        return 0;
    if ((r = stmt_get(box->db, email ? by_email : by_thread, &st)) < 0)
        return r;
    stmt_bind_u64(st, 1, s->folder_id);
    stmt_bind_blob(st, 2, str_of(id, sizeof id));
    return (r = uids_collect(s, st, &got)) < 0 ? r : certain(n, bound, &got);
}

static int plan_uids(struct search *s, struct mailbox *box, struct node *n, const struct uidset *bound)
{
    struct uidset given = { .v = n->k->uid_ranges, .n = n->k->n_uid_ranges };
    int r = uidset_check(given.v, given.n);

    if (r < 0 || (r = bound_or_all(s, box, bound, &bound)) < 0)
        return r;
    return set_and(bound, &given, &n->yes);
}

/* The index is the answer, but for the tail and for what it did not look at. */
static int plan_exact(struct search *s, struct mailbox *box, struct node *n, const struct uidset *bound,
                      struct candidates *got)
{
    const struct uidset *unknown;
    int r = got->some ? bound_or_all(s, box, bound, &unknown) : index_tail(s, box, &unknown);
    bool some = got->some;

    if (r < 0 || (r = certain(n, bound, &got->uids)) < 0)
        return r;
    if (some)
        return set_minus(unknown, &n->yes, &n->maybe);
    return bound ? set_and(unknown, bound, &n->maybe) : set_copy(unknown, &n->maybe);
}

static void candidates_release(struct candidates *c)
{
    uidset_release(&c->uids);
}

static int plan_text(struct search *s, struct mailbox *box, struct node *n, const struct uidset *bound)
{
    CLEANUP(candidates_release) struct candidates got = { 0 };
    CLEANUP(uidset_release) struct uidset all = { 0 };
    const struct uidset *tail;
    int known = 0, r;

    if (n->needle.n == 0 && (n->k->type == T(BODY) || n->k->type == T(TEXT)))
        return all_certain(s, box, n, bound);
    if ((known = index_candidates(s, box, n, &got)) <= 0)
        return known < 0 ? known : all_maybe(s, box, n, bound);
    if (got.exact)
        return plan_exact(s, box, n, bound, &got);
    if ((r = index_tail(s, box, &tail)) < 0 || (r = set_or(&got.uids, tail, &all)) < 0)
        return r;
    if (bound)
        return set_and(&all, bound, &n->maybe);
    set_move(&n->maybe, &all);
    return 0;
}

/* Nothing is certain of it: the text has to give the score, too. */
static int plan_fuzzy(struct search *s, struct mailbox *box, struct node *n, const struct uidset *bound)
{
    CLEANUP(uidset_release) struct uidset got = { 0 }, all = { 0 };
    const struct uidset *tail;
    int r;

    if (n->words.n == 0)
        return 0;
    if ((r = fuzzy_candidates(s, box, n, bound, &got)) <= 0)
        return r < 0 ? r : all_maybe(s, box, n, bound);
    if ((r = index_tail(s, box, &tail)) < 0 || (r = set_or(&got, tail, &all)) < 0)
        return r;
    if (bound)
        return set_and(&all, bound, &n->maybe);
    set_move(&n->maybe, &all);
    return 0;
}

static int plan_leaf(struct search *s, struct mailbox *box, struct node *n, const struct uidset *bound)
{
    Store__SearchKey__Type type = n->k->type;

    if (type == T(NONE))
        return 0;
    if (type == T(ALL))
        return all_certain(s, box, n, bound);
    if (type == T(UID))
        return plan_uids(s, box, n, bound);
    if (bound && set_count(bound) <= (is_text(n->k) ? FEW_TEXTS : FEW_ROWS))
        return all_maybe(s, box, n, bound);
    if (is_text(n->k))
        return n->fuzzy ? plan_fuzzy(s, box, n, bound) : plan_text(s, box, n, bound);
    for (size_t i = 0; i < ARRAY_LEN(by_row); i++)
        if (by_row[i].type == type)
            return plan_row(s, box, n, bound, i);
    switch (type) {
    case T(FLAGS_SET): return plan_flags(s, box, n, bound);
    case T(SENT_FROM):
    case T(SENT_BEFORE): return plan_sent(s, box, n, bound);
    case T(KEYWORD): return plan_keyword(s, box, n, bound);
    case T(EMAIL_ID):
    case T(THREAD_ID): return plan_object(s, box, n, bound);
    default: return E_SYNTAX;
    }
}

/* ---- the tree --------------------------------------------------------------------------------- */

/* First child: everything it says. Each of the others: what was possible and is possible still. */
static int plan_and(struct search *s, struct mailbox *box, struct node *n, const struct uidset *bound)
{
    CLEANUP(uidset_release) struct uidset possible = { 0 }, yes = { 0 };
    int r = 0;

    if (n->n == 0)
        return all_certain(s, box, n, bound);
    for (size_t i = 0; i < n->n && r >= 0; i++) {
        struct node *c = n->child[i];
        struct uidset both = { 0 };

        if (i && !possible.n)
            break;
        if ((r = node_plan(s, box, c, i ? &possible : bound)) < 0 ||
            (r = set_or(&c->yes, &c->maybe, &both)) < 0)
            return r;
        set_move(&possible, &both);
        r = i ? set_and(&yes, &c->yes, &both) : set_copy(&c->yes, &both);
        set_move(&yes, &both);
    }
    if (r >= 0)
        r = set_minus(&possible, &yes, &n->maybe);
    set_move(&n->yes, &yes);
    if (r >= 0 && !possible.n)
        uidset_release(&n->yes);
    return r;
}

static int plan_or(struct search *s, struct mailbox *box, struct node *n, const struct uidset *bound)
{
    CLEANUP(uidset_release) struct uidset open = { 0 }, maybe = { 0 };
    int r = bound ? set_copy(bound, &open) : 0;

    for (size_t i = 0; i < n->n && r >= 0; i++) {
        struct node *c = n->child[i];
        struct uidset joined = { 0 };

        if ((r = node_plan(s, box, c, bound ? &open : NULL)) < 0 ||
            (r = set_or(&n->yes, &c->yes, &joined)) < 0)
            return r;
        set_move(&n->yes, &joined);
        if ((r = set_or(&maybe, &c->maybe, &joined)) < 0)
            return r;
        set_move(&maybe, &joined);
        if (bound) {
            r = set_minus(&open, &c->yes, &joined);
            set_move(&open, &joined);
        }
    }
    return r < 0 ? r : set_minus(&maybe, &n->yes, &n->maybe);
}

static int plan_not(struct search *s, struct mailbox *box, struct node *n, const struct uidset *bound)
{
    CLEANUP(uidset_release) struct uidset possible = { 0 };
    struct node *c = n->child[0];
    int r = bound_or_all(s, box, bound, &bound);

    if (r < 0 || (r = node_plan(s, box, c, bound)) < 0 || (r = set_or(&c->yes, &c->maybe, &possible)) < 0 ||
        (r = set_minus(bound, &possible, &n->yes)) < 0)
        return r;
    return set_copy(&c->maybe, &n->maybe);
}

int node_plan(struct search *s, struct mailbox *box, struct node *n, const struct uidset *bound)
{
    if (atomic_load_explicit(&s->stop, memory_order_relaxed))
        return E_CANCELED;
    n->planned = true;
    if (n->k->type == T(AND))
        return plan_and(s, box, n, bound);
    if (n->k->type == T(OR))
        return plan_or(s, box, n, bound);
    if (n->k->type == T(NOT))
        return plan_not(s, box, n, bound);
    return plan_leaf(s, box, n, bound);
}
