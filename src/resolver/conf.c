#include "src/resolver/conf.h"
#include "src/common/server_conf.h"

#define AT(f) offsetof(struct resolver_conf, f)

const struct conf_item resolver_conf_items[RESOLVER_CONF_ITEMS] = {
    { "resolver.upstreams", CONF_STR, AT(upstreams), .max = RESOLVER_UPSTREAMS_MAX,
      .sdef = RESOLVER_UPSTREAMS, .help = RESOLVER_UPSTREAMS_HELP },
    { "resolver.ca_file", CONF_PATH, AT(ca_file), .sdef = "",
      .help = "Certificates of those who may vouch for the servers at https://, PEM. Empty: the system's." },
    { "resolver.method", CONF_ENUM, AT(method), .sdef = "post", .choices = "post|get",
      .help =
          "How questions are put over HTTPS (RFC 8484 4.1). get lets caches of HTTP answer; post is shorter." },
    { "resolver.cache_memory", CONF_U64, AT(cache_bytes), 0, GIB(4), MIB(16), .unit = "bytes",
      .help = "Answers that are kept. Below 64 KiB: none." },
    { "resolver.max_questions", CONF_U64, AT(questions_max), 16, 100000, 2000, .unit = "questions",
      .help = "Under way at once; further ones are told to come again." },
    { "resolver.patience", CONF_U64, AT(patience_ms), 100, 10000, 1500, .unit = "ms",
      .help = "Without an answer so long, the next server is asked as well, and the first answer counts." },
    { "resolver.timeout", CONF_U64, AT(timeout_ms), 1000, 60000, 10000, .unit = "ms",
      .help = "Then a question is given up." },
    { "resolver.max_ttl", CONF_U64, AT(keep_max_ms), 0, 604800000, 86400000, .unit = "ms",
      .help = "Longest that an answer is kept, whatever it says of itself." },
    { "resolver.max_negative_ttl", CONF_U64, AT(no_max_ms), 0, 86400000, 3600000, .unit = "ms",
      .help = "Longest that \"there is none\" is kept (RFC 2308 5)." },
    { "resolver.prefetch", CONF_BOOL, AT(prefetch), .def = 1,
      .help = "Ask again for what is wanted often shortly before its time is over." },
    { "resolver.mix_case", CONF_BOOL, AT(mix_case), .def = 0,
      .help =
          "Over plain DNS: send names in random capitals and take only answers that repeat them. Makes forging "
          "harder where the way to the server is not safe; some servers do not repeat them." },
};
