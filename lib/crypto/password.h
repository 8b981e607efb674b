/* lib/crypto/password.h
 *
 * Passwords, and the keys that come out of them. A generated one is 40 letters and digits,
 *   a3f7k-…  (eight groups of five, 165 random bits, the hint of its slot, a checksum)
 * read without regard to case, dashes and spaces, i and l as 1, o as 0. So many bits need no slow
 * hash: it is derived with BLAKE2b, and garbage dies at the checksum. A person's own password must be
 * hard to guess (zxcvbn) and is derived with Argon2id. Knows no mailbox and no file. */
#ifndef LIB_CRYPTO_PASSWORD_H
#define LIB_CRYPTO_PASSWORD_H
#include "lib/crypto/box.h"

#define PASSWORD_TEXT_LEN      47u /* of a generated one, with its dashes */
#define PASSWORD_BYTES_MAX     1024u
#define PASSWORD_HINT_MAX      1023u
#define PASSWORD_SALT_BYTES    32u
#define PASSWORD_PASSES_MAX    16u
#define PASSWORD_MEM_KIB_MAX   (1024u * 1024u)
#define PASSWORD_ENTROPY_MIN   45 /* bits, as zxcvbn counts them; each guess costs an Argon2id */
#define PASSWORD_OWN_BYTES_MIN 8u

enum password_kind { PASSWORD_GENERATED = 1, PASSWORD_OWN = 2 }; /* stored in .keys: never renumber */

struct password {
    enum password_kind kind;
    uint16_t hint;                         /* generated: slot id modulo 1024 */
    size_t n;                              /* bytes used; generated: 25 */
    uint8_t bytes[4 * PASSWORD_BYTES_MAX]; /* generated: decoded; own: canonical form */
};

/* Argon2id's cost, kept beside each own password's slot. */
struct password_cost {
    uint32_t passes, mem_kib;
};
#define PASSWORD_COST_DEFAULT ((struct password_cost){ 3, 64 * 1024 })

/* Understand what someone typed. A generated password's shape with a false checksum is E_AUTH;
 * E_LIMIT: empty or over PASSWORD_BYTES_MAX. Own passwords are put in the form of RFC 8265 4.2.2
 * (NFC, every Unicode space an ASCII one); what is not UTF-8 or cannot be normalized stays as it is. Release wipes. */
MUST_CHECK int password_parse(struct str text, struct password *out);
void password_release(struct password *p);
/* A new random one with the hint of `slot_id`. */
void password_generate(uint16_t slot_id, struct password *out);
/* Its text, lower case in eight groups: PASSWORD_TEXT_LEN characters and a NUL. Generated only. */
void password_text(const struct password *p, char out[PASSWORD_TEXT_LEN + 1]);

/* May this be someone's own password? 0; E_WEAK: too easily guessed; E_LIMIT: too long or too short;
 * E_SYNTAX: holds control characters, is not UTF-8, or has the shape of a generated one. `related`: words that
 * count for nothing (the address, the site), a list ending with NULL, or NULL. */
MUST_CHECK int password_strength_check(struct str text, const char *const *related);

/* First step of a login, the only one that may be slow (own: about 0.2 s and cost.mem_kib of memory;
 * run it on a worker). E_NOMEM; E_RANGE: a cost outside the limits. */
MUST_CHECK int password_root(const struct password *p, const uint8_t salt[PASSWORD_SALT_BYTES],
                             struct password_cost cost, uint8_t root_out[KEY_BYTES]);
#endif
