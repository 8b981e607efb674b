/* src/ctl/cmd_account.h: sizes and quotas as commands read and show them. */
#ifndef SRC_CTL_CMD_ACCOUNT_H
#define SRC_CTL_CMD_ACCOUNT_H
#include "proto/directory.pb-c.h"
#include "src/ctl/ctl.h"
#include <jansson.h>

#define SIZE_TEXT_MAX  32u
#define QUOTA_TEXT_MAX (2 * SIZE_TEXT_MAX + 8)

/* "10G", "512m", "100000", "none"; K, M, G, T are powers of 1024. False when it is no size. */
bool size_parse(struct str text, bool *limited_out, uint64_t *bytes_out);
void size_print(uint64_t bytes, char out[SIZE_TEXT_MAX]);
/* { "limit": bytes or null, "used": bytes, "leased": bytes } */
json_t *quota_json(const Directory__Quota *q);
/* "1.2G of 10G" */
void quota_print(const Directory__Quota *q, char out[QUOTA_TEXT_MAX]);
#endif
