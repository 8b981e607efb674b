#include "src/courier/conf.h"
#include "src/common/server_conf.h"

#define AT(f) offsetof(struct courier_conf, f)
#define HOUR  UINT64_C(3600000)

struct courier_conf courier_conf;

const struct conf_item courier_conf_items[COURIER_CONF_ITEMS] = {
    { "courier.max_message", CONF_U64, AT(message_bytes), KIB(64), MIB(1000), MIB(50), .unit = "bytes",
      .help = "Largest message that is taken into the queue." },
    { "courier.staging", CONF_U64, AT(staging_bytes), MIB(1), GIB(64), MIB(512), .unit = "bytes",
      .help = "Bytes on their way into the queue at once; more is told to come later." },
    { "courier.queue_size", CONF_U64, AT(queue_bytes), MIB(1), GIB(4096), GIB(64), .unit = "bytes",
      .help = "Bytes that may wait in the queue; more is told to come later." },
    { "courier.max_attempts", CONF_U64, AT(attempts_max), 1, 2000, 100, .unit = "deliveries",
      .help = "Under way at once." },
    { "courier.per_destination", CONF_U64, AT(per_destination), 1, 200, 20, .unit = "deliveries",
      .help = "Under way at once to one domain. It begins with a few and learns how many it takes." },
    { "courier.max_recipients", CONF_U64, AT(recipients_max), 1, 1000, 100, .unit = "recipients",
      .help = "In one delivery. RFC 5321 4.5.3.1.8 promises 100 everywhere." },
    { "courier.smarthost", CONF_STR, AT(smarthost), .max = 300,
      .help =
          "host:port that takes all mail for other domains, over TLS, with a certificate of that name; port 465: from the first byte. Empty: each "
          "domain's own servers." },
    { "courier.retry_first", CONF_U64, AT(retry_first_ms), 1000, HOUR, 60000, .unit = "ms",
      .help = "Until the second try; each further pause is longer by half, give or take a fifth." },
    { "courier.retry_max", CONF_U64, AT(retry_max_ms), 60000, 24 * HOUR, 4 * HOUR, .unit = "ms",
      .help = "Longest pause between two tries." },
    { "courier.give_up", CONF_U64, AT(give_up_ms), 60000, 30 * 24 * HOUR, 5 * 24 * HOUR, .unit = "ms",
      .help = "Then a message is returned. RFC 5321 4.5.4.1 asks for four to five days." },
    { "courier.delay_notice", CONF_U64, AT(delay_ms), 0, 30 * 24 * HOUR, 4 * HOUR, .unit = "ms",
      .help = "Then its sender hears that a message is late. 0: never." },
    { "courier.report_whole", CONF_U64, AT(report_whole_bytes), 0, MIB(10), KIB(64), .unit = "bytes",
      .help =
          "A message up to this size comes back whole when it fails, a larger one with its header only. Who sends may say otherwise (RET)." },
    { "courier.clock_ahead", CONF_U64, AT(clock_ahead_ms), 0, 365 * 24 * HOUR, 0, .unit = "ms",
      .help = "The queue's clock runs so far ahead of the machine's: for rehearsing days of retries." },
    { "courier.dkim_rsa_bits", CONF_U64, AT(dkim_rsa_bits), 1024, 4096, 2048, .unit = "bits",
      .help = "Of new RSA keys. 2048 is what everybody verifies (RFC 8301 3.2)." },
    { "courier.dkim_spread", CONF_U64, AT(dkim_spread_ms), 0, 30 * 24 * HOUR, 48 * HOUR, .unit = "ms",
      .help =
          "After \"domain dkim --rotate\": how long the old keys sign on, while the new records spread." },
    { "courier.webhook_size", CONF_U64, AT(webhook_bytes), KIB(256), MIB(128), MIB(32), .unit = "bytes",
      .help =
          "Of JSON to a webhook. Contents of attachments and the end of texts that do not fit are left out." },
    { "courier.suppress", CONF_U64, AT(suppress_ms), 0, 3650 * 24 * HOUR, 30 * 24 * HOUR, .unit = "ms",
      .help =
          "So long an address that refused a person's mail for good gets none from that domain (\"queue suppressed\"). 0: none is put on the list." },
    { "courier.bounce_addresses", CONF_BOOL, AT(bounce_addresses), 0, 1, true,
      .help =
          "What people here send leaves under bounce+TOKEN@ their domain, so that a report about it finds its message. Off: under their own address." },
    { "courier.webhook_http", CONF_BOOL, AT(webhook_http), 0, 1, false,
      .help = "Allow http:// in \"domain bounce-webhook\": what is posted there is in the clear." },
    { "relay.tls_reports", CONF_BOOL, AT(tls_reports), .help = RELAY_TLS_REPORTS_HELP },
};
