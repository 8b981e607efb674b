/* src/ctl/export.h
 *
 * Every message of a mailbox into the files of a format (lib/port), wherever the mailbox is: a session of a service, or a
 * file. One message at a time; memory does not grow with the mailbox. */
#ifndef SRC_CTL_EXPORT_H
#define SRC_CTL_EXPORT_H
#include "lib/port/port.h"
#include "src/ctl/mail.h"

struct export_source {
    int (*folders)(void *ctx, Store__FoldersResponse **out);
    /* Messages of the folder behind UID `after`, up to its uidnext. E_GONE as mail_fetch. */
    int (*fetch)(void *ctx, const Store__Folder *f, uint32_t after, const struct mail_fetch *to);
    void *ctx;
};
struct export
{
    const struct export_source *from;
    struct port_writer *w; /* freed by release */
    const char *output;
    uint8_t whose[32]; /* of which mailbox: what was begun of another is not resumed */
    enum port_format format;
    struct export_state *state;  /* export_state.h */
    const Store__Folder *folder; /* under way */
    int64_t marked_ms;
    uint64_t messages, bytes, folders, gone /* removed while they were read */, all;
    /* of the folder and the message under way */
    uint32_t uid;
    uint64_t left, size;
    bool in_message;
    int64_t bar_ms;
};
/* Opens the writer; where the same was begun before and not finished, it goes on. E_STALE: what was begun is of another
 * mailbox, format, or one whose UIDs are new ones. */
MUST_CHECK int export_open(struct export *x, struct str password);
/* E_* of the source and of the writer; a bar on standard error when that is a terminal. */
MUST_CHECK int export_all(struct export *x);
void export_release(struct export *x);
/* Says on standard error what went wrong with writing `output`; the sysexits code. `whose`: the mailbox, for people. */
int export_say(const struct export *x, const char *whose, const char *output, int e);
/* What was done, for people or as JSON. */
void export_report(const struct export *x, const char *whose, const char *output, bool json);
#endif
