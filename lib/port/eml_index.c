#include "lib/port/eml_index.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/rand.h"
#include <jansson.h>
#include <sodium.h>

#define NAME_BYTES  16u
#define ENTRY_BYTES 76u /* an entry of a zip takes so much at least: 30 in front of it, 46 in the directory */
#define TEXT_FREE   MIB(64) /* of any zip; and of each byte of it */
#define TEXT_TIMES  64u
#define WORDS_BYTES MIB(256)

struct row {
    uint8_t name[NAME_BYTES]; /* zeros: free */
    int64_t date_ms;
    uint32_t number, folder, keywords; /* the latter two: of the words, from 1 */
    uint8_t flags;
    bool has_date;
};
/* Strings, each once. */
struct words {
    struct word {
        uint8_t name[NAME_BYTES];
        struct str text;
    } * v;
    uint32_t *slots;
    size_t n, cap, nslots;
};
struct eml_index {
    struct row *rows;
    size_t n, nslots;
    uint64_t rows_max, text_left;
    struct words words;
    struct arena arena;
    uint8_t
        key[crypto_generichash_KEYBYTES]; /* who made the zip does not know where in the table a name lands */
};

const struct eml_flag eml_flags[5] = { { PORT_ANSWERED, "answered" },
                                       { PORT_FLAGGED, "flagged" },
                                       { PORT_DELETED, "deleted" },
                                       { PORT_SEEN, "seen" },
                                       { PORT_DRAFT, "draft" } };

static void name_of(const struct eml_index *x, struct str s, uint8_t out[NAME_BYTES])
{
    crypto_generichash(out, NAME_BYTES, (const uint8_t *)(s.p ? s.p : ""), s.n, x->key, sizeof x->key);
    out[0] |= 1; /* not free */
}

static size_t slot_of(const uint8_t name[NAME_BYTES], size_t nslots)
{
    size_t i;

    memcpy(&i, name + 8, sizeof i);
    return i & (nslots - 1);
}

/* ---- words ---- */

static int words_grow(struct words *w)
{
    size_t cap = w->cap ? 2 * w->cap : 64, nslots = 2 * cap;
    struct word *v = realloc(w->v, cap * sizeof *v);
    uint32_t *slots = v ? calloc(nslots, sizeof *slots) : NULL;

    if (v)
        w->v = v;
    if (!slots)
        return E_NOMEM;
    for (size_t i = 0; i < w->n; i++) {
        size_t at = slot_of(v[i].name, nslots);

        while (slots[at])
            at = (at + 1) & (nslots - 1);
        slots[at] = (uint32_t)i + 1;
    }
    free(w->slots);
    w->slots = slots;
    w->cap = cap;
    w->nslots = nslots;
    return 0;
}

static int word_add(struct eml_index *x, struct str text, uint32_t *out)
{
    struct words *w = &x->words;
    uint8_t name[NAME_BYTES];
    const char *kept;
    size_t at;
    int r;

    if (w->n == w->cap && (r = words_grow(w)) < 0)
        return r;
    name_of(x, text, name);
    for (at = slot_of(name, w->nslots); w->slots[at]; at = (at + 1) & (w->nslots - 1))
        if (memcmp(w->v[w->slots[at] - 1].name, name, NAME_BYTES) == 0) {
            *out = w->slots[at];
            return 0;
        }
    if (!(kept = arena_dupz(&x->arena, text)))
        return E_LIMIT;
    memcpy(w->v[w->n].name, name, NAME_BYTES);
    w->v[w->n].text = str_of(kept, text.n);
    w->slots[at] = (uint32_t)++w->n;
    *out = w->slots[at];
    return 0;
}

/* ---- rows ---- */

static int rows_grow(struct eml_index *x)
{
    size_t nslots = x->nslots ? 2 * x->nslots : 1024;
    struct row *rows = calloc(nslots, sizeof *rows);

    if (!rows)
        return E_NOMEM;
    for (size_t i = 0; i < x->nslots; i++) {
        size_t at = slot_of(x->rows[i].name, nslots);

        if (!x->rows[i].name[0])
            continue;
        while (rows[at].name[0])
            at = (at + 1) & (nslots - 1);
        rows[at] = x->rows[i];
    }
    free(x->rows);
    x->rows = rows;
    x->nslots = nslots;
    return 0;
}

/* That of this name, or the free one where it belongs. */
static struct row *row_at(const struct eml_index *x, const uint8_t name[NAME_BYTES])
{
    size_t at = slot_of(name, x->nslots);

    while (x->rows[at].name[0] && memcmp(x->rows[at].name, name, NAME_BYTES) != 0)
        at = (at + 1) & (x->nslots - 1);
    return &x->rows[at];
}

