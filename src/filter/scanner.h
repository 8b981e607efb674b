/* src/filter/scanner.h
 *
 * What other scanners speak: ClamAV's clamd (zINSTREAM, clamd(8)) and rspamd (POST /checkv2 over HTTP/1.1). Grammar only:
 * bytes to send, bytes that came; no sockets, no time. Answers are foreign: whatever they hold, what comes of
 * them is bounded and printable. */
#ifndef SRC_FILTER_SCANNER_H
#define SRC_FILTER_SCANNER_H
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/errors.h"
#include "proto/filter.pb-c.h"

#define SCANNER_ANSWER_MAX  KIB(256)
#define SCANNER_NAME_MAX    100u
#define SCANNER_ACTION_MAX  32u
#define SCANNER_SYMBOLS_MAX 400u
#define SCANNER_SCORE_MAX   100000 /* hundredths, either way */

/* What one of them said. */
struct scanner_said {
    bool found;                      /* ClamAV */
    char name[SCANNER_NAME_MAX + 1]; /* ClamAV */
    int score;                       /* rspamd, hundredths */
    char action[SCANNER_ACTION_MAX + 1];
    char symbols[SCANNER_SYMBOLS_MAX + 1];
};

struct scanner {
    const char *name;
    /* Appended to out: before the message; one piece of it (not empty); behind the last. Errors of buf. */
    int (*begin)(const Filter__ScanRequest *q, struct buf *out);
    int (*piece)(struct str bytes, struct buf *out);
    int (*end)(struct buf *out);
    /* All that came so far; closed: nothing more will. 1: *out is the answer; 0: more is needed; E_SYNTAX: nonsense;
     * E_LIMIT: clamd says the message is too large for it. */
    int (*answer)(struct str in, bool closed, struct scanner_said *out);
};
extern const struct scanner scanner_clamav, scanner_rspamd;

/* Printable ASCII of s, at most n - 1 bytes, the rest '?'; NUL-terminated. */
void scanner_plain(struct str s, char *out, size_t n);
#endif
