/* src/store/backup_info.c: what stands beside a backup, as text that people can read (doc/formats.md 9). */
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/hex.h"
#include "src/store/backup.h"

#define FIRST_WORDS "letterlock backup "
#define LABEL_MAC   "letterlock backup v1"
#define LABEL_OURS  "letterlock backup service v1"

void backup_id_text(const uint8_t id[BACKUP_ID_LEN], char out[BACKUP_TEXT_LEN + 1])
{
    char hex[2 * BACKUP_ID_LEN + 1];

    hex_encode(id, BACKUP_ID_LEN, hex);
    snprintf(out, BACKUP_TEXT_LEN + 1, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
             hex + 20);
}

static bool id_from_text(struct str text, uint8_t out[BACKUP_ID_LEN])
{
    char hex[2 * BACKUP_ID_LEN], again[BACKUP_TEXT_LEN + 1];
    size_t n = 0;

    for (size_t i = 0; i < text.n && n < sizeof hex; i++)
        if (text.p[i] != '-')
            hex[n++] = text.p[i];
    if (!hex_decode(str_of(hex, n), out, BACKUP_ID_LEN))
        return false;
    backup_id_text(out, again);
    return str_eq_z(text, again);
}

/* By the version of the format, from 1: what it hashes with, and how that is called; whether the service's MAC stands in it. */
static const struct {
    enum filehash_kind kind;
    const char *name;
    bool service;
} versions[] = { { FILEHASH_BLAKE2B, "hash", false },
                 { FILEHASH_SHA256, "sha256", false },
                 { FILEHASH_SHA256, "sha256", true } };

static size_t version_of(const struct backup_info *i)
{
    return i->has_service ? 2 : i->hashed == FILEHASH_SHA256;
}

static int claims_text(const struct backup_info *i, struct buf *out)
{
    char mailbox[2 * MAILBOX_ID_LEN + 1], id[BACKUP_TEXT_LEN + 1], hash[2 * HASH_BYTES + 1];
    char taken[CLOCK_ISO_LEN + 1];
    size_t v = version_of(i);

    hex_encode(i->mailbox, MAILBOX_ID_LEN, mailbox);
    backup_id_text(i->id, id);
    hex_encode(i->hash, HASH_BYTES, hash);
    clock_iso(i->taken_ms, taken);
    return buf_printf(out,
                      FIRST_WORDS "%zu\nmailbox %s\nid %s\ntaken %s\nchanges %llu\ngeneration %u\n"
                                  "bytes %llu\n%s %s\n",
                      v + 1, mailbox, id, taken, (unsigned long long)i->changes, i->generation,
                      (unsigned long long)i->bytes, versions[v].name, hash);
}

static int mac_line(const char *name, const uint8_t mac[HASH_BYTES], struct buf *out)
{
    char hex[2 * HASH_BYTES + 1];

    hex_encode(mac, HASH_BYTES, hex);
    return buf_printf(out, "%s %s\n", name, hex);
}

static int mac_of(const struct backup_info *i, const uint8_t key[KEY_BYTES], struct buf *text,
                  uint8_t out[HASH_BYTES])
{
    int r = claims_text(i, text);

    if (r == 0 && i->has_service)
        r = mac_line("service", i->service, text);
    if (r == 0)
        kdf(out, key, LABEL_MAC, buf_str(text));
    return r;
}

int backup_info_text(struct backup_info *i, const uint8_t key[KEY_BYTES], const uint8_t *service,
                     struct buf *out)
{
    CLEANUP(buf_release) struct buf claims = { .max = KIB(4) };
    int r = 0;

    i->has_service = service != NULL;
    if (service && (r = claims_text(i, &claims)) == 0)
        kdf(i->service, service, LABEL_OURS, buf_str(&claims));
    return r < 0 || (r = mac_of(i, key, out, i->mac)) < 0 ? r : mac_line("mac", i->mac, out);
}

bool backup_info_ours(const struct backup_info *i, const uint8_t service[KEY_BYTES])
{
    CLEANUP(buf_release) struct buf text = { .max = KIB(4) };
    uint8_t mac[HASH_BYTES];

    if (!i->has_service || claims_text(i, &text) < 0)
        return false;
    kdf(mac, service, LABEL_OURS, buf_str(&text));
    return bytes_same(mac, i->service, sizeof mac);
}

int backup_info_verify(const struct backup_info *i, const uint8_t key[KEY_BYTES])
{
    CLEANUP(buf_release) struct buf text = { .max = KIB(4) };
    uint8_t mac[HASH_BYTES];
    int r = mac_of(i, key, &text, mac);

    return r < 0 ? r : bytes_same(mac, i->mac, sizeof mac) ? 0 : E_CORRUPT;
}

/* The next line is "name value". */
static bool take(struct str *text, const char *name, struct str *value)
{
    struct str line, word;

    return str_cut(*text, '\n', &line, text) && str_cut(line, ' ', &word, value) && str_eq_z(word, name);
}

int backup_info_parse(struct str text, struct backup_info *out)
{
    struct backup_info i = { 0 };
    struct str first, v;
    uint64_t generation, version;

    if (!str_cut(text, '\n', &first, &text) || !str_starts(first, STR(FIRST_WORDS)) ||
        !str_to_u64(str_skip(first, sizeof FIRST_WORDS - 1), &version) || version == 0)
        return E_CORRUPT;
    if (version > ARRAY_LEN(versions))
        return E_VERSION;
    i.hashed = versions[version - 1].kind;
    i.has_service = versions[version - 1].service;
    if (!take(&text, "mailbox", &v) || !hex_decode(v, i.mailbox, sizeof i.mailbox) ||
        !take(&text, "id", &v) || !id_from_text(v, i.id) || !take(&text, "taken", &v) ||
        !clock_from_iso(v.p, v.n, &i.taken_ms) || !take(&text, "changes", &v) || !str_to_u64(v, &i.changes) ||
        !take(&text, "generation", &v) || !str_to_u64(v, &generation) || generation == 0 ||
        generation > UINT32_MAX || !take(&text, "bytes", &v) || !str_to_u64(v, &i.bytes) ||
        !take(&text, versions[version - 1].name, &v) || !hex_decode(v, i.hash, sizeof i.hash) ||
        (i.has_service && (!take(&text, "service", &v) || !hex_decode(v, i.service, sizeof i.service))) ||
        !take(&text, "mac", &v) || !hex_decode(v, i.mac, sizeof i.mac) || text.n)
        return E_CORRUPT;
    i.generation = (uint32_t)generation;
    *out = i;
    return 0;
}
