/* test/fuzz/fuzz_srs.c
 *
 * Laws of rewritten senders: what comes out is a plain address of ours within 64 octets; reversed it is the sender again, or
 * the token it is kept by, or who rewrote it first; in lower case, too; and with any byte changed it is refused. Input: two bytes that
 * say what is changed, then a sender. */
#include "lib/smtp/srs.h"
#include "test/fuzz/fuzz.h"

static const uint8_t key[32] = { 3, 1, 4 };
static const struct srs k = { key, { "our.test", 8 }, 20719 };

static void check_changed(const uint8_t how[2], struct str local)
{
    CLEANUP(buf_release) struct buf back = { .max = 512 };
    char text[SMTP_LOCAL_MAX];
    uint8_t token[SRS_TOKEN_BYTES];
    size_t at = how[0] % local.n;

    memcpy(text, local.p, local.n);
    text[at] = (char)(text[at] ^ how[1]);
    LAW((srs_reverse(&k, str_of(text, local.n), &back, token) >= 0) == str_ieq(str_of(text, local.n), local));
}

static void check_lowered(struct str local, int r, struct str want)
{
    CLEANUP(buf_release) struct buf back = { .max = 512 };
    char text[SMTP_LOCAL_MAX];
    uint8_t token[SRS_TOKEN_BYTES];

    for (size_t i = 0; i < local.n; i++)
        text[i] = ascii_lower(local.p[i]);
    LAW(srs_reverse(&k, str_of(text, local.n), &back, token) == r && str_ieq(buf_str(&back), want));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(buf_release) struct buf out = { .max = 512 }, back = { .max = 512 };
    uint8_t token[SRS_TOKEN_BYTES] = { 0 }, again[SRS_TOKEN_BYTES] = { 0 };
    struct smtp_path p, q;
    struct str sender;
    int r;

    if (size < 2)
        return 0;
    sender = str_of(data + 2, size - 2);
    LAW(srs_reverse(&k, sender, &back, token) < 0 && back.n == 0);
    r = srs_forward(&k, sender, &out, token);
    LAW(r >= 0 || out.n == 0);
    if (r < 0 || out.n == 0 || smtp_mailbox_parse(sender, SMTP_PATH_REVERSE, &q) < 0)
        return 0;
    if (str_ieq(q.domain, k.domain)) {
        LAW(str_eq(buf_str(&out), sender));
        return 0;
    }
    LAW(smtp_mailbox_parse(buf_str(&out), SMTP_PATH_FORWARD, &p) == 0 && !p.quoted && !p.utf8 &&
        srs_is(p.local));
    LAW(str_eq(p.domain, k.domain));
    LAW(srs_reverse(&k, p.local, &back, again) == r && memcmp(token, again, sizeof token) == 0);
    if (r == 0 && str_starts(p.local, STR("SRS0")))
        LAW(str_eq(buf_str(&back), sender));
    if (r == 0 && str_istarts(sender, STR("SRS0")) && str_starts(p.local, STR("SRS1")))
        LAW(str_ieq(buf_str(&back), sender));
    LAW(r == 1 || smtp_mailbox_parse(buf_str(&back), SMTP_PATH_REVERSE, &q) == 0);
    check_changed(data, p.local);
    check_lowered(p.local, r, buf_str(&back));
    return 0;
}
