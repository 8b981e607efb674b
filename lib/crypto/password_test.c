/* lib/crypto: passwords, the server key and its subkeys, tickets, cached verifiers, the slab. */
#include "lib/base/test.h"
#include "lib/base/errors.h"
#include "lib/base/hex.h"
#include "lib/crypto/pwcache.h"
#include "lib/crypto/secret_slab.h"
#include "lib/crypto/subkey.h"
#include <ctype.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_generated_round_trip(void **state UNUSED)
{
    char text[PASSWORD_TEXT_LEN + 1], loose[2 * PASSWORD_TEXT_LEN];
    struct password p, q;

    for (unsigned id = 0; id < 3000; id += 7) {
        size_t n = 0;

        password_generate((uint16_t)id, &p);
        password_text(&p, text);
        CHECK(strlen(text) == PASSWORD_TEXT_LEN && text[5] == '-' && !strpbrk(text, "ilouILOU "));
        CHECK(password_parse(str_from(text), &q) == 0 && q.kind == PASSWORD_GENERATED);
        CHECK(q.hint == id % 1024 && q.n == p.n && memcmp(p.bytes, q.bytes, p.n) == 0);
        for (size_t i = 0; text[i]; i++) { /* as people type: upper case, spaces, o for 0 and l for 1 */
            if (text[i] == '-')
                continue;
            loose[n++] = text[i] == '0'   ? (i & 1 ? 'o' : 'O')
                         : text[i] == '1' ? (i & 1 ? 'l' : 'I')
                                          : (char)toupper(text[i]);
            if (i % 3 == 0)
                loose[n++] = ' ';
        }
        CHECK(password_parse(str_of(loose, n), &q) == 0 && q.n == p.n && memcmp(p.bytes, q.bytes, p.n) == 0);
    }
}

static void test_garbage_dies_first(void **state UNUSED)
{
    char text[PASSWORD_TEXT_LEN + 1];
    struct password p, q;
    int accepted = 0;

    password_generate(5, &p);
    password_text(&p, text);
    for (size_t i = 0; i < PASSWORD_TEXT_LEN; i++) { /* every single typing error */
        char was = text[i];

        for (const char *c = "0123456789abcdefghjkmnpqrstvwxyz"; *c && was != '-'; c++) {
            text[i] = *c;
            accepted += *c != was && password_parse(str_from(text), &q) == 0;
        }
        text[i] = was;
    }
    CHECK(accepted == 0);
    CHECK(password_parse(STR(""), &q) == E_LIMIT);
    memset(q.bytes, 'x', PASSWORD_BYTES_MAX + 1);
    CHECK(password_parse(str_of(p.bytes, PASSWORD_BYTES_MAX + 1), &q) == E_LIMIT);
}

static const struct {
    const char *name, *typed, *same_as;
} forms[] = {
    { "composed", "Gr\xc3\xbc\xc3\x9f dich", "Gru\xcc\x88\xc3\x9f dich" },
    { "no-break space",
      "a b\xc2\xa0"
      "c",
      "a b c" },
    { "ideographic space",
      "a\xe3\x80\x80"
      "b",
      "a b" },
    { "not UTF-8", "caf\xe9", "caf\xe9" },
};

static void test_own_forms(void **state UNUSED)
{
    struct password p, q;

    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        check_case = forms[i].name;
        CHECK(password_parse(str_from(forms[i].typed), &p) == 0 && p.kind == PASSWORD_OWN);
        CHECK(password_parse(str_from(forms[i].same_as), &q) == 0);
        CHECK(p.n == q.n && memcmp(p.bytes, q.bytes, p.n) == 0);
    }
    check_case = "";
    CHECK(password_parse(STR("Case Matters"), &p) == 0 && password_parse(STR("case matters"), &q) == 0);
    CHECK(memcmp(p.bytes, q.bytes, p.n) != 0);
    memset(p.bytes, 0xef, 1); /* the longest expansion still fits */
    for (size_t i = 0; i + 3 <= PASSWORD_BYTES_MAX; i += 3)
        memcpy(p.bytes + i, "\xef\xb7\xba", 3);
    CHECK(password_parse(str_of(p.bytes, 1023), &q) == 0);
}

static const struct {
    const char *text;
    int r;
} strengths[] = {
    { "password", E_WEAK },
    { "hunter2hunter2", E_WEAK },
    { "short", E_LIMIT },
    { "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", E_WEAK }, /* 44 letters: not the shape */
    { "viewfinder ozone marmalade kestrel", 0 },
    { "x7#Kq!92mZp@Lw4", 0 },
    { "tab\there is enough entropy 8472", E_SYNTAX },
    { "bad utf8 \xff 93847 kestrel ozone", E_SYNTAX },
    { "abcde-fghjk-abcde-fghjk-abcde-fghjk-abcde-fghjk", E_SYNTAX },
};

