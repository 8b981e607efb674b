#include "src/directory/expand.h"
#include "lib/base/errors.h"
#include "src/directory/patterns.h"

/* One address on the way. */
struct step {
    struct address addr;
    unsigned depth;
    uint64_t trail[EXPAND_DEPTH_MAX + 1]; /* aliases it came through */
    unsigned ntrail;
};

struct walk {
    struct db *db;
    struct arena *a;
    struct expansion *e;
    const struct access_peer *peer;
    struct step *steps; /* a queue: [at, n) waits */
    size_t at, n;
    uint64_t seen[EXPAND_MAX];
    size_t nseen;
    unsigned nested_answer; /* of a disabled alias on the way that others stand beside */
    bool too_far;
};

static int push(struct walk *w, const struct address *addr, const struct step *from, uint64_t alias_id)
{
    struct step *s = &w->steps[w->n];

    if ((from && from->depth == EXPAND_DEPTH_MAX) || w->n == EXPAND_MAX) {
        w->too_far = true;
        return 0;
    }
    *s = from ? *from : (struct step){ .depth = 0 };
    s->addr = *addr;
    s->depth = from ? from->depth + 1 : 0;
    if (alias_id)
        s->trail[s->ntrail++] = alias_id;
    w->n++;
    return 0;
}

/* ---- who takes it ---- */

/* "ann+x+y" of separator '+': ann+x, then ann. */
static int find_tagged(struct walk *w, const struct recipient_domain *d, const struct address *addr,
                       struct account *out)
{
    struct address base = *addr;
    int r = E_NOTFOUND;

    base.domain = d->name;
    for (size_t i = addr->local.n; i-- > 1 && r == E_NOTFOUND;) {
        if (str_chr(d->separators, addr->local.p[i]) < 0)
            continue;
        base.local = str_slice(addr->local, 0, i);
        r = alias_get(w->db, w->a, &base, out);
    }
    return r;
}

static int find_alias(struct walk *w, const struct recipient_domain *d, const struct address *addr,
                      struct account *out)
{
    struct address real = *addr;
    int r;

    real.domain = d->name;
    if ((r = alias_get(w->db, w->a, &real, out)) != E_NOTFOUND || !d->separators.n)
        return r;
    return find_tagged(w, d, addr, out);
}

/* ---- what becomes of it ---- */

static int add_box(struct walk *w, const struct account *acc)
{
    struct expand_box *b = &w->e->boxes[w->e->nboxes];
    int r;

    if (w->e->nboxes == EXPAND_MAX) {
        w->too_far = true;
        return 0;
    }
    b->account = *acc;
    if ((r = lease_room(w->db, acc->alias_id, &b->room)) < 0)
        return r;
    w->e->fixed = w->e->fixed && !b->room.limited; /* how much is left changes without our being told */
    w->e->nboxes++;
    return 0;
}

static void add_forward(struct walk *w, const struct target *t, struct str alias, struct str domain)
{
    for (size_t i = 0; i < w->e->nforwards; i++)
        if (w->e->forwards[i].target.kind == t->kind && str_eq(w->e->forwards[i].target.to, t->to))
            return;
    if (w->e->nforwards == EXPAND_MAX)
        w->too_far = true;
    else
        w->e->forwards[w->e->nforwards++] = (struct expand_forward){ *t, alias, domain };
}

/* An address that an alias or a pattern leads to: ours, and looked at further, or somebody else's. */
static int lead_to(struct walk *w, const struct step *from, uint64_t alias_id, const struct address *to,
                   struct str alias, struct str domain)
{
    struct target t = { TARGET_ADDRESS, to->text };
    int r = domain_is_ours(w->db, to->domain);

    if (r == 0)
        return push(w, to, from, alias_id);
    if (r == E_NOTFOUND)
        add_forward(w, &t, alias, domain);
    return r == E_NOTFOUND ? 0 : r;
}

static void is_disabled(struct walk *w, const struct step *s, unsigned answer)
{
    if (s->depth == 0 || answer == 421) { /* "later" holds for all of it: nobody may miss a message */
        w->e->result = EXPAND_DISABLED;
        w->e->answer = answer;
    } else if (!w->nested_answer) {
        w->nested_answer = answer;
    }
}

static bool seen_before(struct walk *w, const struct step *s, uint64_t alias_id)
{
    for (unsigned i = 0; i < s->ntrail; i++)
        w->e->circular = w->e->circular || s->trail[i] == alias_id;
    for (size_t i = 0; i < w->nseen; i++)
        if (w->seen[i] == alias_id)
            return true;
    if (w->nseen < EXPAND_MAX)
        w->seen[w->nseen++] = alias_id;
    return false;
}

