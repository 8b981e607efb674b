#include "src/storage/conf.h"
#include "src/common/server_conf.h"

#define AT(f) offsetof(struct storage_conf, f)

const struct conf_item storage_conf_items[STORAGE_CONF_ITEMS] = {
    { "storage.target", CONF_STR, AT(target), .max = STORAGE_TARGET_MAX, .help = STORAGE_TARGET_HELP },
    { "storage.endpoint", CONF_STR, AT(endpoint), .max = STORAGE_ENDPOINT_MAX,
      .help = STORAGE_ENDPOINT_HELP },
    { "storage.region", CONF_STR, AT(region), .max = 60, .sdef = "auto",
      .help = "As the storage calls it: eu-central-1 and the like; Cloudflare R2 wants auto." },
    { "storage.style", CONF_ENUM, AT(style), .sdef = "host", .choices = "host|path",
      .help =
          "Where the bucket stands in a URL: before the name of the host, or in the path (MinIO, Ceph and others "
          "without names of their own; always so where the endpoint is an address)." },
    { "storage.ca_file", CONF_PATH, AT(ca_file), .sdef = "",
      .help = "Certificates of those who may vouch for the storage, PEM. Empty: the system's." },
    { "storage.part_size", CONF_U64, AT(part_bytes), MIB(5), MIB(1024), MIB(8), .unit = "bytes",
      .help =
          "Larger objects are sent in parts of one size, each kept in memory until it is there. Doubled until 10,000 "
          "parts are enough." },
    { "storage.tries", CONF_U64, AT(tries), 1, 100, 6, .unit = "tries",
      .help = "Of each request that fails for a reason that may pass." },
    { "storage.backoff", CONF_U64, AT(backoff_ms), 1, 30000, 300, .unit = "ms",
      .help = "Pause before the second try; doubled for each further one, to half a minute." },
    { "storage.timeout", CONF_U64, AT(request_ms), 1000, 3600000, 600000, .unit = "ms",
      .help = "Longest that one request may take; a part is one." },
    { "storage.stall", CONF_U64, AT(stall_ms), 1000, 600000, 20000, .unit = "ms",
      .help = "Without a byte for so long, a request is given up and tried again." },
};
