#include "lib/regex/re2.h"
#include <cstdio>
#include <cstring>
#include <new>
#include <re2/re2.h>

struct regex {
    RE2 re;
    regex(const char *p, size_t n, const RE2::Options &o) : re(re2::StringPiece(p, n), o) {}
};

/* Is there nothing in it that would match a capital where texts have small letters only? Then it need not
 * look for both, and RE2 finds letters that must be there as fast as memchr. Rather no than yes. */
static bool is_small(const char *p, size_t n)
{
    bool in_class = false;

    for (size_t i = 0; i < n; i++) {
        unsigned char c = static_cast<unsigned char>(p[i]);

        if (c >= 0x80 || (c >= 'A' && c <= 'Z'))
            return false;
        if (c == '\\') {
            if (++i == n || !strchr("dDsSwWbB.*+?()[]{}|^$/-\\", p[i]))
                return false;
        } else if (c == '(' && i + 1 < n && p[i + 1] == '?') {
            return false;
        } else if (c == '[' && (in_class || (i + 1 < n && (p[i + 1] == ']' || p[i + 1] == '^')))) {
            return false; /* [[:upper:]]; and where a class ends is RE2's to know */
        } else if (c == '[') {
            in_class = true;
        } else if (c == ']') {
            in_class = false;
        } else if (c == '-' && in_class && i > 0 && i + 1 < n && p[i - 1] < 'A' && p[i + 1] > 'Z') {
            return false; /* a range over all capitals */
        }
    }
    return true;
}

static RE2::Options options(bool small)
{
    RE2::Options o;

    o.set_log_errors(false);
    o.set_case_sensitive(small);
    o.set_posix_syntax(false);
    o.set_never_nl(false);
    o.set_dot_nl(false);
    o.set_max_mem(REGEX_MEMORY_MAX);
    return o;
}

struct regex *regex_new(const char *pattern, size_t n, char *why, size_t why_n)
{
    struct regex *r = nullptr;

    if (n > REGEX_PATTERN_MAX) {
        if (why)
            snprintf(why, why_n, "longer than %d bytes", REGEX_PATTERN_MAX);
        return nullptr;
    }
    try {
        std::string p("(?m)");

        p.append(pattern, n);
        r = new regex(p.data(), p.size(), options(is_small(pattern, n)));
        if (r->re.ok())
            return r;
        if (why)
            snprintf(why, why_n, "%s", r->re.error().c_str());
    } catch (const std::bad_alloc &) {
        if (why)
            snprintf(why, why_n, "out of memory");
    }
    delete r;
    return nullptr;
}

int regex_find(const struct regex *r, const char *text, size_t n, size_t *from_out, size_t *to_out)
{
    re2::StringPiece at;

    try {
        if (!r->re.Match(re2::StringPiece(text ? text : "", n), 0, n, RE2::UNANCHORED, &at, from_out ? 1 : 0))
            return 0;
        if (from_out) {
            *from_out = static_cast<size_t>(at.data() - (text ? text : at.data()));
            *to_out = *from_out + at.size();
        }
    } catch (const std::bad_alloc &) {
        return 0;
    }
    return 1;
}

int regex_has(const struct regex *r, const char *text, size_t n)
{
    return regex_find(r, text, n, nullptr, nullptr);
}

void regex_free(struct regex **r)
{
    delete *r;
    *r = nullptr;
}
