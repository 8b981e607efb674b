/* lib/conf/conf.h
 *
 * Configuration as tables: one row is the parser, the default, the range check and the manual text.
 * A file is INI: `[section]`, `key = value`, comments are lines that begin with '#' or ';'. The key
 * "mx.max_message" stands in [mx] as max_message and in the environment as LETTERLOCK_MX_MAX_MESSAGE,
 * which wins. What is unknown, given twice or out of range is refused, with file, line and what was
 * expected. It knows text and tables; it opens one file when told to, and nothing else. */
#ifndef LIB_CONF_CONF_H
#define LIB_CONF_CONF_H
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/netset.h"
#include <sys/socket.h>

#define CONF_FILE_MAX  MIB(1)
#define CONF_LINE_MAX  KIB(4)
#define CONF_ADDRS_MAX 32u

enum conf_type {
    CONF_U64,   /* uint64_t. unit "bytes" takes KiB, MiB, GiB; unit "ms" takes ms, s, m, h, d */
    CONF_BOOL,  /* bool: yes or no */
    CONF_STR,   /* const char *, never NULL, at most `max` bytes (0: 255) */
    CONF_PATH,  /* const char *, absolute when read: relative ones start at the file's folder; "" stays "" */
    CONF_ENUM,  /* uint32_t: index in `choices` */
    CONF_ADDRS, /* struct conf_addrs: comma list of address:port, [v6]:port or :port; may be empty */
    CONF_NETS,  /* struct netset: comma list of addresses and address/bits; may be empty */
};

struct conf_addr {
    struct sockaddr_storage sa;
    socklen_t len;
    const char *text; /* as written */
};
struct conf_addrs {
    struct conf_addr *v;
    size_t n;
};

struct conf_item {
    const char *key; /* "section.name" */
    enum conf_type type;
    size_t off; /* of the field in the values' struct */
    uint64_t min, max, def;
    const char *sdef;    /* default as text of STR, PATH, ENUM, ADDRS (NULL: "") */
    const char *choices; /* ENUM: "auto|require|off" */
    const char *unit;    /* "bytes", "ms", "recipients"…; may be NULL */
    const char *help;    /* a sentence for the manual */
};
struct conf_table {
    const struct conf_item *items;
    size_t n;
};

struct conf; /* opaque: what was read, every value checked */

/* A key may stand in two tables (the supervisor's and a role's) with one type; the first row is the
 * range and the manual. Asserts that, and that defaults keep their ranges. The tables must outlive the
 * conf. NULL when memory runs out. */
struct conf *conf_new(const struct conf_table *tables, size_t n);
void conf_free(struct conf **c);

/* Read INI text; `name` is what messages call it. E_SYNTAX or E_RANGE with one line in err; E_NOMEM. */
MUST_CHECK int conf_read_text(struct conf *c, struct str text, const char *name, struct buf *err);
/* Read a file and make its folder the start of relative paths. Also E_NOTFOUND, E_DENIED, E_IO, E_TOO_BIG. */
MUST_CHECK int conf_read_file(struct conf *c, const char *path, struct buf *err);
/* Take LETTERLOCK_* from `env`. `others` (NULL-terminated, may be NULL) are such names that mean
 * something else; any further one is refused. */
MUST_CHECK int conf_read_env(struct conf *c, char *const *env, const char *const *others, struct buf *err);
/* Start of relative paths, an absolute folder. */
MUST_CHECK int conf_set_base(struct conf *c, const char *folder);

/* Fill `out` from the rows `items`: values read, else defaults. Strings and lists live in `a`. E_NOMEM. */
MUST_CHECK int conf_values(const struct conf *c, const struct conf_item *items, size_t n, struct arena *a,
                           void *out);
/* The rows as INI in canonical form, paths absolute: reading it again gives the same values. */
MUST_CHECK int conf_print(const struct conf *c, const struct conf_item *items, size_t n, struct buf *out);
/* Every key of the tables once, section by section; reading it again gives the same values. */
MUST_CHECK int conf_print_all(const struct conf *c, const struct conf_table *tables, size_t n,
                              struct buf *out);
/* The rows as paragraphs of a manual page (man(7)). */
MUST_CHECK int conf_print_manual(const struct conf_table *tables, size_t n, struct buf *out);
#endif
