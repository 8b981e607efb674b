#include "src/relay/conf.h"

#define AT(f) offsetof(struct relay_conf, f)

struct relay_conf relay_conf;

const struct conf_item relay_conf_items[RELAY_CONF_ITEMS] = {
    { "courier.smarthost", CONF_STR, AT(smarthost), .max = 300,
      .help =
          "host:port that takes all mail for other domains, over TLS, with a certificate of that name; port 465: from the first byte. Empty: each "
          "domain's own servers." },
    { "mx.listen", CONF_ADDRS, AT(mx_listen), .sdef = ":25", .help = "SMTP for mail from other servers." },
    { "relay.smtp_port", CONF_U64, AT(smtp_port), 1, 65535, 25, .unit = "port",
      .help = "Where other servers take mail. Anything but 25 is for rehearsals." },
    { "relay.private_networks", CONF_BOOL, AT(private_networks), .def = 0,
      .help =
          "Connect to addresses of private networks and of this machine too, when somebody's MX records or the "
          "URL of a webhook lead there." },
    { "relay.max_connections", CONF_U64, AT(connections_max), 1, 10000, 500, .unit = "connections",
      .help = "To other servers, at once." },
    { "relay.idle", CONF_U64, AT(idle_ms), 0, 300000, 5000, .unit = "ms",
      .help = "How long a connection is kept for a next message. 0: not at all." },
    { "relay.reuse", CONF_U64, AT(reuse_max), 1, 10000, 100, .unit = "messages",
      .help = "Over one connection." },
    { "relay.tls", CONF_ENUM, AT(tls), .sdef = "auto", .choices = "auto|never",
      .help =
          "auto: wherever the other side offers it, and as its policies (DANE, MTA-STS) ask. never: not at all." },
    { "relay.dane", CONF_BOOL, AT(dane), .def = 1,
      .help =
          "Hold to what a domain's signed TLSA records say of its mail servers (RFC 7672), where the resolver vouches for the signatures." },
    { "relay.mta_sts", CONF_BOOL, AT(mta_sts), .def = 1,
      .help = "Hold to the policies that domains publish for mail to them (RFC 8461)." },
    { "relay.mta_sts_port", CONF_U64, AT(sts_port), 1, 65535, 443, .unit = "port",
      .help = "Where policies are fetched. Anything but 443 is for rehearsals." },
    { "relay.mta_sts_timeout", CONF_U64, AT(sts_timeout_ms), 1000, 60000, 30000, .unit = "ms",
      .help = "Until a policy has to be there. RFC 8461 3.3 suggests a minute." },
    { "relay.patience", CONF_U64, AT(time_percent), 1, 1000, 100, .unit = "percent",
      .help =
          "Of the time limits of RFC 5321 4.5.3.2 (five minutes for a command, ten behind the last dot)." },
    { "relay.webhook_ports", CONF_STR, AT(webhook_ports), .max = 80, .sdef = "443,80",
      .help = "Ports that a webhook's URL may name: comma list, at most 8." },
    { "relay.webhook_timeout", CONF_U64, AT(webhook_ms), 1000, 300000, 30000, .unit = "ms",
      .help = "Until a webhook has to have answered." },
    { "relay.ca_file", CONF_PATH, AT(ca_file), .sdef = "",
      .help =
          "Certificates of those who may vouch for webhooks, the smarthost, and what MTA-STS is about, PEM. Empty: the system's." },
};
