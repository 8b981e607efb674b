/* test/tools/strange_schema.c
 *
 * Makes a mailbox one whose schema is not as expected, as somebody with its password could: a table more.
 *   strange_schema DATA MAILBOX-ID PASSWORD */
#include "lib/base/errors.h"
#include "lib/base/hex.h"
#include "lib/db/db.h"
#include "src/store/keybox.h"
#include <fcntl.h>
#include <stdio.h>

static int make(const struct files *f, const uint8_t id[MAILBOX_ID_LEN], const char *text)
{
    CLEANUP(keyfile_free) struct keyfile *kf = NULL;
    struct mailbox_options o = { .cache_kib = 128 };
    struct keyfile_keys keys = { 0 };
    struct mailbox *box = NULL;
    struct password password;
    uint32_t generation;
    int r;

    if ((r = password_parse(str_from(text), &password)) < 0 || (r = keys_load(f, id, &kf)) < 0 ||
        (r = keyfile_open(kf, &password, &keys)) < 0)
        return r;
    if ((r = keybox_open(f, kf, &keys, &o, &box, &generation)) == 0)
        r = db_run(mailbox_db(box), "CREATE TABLE strange (x INTEGER)");
    keyfile_keys_release(&keys);
    return mailbox_close(&box) < 0 && r == 0 ? E_IO : r;
}

int main(int argc, char **argv)
{
    char prefix[4096];
    struct files f = { .dir = argc == 4 ? open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1,
                       .prefix = prefix };
    uint8_t id[MAILBOX_ID_LEN];
    int r;

    if (f.dir < 0 || !hex_decode(str_from(argv[2]), id, sizeof id))
        return 64;
    snprintf(prefix, sizeof prefix, "%s/", argv[1]);
    if ((r = crypto_init()) == 0 && (r = db_init()) == 0)
        r = make(&f, id, argv[3]);
    if (r < 0)
        fprintf(stderr, "%s\n", error_text(r));
    return r < 0;
}
