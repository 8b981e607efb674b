#include "src/mx/vacation.h"
#include "lib/base/clock.h"
#include "lib/base/hex.h"
#include "lib/base/log.h"
#include "lib/base/rand.h"
#include "lib/crypto/box.h"
#include "lib/mime/vacation.h"
#include "src/mx/service.h"

#define AWAY_MAX   16u
#define HEADER_MAX KIB(64)
#define REPLY_MAX  KIB(64)

struct away {
    struct mx_vacation v;
    struct str recipient; /* as it was written */
};
struct mx_vacations {
    struct arena arena;
    struct away list[AWAY_MAX];
    size_t n;
    struct buf header;
    bool header_over, header_whole;
};

void mx_vacation_forget(struct smtp_session *s)
{
    struct mx_vacations *w = mx_own(s)->vacations;

    mx_own(s)->vacations = NULL;
    if (!w)
        return;
    arena_release(&w->arena);
    buf_release(&w->header);
    free(w);
}

static bool is_time(const struct mx_vacation *v)
{
    int64_t now = clock_wall_ms();

    return now >= v->begins_ms && (v->ends_ms == 0 || now < v->ends_ms);
}

static struct mx_vacations *vacations_of(struct smtp_session *s)
{
    struct mx_vacations *w = mx_own(s)->vacations;

    if (!w && (w = calloc(1, sizeof *w))) {
        w->arena.max = KIB(256);
        w->header.max = HEADER_MAX;
        mx_own(s)->vacations = w;
    }
    return w;
}

static struct away *known(struct mx_vacations *w, struct str alias)
{
    for (size_t i = 0; i < w->n; i++)
        if (str_eq(w->list[i].v.alias, alias))
            return &w->list[i];
    return NULL;
}

void mx_vacation_take(struct smtp_session *s, const struct mx_resolved *r)
{
    CLEANUP(buf_release) struct buf path = { .max = KIB(1) };
    struct mx_vacations *w;

    if (!s->m.sender_address.n || smtp_path_print(&s->pending, &path) < 0)
        return;
    for (size_t i = 0; i < r->nvacations; i++) {
        const struct mx_vacation *v = &r->vacations[i];
        struct away *one;

        if (!is_time(v) || !(w = vacations_of(s)))
            continue;
        if ((one = known(w, v->alias)) && v->direct && !one->v.direct) {
            one->recipient = arena_dup(&w->arena, buf_str(&path));
            one->v.direct = one->recipient.p != NULL;
        }
        if (one || w->n == AWAY_MAX)
            continue;
        one = &w->list[w->n];
        *one = (struct away){ .v = *v, .recipient = arena_dup(&w->arena, buf_str(&path)) };
        one->v.alias = arena_dup(&w->arena, v->alias);
        one->v.subject = arena_dup(&w->arena, v->subject);
        one->v.text = arena_dup(&w->arena, v->text);
        if (one->v.alias.p && one->v.text.p && one->recipient.p)
            w->n++;
    }
}

void mx_vacation_feed(struct smtp_session *s, struct str in)
{
    struct mx_vacations *w = mx_own(s)->vacations;
    size_t from;
    ptrdiff_t end;

    if (!w || w->header_over)
        return;
    from = w->header.n > 3 ? w->header.n - 3 : 0;
    in = str_slice(in, 0, w->header.max - w->header.n);
    if (buf_puts(&w->header, in) < 0)
        w->header_over = true;
    end = str_find(str_skip(buf_str(&w->header), from), STR("\r\n\r\n"));
    w->header_whole = end >= 0;
    w->header_over = w->header_over || end >= 0 || w->header.n == w->header.max;
}

/* ---- when it was delivered ---- */

/* Neither spam nor forged: an answer would go to somebody who wrote nothing. */
static const char *distrusted(const struct smtp_session *s)
{
    const struct mx_auth *a = mx_own(s)->auth;

    const char *why = mx_dsn_unwanted(s);

    if (why || !a) /* !a: nobody asks: the operator says so */
        return why;
    return a->check.done && a->check.spf.code != SPF_TEMPERROR &&
                   (a->check.spf.code == SPF_PASS || a->check.dmarc.code != DMARC_TEMPERROR)
               ? NULL
               : "not checked";
}

static struct str domain_of(struct str address)
{
    return str_skip(address, (size_t)(str_rchr(address, '@') + 1));
}

/* A new text is a new answer for everybody. */
static bool once_of(struct smtp_session *s, const struct away *w, struct str whom,
                    uint8_t out[MX_VACATION_ONCE])
{
    CLEANUP(buf_release) struct buf text = { .max = KIB(2) };
    const uint8_t *key = mx_own(s)->delivery_key;
    uint8_t hash[HASH_BYTES];

    if (!key || buf_printf(&text, "%.*s\n%lld\n%.*s", STR_ARG(w->v.alias), (long long)w->v.made_ms,
                           STR_ARG(whom)) < 0)
        return false;
    kdf(hash, key, "letterlock vacation v1", buf_str(&text));
    memcpy(out, hash, MX_VACATION_ONCE);
    return true;
}

static bool reply_make(struct smtp_session *s, struct mx_vacations *all, const struct away *w,
                       struct mx_vacation_reply *out)
{
    uint8_t random[16];
    char id[33];
    struct vacation_reply v = { .from = w->v.alias,
                                .to = s->m.sender_address,
                                .subject = w->v.subject,
                                .text = w->v.text,
                                .header = buf_str(&all->header),
                                .now_ms = clock_wall_ms() };
    struct str whom = vacation_whom(&all->arena, v.header, v.to);
    char *z;

    rand_bytes(random, sizeof random);
    hex_encode(random, sizeof random, id);
    z = arena_printf(&all->arena, "%s@%.*s", id, STR_ARG(domain_of(w->v.alias)));
    *out = (struct mx_vacation_reply){ .alias = w->v.alias, .to = v.to, .text = { .max = REPLY_MAX } };
    if (!z || !whom.p || !once_of(s, w, whom, out->once))
        return false;
    v.id = str_from(z);
    if (vacation_write(&all->arena, &v, &out->text) < 0) {
        buf_release(&out->text);
        return false;
    }
    return true;
}

bool mx_vacation_next(struct smtp_session *s, size_t *at, struct mx_vacation_reply *out)
{
    struct mx_vacations *all = mx_own(s)->vacations;
    const char *why;

    while (all && *at < all->n) {
        const struct away *w = &all->list[(*at)++];
        const struct str own[] = { w->v.alias, w->recipient };

        /* Whom an alias leads to is not told to who wrote to the alias: he is answered for by name only. */
        if (!(why = all->header_whole ? distrusted(s) : "header too long"))
            why = vacation_refused(&all->arena, buf_str(&all->header), s->m.sender_address, own,
                                   w->v.direct ? 2 : 1);
        if (why)
            log_event(LOG_DEBUG, "mx.vacation_none", F_Z("id", s->m.id), F_Z("why", why));
        else if (reply_make(s, all, w, out))
            return true;
    }
    return false;
}
