#include "src/store/part_base64.h"

#define BAD 0x80u

/* A digit's value and one; 0 for what is none. */
static const uint8_t digit_value[256] = {
    ['A'] = 1, 2,  3,  4,  5,          6,  7,  8,  9,  10, 11,         12, 13, 14, 15,         16,
    17,        18, 19, 20, 21,         22, 23, 24, 25, 26, ['a'] = 27, 28, 29, 30, 31,         32,
    33,        34, 35, 36, 37,         38, 39, 40, 41, 42, 43,         44, 45, 46, 47,         48,
    49,        50, 51, 52, ['0'] = 53, 54, 55, 56, 57, 58, 59,         60, 61, 62, ['+'] = 63, ['/'] = 64,
};
static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Digits at the beginning of s. */
static size_t digits_len(struct str s)
{
    size_t n = 0;

    while (n < s.n && digit_value[(uint8_t)s.p[n]])
        n++;
    return n;
}

bool base64_form_find(struct str head, struct base64_form *out)
{
    size_t n = digits_len(head);
    uint8_t eol = n + 1 < head.n && head.p[n] == '\r' && head.p[n + 1] == '\n' ? 2
                  : n < head.n && head.p[n] == '\n'                            ? 1
                                                                               : 0;

    *out = (struct base64_form){ 0 };
    if (n > BASE64_LINE_MAX)
        return true;
    if (n == 0 || n % 4 || !eol)
        return false;
    *out = (struct base64_form){ (uint32_t)n, eol };
    return true;
}

uint64_t base64_encoded_bytes(struct base64_form f, uint64_t bytes)
{
    uint64_t n = (bytes + 2) / 3 * 4;

    return f.line && n ? n + (n - 1) / f.line * f.eol : n;
}

/* n digits, a multiple of 4, none of them padding. False when one is no digit. */
static bool digits_decode(const char *in, size_t n, uint8_t *out)
{
    const uint8_t *p = (const uint8_t *)in;
    uint32_t bad = 0;

    for (size_t i = 0; i < n; i += 4, out += 3) {
        uint32_t a = digit_value[p[i]] - 1u, b = digit_value[p[i + 1]] - 1u, c = digit_value[p[i + 2]] - 1u,
                 d = digit_value[p[i + 3]] - 1u, v = a << 18 | b << 12 | c << 6 | d;

        bad |= a | b | c | d; /* 0 - 1 has all bits */
        out[0] = (uint8_t)(v >> 16);
        out[1] = (uint8_t)(v >> 8);
        out[2] = (uint8_t)v;
    }
    return !(bad & BAD);
}

static bool eol_is(struct base64_form f, const char *p)
{
    return f.eol == 2 ? p[0] == '\r' && p[1] == '\n' : p[0] == '\n';
}

size_t base64_units_decode(struct base64_form f, struct str in, uint8_t *out)
{
    size_t unit = base64_unit_in(f), step = base64_unit_out(f), n = in.n / unit, i;

    if (f.line == 0 && digits_decode(in.p, n * 4, out))
        return n;
    for (i = 0; i < n; i++) {
        const char *p = in.p + i * unit;

        if ((f.line && !eol_is(f, p + f.line)) || !digits_decode(p, f.line ? f.line : 4, out + i * step))
            break;
    }
    return i;
}

size_t base64_last_decode(struct base64_form f, struct str in, uint8_t *out, size_t *n_out)
{
    size_t n = digits_len(in), whole;
    uint8_t group[3];
    char last[4] = "AAAA";

    *n_out = 0;
    n = size_min(n, f.line ? f.line : 4);
    whole = n / 4 * 4;
    if (!digits_decode(in.p, whole, out))
        return 0;
    *n_out = whole / 4 * 3;
    if (n == whole)
        return whole;
    if (n - whole == 1 || in.n - whole < 4 || in.p[whole + 3] != '=' ||
        (n - whole == 2 && in.p[whole + 2] != '='))
        return 0;
    memcpy(last, in.p + whole, n - whole);
    digits_decode(last, 4, group);
    memcpy(out + *n_out, group, n - whole - 1);
    *n_out += n - whole - 1;
    return whole + 4;
}

static char *group_put(char *to, uint32_t v)
{
    to[0] = digits[v >> 18 & 63];
    to[1] = digits[v >> 12 & 63];
    to[2] = digits[v >> 6 & 63];
    to[3] = digits[v & 63];
    return to + 4;
}

static char *line_put(char *to, const uint8_t *in, size_t n)
{
    size_t whole = n / 3 * 3;

    for (size_t i = 0; i < whole; i += 3)
        to = group_put(to, (uint32_t)in[i] << 16 | (uint32_t)in[i + 1] << 8 | in[i + 2]);
    if (n == whole)
        return to;
    to = group_put(to, (uint32_t)in[whole] << 16 | (n - whole == 2 ? (uint32_t)in[whole + 1] << 8 : 0));
    to[-1] = '=';
    if (n - whole == 1)
        to[-2] = '=';
    return to;
}

size_t base64_encode(struct base64_form f, const uint8_t *in, size_t n, bool end, char *out)
{
    size_t step = f.line ? base64_unit_out(f) : n;
    char *to = out;

    for (size_t i = 0; i < n; i += step) {
        to = line_put(to, in + i, size_min(step, n - i));
        if (f.line == 0 || (end && n - i <= step))
            continue;
        if (f.eol == 2)
            *to++ = '\r';
        *to++ = '\n';
    }
    return (size_t)(to - out);
}
