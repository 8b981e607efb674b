/* test/fuzz/fuzz_password.c
 *
 * Laws of lib/crypto/password: what is read as a generated password is written and read again as the
 * same; the canonical form of an own one is its own canonical form; no generated shape is anyone's own. */
#include "lib/crypto/password.h"
#include "test/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct password p, q;
    char text[PASSWORD_TEXT_LEN + 1];

    if (password_parse(str_of(data, size), &p) < 0)
        return 0;
    if (p.kind == PASSWORD_GENERATED) {
        password_text(&p, text);
        LAW(password_parse(str_from(text), &q) == 0 && q.kind == p.kind && q.hint == p.hint);
        LAW(password_strength_check(str_of(data, size), NULL) < 0);
    } else if (p.n > PASSWORD_BYTES_MAX || password_parse(str_of(p.bytes, p.n), &q) < 0 ||
               q.kind != PASSWORD_OWN) {
        return 0; /* grew over the limit, or a Kelvin sign became a K and it has a generated one's shape */
    }
    LAW(q.n == p.n && memcmp(q.bytes, p.bytes, p.n) == 0);
    return 0;
}
