#include "src/monitor/conf.h"

#define AT(f) offsetof(struct monitor_conf, f)

const struct conf_item monitor_conf_items[MONITOR_CONF_ITEMS] = {
    { "monitor.keep", CONF_U64, AT(keep_ms), 0, INT64_C(31536000000), 604800000, .unit = "ms",
      .help =
          "So long it is kept what was decided about whose mail (letterlock log), in a file under the server "
          "key. 0: nothing is." },
    { "monitor.max_entries", CONF_U64, AT(entries_max), 1000, 1000000000, 5000000, .unit = "entries",
      .help = "The oldest go when there are more." },
};
