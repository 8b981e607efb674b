/* lib/port/eml.c: a zip of .eml files, encrypted by AES-256 (the WinZip way, which 7-Zip and others open), and what a .eml
 * cannot say in files index/NUMBER.jsonl, a line a message: {"file", "folder", "uid", "date", "flags", "keywords"}. */
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/port/eml_index.h"
#include "lib/port/tree.h"
#include "lib/port/zip_write.h"
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <jansson.h>
#include <locale.h>
#include <stdio.h>
#include <sys/stat.h>

#define INDEX_LINES 10000u
#define INDEX_MAX   MIB(64)
#define BLOCK_BYTES KIB(64)

/* libarchive takes names through the charset of the locale, which in a service is none: they are UTF-8 here. */
struct utf8 {
    locale_t own, was;
};

static void utf8_begin(struct utf8 *u)
{
    u->own = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    u->was = u->own ? uselocale(u->own) : (locale_t)0;
}

static void utf8_end(struct utf8 *u)
{
    if (u->own) {
        uselocale(u->was);
        freelocale(u->own);
    }
}

/* ---- writing ---- */

struct eml_writer {
    struct port_writer base;
    struct zip_writer *zip;
    struct buf folder, name, index; /* folder: as it is written in the zip; name: as it is */
    size_t before;                  /* of the index: without the message under way */
    unsigned lines;
};

static struct eml_writer *writer_of(struct port_writer *w)
{
    return CONTAINER_OF(w, struct eml_writer, base);
}

/* Its number is that of the entries before it: one that goes on needs not know how many indexes there are. */
static int index_flush(struct eml_writer *w)
{
    char path[64];
    int r;

    if (!w->lines)
        return 0;
    snprintf(path, sizeof path, "index/%09llu.jsonl", (unsigned long long)zip_writer_entries(w->zip));
    if ((r = zip_entry_begin(w->zip, str_from(path), w->index.n, clock_wall_ms())) < 0 ||
        (r = zip_entry_data(w->zip, buf_str(&w->index))) < 0 || (r = zip_entry_end(w->zip)) < 0)
        return r;
    buf_clear(&w->index);
    w->lines = 0;
    return 0;
}

static int index_add(struct eml_writer *w, const char *path, const struct port_message *m)
{
    json_t *flags = json_array(), *keywords = json_array(), *j;
    char date[CLOCK_ISO_LEN + 1], *text;
    int r;

    for (size_t i = 0; i < ARRAY_LEN(eml_flags); i++)
        if (m->flags & eml_flags[i].flag)
            json_array_append_new(flags, json_string(eml_flags[i].name));
    for (size_t i = 0; i < m->nkeywords; i++)
        json_array_append_new(keywords, json_stringn(m->keywords[i].p, m->keywords[i].n));
    clock_iso(m->date_ms, date);
    j = json_pack("{s:s, s:s%, s:I, s:s, s:o, s:o}", "file", path, "folder", w->name.p, w->name.n, "uid",
                  (json_int_t)m->number, "date", date, "flags", flags, "keywords", keywords);
    text = j ? json_dumps(j, JSON_COMPACT) : NULL;
    r = text ? buf_printf(&w->index, "%s\n", text) : E_NOMEM;
    free(text);
    json_decref(j);
    w->lines++;
    return r;
}

static int eml_folder(struct port_writer *base, struct str name)
{
    struct eml_writer *w = writer_of(base);
    int r;

    buf_clear(&w->folder);
    buf_clear(&w->name);
    return (r = tree_path(name, '/', &w->folder)) < 0 ? r : buf_puts(&w->name, name);
}

/* The file was cut behind the last mark when it was opened, of whichever folder that was. */
static int eml_resume(struct port_writer *base, struct str name, int64_t position UNUSED,
                      uint64_t number UNUSED)
{
    return eml_folder(base, name);
}

static int eml_begin(struct port_writer *base, const struct port_message *m)
{
    CLEANUP(buf_release) struct buf path = { .max = ZIP_NAME_MAX };
    struct eml_writer *w = writer_of(base);
    int r;

    if ((w->lines >= INDEX_LINES || w->index.n > INDEX_MAX / 2) && (r = index_flush(w)) < 0)
        return r;
    if ((r = buf_printf(&path, "%.*s/%06llu.eml", STR_ARG(buf_str(&w->folder)),
                        (unsigned long long)m->number)) < 0 ||
        !buf_z(&path))
        return E_LIMIT;
    w->before = w->index.n;
    return (r = index_add(w, buf_z(&path), m)) < 0
               ? r
               : zip_entry_begin(w->zip, buf_str(&path), m->bytes, m->date_ms);
}

