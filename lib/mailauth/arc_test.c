/* ARC: what we seal validates, and the public suite for validating and sealing where it lies beside the project. */
#include "lib/base/test.h"
#include "lib/mailauth/arc.h"
#include "lib/mailauth/authres.h"
#include "lib/mailauth/tags.h"
#include "lib/mailauth/test_yaml.h"
#include "lib/mailauth/test_zone.h"

static struct zone_row zone[8];
static size_t nzone;

static void feed(struct mailauth_message *m, struct str text, size_t slice)
{
    for (size_t i = 0; i < text.n; i += slice)
        mailauth_message_feed(m, str_slice(text, i, i + slice));
    mailauth_message_end(m);
}

static struct arc_result check(struct mailauth_message *m)
{
    struct arc_result res;
    struct lookups l;
    int r, rounds = 0;

    lookups_init(&l);
    while ((r = arc_check(m, &l, &res)) == MAILAUTH_WAITS && rounds++ < 5)
        zone_answer_all(zone, nzone, &l);
    CHECK(r == 0);
    lookups_release(&l);
    return res;
}

/* ---- our own chains ---- */

static void reseal(struct buf *text, const struct dkim_private *key, struct arc_result *chain_out)
{
    CLEANUP(buf_release) struct buf set = { .max = KIB(64) };
    struct dkim_signer s = { .key = key, .domain = STR("example.org"), .selector = STR("e"), .now_s = 1000 };
    struct mailauth_message m;
    int body;

    mailauth_message_init(&m);
    CHECK((body = dkim_signer_want(&m, false)) >= 0);
    feed(&m, buf_str(text), 50);
    *chain_out = check(&m);
    CHECK(chain_out->sets == 0 || str_eq_z(chain_out->domain, "example.org"));
    if (!chain_out->sealed_fail) {
        CHECK(arc_seal(&m, &s, body, chain_out, STR("mx.example.org;\r\n\tspf=pass smtp.mailfrom=a@b"),
                       &set) == 0);
        CHECK(buf_puts(&set, buf_str(text)) == 0);
        buf_clear(text);
        CHECK(buf_puts(text, buf_str(&set)) == 0);
    } else {
        CHECK(arc_seal(&m, &s, body, chain_out, STR("mx.example.org; none"), &set) == E_DENIED);
    }
    mailauth_message_release(&m);
}

static void test_own(void **state)
{
    CLEANUP(buf_release) struct buf text = { .max = MIB(1) }, record = { .max = 200 };
    struct dkim_private *key = NULL;
    struct arc_result res;

    (void)state;
    CHECK(dkim_private_generate(DKIM_ED25519_SHA256, 0, &key) == 0 && dkim_private_record(key, &record) == 0);
    nzone = 0;
    zone[nzone++] = (struct zone_row){ "e._domainkey.example.org", "TXT", buf_z(&record), 0 };
    CHECK(buf_putz(&text, "From: a@example.net\r\nSubject: x\r\n\r\nbody\r\n") == 0);
    reseal(&text, key, &res);
    CHECK(res.code == ARC_NONE);
    for (unsigned i = 1; i < 5; i++) {
        reseal(&text, key, &res);
        CHECK(res.code == ARC_PASS && res.sets == i);
    }
    text.p[str_find(buf_str(&text), STR("\r\n\r\nbody")) + 4] = 'B';
    reseal(&text, key, &res);
    CHECK(res.code == ARC_FAIL && !strcmp(res.why, "body was changed"));
    reseal(&text, key, &res); /* our own cv=fail is the last word */
    CHECK(res.code == ARC_FAIL && res.sealed_fail);
    dkim_private_free(&key);
}

/* ---- the public suite ---- */

/* Messages are written with LF there. */
static void with_crlf(struct buf *out, struct str text)
{
    buf_clear(out);
    for (size_t i = 0; i < text.n; i++)
        CHECK((text.p[i] != '\n' || buf_putc(out, '\r') == 0) && buf_putc(out, text.p[i]) == 0);
}

static void load_keys(struct arena *a, const struct yaml *d)
{
    const struct yaml *keys = yaml_get(d, "txt-records");

    nzone = 0;
    for (const struct yaml *k = keys ? keys->first : NULL; k; k = k->next) {
        CLEANUP(buf_release) struct buf flat = { .max = KIB(4) };

        for (size_t i = 0; i < k->text.n; i++)
            CHECK(k->text.p[i] == '\n' || buf_putc(&flat, k->text.p[i]) == 0);
        CHECK(nzone < ARRAY_LEN(zone));
        zone[nzone++] = (struct zone_row){ arena_dupz(a, k->key), "TXT", arena_dupz(a, buf_str(&flat)), 0 };
    }
}

static void validate_case(struct arena *a, const struct yaml *t)
{
    CLEANUP(buf_release) struct buf text = { .max = MIB(1) };
    struct str want = str_trim(yaml_text(t, "cv"));
    struct mailauth_message m;
    struct arc_result res;

    check_case = arena_dupz(a, t->key);
    with_crlf(&text, yaml_text(t, "message"));
    mailauth_message_init(&m);
    feed(&m, buf_str(&text), 100);
    res = check(&m);
    if (want.n && !str_ieq_z(want, arc_code_name(res.code)))
        print_error("%s: %s (%s)\n", check_case, arc_code_name(res.code), res.why ? res.why : "");
    /* The suite wants nothing said of a chain whose last seal says "fail". */
    CHECK(want.n ? str_ieq_z(want, arc_code_name(res.code)) : res.code == ARC_FAIL);
    mailauth_message_release(&m);
}

