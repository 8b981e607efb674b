/* test/fuzz/fuzz_dkim.c
 *
 * Laws of signatures over any message: how it is cut changes nothing; its own signatures never pass without a key
 * and are all decided; what we sign verifies, with every canonical form; what we seal validates. The input's
 * first byte chooses. */
#include "lib/mailauth/arc.h"
#include "test/fuzz/fuzz.h"

static struct dkim_private *key;
static struct buf record = { .max = 300 };

static void feed(struct mailauth_message *m, struct str in, size_t slice)
{
    for (size_t i = 0; i < in.n; i += slice)
        mailauth_message_feed(m, str_slice(in, i, i + slice));
    mailauth_message_end(m);
}

static void answer(struct lookups *l)
{
    struct lookup_record r = { .text = buf_str(&record) };
    struct lookup *q;

    while ((q = lookups_next(l)))
        lookup_answer(l, q,
                      &(struct lookup_answer){
                          str_eq_z(q->name, "e._domainkey.example.org") ? LOOKUP_OK : LOOKUP_NXDOMAIN, &r,
                          str_eq_z(q->name, "e._domainkey.example.org") ? 1 : 0 });
}

static void verify(struct mailauth_message *m, struct arc_result *arc)
{
    struct lookups l;
    int rounds = 0;

    lookups_init(&l);
    while (dkim_check(m, &l, 1000) == MAILAUTH_WAITS || arc_check(m, &l, arc) == MAILAUTH_WAITS) {
        LAW(rounds++ < 3);
        answer(&l);
    }
    lookups_release(&l);
}

static void check_slices(struct str in, size_t slice)
{
    struct mailauth_message a, b;
    struct arc_result x, y;

    mailauth_message_init(&a);
    mailauth_message_init(&b);
    feed(&a, in, in.n + 1);
    feed(&b, in, slice);
    LAW(a.error == b.error && a.nfields == b.nfields && a.nsignatures == b.nsignatures &&
        a.nbodies == b.nbodies);
    LAW(a.nsignatures <= MAILAUTH_SIGNATURES_MAX && a.nbodies <= MAILAUTH_BODIES_MAX);
    verify(&a, &x);
    verify(&b, &y);
    LAW(x.code == y.code && x.sets == y.sets);
    for (size_t i = 0; i < a.nsignatures && !a.error; i++)
        LAW(a.signatures[i].code == b.signatures[i].code && a.signatures[i].code != DKIM_NONE);
    for (size_t i = 0; i < a.nbodies; i++) {
        uint8_t p[MAILAUTH_HASH_BYTES], q[MAILAUTH_HASH_BYTES];
        uint64_t n, k;

        LAW(mailauth_body_hash(&a, (int)i, p, &n) && mailauth_body_hash(&b, (int)i, q, &k) && n == k &&
            !memcmp(p, q, sizeof p));
    }
    mailauth_message_release(&a);
    mailauth_message_release(&b);
}

static void check_again(struct str head, struct str in, bool arc)
{
    CLEANUP(buf_release) struct buf text = { .max = MIB(8) };
    struct mailauth_message m;
    struct arc_result res;

    LAW(buf_puts(&text, head) == 0 && buf_puts(&text, in) == 0);
    mailauth_message_init(&m);
    feed(&m, buf_str(&text), 4096);
    if (!m.error) {
        verify(&m, &res);
        if (arc)
            LAW(res.code == ARC_PASS);
        else
            LAW(m.signatures[0].code == DKIM_PASS);
    }
    mailauth_message_release(&m);
}

static void check_sign(struct str in, unsigned how)
{
    CLEANUP(buf_release) struct buf head = { .max = KIB(32) }, set = { .max = KIB(64) };
    struct dkim_signer s = { .key = key,
                             .domain = STR("example.org"),
                             .selector = STR("e"),
                             .now_s = 1000,
                             .header_simple = how & 1,
                             .body_simple = how & 2 };
    struct mailauth_message m;
    struct arc_result chain;
    int body, r;

    mailauth_message_init(&m);
    body = dkim_signer_want(&m, s.body_simple);
    LAW(body >= 0);
    feed(&m, in, 4096);
    r = dkim_make(&m, &s, body, &head);
    LAW(r == 0 || head.n == 0);
    verify(&m, &chain);
    s.names = STR("from:subject");
    if (!m.error && arc_seal(&m, &s, body, &chain, STR("mx.test; none"), &set) == 0 &&
        chain.code != ARC_FAIL && in.n > 0)
        check_again(buf_str(&set), in, true);
    mailauth_message_release(&m);
    if (r == 0)
        check_again(buf_str(&head), in, false);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = str_of(data, size);

    if (!key)
        LAW(dkim_private_generate(DKIM_ED25519_SHA256, 0, &key) == 0 &&
            dkim_private_record(key, &record) == 0);
    if (size < 2 || data[1] == ' ' || data[1] == '\t')
        return 0; /* it would go on the last field that we put before it */
    check_slices(str_skip(in, 1), 1 + data[0] % 64);
    check_sign(str_skip(in, 1), data[0]);
    return 0;
}
