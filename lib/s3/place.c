/* lib/s3/place.c: what an operator writes. */
#include "lib/base/errors.h"
#include "lib/s3/s3.h"
#include <arpa/inet.h>
#include <stdio.h>

/* 3 to 63 of [a-z0-9.-], as all storages have it. */
static bool bucket_take(struct str s, char out[64])
{
    if (s.n < 3 || s.n > 63 || s.p[0] == '.' || s.p[0] == '-')
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_digit(s.p[i]) && !(s.p[i] >= 'a' && s.p[i] <= 'z') && s.p[i] != '.' && s.p[i] != '-')
            return false;
    memcpy(out, s.p, s.n);
    out[s.n] = '\0';
    return true;
}

static bool prefix_take(struct str s, char out[256])
{
    while (s.n && s.p[s.n - 1] == '/')
        s.n--;
    if (s.n > 250 || (s.n && s.p[0] == '/') || str_find(s, STR("//")) >= 0 || str_find(s, STR("..")) >= 0)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_alpha(s.p[i]) && !ascii_digit(s.p[i]) && !strchr("._-/", s.p[i]))
            return false;
    snprintf(out, 256, s.n ? "%.*s/" : "%.*s", STR_ARG(s));
    return true;
}

static bool host_chars(struct str s)
{
    if (s.n == 0 || s.n > 253)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_alpha(s.p[i]) && !ascii_digit(s.p[i]) && !strchr(".-:[]", s.p[i]))
            return false;
    return true;
}

static bool of_this_machine(const char *host)
{
    struct in_addr v4;

    if (inet_pton(AF_INET, host, &v4) == 1)
        return (ntohl(v4.s_addr) >> 24) == 127;
    return strcmp(host, "[::1]") == 0;
}

static bool endpoint_take(struct str s, struct s3_place *out)
{
    bool tls = str_starts(s, STR("https://"));
    struct str host;
    ptrdiff_t colon;
    uint32_t port = tls ? 443 : 80;

    if (!tls && !str_starts(s, STR("http://")))
        return false;
    host = str_skip(s, tls ? 8 : 7);
    if (host.n && host.p[host.n - 1] == '/')
        host.n--;
    colon = str_rchr(host, ':');
    if (colon > 0 && str_rchr(host, ']') < colon) {
        if (!str_to_u32(str_skip(host, (size_t)colon + 1), &port) || port == 0 || port > 65535)
            return false;
        host = str_slice(host, 0, (size_t)colon);
    }
    if (!host_chars(host))
        return false;
    snprintf(out->scheme, sizeof out->scheme, "%s", tls ? "https" : "http");
    snprintf(out->host, sizeof out->host, "%.*s", STR_ARG(host));
    out->port = (uint16_t)port;
    return tls || of_this_machine(out->host);
}

int s3_place_parse(struct str target, struct str endpoint, struct s3_place *out)
{
    struct s3_place p = { .bucket = "" };
    struct str bucket, prefix;

    if (!str_starts(target, STR("s3://")))
        return E_SYNTAX;
    str_cut(str_skip(target, 5), '/', &bucket, &prefix);
    if (!bucket_take(bucket, p.bucket) || !prefix_take(prefix, p.prefix) || !endpoint_take(endpoint, &p))
        return E_SYNTAX;
    *out = p;
    return 0;
}
