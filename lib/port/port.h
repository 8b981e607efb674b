/* lib/port/port.h
 *
 * Mail on its way out of a mailbox and into one, as files that other programs read: mboxrd, Maildir++, .eml in a zip, an
 * encrypted SQLite file. Streams: a message passes in pieces, of a folder there is never more than one at a time.
 * Knows no mailbox, no session and no role; opens the files it is told to. Blocks. */
#ifndef LIB_PORT_PORT_H
#define LIB_PORT_PORT_H
#include "lib/base/arena.h"
#include "lib/base/buf.h"

enum port_format { PORT_MBOX, PORT_MAILDIR, PORT_EML, PORT_SQLITE, PORT_FORMATS };
/* "mbox", "maildir", "eml", "sqlite", in any case. False: none of them. */
bool port_format_of(const char *name, enum port_format *out);

enum { PORT_ANSWERED = 1, PORT_FLAGGED = 2, PORT_DELETED = 4, PORT_SEEN = 8, PORT_DRAFT = 16 };
#define PORT_KEYWORDS_MAX 1000u
#define PORT_FOLDER_MAX   1000u /* bytes of a name: UTF-8, '/' between levels, INBOX in capitals */

struct port_message {
    struct str folder; /* reading: where it belongs */
    uint64_t number;   /* writing: its UID; reading: of the message in its file, from 1 */
    uint32_t flags;
    struct str *keywords;
    size_t nkeywords;
    bool has_date;
    int64_t date_ms; /* INTERNALDATE */
    uint64_t bytes;  /* writing: exact. Reading: 0, it is not known before its end */
};

/* ---- writing ----
 * folder, then for each of its messages begin, data.., end. E_FULL, E_IO, E_EXISTS (the output is there already),
 * E_LIMIT; after an error only free is left. */
struct port_writer;
struct port_writer_ops {
    int (*folder)(struct port_writer *w, struct str name);
    int (*begin)(struct port_writer *w, const struct port_message *m);
    int (*data)(struct port_writer *w, struct str bytes); /* in order; CRLF line ends, as stored */
    int (*end)(struct port_writer *w);
    int (*cancel)(struct port_writer *w); /* instead of end: the message that was begun is not there */
    int (*finish)(struct port_writer *w); /* all of it is on the disk */
    void (*free)(struct port_writer *w);
    /* Between messages: what is there so far is on the disk, and resume with this position begins behind it. */
    int64_t (*mark)(struct port_writer *w);
    /* Instead of folder: one that was begun, up to message `number`, as mark had it; what came behind that goes. With zeros it
     * need not be there. */
    int (*resume)(struct port_writer *w, struct str name, int64_t position, uint64_t number);
};
struct port_writer {
    const struct port_writer_ops *ops;
    char what[200]; /* after an error: what it was about, no mail; may be empty */
};
/* password: of PORT_SQLITE and PORT_EML, which are encrypted; 1 to 1024 bytes. Files are made 0600, folders 0700. */
/* again: PORT_NEW; or what is there, if anything, is one that was not finished, to be resumed: the farthest of the positions that
 * mark gave for its folders, 0 without any. E_AUTH: it is under another password. */
#define PORT_NEW INT64_C(-1)
MUST_CHECK int port_writer_open(enum port_format f, const char *path, struct str password, int64_t again,
                                struct port_writer **out);
void port_writer_free(struct port_writer **w);
/* Of each format. */
MUST_CHECK int port_mbox_writer(const char *path, bool again, struct port_writer **out);
MUST_CHECK int port_maildir_writer(const char *path, bool again, struct port_writer **out);
MUST_CHECK int port_eml_writer(const char *path, struct str password, int64_t again,
                               struct port_writer **out);
MUST_CHECK int port_sqlite_writer(const char *path, struct str password, bool again,
                                  struct port_writer **out);

/* ---- reading ---- */
struct port_reader;
struct port_reader_ops {
    /* 1: a message, borrowed until the next call; 0: there are no more. E_CORRUPT: this one cannot be read, go on with the
     * next; other errors end all. */
    int (*next)(struct port_reader *r, struct port_message *m);
    /* Up to `max` bytes of it, CRLF line ends, appended. How many; 0: its end. */
    int64_t (*read)(struct port_reader *r, size_t max, struct buf *out);
    void (*free)(struct port_reader *r);
};
struct port_reader {
    const struct port_reader_ops *ops;
    uint64_t bytes, bytes_all; /* read so far, of so many; 0: not known */
    bool cut;       /* the message under way broke off: it comes again. Whoever reads sets it back */
    char what[400]; /* which file, and where in it */
};
/* E_AUTH: another password. A single mbox file has one folder, `folder`. */
MUST_CHECK int port_reader_open(enum port_format f, const char *path, struct str password, struct str folder,
                                struct port_reader **out);
void port_reader_free(struct port_reader **r);
MUST_CHECK int port_mbox_reader(const char *path, struct str folder, struct port_reader **out);
MUST_CHECK int port_maildir_reader(const char *path, struct port_reader **out);
MUST_CHECK int port_eml_reader(const char *path, struct str password, struct port_reader **out);
MUST_CHECK int port_sqlite_reader(const char *path, struct str password, struct port_reader **out);

/* ---- what formats share (port.c) ---- */
/* A level of a folder's name as the name of a file, and back: what is special to file systems or to Maildir++ is %XX. */
MUST_CHECK int port_name_encode(struct str level, struct buf *out);
MUST_CHECK int port_name_decode(struct str file, struct buf *out); /* E_SYNTAX */
/* CRLF becomes LF, over any cut; and back: a LF without CR gets one. Begin with false. */
MUST_CHECK int port_to_lf(bool *cr, struct str in, struct buf *out);
MUST_CHECK int port_to_crlf(bool *cr, struct str in, struct buf *out);
#endif
