/* test/tools/mailbox_deed.c
 *
 * Does to a mailbox that nobody has open what somebody with its password could, or what time does.
 *   mailbox_deed DATA MAILBOX-ID PASSWORD strange|aged */
#include "lib/base/errors.h"
#include "lib/base/hex.h"
#include "lib/db/db.h"
#include "src/store/keybox.h"
#include <fcntl.h>
#include <stdio.h>

static const struct deed {
    const char *name, *sql;
} deeds[] = {
    { "strange", "CREATE TABLE strange (x INTEGER)" }, /* its schema is not as expected */
    { "aged",
      "UPDATE message SET saved = '2020-01-01T00:00:00.000Z' WHERE uid <= 2 AND folder_id = (SELECT id "
      "FROM folder WHERE name = 'Trash')" },
};

static int run(const struct files *f, const uint8_t id[MAILBOX_ID_LEN], const char *text, const char *sql)
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
        r = db_run(mailbox_db(box), sql);
    keyfile_keys_release(&keys);
    return mailbox_close(&box) < 0 && r == 0 ? E_IO : r;
}

int main(int argc, char **argv)
{
    char prefix[4096];
    struct files f = { .dir = argc == 5 ? open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1,
                       .prefix = prefix };
    uint8_t id[MAILBOX_ID_LEN];
    int r = E_NOTFOUND;

    if (f.dir < 0 || !hex_decode(str_from(argv[2]), id, sizeof id))
        return 64;
    snprintf(prefix, sizeof prefix, "%s/", argv[1]);
    for (size_t i = 0; i < ARRAY_LEN(deeds); i++)
        if (strcmp(deeds[i].name, argv[4]) == 0 && (r = crypto_init()) == 0 && (r = db_init()) == 0)
            r = run(&f, id, argv[3], deeds[i].sql);
    if (r < 0)
        fprintf(stderr, "%s\n", error_text(r));
    return r < 0;
}