static void test_strength(void **state UNUSED)
{
    const char *related[] = { "letterlock", "hello@example.test", NULL };
    char letters[PASSWORD_BYTES_MAX];

    for (size_t i = 0; i < ARRAY_LEN(strengths); i++) {
        check_case = strengths[i].text;
        CHECK(password_strength_check(str_from(strengths[i].text), related) == strengths[i].r);
    }
    check_case = "";
    CHECK(password_strength_check(STR("letterlock letterlock"), related) == E_WEAK);
    memset(letters, 'q', sizeof letters);
    CHECK(password_strength_check(str_of(letters, sizeof letters), NULL) == E_WEAK);
}

static void test_roots(void **state UNUSED)
{
    struct password_cost cheap = { 1, 8 }, bad = { 0, 8 }, worse = { 3, 8 * 1024 * 1024 };
    uint8_t salt[PASSWORD_SALT_BYTES] = { 1 }, salt2[PASSWORD_SALT_BYTES] = { 2 }, a[KEY_BYTES], b[KEY_BYTES];
    struct password p;

    CHECK(password_parse(STR("viewfinder ozone"), &p) == 0);
    CHECK(password_root(&p, salt, cheap, a) == 0 && password_root(&p, salt2, cheap, b) == 0);
    CHECK(memcmp(a, b, sizeof a) != 0);
    CHECK(password_root(&p, salt, bad, b) == E_RANGE && password_root(&p, salt, worse, b) == E_RANGE);
    password_generate(1, &p);
    CHECK(password_root(&p, salt, bad, a) == 0 && password_root(&p, salt2, bad, b) == 0 &&
          memcmp(a, b, sizeof a) != 0);
    password_release(&p);
    CHECK(p.n == 0 && p.bytes[0] == 0);
}

static void test_subkeys_differ(void **state UNUSED)
{
    uint8_t server[KEY_BYTES] = { 7 }, keys[SUBKEY_PURPOSES][KEY_BYTES];
    char hex[2 * KEY_BYTES + 1];

    for (unsigned i = 0; i < SUBKEY_PURPOSES; i++)
        subkey_derive(server, (enum subkey_purpose)i, keys[i]);
    for (unsigned i = 0; i < SUBKEY_PURPOSES; i++)
        for (unsigned j = 0; j < i; j++)
            CHECK(memcmp(keys[i], keys[j], KEY_BYTES) != 0);
    hex_encode(keys[SUBKEY_KEYSTATE_MAC], KEY_BYTES, hex); /* pinned: forever */
    CHECK(strcmp(hex, "224e59db3509a59bc834cc2c0f3ee65e8172732a435e9dc45108a950107151a2") == 0);
}

static void test_server_key_texts(void **state UNUSED)
{
    CLEANUP(buf_release)
    struct buf plain = { .max = SERVER_KEY_TEXT_MAX }, wrapped = { .max = SERVER_KEY_TEXT_MAX };
    uint8_t key[KEY_BYTES] = { 9, 8, 7 }, back[KEY_BYTES] = { 0 };
    int accepted = 0;

    CHECK(server_key_text(key, &plain) == 0 && server_key_parse(buf_str(&plain), back) == 0);
    CHECK(memcmp(key, back, sizeof key) == 0);
    for (size_t i = 0; i + 1 < plain.n; i++) {
        plain.p[i] ^= 1;
        accepted += server_key_parse(buf_str(&plain), back) == 0;
        plain.p[i] ^= 1;
    }
    CHECK(accepted == 0);
    CHECK(server_key_wrap(key, STR("password"), &wrapped) == E_WEAK);
    CHECK(server_key_wrap(key, STR("viewfinder ozone marmalade"), &wrapped) == 0);
    CHECK(server_key_unwrap(buf_str(&wrapped), STR("viewfinder ozone marmalade"), back) == 0);
    CHECK(memcmp(key, back, sizeof key) == 0);
    CHECK(server_key_unwrap(buf_str(&wrapped), STR("viewfinder ozone"), back) == E_AUTH);
    wrapped.p[20] = wrapped.p[20] == '0' ? '1' : '0';
    CHECK(server_key_unwrap(buf_str(&wrapped), STR("viewfinder ozone marmalade"), back) == E_CORRUPT);
}

