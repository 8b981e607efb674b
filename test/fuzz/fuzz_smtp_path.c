/* test/fuzz/fuzz_smtp_path.c
 *
 * Laws of envelope addresses: the canonical form is legal, means the same local part, and is its own
 * canonical form; it never holds a line end or a NUL; limits hold. And a trace field built from
 * anything stays one field: every line but the first begins with white space. */
#include "lib/smtp/path.h"
#include "lib/smtp/trace.h"
#include "test/fuzz/fuzz.h"

static void check_address(const struct smtp_path *p)
{
    CLEANUP(buf_release) struct buf one = { .max = KIB(2) };
    CLEANUP(buf_release) struct buf two = { .max = KIB(2) };
    CLEANUP(buf_release) struct buf a = { .max = KIB(1) };
    CLEANUP(buf_release) struct buf b = { .max = KIB(1) };
    struct smtp_path again;

    LAW(p->domain.n <= SMTP_DOMAIN_MAX);
    LAW(smtp_path_print(p, &one) == 0);
    LAW(str_chr(buf_str(&one), '\n') < 0 && str_chr(buf_str(&one), '\r') < 0 &&
        str_chr(buf_str(&one), '\0') < 0);
    if (smtp_path_is_null(p))
        return;
    LAW(smtp_mailbox_parse(buf_str(&one), SMTP_PATH_REVERSE | SMTP_PATH_FORWARD, &again) == 0);
    LAW(smtp_path_print(&again, &two) == 0 && str_eq(buf_str(&one), buf_str(&two)));
    LAW(smtp_path_local(p, &a) == 0 && smtp_path_local(&again, &b) == 0 && str_eq(buf_str(&a), buf_str(&b)));
}

static void check_trace(struct str s)
{
    CLEANUP(buf_release) struct buf out = { .max = TRACE_HEADER_MAX };
    struct trace_hop h = {
        .helo = s, .peer_name = s, .peer_ip = s, .by = s, .id = s, .tls = s, .smtputf8 = true
    };
    struct str line, rest;
    size_t n = 0;

    LAW(trace_received(&out, &h) == 0);
    for (rest = buf_str(&out); rest.n; n++) {
        LAW(str_cut(rest, '\n', &line, &rest) && str_ends(line, STR("\r")) && line.n <= 998);
        LAW(str_chr(line, '\r') == (ptrdiff_t)line.n - 1 && str_chr(line, '\0') < 0);
        LAW(n == 0 || line.p[0] == '\t');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = str_of(data, size);
    struct trace_scan whole = { 0 }, bytes = { 0 };
    struct smtp_path p;
    size_t used = 0;

    if (smtp_path_parse(in, SMTP_PATH_REVERSE, &p, &used) == 0) {
        LAW(used <= size && used >= 2 && in.p[used - 1] == '>');
        check_address(&p);
    }
    if (smtp_path_parse(in, SMTP_PATH_FORWARD, &p, &used) == 0) {
        LAW(p.local.n <= SMTP_LOCAL_MAX && !smtp_path_is_null(&p));
        check_address(&p);
    }
    check_trace(in);
    trace_scan_feed(&whole, in);
    for (size_t i = 0; i < size; i++)
        trace_scan_feed(&bytes, str_slice(in, i, i + 1));
    LAW(whole.received == bytes.received && whole.has_message_id == bytes.has_message_id &&
        whole.done == bytes.done);
    return 0;
}
