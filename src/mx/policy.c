#include "src/mx/policy.h"
#include "lib/base/errors.h"
#include "lib/base/log.h"
#include "lib/mailauth/spf.h"
#include "src/mx/service.h"
#include <arpa/inet.h>
#include <netinet/in.h>

#define REPORTS_PER_HOUR 60u /* to one sender, that his mail arrived */
#define NOTES_PER_HOUR \
    600u /* of recipients that were refused to one network: it displaces nobody's journal */

static const struct smtp_reply
    no_sender_mail = { 550, "5.7.27", "The sender's domain says that it takes no mail (RFC 7505)" },
    no_sender_domain = { 550, "5.1.8", "The sender's domain does not exist: nobody could be answered" },
    no_sender_answer = { 450, "4.1.8", "The sender's domain cannot be looked up now, try later" },
    no_helo_own = { 550, "5.7.1", "You called yourself by a name or address of ours in EHLO" },
    no_helo_syntax = { 550, "5.7.1",
                       "What you called yourself in EHLO is no name of a host (RFC 5321 4.1.1.1)" },
    no_helo_unknown = { 550, "5.7.1", "What you called yourself in EHLO has no address in the DNS" },
    no_sender_rate = { 450, "4.7.1", "Too many messages from that domain within an hour, try later" },
    no_rcpt_rate = { 450, "4.7.1", "Too many recipients from your network within an hour, try later" },
    no_stranger = { 450, "4.7.1", "We have not met: try again in a few minutes, then your mail is taken" };

static struct mx_policy *policy_of(const struct smtp_session *s)
{
    return &mx_own(s)->policy;
}

static const struct mx_conf *conf_of(const struct smtp_session *s)
{
    return mx_own(s)->conf;
}

/* ---- networks ---- */

static void mask(uint8_t *a, size_t n, uint64_t bits)
{
    for (size_t i = 0; i < n; i++) {
        a[i] = (uint8_t)(bits >= 8 ? a[i] : a[i] & (0xff00u >> bits));
        bits = bits > 8 ? bits - 8 : 0;
    }
}

void mx_policy_network(const struct sockaddr *sa, const struct mx_conf *c, char out[MX_NETWORK_TEXT_MAX])
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    uint8_t a[16] = { 0 };
    uint64_t bits = c->network_bits_v4;
    char text[INET6_ADDRSTRLEN];
    int family = AF_INET;

    if (sa->sa_family == AF_INET) {
        memcpy(&v4, sa, sizeof v4);
        memcpy(a, &v4.sin_addr, 4);
    } else if (sa->sa_family == AF_INET6) {
        memcpy(&v6, sa, sizeof v6);
        if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
            memcpy(a, v6.sin6_addr.s6_addr + 12, 4);
        } else {
            memcpy(a, v6.sin6_addr.s6_addr, 16);
            bits = c->network_bits_v6;
            family = AF_INET6;
        }
    } else {
        snprintf(out, MX_NETWORK_TEXT_MAX, "local");
        return;
    }
    mask(a, family == AF_INET ? 4 : 16, bits);
    if (inet_ntop(family, a, text, sizeof text))
        snprintf(out, MX_NETWORK_TEXT_MAX, "%s/%u", text, (unsigned)bits);
    else
        snprintf(out, MX_NETWORK_TEXT_MAX, "unknown");
}

static bool take(const struct mx_policies *all, const char *name, uint64_t count, int64_t per_ms,
                 struct str key)
{
    const struct limit_rule rule = { name, count, per_ms };

    return !all || !all->limits || limit_take(all->limits, &rule, key, 1, NULL) == 0;
}

bool mx_policy_connect(const struct mx_policies *all, const struct mx_conf *c, const char *network)
{
    return take(all, "connections", c->connection_rate, 60000, str_from(network));
}

/* ---- what he calls himself ---- */

/* "[192.0.2.1]", "[IPv6:2001:db8::1]" -> the address as text. */
static struct str literal_address(struct str helo)
{
    struct str a = str_slice(helo, 1, helo.n ? helo.n - 1 : 0);

    return str_istarts(a, STR("IPv6:")) ? str_skip(a, 5) : a;
}

