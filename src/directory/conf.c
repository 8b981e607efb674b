#include "src/directory/conf.h"

#define TARGETS  10
#define PATTERNS 32
#define ACCESS   1000
#define ROW(k, field, lo, hi, dflt, u, text)                                                      \
    {                                                                                             \
        .key = (k), .type = CONF_U64, .off = offsetof(struct directory_conf, field), .min = (lo), \
        .max = (hi), .def = (dflt), .unit = (u), .help = (text)                                   \
    }

const struct conf_item directory_conf_items[DIRECTORY_CONF_ITEMS] = {
    ROW("directory.max_targets", max_targets, 1, 90, TARGETS, "targets",
        "Addresses and webhooks that one alias may lead to, besides its mailbox."),
    ROW("directory.max_patterns", max_patterns, 0, 1000, PATTERNS, "patterns",
        "Patterns of one domain; each unknown local part is held against all of them."),
    ROW("directory.max_access", max_access, 0, 10000, ACCESS, "rows",
        "Rows of the allow and deny lists of one alias, and of one domain."),
    { .key = "directory.webhook_http",
      .type = CONF_BOOL,
      .off = offsetof(struct directory_conf, webhook_http),
      .help = "Take webhooks that begin with http:// too: mail then leaves this machine in the clear." },
};

struct directory_conf directory_conf = { TARGETS, PATTERNS, ACCESS, false };
