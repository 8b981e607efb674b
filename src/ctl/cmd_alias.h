/* src/ctl/cmd_alias.h: what the commands about aliases share. */
#ifndef SRC_CTL_CMD_ALIAS_H
#define SRC_CTL_CMD_ALIAS_H
#include "proto/directory.pb-c.h"
#include "src/ctl/ctl.h"

/* One request about an alias. 0 or a sysexits code, said on standard error. */
int alias_ask(struct service *s, uint32_t op, const char *address, Directory__Alias **out);
/* The service is opened, and the first word is an address of it that has a mailbox; likewise. */
int mailbox_ask(const struct args *a, struct service **s, Directory__Alias **out);
/* The address typed again, unless `yes`. */
int confirm(const char *address, bool yes);
#endif