static bool same_ip(struct str a, const char *b)
{
    char z[INET6_ADDRSTRLEN] = "";
    uint8_t x[16], y[16];
    int family = str_chr(a, ':') >= 0 ? AF_INET6 : AF_INET;

    if (a.n == 0 || a.n >= sizeof z)
        return false;
    memcpy(z, a.p, a.n);
    return inet_pton(family, z, x) == 1 && inet_pton(family, b, y) == 1 &&
           memcmp(x, y, family == AF_INET ? 4 : 16) == 0;
}

static bool is_literal(struct str helo)
{
    return helo.n > 2 && helo.p[0] == '[';
}

void mx_policy_hello(struct smtp_session *s, bool well_formed)
{
    struct mx_policy *p = policy_of(s);
    struct str bare = is_literal(s->helo) ? literal_address(s->helo) : s->helo;
    char ip[MX_NETWORK_TEXT_MAX];

    p->odd &= ~(MX_ODD_HELO_SYNTAX | MX_ODD_HELO_OWN | MX_ODD_HELO_UNKNOWN | MX_ODD_HELO_ADDRESS);
    if (p->trusted || conf_of(s)->helo_check == MX_HELO_OFF)
        return;
    snprintf(ip, sizeof ip, "%.*s", STR_ARG(s->peer_ip));
    if (!well_formed)
        p->odd |= MX_ODD_HELO_SYNTAX;
    if (str_ieq(s->helo, s->hostname) || (p->local_ip[0] && same_ip(bare, p->local_ip)))
        p->odd |= MX_ODD_HELO_OWN;
    else if (is_literal(s->helo) && well_formed && !same_ip(bare, ip))
        p->odd |= MX_ODD_HELO_ADDRESS;
}

/* ---- look-ups ---- */

static bool has_address(struct lookups *l, struct str name, bool *waits, bool *failed)
{
    const struct lookup_answer *a = lookups_get(l, LOOKUP_A, name), *aaaa = lookups_get(l, LOOKUP_AAAA, name);

    if ((a && a->status == LOOKUP_OK) || (aaaa && aaaa->status == LOOKUP_OK))
        return true;
    *waits = !a || !aaaa;
    *failed = (a && a->status == LOOKUP_FAILED) || (aaaa && aaaa->status == LOOKUP_FAILED);
    return false;
}

/* RFC 7505 3: one MX record, preference 0, and the root as its exchange. */
static bool is_null_mx(const struct lookup_answer *a)
{
    return a->n == 1 && (a->records[0].text.n == 0 || str_eq_z(a->records[0].text, "."));
}

/* Where would an answer go? RFC 5321 5.1: MX, or the address of the domain itself. */
static enum mx_sender sender_state(struct mx_policy *p)
{
    const struct lookup_answer *mx = lookups_get(&p->lookups, LOOKUP_MX, p->sender_domain);
    bool waits = false, failed = false;

    if (!mx)
        return MX_SENDER_WAITS;
    switch (mx->status) {
    case LOOKUP_OK: return is_null_mx(mx) ? MX_SENDER_NULL_MX : MX_SENDER_FINE;
    case LOOKUP_NXDOMAIN: return MX_SENDER_NOBODY;
    case LOOKUP_FAILED: return MX_SENDER_NO_ANSWER;
    case LOOKUP_NODATA: break;
    }
    if (has_address(&p->lookups, p->sender_domain, &waits, &failed))
        return MX_SENDER_FINE;
    return waits ? MX_SENDER_WAITS : failed ? MX_SENDER_NO_ANSWER : MX_SENDER_NOBODY;
}

/* False: answers are awaited. */
static bool helo_known(struct smtp_session *s)
{
    struct mx_policy *p = policy_of(s);
    bool waits = false, failed = false;

    if (conf_of(s)->helo_check == MX_HELO_OFF || is_literal(s->helo) || (p->odd & MX_ODD_HELO_SYNTAX))
        return true;
    if (!has_address(&p->lookups, s->helo, &waits, &failed) && !waits && !failed)
        p->odd |= MX_ODD_HELO_UNKNOWN;
    return !waits;
}

/* Ask for what is wanted. Whoever cannot be asked has failed. */
static void pump(struct smtp_session *s)
{
    static const struct lookup_answer failed = { .status = LOOKUP_FAILED };
    struct lookups *l = &policy_of(s)->lookups;
    struct lookup *q;

    policy_of(s)->asking = true;
    while ((q = lookups_next(l)))
        if (s->io->lookup(s->ctx, q) < 0)
            lookup_answer(l, q, &failed);
    policy_of(s)->asking = false;
}

