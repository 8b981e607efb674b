#include "lib/regex/rewrite.h"
#include <cstdio>
#include <new>
#include <re2/re2.h>

struct rewrite {
    RE2 re;
    rewrite(const char *p, size_t n, const RE2::Options &o) : re(re2::StringPiece(p, n), o) {}
};

static const char *trouble(const struct rewrite *r)
{
    if (!r->re.ok())
        return r->re.error().c_str();
    if (r->re.ProgramSize() > REWRITE_PROGRAM_MAX)
        return "too large";
    if (r->re.NumberOfCapturingGroups() > REWRITE_GROUPS_MAX)
        return "more than 9 parts in parentheses; (?:...) counts for none";
    return nullptr;
}

struct rewrite *rewrite_new(const char *pattern, size_t n, char *why, size_t why_n)
{
    struct rewrite *r = nullptr;
    const char *no = nullptr;
    RE2::Options o;

    o.set_log_errors(false);
    o.set_case_sensitive(false);
    o.set_max_mem(REWRITE_MEMORY_MAX);
    try {
        if (n > REWRITE_PATTERN_MAX)
            no = "longer than 256 bytes";
        else
            no = trouble(r = new rewrite(pattern, n, o));
        if (!no)
            return r;
        if (why)
            snprintf(why, why_n, "%s", no);
    } catch (const std::bad_alloc &) {
        if (why)
            snprintf(why, why_n, "out of memory");
    }
    delete r;
    return nullptr;
}

void rewrite_free(struct rewrite **r)
{
    delete *r;
    *r = nullptr;
}

int rewrite_groups(const struct rewrite *r)
{
    return r->re.NumberOfCapturingGroups();
}

int rewrite_match(const struct rewrite *r, const char *text, size_t n, size_t from_out[REWRITE_GROUPS_MAX + 1],
                  size_t to_out[REWRITE_GROUPS_MAX + 1])
{
    re2::StringPiece part[REWRITE_GROUPS_MAX + 1];
    int groups = rewrite_groups(r) + 1;

    try {
        if (!r->re.Match(re2::StringPiece(text, n), 0, n, RE2::ANCHOR_BOTH, part, groups))
            return 0;
    } catch (const std::bad_alloc &) {
        return 0;
    }
    for (int i = 0; i <= REWRITE_GROUPS_MAX; i++) {
        bool there = i < groups && part[i].data();

        from_out[i] = there ? static_cast<size_t>(part[i].data() - text) : 0;
        to_out[i] = there ? from_out[i] + part[i].size() : 0;
    }
    return 1;
}