static int eml_data(struct port_writer *base, struct str bytes)
{
    return zip_entry_data(writer_of(base)->zip, bytes);
}

static int eml_end(struct port_writer *base)
{
    return zip_entry_end(writer_of(base)->zip);
}

static int eml_cancel(struct port_writer *base)
{
    struct eml_writer *w = writer_of(base);

    w->index.n = w->before;
    w->lines--;
    return zip_entry_cancel(w->zip);
}

/* What the index says of the messages goes with them. */
static int64_t eml_mark(struct port_writer *base)
{
    struct eml_writer *w = writer_of(base);
    int r = index_flush(w);

    return r < 0 ? r : zip_writer_mark(w->zip);
}

static int eml_finish(struct port_writer *base)
{
    struct eml_writer *w = writer_of(base);
    int r = index_flush(w);

    return r < 0 ? r : zip_writer_finish(w->zip);
}

static void eml_free(struct port_writer *base)
{
    struct eml_writer *w = writer_of(base);

    zip_writer_free(&w->zip);
    buf_release(&w->folder);
    buf_release(&w->name);
    buf_release(&w->index);
    free(w);
}

int port_eml_writer(const char *path, struct str password, int64_t again, struct port_writer **out)
{
    static const struct port_writer_ops ops = { eml_folder, eml_begin, eml_data, eml_end,   eml_cancel,
                                                eml_finish, eml_free,  eml_mark, eml_resume };
    struct eml_writer *w = calloc(1, sizeof *w);
    int r;

    if (!w)
        return E_NOMEM;
    w->base.ops = &ops;
    w->folder.max = w->name.max = KIB(8);
    w->index.max = INDEX_MAX;
    if ((r = zip_writer_open(path, password, again, &w->zip)) < 0) {
        eml_free(&w->base);
        return r;
    }
    *out = &w->base;
    return 0;
}

/* ---- reading: the indexes first, then the messages ---- */

struct eml_reader {
    struct port_reader base;
    struct archive *a;
    struct archive_entry *entry;
    struct eml_index *index;
    struct buf folder;
    struct str *keywords;
    struct buf data;
    bool cr;
    struct utf8 utf8;
};

static struct eml_reader *reader_of(struct port_reader *r)
{
    return CONTAINER_OF(r, struct eml_reader, base);
}

static int zip_open(const char *path, struct str password, struct archive **out)
{
    CLEANUP(buf_release) struct buf z = { .max = KIB(2) };
    struct archive *a = archive_read_new();

    if (!a || buf_puts(&z, password) < 0 || !buf_z(&z)) {
        archive_read_free(a);
        return E_NOMEM;
    }
    archive_read_support_format_zip_seekable(a);
    if (archive_read_add_passphrase(a, z.n ? buf_z(&z) : " ") != ARCHIVE_OK ||
        archive_read_open_filename(a, path, BLOCK_BYTES) < ARCHIVE_OK) {
        int e = archive_errno(a);

        archive_read_free(a);
        return e == ENOENT || e == EACCES ? error_from_errno(e) : E_CORRUPT;
    }
    *out = a;
    return 0;
}

static bool of_index(const char *path)
{
    return str_starts(str_from(path), STR("index/")) && str_ends(str_from(path), STR(".jsonl"));
}

static int entry_all(struct archive *a, struct buf *out)
{
    for (;;) {
        char *p = buf_reserve(out, BLOCK_BYTES);
        la_ssize_t n = p ? archive_read_data(a, p, BLOCK_BYTES) : -1;

        if (!p)
            return E_LIMIT;
        if (n < 0)
            return E_AUTH; /* a wrong password shows in the bytes, or in their tag */
        if (n == 0)
            return 0;
        out->n += (size_t)n;
    }
}