bool mx_policy_ready(struct smtp_session *s)
{
    struct mx_policy *p = policy_of(s);

    if (!p->looking)
        return true;
    for (unsigned before = ~0u; before != p->lookups.n;) { /* what fails at once may ask for more */
        bool helo, sender;

        before = p->lookups.n;
        helo = helo_known(s);
        sender = p->sender_domain.n == 0 || sender_state(p) != MX_SENDER_WAITS;
        if (helo && sender)
            return true;
        pump(s);
    }
    return false;
}

bool mx_policy_looked_up(struct smtp_session *s, struct lookup *q, const struct lookup_answer *a)
{
    struct lookups *l = &policy_of(s)->lookups;

    for (struct lookup *mine = l->first; mine; mine = mine->next)
        if (mine == q) {
            lookup_answer(l, q, a);
            return true;
        }
    return false;
}

void mx_policy_forget(struct smtp_session *s)
{
    struct mx_policy *p = policy_of(s);

    if (p->looking)
        lookups_release(&p->lookups);
    p->looking = p->grey_later = false;
    p->sender_domain = STR_NONE;
    p->odd &= ~MX_ODD_SENDER;
}

bool mx_policy_mail(struct smtp_session *s, const struct smtp_command *c)
{
    const struct mx_conf *conf = conf_of(s);
    struct mx_policy *p = policy_of(s);
    char domain[SMTP_DOMAIN_MAX];
    size_t n = size_min(c->path.domain.n, sizeof domain);

    mx_policy_forget(s);
    if (p->trusted)
        return true;
    for (size_t i = 0; i < n; i++)
        domain[i] = ascii_lower(c->path.domain.p[i]);
    if (n && !take(p->all, "senders", conf->sender_rate, 3600000, str_of(domain, n))) {
        log_event(LOG_INFO, "mx.policy", F_Z("sid", s->sid), F_Z("why", "sender rate"));
        smtp_say(s, &no_sender_rate);
        return false;
    }
    if (conf->helo_check == MX_HELO_OFF && conf->sender_check == MX_SENDER_CHECK_OFF)
        return true;
    lookups_init(&p->lookups);
    p->looking = true;
    if (conf->sender_check != MX_SENDER_CHECK_OFF && n && !c->path.literal)
        p->sender_domain = arena_dup(&p->lookups.arena, str_of(domain, n));
    (void)mx_policy_ready(s); /* sets the look-ups going */
    return true;
}

/* ---- RCPT ---- */

static const struct smtp_reply *check_helo(const struct smtp_session *s, const char **why)
{
    uint32_t level = conf_of(s)->helo_check, odd = policy_of(s)->odd;

    *why = "helo";
    if (level >= MX_HELO_OWN && (odd & MX_ODD_HELO_OWN))
        return &no_helo_own;
    if (level >= MX_HELO_SYNTAX && (odd & MX_ODD_HELO_SYNTAX))
        return &no_helo_syntax;
    if (level >= MX_HELO_RESOLVE && (odd & MX_ODD_HELO_UNKNOWN))
        return &no_helo_unknown;
    return NULL;
}

static const struct smtp_reply *check_sender(struct smtp_session *s, const char **why)
{
    struct mx_policy *p = policy_of(s);
    enum mx_sender state;

    *why = "sender";
    if (!p->looking || p->sender_domain.n == 0)
        return NULL;
    /* no dot, or a number at the end: nobody can send an answer there, whatever the DNS says (RFC 5321 2.3.5) */
    state = s->m.sender.utf8 || smtp_domain_public(p->sender_domain) ? sender_state(p) : MX_SENDER_NOBODY;
    if (state == MX_SENDER_NULL_MX || state == MX_SENDER_NOBODY)
        p->odd |= MX_ODD_SENDER;
    if (conf_of(s)->sender_check == MX_SENDER_CHECK_NOTE)
        return NULL;
    switch (state) {
    case MX_SENDER_NULL_MX: return &no_sender_mail;
    case MX_SENDER_NOBODY: return &no_sender_domain;
    case MX_SENDER_NO_ANSWER:
        return conf_of(s)->sender_check == MX_SENDER_CHECK_STRICT ? &no_sender_answer : NULL;
    case MX_SENDER_WAITS:
    case MX_SENDER_FINE: break;
    }
    return NULL;
}

