/* src/ctl/cmd_server_key.h
 *
 * What `init` shares with `server-key`: a passphrase, and the server key under it. */
#ifndef SRC_CTL_CMD_SERVER_KEY_H
#define SRC_CTL_CMD_SERVER_KEY_H
#include "lib/crypto/subkey.h"
#include "src/ctl/ctl.h"

/* A new passphrase, twice from a terminal. 0, or a sysexits code said on standard error. */
int passphrase_read_new(struct buf *out);
/* Write the wrapped key to `path` under `dir`; a file that is there stays. Blocks a second. 0 or a sysexits code. */
int server_key_copy(int dir, const char *path, const uint8_t key[KEY_BYTES], struct str passphrase);
#endif