static int index_read(struct eml_reader *m, const char *path, struct str password)
{
    struct archive *a = NULL;
    struct archive_entry *e;
    int r = zip_open(path, password, &a), n;

    while (r == 0 && (n = archive_read_next_header(a, &e)) != ARCHIVE_EOF) {
        CLEANUP(buf_release) struct buf text = { .max = INDEX_MAX };
        const char *name = n < ARCHIVE_WARN ? NULL : archive_entry_pathname_utf8(e);

        if (n < ARCHIVE_WARN) {
            r = E_CORRUPT;
        } else if (name && of_index(name)) {
            if ((r = entry_all(a, &text)) == 0)
                r = eml_index_add(m->index, buf_str(&text));
        } else {
            m->base.bytes_all += archive_entry_size(e) > 0 ? (uint64_t)archive_entry_size(e) : 0;
        }
    }
    archive_read_free(a);
    return r;
}

static int message_fill(struct eml_reader *m, const char *path, struct port_message *out)
{
    struct str s = str_from(path);
    ptrdiff_t slash = str_rchr(s, '/');
    int r;

    if (eml_index_find(m->index, path, m->keywords, out) && out->folder.n)
        return 0;
    /* a zip of others: its folders are ours */
    buf_clear(&m->folder);
    r = slash > 0 ? tree_name(str_slice(s, 0, (size_t)slash), '/', &m->folder)
                  : buf_putz(&m->folder, "INBOX");
    out->folder = buf_str(&m->folder);
    return r;
}

static int eml_next(struct port_reader *base, struct port_message *out)
{
    struct eml_reader *m = reader_of(base);
    const char *path;
    int n;

    *out = (struct port_message){ .flags = 0 };
    do {
        if ((n = archive_read_next_header(m->a, &m->entry)) == ARCHIVE_EOF)
            return 0;
        if (n < ARCHIVE_WARN)
            return n == ARCHIVE_FATAL ? E_IO : E_CORRUPT;
        path = archive_entry_pathname_utf8(m->entry);
    } while (!path || archive_entry_filetype(m->entry) != AE_IFREG || !str_ends(str_from(path), STR(".eml")));
    snprintf(base->what, sizeof base->what, "%s", path);
    m->cr = false;
    n = message_fill(m, path, out);
    if (!out->has_date && archive_entry_mtime_is_set(m->entry)) {
        out->has_date = true;
        out->date_ms = (int64_t)archive_entry_mtime(m->entry) * 1000;
    }
    return n < 0 ? E_CORRUPT : 1;
}

static int64_t eml_read(struct port_reader *base, size_t max, struct buf *out)
{
    struct eml_reader *m = reader_of(base);
    size_t began = out->n, want = size_min(max / 2, BLOCK_BYTES);
    la_ssize_t n;
    char *p;
    int r;

    buf_clear(&m->data);
    if (!(p = buf_reserve(&m->data, want)))
        return E_NOMEM;
    if ((n = archive_read_data(m->a, p, want)) < 0)
        return E_CORRUPT;
    m->base.bytes += (uint64_t)n;
    return (r = port_to_crlf(&m->cr, str_of(p, (size_t)n), out)) < 0 ? r : (int64_t)(out->n - began);
}

static void eml_reader_free(struct port_reader *base)
{
    struct eml_reader *m = reader_of(base);

    archive_read_free(m->a);
    eml_index_free(&m->index);
    buf_release(&m->folder);
    buf_release(&m->data);
    free(m->keywords);
    utf8_end(&m->utf8);
    free(m);
}

int port_eml_reader(const char *path, struct str password, struct port_reader **out)
{
    static const struct port_reader_ops ops = { eml_next, eml_read, eml_reader_free };
    struct eml_reader *m = calloc(1, sizeof *m);
    struct stat st;
    int r;

    if (!m)
        return E_NOMEM;
    m->base.ops = &ops;
    utf8_begin(&m->utf8);
    m->folder.max = KIB(8);
    m->data.max = 2 * BLOCK_BYTES;
    m->index = eml_index_new(stat(path, &st) == 0 && st.st_size > 0 ? (uint64_t)st.st_size : 0);
    m->keywords = calloc(PORT_KEYWORDS_MAX, sizeof *m->keywords);
    if (!m->index || !m->keywords)
        r = E_NOMEM;
    else if ((r = index_read(m, path, password)) == 0)
        r = zip_open(path, password, &m->a);
    if (r < 0) {
        eml_reader_free(&m->base);
        return r;
    }
    *out = &m->base;
    return 0;
}