static bool is_known(const struct peer_lists *known, struct str name)
{
    for (size_t i = 0; i < known->n; i++)
        if (domain_is_within(name, known->v[i]))
            return true;
    return false;
}

static bool stranger(struct smtp_session *s)
{
    struct mx_policy *p = policy_of(s);
    int64_t wait;

    if (greylist_pass(p->all->grey, str_from(p->network), &s->m.sender, s->pending.domain, &wait))
        return false;
    log_event(LOG_INFO, "mx.greylisted", F_Z("sid", s->sid), F_Z("network", p->network),
              F_I64("wait_ms", wait));
    return true;
}

static const struct smtp_reply *check_greylist(struct smtp_session *s, const char **why)
{
    struct mx_policy *p = policy_of(s);

    *why = "greylist";
    if (!p->all || !p->all->grey || p->allowed || is_known(&p->all->known, s->peer_name))
        return NULL;
    if (is_known(&p->all->known, s->m.sender.domain)) {
        p->grey_later = true; /* when it is proved to be that domain's, it passes */
        return NULL;
    }
    return stranger(s) ? &no_stranger : NULL;
}

/* RFC 5782 4: the list is named, so that the sender knows whom to ask. */
static void refuse_listed(struct smtp_session *s)
{
    CLEANUP(buf_release) struct buf text = { .max = KIB(1) };

    if (buf_printf(&text, "Mail from %.*s is not taken: it is listed by %.*s", STR_ARG(s->peer_ip),
                   STR_ARG(s->listed)) == 0)
        smtp_say_text(s, 550, "5.7.1", buf_str(&text));
    else
        smtp_close(s);
}

/* RFC 5321 4.5.1: whoever has trouble with us must be able to say so. */
static bool for_postmaster(const struct smtp_session *s)
{
    return s->pending.domain.n == 0 || str_ieq(s->pending.local, STR("postmaster"));
}

bool mx_policy_rcpt(struct smtp_session *s)
{
    struct mx_policy *p = policy_of(s);
    const struct smtp_reply *no = NULL;
    const char *why = "recipient rate";

    if (p->trusted)
        return true;
    if (s->listed.n && !for_postmaster(s)) {
        refuse_listed(s);
        return false;
    }
    if (!for_postmaster(s) && !(no = check_helo(s, &why)))
        no = check_sender(s, &why);
    if (!no && !take(p->all, "recipients", conf_of(s)->recipient_rate, 3600000, str_from(p->network))) {
        why = "recipient rate";
        no = &no_rcpt_rate;
    }
    if (!no && !for_postmaster(s))
        no = check_greylist(s, &why);
    if (!no)
        return true;
    log_event(LOG_INFO, "mx.policy", F_Z("sid", s->sid), F_Z("why", why), F_U64("code", no->code));
    smtp_say(s, no);
    return false;
}

/* ---- after the message ---- */

static bool proved(const struct smtp_session *s)
{
    const struct mx_auth *a = mx_own(s)->auth;
    const struct peer_lists *known = &policy_of(s)->all->known;

    if (!a || !a->done)
        return false;
    if (a->check.spf.code == SPF_PASS)
        return true; /* for the domain of MAIL FROM, which is a known one */
    for (size_t i = 0; i < a->check.message.nsignatures; i++)
        if (a->check.message.signatures[i].code == DKIM_PASS &&
            is_known(known, a->check.message.signatures[i].domain))
            return true;
    return false;
}

const struct smtp_reply *mx_policy_verdict(struct smtp_session *s)
{
    struct mx_policy *p = policy_of(s);

    if (!p->grey_later || proved(s))
        return NULL;
    return stranger(s) ? &no_stranger : NULL;
}

bool mx_policy_note(struct smtp_session *s)
{
    const struct mx_policy *p = policy_of(s);

    return p->trusted || take(p->all, "notes", NOTES_PER_HOUR, 3600000, str_from(p->network));
}

bool mx_policy_report(struct smtp_session *s)
{
    const struct mx_policy *p = policy_of(s);

    return p->trusted || take(p->all, "reports", REPORTS_PER_HOUR, 3600000, s->m.sender_address);
}