/* The same tags with the same values, white space aside. */
static bool same_tags(struct str a, struct str b)
{
    CLEANUP(arena_release) struct arena mem = { .max = KIB(64) };
    struct tags x, y;

    if (tags_parse(a, &x) < 0 || tags_parse(b, &y) < 0 || x.n != y.n)
        return false;
    for (size_t i = 0; i < x.n; i++) {
        struct str v = tags_get(&y, arena_dupz(&mem, x.tag[i].name)), p, q;

        if (!v.p)
            return false;
        if (str_eq_z(x.tag[i].name, "b") || str_eq_z(x.tag[i].name, "bh")) {
            if (base64_decode(&mem, v, &p) < 0 || base64_decode(&mem, x.tag[i].value, &q) < 0 ||
                !str_eq(p, q))
                return false;
        } else if (!str_eq(v, x.tag[i].value)) {
            return false;
        }
    }
    return true;
}

static struct str flat(struct arena *a, struct str s)
{
    char *p = arena_alloc(a, s.n + 1);
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] > ' ')
            p[n++] = s.p[i];
        else if (n && p[n - 1] != ' ')
            p[n++] = ' ';
    return str_trim(str_of(p, n));
}

static struct str field_value(const struct mailauth_message *m, const char *name)
{
    for (size_t i = 0; i < m->nfields; i++)
        if (str_ieq_z(m->fields[i].name, name))
            return m->fields[i].value;
    return STR("");
}

static void compare_set(struct arena *a, const struct yaml *t, struct str set)
{
    struct mailauth_message m;

    mailauth_message_init(&m);
    feed(&m, set, 1000);
    CHECK(same_tags(field_value(&m, "ARC-Message-Signature"), yaml_text(t, "AMS")));
    CHECK(str_eq(flat(a, field_value(&m, "ARC-Authentication-Results")), flat(a, yaml_text(t, "AAR"))));
    CHECK(same_tags(field_value(&m, "ARC-Seal"), yaml_text(t, "AS")));
    mailauth_message_release(&m);
}

static void seal_case(struct arena *a, const struct yaml *d, const struct yaml *t)
{
    CLEANUP(buf_release)
    struct buf text = { .max = MIB(1) }, set = { .max = KIB(64) }, results = { .max = KIB(8) };
    struct dkim_signer s = { .domain = str_trim(yaml_text(d, "domain")),
                             .selector = str_trim(yaml_text(d, "sel")),
                             .names = str_trim(yaml_text(t, "sig-headers")) };
    struct dkim_private *key = NULL;
    struct mailauth_message m;
    struct arc_result chain;
    int body, r;

    check_case = arena_dupz(a, t->key);
    CHECK(dkim_private_from_pem(yaml_text(d, "privatekey"), &key) == 0);
    CHECK(tags_time(str_trim(yaml_text(t, "t")), &s.now_s));
    s.key = key;
    with_crlf(&text, yaml_text(t, "message"));
    mailauth_message_init(&m);
    CHECK((body = dkim_signer_want(&m, false)) >= 0);
    feed(&m, buf_str(&text), 64);
    chain = check(&m);
    CHECK(authres_merge(&m, str_trim(yaml_text(t, "srv-id")), &results) == 0);
    r = arc_seal(&m, &s, body, &chain, buf_str(&results), &set);
    if (str_trim(yaml_text(t, "AS")).n == 0) {
        CHECK(r == E_DENIED);
    } else {
        CHECK(r == 0);
        compare_set(a, t, buf_str(&set));
    }
    mailauth_message_release(&m);
    dkim_private_free(&key);
}

static unsigned each_case(const char *file, bool seal)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(32) };
    const struct yaml *docs;
    char path[4096];
    unsigned n = 0;

    if (!vectors_path(path, sizeof path, file))
        skip();
    CHECK((docs = yaml_load(&a, path)));
    for (const struct yaml *d = docs->first; d; d = d->next) {
        load_keys(&a, d);
        for (const struct yaml *t = yaml_get(d, "tests")->first; t; t = t->next, n++) {
            if (seal)
                seal_case(&a, d, t);
            else
                validate_case(&a, t);
        }
    }
    check_case = "";
    return n;
}

static void test_public_validation(void **state)
{
    unsigned n = each_case("arc/tests/arc-draft-validation-tests.yml", false);

    (void)state;
    print_message("public ARC validation cases: %u\n", n);
    CHECK(n > 150);
}

static void test_public_sealing(void **state)
{
    unsigned n = each_case("arc/tests/arc-draft-sign-tests.yml", true);

    (void)state;
    print_message("public ARC sealing cases: %u\n", n);
    CHECK(n >= 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own),
        cmocka_unit_test(test_public_validation),
        cmocka_unit_test(test_public_sealing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
