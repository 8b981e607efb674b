#include "src/directory/access.h"
#include "lib/base/errors.h"
#include "lib/base/netset.h"
#include "lib/smtp/path.h"
#include "src/directory/address.h"
#include <arpa/inet.h>

#define RANK_ANYONE  1u
#define RANK_NETWORK 1000u /* and the bits of the prefix */
#define RANK_DOMAIN  3000u /* and its labels */
#define RANK_ADDRESS 5000u

static const uint8_t v4_prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

static int address_who(struct arena *a, struct str text, struct str *out, struct str *domain_out)
{
    struct address addr;
    char *z;
    int r = address_parse(a, text, &addr);

    if (r < 0)
        return r == E_NOMEM ? r : E_SYNTAX;
    if (!(z = arena_printf(a, "%.*s@%.*s", STR_ARG(addr.local), STR_ARG(addr.domain))))
        return E_NOMEM;
    *out = str_from(z);
    *domain_out = addr.domain;
    return 0;
}

static bool is_network(struct str s)
{
    bool number = s.n > 0;

    for (size_t i = 0; i < s.n && number; i++)
        number = ascii_digit(s.p[i]) || s.p[i] == '.';
    return number || str_chr(s, '/') >= 0 || str_chr(s, ':') >= 0;
}

static int network_who(struct arena *a, struct str text, struct str *out)
{
    char z[INET6_ADDRSTRLEN], *p;
    struct netset set;
    const struct net *n = &set.v[0];
    bool v4;
    int r;

    if ((r = netset_parse(text, &set)) < 0 || set.n != 1)
        return r < 0 ? r : E_SYNTAX;
    v4 = n->bits >= 96 && memcmp(n->addr, v4_prefix, sizeof v4_prefix) == 0;
    if (!inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? n->addr + 12 : n->addr, z, sizeof z))
        return E_SYNTAX;
    if (!(p = arena_printf(a, "%s/%u", z, v4 ? n->bits - 96u : n->bits)))
        return E_NOMEM;
    *out = str_from(p);
    return 0;
}

int access_who(struct arena *a, struct str text, struct str *out)
{
    struct str domain;
    int r;

    text = str_trim(text);
    if (str_eq_z(text, "*") || str_eq_z(text, "<>")) {
        *out = arena_dup(a, text);
        return out->p ? 0 : E_NOMEM;
    }
    if (text.n == 0 || text.n > ACCESS_WHO_MAX)
        return E_SYNTAX;
    if (str_rchr(text, '@') > 0)
        return address_who(a, text, out, &domain);
    if (text.p[0] == '@')
        text = str_skip(text, 1);
    if (is_network(text))
        return network_who(a, text, out);
    r = address_domain(a, text, out);
    return r == E_LIMIT || (r == 0 && is_network(*out)) ? E_SYNTAX : r; /* "192.0.2.1." is neither */
}

/* A sender that can be nobody's address here has a domain all the same: bounce addresses are longer than 64 octets before
 * the @ (lib/smtp/path.h), and a label that IDNA does not know may stand before any domain. */
static int sender_who(struct arena *a, struct str sender, struct access_peer *out)
{
    struct smtp_path path = { .quoted = false };
    char *z;
    int r = address_who(a, sender, &out->address, &out->domain);

    if (r != E_SYNTAX)
        return r;
    out->address = STR_NONE;
    if (smtp_mailbox_parse(sender, SMTP_PATH_REVERSE, &path) < 0 || path.literal)
        return 0;
    if ((r = address_domain(a, path.domain, &out->domain)) != E_SYNTAX)
        return r;
    if (!(z = arena_dupz(a, path.domain)))
        return E_NOMEM;
    out->domain = str_of(z, path.domain.n);
    for (size_t i = 0; i < path.domain.n; i++)
        z[i] = ascii_lower(z[i]);
    return 0;
}

int access_peer_of(struct arena *a, struct str sender, struct str ip, struct access_peer *out)
{
    struct access_peer p = { .address = STR_NONE };
    char z[INET6_ADDRSTRLEN + 1];
    int r;

    if (sender.n == 0)
        p.address = STR("<>");
    else if ((r = sender_who(a, sender, &p)) < 0)
        return r;
    if (ip.n && ip.n < sizeof z) {
        memcpy(z, ip.p, ip.n);
        z[ip.n] = '\0';
        memcpy(p.ip, v4_prefix, sizeof v4_prefix);
        p.has_ip = inet_pton(AF_INET, z, p.ip + 12) == 1 || inet_pton(AF_INET6, z, p.ip) == 1;
    }
    *out = p;
    return 0;
}

static unsigned network_rank(struct str who, const struct access_peer *p)
{
    struct netset set;
    const struct net *n = &set.v[0];
    unsigned whole, rest;

    if (!p->has_ip || netset_parse(who, &set) < 0 || set.n != 1)
        return 0;
    whole = n->bits / 8u;
    rest = n->bits % 8u;
    if (memcmp(p->ip, n->addr, whole) != 0 || (rest && (p->ip[whole] ^ n->addr[whole]) >> (8 - rest)))
        return 0;
    return RANK_NETWORK + n->bits;
}

static unsigned domain_rank(struct str who, const struct access_peer *p)
{
    unsigned labels = 1;
    bool below =
        str_ends(p->domain, who) && p->domain.n > who.n && p->domain.p[p->domain.n - who.n - 1] == '.';

    if (!who.n || !(below || str_eq(p->domain, who)))
        return 0;
    for (size_t i = 0; i < who.n; i++)
        labels += who.p[i] == '.';
    return RANK_DOMAIN + labels;
}

unsigned access_rank(struct str who, const struct access_peer *p)
{
    if (str_eq_z(who, "*"))
        return RANK_ANYONE;
    if (str_eq_z(who, "<>") || str_chr(who, '@') >= 0)
        return str_eq(who, p->address) ? RANK_ADDRESS : 0;
    return str_chr(who, '/') >= 0 ? network_rank(who, p) : domain_rank(who, p);
}

void access_weigh(struct access_verdict *v, struct str who, bool allow, const struct access_peer *p)
{
    unsigned rank = access_rank(who, p);

    if (rank > v->rank || (rank && rank == v->rank && allow && !v->allow))
        *v = (struct access_verdict){ rank, allow, who };
}
