#include "src/store/keys.h"
#include "lib/base/errors.h"
#include "lib/base/file.h"

static int load(const struct files *f, const uint8_t id[MAILBOX_ID_LEN], struct keyfile **out,
                unsigned *damage_out)
{
    CLEANUP(buf_release) struct buf bytes = { .max = KEYFILE_BYTES_MAX };
    char path[FILES_PATH_MAX];
    struct keyfile *kf = NULL;
    int r;

    files_path(id, FILES_KEYS, path);
    if ((r = file_read(f->dir, path, &bytes)) < 0 ||
        (r = keyfile_parse(buf_str(&bytes), &kf, damage_out)) < 0)
        return r;
    if (memcmp(keyfile_mailbox_id(kf), id, MAILBOX_ID_LEN) != 0) {
        keyfile_free(&kf);
        return E_CORRUPT; /* another mailbox's file under this name */
    }
    *out = kf;
    return 0;
}

int keys_load(const struct files *f, const uint8_t id[MAILBOX_ID_LEN], struct keyfile **out)
{
    unsigned damage = 0;

    return load(f, id, out, &damage);
}

int keys_mend(const struct files *f, const uint8_t id[MAILBOX_ID_LEN])
{
    struct keyfile *kf = NULL;
    unsigned damage = 0;
    int r = load(f, id, &kf, &damage);

    if (r == 0 && damage && (r = keys_save(f, kf)) == 0)
        r = 1;
    keyfile_free(&kf);
    return r;
}

int keys_forget_before(struct keyfile *kf, const struct keyfile_keys *keys, uint32_t oldest)
{
    uint32_t g, current;
    int n = 0, r;

    keyfile_public(kf, &current);
    for (; (g = keyfile_mailbox_key_at(kf, 0)) != 0 && g < oldest && g != current; n++)
        if ((r = keyfile_forget_mailbox_key(kf, keys, g)) < 0)
            return r;
    return n;
}

int keys_save(const struct files *f, const struct keyfile *kf)
{
    CLEANUP(buf_release) struct buf bytes = { .max = KEYFILE_BYTES_MAX };
    char path[FILES_PATH_MAX];
    int r;

    files_path(keyfile_mailbox_id(kf), FILES_KEYS, path);
    return (r = keyfile_serialize(kf, &bytes)) < 0 ? r : file_replace(f->dir, path, buf_str(&bytes));
}

int keys_check(const struct keyfile *kf, const struct keys_known *known)
{
    struct keystate found, one;
    int best = E_STALE;

    keystate_of(kf, &found);
    for (size_t i = 0; i < known->n; i++) {
        int r = keystate_open(str_of(known->states[i].data, known->states[i].len), known->mac_key, &one);

        if (r == 0)
            r = keystate_compare(&one, &found);
        if (r == 0)
            return 0;
        if (r == KEYSTATE_NEWER || (best < 0 && r == E_CORRUPT))
            best = r;
    }
    return best;
}

void keys_state(const struct keyfile *kf, const uint8_t mac_key[KEY_BYTES], uint8_t out[KEYSTATE_BYTES])
{
    struct keystate s;

    keystate_of(kf, &s);
    keystate_seal(&s, mac_key, out);
}