/* One behind the other, with a NUL between: no keyword has one. */
static int keywords_take(struct eml_index *x, const json_t *list, uint32_t *out)
{
    CLEANUP(buf_release) struct buf text = { .max = KIB(64) };
    const json_t *one;
    size_t i, n = 0;
    int r = 0;

    json_array_foreach(list, i, one)
    {
        if (!json_is_string(one) || n == PORT_KEYWORDS_MAX)
            continue;
        if ((n++ && (r = buf_putc(&text, '\0')) < 0) ||
            (r = buf_append(&text, json_string_value(one), json_string_length(one))) < 0)
            return 0; /* no person has that many */
    }
    return n ? word_add(x, buf_str(&text), out) : 0;
}

static int row_take(struct eml_index *x, const json_t *j)
{
    const json_t *file = json_object_get(j, "file"), *folder = json_object_get(j, "folder"), *one;
    const char *date = json_string_value(json_object_get(j, "date"));
    struct row row = { .number = (uint32_t)json_integer_value(json_object_get(j, "uid")) }, *at;
    size_t i;
    int r;

    if (!json_is_string(file))
        return 0;
    if (2 * (x->n + 1) > x->nslots && (r = rows_grow(x)) < 0)
        return r;
    name_of(x, str_of(json_string_value(file), json_string_length(file)), row.name);
    row.has_date = date && clock_from_iso(date, strlen(date), &row.date_ms);
    json_array_foreach(json_object_get(j, "flags"), i,
                       one) for (size_t k = 0; k < ARRAY_LEN(eml_flags);
                                 k++) if (json_is_string(one) &&
                                          strcmp(json_string_value(one), eml_flags[k].name) == 0) row.flags |=
        (uint8_t)eml_flags[k].flag;
    if ((json_is_string(folder) && json_string_length(folder) <= PORT_FOLDER_MAX &&
         (r = word_add(x, str_of(json_string_value(folder), json_string_length(folder)), &row.folder)) < 0) ||
        (r = keywords_take(x, json_object_get(j, "keywords"), &row.keywords)) < 0)
        return r;
    at = row_at(x, row.name);
    if (!at->name[0] && x->n++ == x->rows_max)
        return E_LIMIT;
    *at = row;
    return 0;
}

int eml_index_add(struct eml_index *x, struct str text)
{
    struct str line;
    int r = 0;

    if (text.n > x->text_left)
        return E_LIMIT;
    x->text_left -= text.n;
    while (text.n && r == 0) {
        json_t *j;

        str_cut(text, '\n', &line, &text);
        if (line.n == 0 || !(j = json_loadb(line.p, line.n, 0, NULL)))
            continue;
        r = row_take(x, j);
        json_decref(j);
    }
    return r;
}

bool eml_index_find(const struct eml_index *x, const char *file, struct str *keywords,
                    struct port_message *out)
{
    uint8_t name[NAME_BYTES];
    const struct row *row;
    struct str rest, one;
    bool more;

    if (!x->n)
        return false;
    name_of(x, str_from(file), name);
    row = row_at(x, name);
    if (!row->name[0])
        return false;
    out->folder = row->folder ? x->words.v[row->folder - 1].text : STR_NONE;
    out->number = row->number;
    out->flags = row->flags;
    out->has_date = row->has_date;
    out->date_ms = row->date_ms;
    out->keywords = keywords;
    if (!row->keywords)
        return true;
    rest = x->words.v[row->keywords - 1].text;
    do {
        more = str_cut(rest, '\0', &one, &rest);
        keywords[out->nkeywords++] = one;
    } while (more && out->nkeywords < PORT_KEYWORDS_MAX);
    return true;
}

/* ---- life ---- */

struct eml_index *eml_index_new(uint64_t zip_bytes)
{
    struct eml_index *x = calloc(1, sizeof *x);

    if (!x)
        return NULL;
    x->rows_max = zip_bytes / ENTRY_BYTES + 1;
    x->text_left =
        zip_bytes > UINT64_MAX / (2 * TEXT_TIMES) ? UINT64_MAX : TEXT_FREE + TEXT_TIMES * zip_bytes;
    x->arena.max = WORDS_BYTES;
    rand_bytes(x->key, sizeof x->key);
    return x;
}

void eml_index_free(struct eml_index **xp)
{
    struct eml_index *x = *xp;

    *xp = NULL;
    if (!x)
        return;
    arena_release(&x->arena);
    free(x->words.v);
    free(x->words.slots);
    free(x->rows);
    free(x);
}