static int take_alias(struct walk *w, const struct step *s, const struct account *acc)
{
    struct target *v = NULL;
    struct address to;
    struct str local, domain;
    size_t n = 0;
    int r;

    if (seen_before(w, s, acc->alias_id))
        return 0;
    if (acc->answer) {
        is_disabled(w, s, acc->answer);
        return 0;
    }
    if ((r = alias_target_list(w->db, w->a, acc->alias_id, &v, &n)) < 0)
        return r;
    if (n == 0 && (!acc->mailbox_id.n || !acc->to_mailbox)) {
        w->e->result = EXPAND_NOT_READY;
        return 0;
    }
    if (w->e->ntaken < EXPAND_MAX) {
        w->e->taken[w->e->ntaken] = acc->alias_id;
        w->e->taken_as[w->e->ntaken++] = acc->address;
    }
    if (acc->mailbox_id.n && acc->to_mailbox && (r = add_box(w, acc)) < 0)
        return r;
    local = acc->address; /* its domain stands behind the last '@' */
    domain = str_skip(local, (size_t)str_rchr(local, '@') + 1);
    for (size_t i = 0; i < n; i++) {
        if (v[i].kind != TARGET_ADDRESS) {
            add_forward(w, &v[i], acc->address, domain);
            continue;
        }
        if ((r = address_parse(w->a, v[i].to, &to)) < 0)
            return r;
        if ((r = lead_to(w, s, acc->alias_id, &to, acc->address, domain)) < 0)
            return r;
    }
    return 0;
}

/* ---- allow and deny ---- */

struct weighing {
    struct access_verdict v;
    const struct access_peer *peer;
    bool any;
};

static int weigh(void *ctx, struct str who, bool allow)
{
    struct weighing *g = ctx;

    g->any = true;
    access_weigh(&g->v, who, allow, g->peer);
    g->v.who = STR_NONE; /* of a row that is gone */
    return 0;
}

/* The alias's own list first; when nothing in it fits, its domain's. */
static int let_in(struct walk *w, const struct recipient_domain *d, uint64_t alias_id)
{
    static const struct access_peer nobody;
    struct weighing g = { .peer = w->peer ? w->peer : &nobody };
    int r = 0;

    if (alias_id)
        r = access_rows(w->db, 0, alias_id, weigh, &g);
    if (r == 0 && g.v.rank == 0 && d->has_access)
        r = access_rows(w->db, d->id, 0, weigh, &g);
    if (g.any)
        w->e->fixed = false;
    if (r == 0 && w->peer && g.v.rank && !g.v.allow)
        w->e->result = EXPAND_REFUSED;
    return r;
}

/* ---- the walk ---- */

static int step_run(struct walk *w, const struct step *s)
{
    struct recipient_domain d;
    struct account acc = { .alias_id = 0 };
    struct address made;
    int r;

    if ((r = recipient_domain_find(w->db, w->a, s->addr.domain, &d)) < 0) {
        if (r == E_NOTFOUND && s->depth == 0)
            w->e->result = EXPAND_NO_DOMAIN;
        return r == E_NOTFOUND ? 0 : r;
    }
    if ((r = find_alias(w, &d, &s->addr, &acc)) == E_NOTFOUND && d.has_patterns &&
        (r = pattern_find(w->db, w->a, d.id, s->addr.local, &made)) == 0) {
        if (s->depth == 0 && (r = let_in(w, &d, 0)) < 0)
            return r;
        return w->e->result == EXPAND_OK ? lead_to(w, s, 0, &made, s->addr.text, d.name) : 0;
    }
    if (s->depth == 0)
        w->e->named = r == 0 && acc.alias_id;
    if (r == E_NOTFOUND && d.catch_all)
        r = alias_by_id(w->db, w->a, (uint64_t)d.catch_all, &acc);
    if (r == E_NOTFOUND) {
        if (s->depth == 0)
            w->e->result = EXPAND_NO_ALIAS;
        return 0;
    }
    if (r < 0)
        return r;
    if (s->depth == 0) {
        w->e->address = acc.address;
        if (!acc.answer && (r = let_in(w, &d, acc.alias_id)) < 0)
            return r;
    }
    return w->e->result == EXPAND_OK ? take_alias(w, s, &acc) : 0;
}

/* Nothing was said against it: is there anything? */
static void conclude(struct walk *w)
{
    struct expansion *e = w->e;

    if (e->result != EXPAND_OK)
        return;
    if (w->too_far)
        e->result = EXPAND_LOOP;
    else if (e->nboxes || e->nforwards)
        return;
    else if (w->nested_answer) {
        e->result = EXPAND_DISABLED;
        e->answer = w->nested_answer;
    } else {
        e->result = e->circular ? EXPAND_LOOP : EXPAND_NO_ALIAS;
    }
}

int recipient_expand(struct db *db, struct arena *a, const struct address *addr,
                     const struct access_peer *peer, struct expansion *out)
{
    struct walk w = { .db = db, .a = a, .e = out, .peer = peer };
    int r;

    *out = (struct expansion){ .fixed = true, .address = addr->text };
    w.steps = ARENA_ARRAY(a, EXPAND_MAX, struct step);
    out->boxes = ARENA_ARRAY(a, EXPAND_MAX, struct expand_box);
    out->forwards = ARENA_ARRAY(a, EXPAND_MAX, struct expand_forward);
    if (!w.steps || !out->boxes || !out->forwards)
        return E_NOMEM;
    if ((r = push(&w, addr, NULL, 0)) < 0)
        return r;
    for (; w.at < w.n && out->result == EXPAND_OK; w.at++)
        if ((r = step_run(&w, &w.steps[w.at])) < 0)
            return r;
    conclude(&w);
    return 0;
}
