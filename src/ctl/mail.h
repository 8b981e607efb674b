/* src/ctl/mail.h
 *
 * A mailbox, opened with its password, from the command line: the same operations that imap has, one after the
 * other. */
#ifndef SRC_CTL_MAIL_H
#define SRC_CTL_MAIL_H
#include "proto/store.pb-c.h"
#include "src/ctl/cmd_alias.h"

struct mail {
    struct service *s;
    uint8_t session[16];
    bool open;
};
/* With all that waited for it. E_AUTH. */
int mail_open(struct mail *m, struct service *s, const Directory__Alias *alias, struct str password);
void mail_close(struct mail *m);
/* Folders with counts; one that is not there is made. In the service's arena. */
int mail_folders(struct mail *m, struct str name, Store__FoldersResponse **out);
int mail_folder_make(struct mail *m, struct str name, Store__FoldersResponse **out);

/* Messages of a folder as they come. row: its message begins, `bytes` of it follow by data; what either returns when
 * negative ends all. E_GONE: the one under way was removed. */
struct mail_fetch {
    int (*row)(void *ctx, const Store__Row *row);
    int (*data)(void *ctx, struct str bytes);
    void *ctx;
};
/* What FETCH sends, in any slices, to `f`. */
struct mail_records {
    const struct mail_fetch *f;
    struct buf pending;
    struct arena arena;
};
void mail_records_init(struct mail_records *r, const struct mail_fetch *f);
int mail_records_feed(void *ctx /* struct mail_records */, struct str bytes);
void mail_records_release(struct mail_records *r);
int mail_fetch(struct mail *m, uint64_t folder_id, const uint32_t *ranges, size_t nranges, uint32_t want,
               const struct mail_fetch *f);
/* Stage what `source` gives: up to max bytes appended; how many, 0 at the end. service_end gives the StageResponse. */
int mail_stage_begin(struct mail *m, int64_t (*source)(void *ctx, size_t max, struct buf *out), void *ctx,
                     struct service_call **out);
/* An annotation (RFC 5464) of a folder. */
int mail_annotation_set(struct mail *m, struct str folder, const char *entry, struct str value);
#endif
