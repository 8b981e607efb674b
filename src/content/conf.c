#include "src/content/conf.h"

#define ROW(k, field, lo, hi, dflt, u, text)                                                                 \
    {                                                                                                        \
        .key = (k), .type = CONF_U64, .off = offsetof(struct content_conf, field), .min = (lo), .max = (hi), \
        .def = (dflt), .unit = (u), .help = (text)                                                           \
    }

const struct conf_item content_conf_items[CONTENT_CONF_ITEMS] = {
    ROW("content.max_at_once", max_at_once, 1, 1024, 64, "messages",
        "Parsed at the same time by one worker, about 300 KiB each; further ones are asked to come again."),
    ROW("content.messages_per_worker", messages_per_worker, 100, 1000000000, 100000, "messages",
        "Then a worker ends and a fresh one takes over: what a message may have done to it ends too."),
};