static void test_ticket(void **state UNUSED)
{
    struct ticket t = { .mailbox = { 1, 2 },
                        .slot = 700,
                        .generation = 3,
                        .data_key = { 4 },
                        .session = { 5 },
                        .expires_ms = 1000 },
                  u;
    uint8_t key[KEY_BYTES] = { 1 }, other[KEY_BYTES] = { 2 }, bytes[TICKET_BYTES];

    ticket_seal(&t, key, bytes);
    CHECK(ticket_open(str_of(bytes, sizeof bytes), key, 999, &u) == 0 && u.slot == 700 && u.generation == 3);
    CHECK(!memcmp(u.mailbox, t.mailbox, sizeof t.mailbox) && !memcmp(u.data_key, t.data_key, KEY_BYTES) &&
          !memcmp(u.session, t.session, SESSION_ID_BYTES) && u.expires_ms == 1000);
    CHECK(ticket_open(str_of(bytes, sizeof bytes), key, 1000, &u) == E_STALE);
    CHECK(ticket_open(str_of(bytes, sizeof bytes), other, 0, &u) == E_CORRUPT);
    CHECK(ticket_open(str_of(bytes, sizeof bytes - 1), key, 0, &u) == E_CORRUPT);
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] ^= 0x10;
        CHECK(ticket_open(str_of(bytes, sizeof bytes), key, 0, &u) == E_CORRUPT);
        bytes[i] ^= 0x10;
    }
    ticket_release(&u);
    CHECK(u.data_key[0] == 0);
}

static void test_pwcache(void **state UNUSED)
{
    uint8_t boot[KEY_BYTES] = { 1 }, box[MAILBOX_ID_BYTES] = { 1 }, box2[MAILBOX_ID_BYTES] = { 2 },
            kept[PWCACHE_BYTES];
    char text[PASSWORD_TEXT_LEN + 1];
    struct password p, q;

    password_generate(1, &p);
    password_text(&p, text);
    pwcache_make(boot, box, &p, kept);
    CHECK(password_parse(str_from(text), &q) == 0 && pwcache_match(boot, box, &q, kept));
    CHECK(!pwcache_match(boot, box2, &q, kept));
    password_generate(1, &q);
    CHECK(!pwcache_match(boot, box, &q, kept));
}

static void test_slab(void **state UNUSED)
{
    struct secret_slab *s = NULL;
    uint8_t *p[100];

    CHECK(secret_slab_new(0, &s) == E_LIMIT && secret_slab_new(SECRET_SLAB_COUNT_MAX + 1, &s) == E_LIMIT);
    CHECK(secret_slab_new(100, &s) == 0);
    for (size_t i = 0; i < 100; i++) {
        CHECK((p[i] = secret_alloc(s)) != NULL && ((uintptr_t)p[i] & 15) == 0);
        memset(p[i], 0x5a, SECRET_BYTES_MAX);
    }
    CHECK(secret_alloc(s) == NULL && secret_slab_used(s) == 100);
    secret_free(s, p[50]);
    CHECK(p[50][0] == 0 && p[50][SECRET_BYTES_MAX - 1] == 0);
    CHECK(secret_alloc(s) == p[50] && p[50][10] == 0);
    secret_free(s, NULL);
    for (size_t i = 0; i < 100; i++)
        secret_free(s, p[i]);
    CHECK(secret_slab_used(s) == 0);
    secret_slab_free(&s);
    CHECK(s == NULL);
}

/* What must abort, in a child. Returns its signal. */
static int child_dies(void (*run)(struct secret_slab *s, uint8_t *p))
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        struct secret_slab *s = NULL;

        if (secret_slab_new(8, &s) == 0)
            run(s, secret_alloc(s));
        _exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    return WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
}

static void overrun(struct secret_slab *s, uint8_t *p)
{
    p[SECRET_BYTES_MAX] ^= 1;
    secret_free(s, p);
}

static void twice(struct secret_slab *s, uint8_t *p)
{
    secret_free(s, p);
    secret_free(s, p);
}

static void beside(struct secret_slab *s, uint8_t *p)
{
    secret_free(s, p + 16);
}

static void test_slab_aborts(void **state UNUSED)
{
    CHECK(child_dies(overrun) != 0);
    CHECK(child_dies(twice) != 0);
    CHECK(child_dies(beside) != 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_generated_round_trip),
        cmocka_unit_test(test_garbage_dies_first),
        cmocka_unit_test(test_own_forms),
        cmocka_unit_test(test_strength),
        cmocka_unit_test(test_roots),
        cmocka_unit_test(test_subkeys_differ),
        cmocka_unit_test(test_server_key_texts),
        cmocka_unit_test(test_ticket),
        cmocka_unit_test(test_pwcache),
        cmocka_unit_test(test_slab),
        cmocka_unit_test(test_slab_aborts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
