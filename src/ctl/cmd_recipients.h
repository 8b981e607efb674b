/* src/ctl/cmd_recipients.h: what cmd_alias.c shows of targets. */
#ifndef SRC_CTL_CMD_RECIPIENTS_H
#define SRC_CTL_CMD_RECIPIENTS_H
#include "proto/directory.pb-c.h"
#include "src/ctl/ctl.h"
#include <jansson.h>

/* [{"kind": "mailbox"}, {"kind": "address", "to": …}, …] */
json_t *targets_json(const Directory__Alias *m);
void targets_print(const Directory__Alias *m);
/* "ready", "waits for a password", "disabled (550)", "leads elsewhere". */
const char *alias_state(const Directory__Alias *m);
/* cmd_alias.c */
json_t *alias_json(const Directory__Alias *m);
void print_alias(const Directory__Alias *m);
/* Prints and frees. */
void dump(json_t *j);
#endif
