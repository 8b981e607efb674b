/* test/tools/disk_thief.c
 *
 * What somebody does who has a copy of the data folder and the server key: opens what the subkeys open,
 * writes the plain pages out, and tries every 32 bytes he then has as the key of every mailbox.
 *   disk_thief SERVER_KEY_FILE DATA_FOLDER OUT_FOLDER
 * Prints "opened N tried N mailboxes N broken N"; exit 1 when a mailbox opened, 2 when nothing was there. */
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "lib/crypto/subkey.h"
#include "lib/db/db.h"
#include <dirent.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <unistd.h>

#define PATHS_MAX 1024

static struct {
    char boxes[PATHS_MAX][512];
    size_t nboxes, opened, tried, broken;
    struct buf loot; /* everything decrypted so far */
    int out;
} thief = { .loot = { .max = MIB(512) } };

static int decrypt(const char *path, const uint8_t key[KEY_BYTES])
{
    struct db *db = NULL;
    sqlite3_int64 n = 0;
    unsigned char *pages;
    char name[64];
    int r = db_open(path, key, &(struct db_options){ .flags = 0 }, &db);

    if (r < 0)
        return r;
    pages = sqlite3_serialize(db_sqlite(db), "main", &n, 0);
    if (pages && buf_append(&thief.loot, pages, (size_t)n) < 0)
        abort();
    snprintf(name, sizeof name, "loot-%zu", thief.opened++);
    if (pages && file_replace(thief.out, name, str_of(pages, (size_t)n)) < 0)
        abort();
    sqlite3_free(pages);
    db_close(&db);
    return 0;
}

/* The server's own files, which its key opens, and what they are called. */
struct own_keys {
    uint8_t of[SUBKEY_PURPOSES][KEY_BYTES];
};
static const struct own_file {
    const char *file, *name;
    enum subkey_purpose purpose;
} own_files[] = {
    { "directory.sqlite", "directory", SUBKEY_DIRECTORY_DB },
    { "notes.sqlite", "notes", SUBKEY_ROLLBACK_MAC },
    { "queue.sqlite", "queue", SUBKEY_QUEUE_DB },
    { "journal.sqlite", "journal", SUBKEY_JOURNAL_DB },
};

static const struct own_file *own_file_of(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(own_files); i++)
        if (str_eq_z(name, own_files[i].file))
            return &own_files[i];
    return NULL;
}

static void visit(const char *folder, const struct own_keys *k)
{
    DIR *d = opendir(folder);
    struct dirent *e;

    while (d && (e = readdir(d))) {
        struct str name = str_from(e->d_name);
        const struct own_file *own = own_file_of(name);
        char path[512];

        if (e->d_name[0] == '.' ||
            snprintf(path, sizeof path, "%s/%s", folder, e->d_name) >= (int)sizeof path)
            continue;
        if (e->d_type == DT_DIR)
            visit(path, k);
        else if (own)
            printf("%s: %s\n", own->name, error_name(decrypt(path, k->of[own->purpose])));
        else if (str_find(name, STR("-tmp-")) >= 0 && str_ends(name, STR(".sqlite")))
            printf("temporary: %s\n", error_name(decrypt(path, k->of[SUBKEY_TEMP_OUTER])));
        else if (str_ends(name, STR(".sqlite")) && thief.nboxes < PATHS_MAX)
            memcpy(thief.boxes[thief.nboxes++], path, sizeof path);
    }
    if (d)
        closedir(d);
}

static void try_key(const uint8_t *key)
{
    for (size_t i = 0; i < thief.nboxes; i++) {
        struct db *db = NULL;
        int r = db_open(thief.boxes[i], key, &(struct db_options){ .flags = 0 }, &db);

        thief.tried++;
        if (r == 0) {
            thief.broken++;
            printf("OPENED %s\n", thief.boxes[i]);
            db_close(&db);
        }
    }
}

/* Every text or blob cell lies somewhere in the plain pages: try what looks random, at every offset of
 * the directory's (small) pages. */
static void try_loot(void)
{
    size_t step = size_max(thief.loot.n / 4000, 1);

    for (size_t at = 0; at + KEY_BYTES <= thief.loot.n; at += step) {
        const uint8_t *p = (const uint8_t *)thief.loot.p + at;
        unsigned zeros = 0;

        for (size_t i = 0; i < KEY_BYTES; i++)
            zeros += p[i] == 0;
        if (zeros < 8)
            try_key(p);
    }
}

int main(int argc, char **argv)
{
    struct buf text = { .max = KIB(4) };
    struct own_keys own;
    uint8_t key[KEY_BYTES];

    if (argc != 4 || file_read(AT_FDCWD, argv[1], &text) < 0 || server_key_parse(buf_str(&text), key) < 0 ||
        (thief.out = open(argv[3], O_RDONLY | O_DIRECTORY)) < 0) {
        fprintf(stderr, "usage: disk_thief SERVER_KEY_FILE DATA_FOLDER OUT_FOLDER\n");
        return 64;
    }
    for (uint32_t p = 0; p < SUBKEY_PURPOSES; p++)
        subkey_derive(key, (enum subkey_purpose)p, own.of[p]);
    visit(argv[2], &own);
    try_key(key);
    for (int p = 0; p < SUBKEY_PURPOSES; p++) {
        uint8_t sub[KEY_BYTES];

        subkey_derive(key, (enum subkey_purpose)p, sub);
        try_key(sub);
    }
    try_loot();
    printf("opened %zu tried %zu mailboxes %zu broken %zu\n", thief.opened, thief.tried, thief.nboxes,
           thief.broken);
    buf_release(&text);
    buf_release(&thief.loot);
    return thief.broken ? 1 : thief.opened == 0 || thief.nboxes == 0 ? 2 : 0;
}
