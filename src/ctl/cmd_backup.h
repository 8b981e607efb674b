/* src/ctl/cmd_backup.h: what the commands about backups share. */
#ifndef SRC_CTL_CMD_BACKUP_H
#define SRC_CTL_CMD_BACKUP_H
#include "proto/store.pb-c.h"
#include "src/common/places.h"
#include "src/ctl/cmd_alias.h"

#define BACKUP_ID_TEXT 37u
void backup_id_print(const Store__Backup *b, char out[BACKUP_ID_TEXT]);
/* The one whose id begins with `text`, NULL: the newest. 0 or a sysexits code, said on standard error. */
int backup_choose(struct service *s, const Directory__Alias *alias, const char *address, const char *text,
                  Store__Backup **out);
/* A kept backup, or a mailbox as it was at a moment. */
struct backup_which {
    const Directory__Alias *alias;
    Store__Backup *backup;
    int64_t at_ms; /* 0: backup */
};
/* It, or the keys that open it, as a new file: whole or not there. 0 or a sysexits code, said on standard error. */
int backup_fetch(struct service *s, const struct backup_which *w, bool keys, const char *path);

/* "2026-11-22T10:20:30.123Z"; without seconds or what is behind them: the last instant of that. A space for T; without Z or
 * an offset it is local time (moment.c). */
bool moment_parse(const char *text, int64_t *ms_out);
#define MOMENT_HELP "a time is 2026-11-22T10:20:30Z, or 2026-11-22T10:20 for a whole local minute, its end"

/* cmd_backup_place.c: sysexits codes, said on standard error. The mailboxes of the domain that are there go there; the directory
 * knows it already. */
int backup_place_exists(struct service *s, const char *place);
int backup_place_give(struct service *s, const char *domain, const char *place);

/* cmd_restore_beside.c: what `w` has as folders below "Restored ..." in the mailbox as it is. sysexits code. */
int restore_beside(struct service *s, const struct backup_which *w, const char *address, bool json);
#endif
