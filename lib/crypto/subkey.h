/* lib/crypto/subkey.h
 *
 * The server key: 32 random bytes, one derived subkey per purpose, each role given only its own. It
 * opens no mailbox. Its two texts (bytes in, bytes out: no file I/O here): the plain one, for a file of mode
 * 0600, the environment or a systemd credential, and the copy under an operator's passphrase. */
#ifndef LIB_CRYPTO_SUBKEY_H
#define LIB_CRYPTO_SUBKEY_H
#include "lib/base/buf.h"
#include "lib/crypto/box.h"

/* The numbers stand in a file (carried.h): new ones come last, and none is used again. */
enum subkey_purpose {
    SUBKEY_DIRECTORY_DB,      /* page cipher of the directory */
    SUBKEY_DIRECTORY_SECRETS, /* single secrets in directory rows */
    SUBKEY_QUEUE_DB,          /* page cipher of the outbound queue */
    SUBKEY_QUEUE_SECRETS,     /* DKIM keys and the like */
    SUBKEY_TEMP_OUTER,        /* page cipher around the sealed records of temporary mailboxes */
    SUBKEY_KEYSTATE_MAC,      /* keyfile_state in directory and mailbox */
    SUBKEY_SEALED_CHAIN_MAC,  /* chain over sealed records */
    SUBKEY_ROLLBACK_MAC,      /* counters noted outside the file they speak of */
    SUBKEY_DELIVERY_ID,       /* "did this message come already?" */
    SUBKEY_SLOT_NAMES,        /* names and dates of key slots */
    SUBKEY_API_TOKENS,        /* what directory keeps instead of a token */
    SUBKEY_SRS,               /* forwarded envelope senders */
    SUBKEY_SHIP_MAC,          /* what is shipped for restoring to a point in time */
    SUBKEY_JOURNAL_DB,        /* page cipher of the journal */
    SUBKEY_PURPOSES           /* how many */
};

/* The subkey of the server key for one purpose. Wipe it after use. */
void subkey_derive(const uint8_t server_key[KEY_BYTES], enum subkey_purpose purpose, uint8_t out[KEY_BYTES]);

#define SERVER_KEY_TEXT_MAX 512u
/* "LLSK1-<64 hex>-<checksum>\n" appended to `out` (a secret). */
MUST_CHECK int server_key_text(const uint8_t key[KEY_BYTES], struct buf *out);
/* The reverse; white space around it is fine. E_SYNTAX: not of that form; E_CORRUPT: checksum. */
MUST_CHECK int server_key_parse(struct str text, uint8_t key_out[KEY_BYTES]);
/* "LLSW1-<hex>-<checksum>\n": the key under a passphrase, Argon2id 256 MiB, 3 passes; blocks a second.
 * E_WEAK for a passphrase that is guessed too soon, E_NOMEM. */
MUST_CHECK int server_key_wrap(const uint8_t key[KEY_BYTES], struct str passphrase, struct buf *out);
/* E_SYNTAX, E_CORRUPT (checksum), E_AUTH (passphrase), E_NOMEM. Blocks a second. */
MUST_CHECK int server_key_unwrap(struct str text, struct str passphrase, uint8_t key_out[KEY_BYTES]);
#endif
