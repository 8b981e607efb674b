/* src/ctl/cmd_backup.h: what the commands about backups share. */
#ifndef SRC_CTL_CMD_BACKUP_H
#define SRC_CTL_CMD_BACKUP_H
#include "proto/store.pb-c.h"
#include "src/ctl/cmd_alias.h"

#define BACKUP_ID_TEXT 37u
void backup_id_print(const Store__Backup *b, char out[BACKUP_ID_TEXT]);
/* The one whose id begins with `text`, NULL: the newest. 0 or a sysexits code, said on standard error. */
int backup_choose(struct service *s, const Directory__Alias *alias, const char *address, const char *text,
                  Store__Backup **out);
#endif
