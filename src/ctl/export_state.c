#include "src/ctl/export_state.h"
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "lib/base/hex.h"
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define TEXT_MAX MIB(16)

static bool number(struct str *s, uint64_t *out)
{
    struct str word;

    str_cut(*s, ' ', &word, s);
    return str_to_u64(word, out);
}

static int line_parse(struct export_state *s, struct str line)
{
    uint64_t id, messages, bytes, uidvalidity, uid, position;
    struct export_state_folder *f;

    if (!number(&line, &id) || !number(&line, &uidvalidity) || !number(&line, &uid) ||
        !number(&line, &position) || !number(&line, &messages) || !number(&line, &bytes) || !line.n ||
        uid > UINT32_MAX || position > INT64_MAX)
        return E_CORRUPT;
    if (!(f = export_state_add(s, id, (uint32_t)uidvalidity, line)))
        return E_NOMEM;
    f->uid = (uint32_t)uid;
    f->position = (int64_t)position;
    f->messages = messages;
    f->bytes = bytes;
    return 0;
}

static int parse(struct export_state *s, struct str text)
{
    struct str line;
    int r = 0;

    str_cut(text, '\n', &line, &text);
    if (!str_eq_z(line, s->head))
        return E_STALE;
    while (text.n && r == 0) {
        str_cut(text, '\n', &line, &text);
        r = line_parse(s, line);
    }
    return r;
}

int export_state_read(const char *output, enum port_format f, const uint8_t whose[32],
                      struct export_state **out)
{
    CLEANUP(buf_release) struct buf text = { .max = TEXT_MAX };
    struct export_state *s = calloc(1, sizeof *s);
    char hex[65];
    int r;

    if (!s)
        return E_NOMEM;
    hex_encode(whose, 32, hex);
    snprintf(s->head, sizeof s->head, "letterlock export 1 %d %s", (int)f, hex);
    s->nameless = f == PORT_SQLITE;
    s->arena.max = MIB(32);
    s->v = calloc(EXPORT_FOLDERS_MAX, sizeof *s->v);
    if (!s->v || asprintf(&s->path, "%s.resume", output) < 0) {
        free(s->v);
        free(s);
        return E_NOMEM;
    }
    if ((r = file_read(AT_FDCWD, s->path, &text)) == 0 && (r = parse(s, buf_str(&text))) == E_CORRUPT)
        r = E_STALE;
    if (r < 0 && r != E_NOTFOUND)
        export_state_free(&s, false);
    else
        *out = s;
    return r;
}

struct export_state_folder *export_state_find(struct export_state *s, uint64_t id)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->v[i].id == id)
            return &s->v[i];
    return NULL;
}

int64_t export_state_farthest(const struct export_state *s)
{
    int64_t at = 0;

    for (size_t i = 0; i < s->n; i++)
        at = s->v[i].position > at ? s->v[i].position : at;
    return at;
}

struct export_state_folder *export_state_add(struct export_state *s, uint64_t id, uint32_t uidvalidity,
                                             struct str name)
{
    struct str copy =
        s->n < EXPORT_FOLDERS_MAX ? arena_dup(&s->arena, s->nameless ? STR("-") : name) : STR_NONE;

    if (!copy.p)
        return NULL;
    s->v[s->n] = (struct export_state_folder){ .id = id, .uidvalidity = uidvalidity, .name = copy };
    return &s->v[s->n++];
}

int export_state_write(const struct export_state *s)
{
    CLEANUP(buf_release) struct buf text = { .max = TEXT_MAX };
    int r = buf_printf(&text, "%s\n", s->head);

    for (size_t i = 0; i < s->n && r == 0; i++) {
        const struct export_state_folder *f = &s->v[i];

        r = buf_printf(&text, "%llu %u %u %lld %llu %llu %.*s\n", (unsigned long long)f->id, f->uidvalidity,
                       f->uid, (long long)f->position, (unsigned long long)f->messages,
                       (unsigned long long)f->bytes, STR_ARG(f->name));
    }
    return r < 0 ? r : file_replace(AT_FDCWD, s->path, buf_str(&text));
}

int export_state_sweep(const struct export_state *s)
{
    return file_replace_sweep(AT_FDCWD, s->path);
}

void export_state_free(struct export_state **sp, bool finished)
{
    struct export_state *s = *sp;

    *sp = NULL;
    if (!s)
        return;
    if (finished)
        unlink(s->path);
    arena_release(&s->arena);
    free(s->path);
    free(s->v);
    free(s);
}
