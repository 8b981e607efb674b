#include "lib/spam/links.h"
#include "lib/spam/names.h"
#include <arpa/inet.h>

enum { TEXT, TAG, COMMENT };

#define HIDDEN_LEAST  300u /* bytes; many honest letters hide a line that mailboxes show as a preview */
#define PICTURE_TEXT  80u  /* bytes of text beside pictures that are hardly any */
#define INVISIBLE_MIN 5u

void spam_links_init(struct spam_links *l, struct spam_hits *hits, const struct psl *psl, struct str own)
{
    *l = (struct spam_links){ .hits = hits, .psl = psl, .own = own };
}

struct str spam_url_host(struct str url, bool *userinfo_out)
{
    ptrdiff_t at = str_find(url, STR("//"));
    size_t n = 0;

    *userinfo_out = false;
    if (at < 0 || at > 12)
        return STR("");
    url = str_skip(url, (size_t)at + 2);
    while (n < url.n && !memchr("/\\?# \t\r\n\"'<>)]},;|", url.p[n], 19))
        n++;
    url.n = n;
    if ((at = str_rchr(url, '@')) >= 0) {
        *userinfo_out = str_chr(str_slice(url, 0, (size_t)at), '.') >= 0;
        url = str_skip(url, (size_t)at + 1);
    }
    if ((at = str_chr(url, ':')) >= 0)
        url = str_slice(url, 0, (size_t)at);
    while (url.n && url.p[url.n - 1] == '.')
        url.n--;
    return url;
}

static void host_set(struct spam_host *h, struct str host)
{
    h->n = size_min(host.n, sizeof h->text);
    for (size_t i = 0; i < h->n; i++)
        h->text[i] = ascii_lower(host.p[i]);
}

/* Dotted, or one number, decimal or hexadecimal. */
static bool is_number(struct str host)
{
    bool hex = str_istarts(host, STR("0x"));

    for (size_t i = hex ? 2 : 0; i < host.n; i++)
        if (!ascii_digit(host.p[i]) && host.p[i] != '.' && !(hex && strchr("abcdefABCDEF", host.p[i])))
            return false;
    return host.n > 3;
}

static void judge_host(struct spam_links *l, struct str host)
{
    static const enum spam_rule rules[] = {
        [SPAM_NAME_HOMOGRAPH] = SPAM_URL_HOMOGRAPH, [SPAM_NAME_LOOKALIKE] = SPAM_URL_LOOKALIKE,
        [SPAM_NAME_NEAR] = SPAM_URL_NEAR,           [SPAM_NAME_INSIDE] = SPAM_URL_BRAND_INSIDE,
        [SPAM_NAME_MIXED] = SPAM_URL_MIXED_SCRIPT,
    };
    enum spam_name what;

    if (is_number(host)) {
        spam_hit(l->hits, SPAM_URL_IP);
        return;
    }
    if ((what = spam_name_check(host, STR(""), l->psl)))
        spam_hit(l->hits, rules[what]);
}

static void host_add(struct spam_links *l, struct str host)
{
    struct spam_host h;

    host_set(&h, host);
    for (size_t i = 0; i < l->nhosts; i++)
        if (l->hosts[i].n == h.n && memcmp(l->hosts[i].text, h.text, h.n) == 0)
            return;
    if (l->nhosts == SPAM_HOSTS_MAX || h.n < 3 || h.n == sizeof h.text)
        return;
    l->hosts[l->nhosts++] = h;
    judge_host(l, str_of(h.text, h.n));
}

/* A URL that something leads to. Returns its host. */
static struct str url_found(struct spam_links *l, struct str url)
{
    bool userinfo;
    struct str host;

    url = str_trim(url);
    if (!str_istarts(url, STR("http")) && !str_starts(url, STR("//")))
        return STR("");
    host = spam_url_host(url, &userinfo);
    if (userinfo)
        spam_hit(l->hits, SPAM_URL_USERINFO);
    if (host.n)
        host_add(l, host);
    return host;
}

/* ---- text ---- */

static void url_end(struct spam_links *l)
{
    struct str url = str_of(l->url, l->nurl);

    for (ptrdiff_t at; (at = str_ifind(url, STR("http"))) >= 0; url = str_skip(url, 4)) {
        url = str_skip(url, (size_t)at);
        if (str_istarts(url, STR("http://")) || str_istarts(url, STR("https://"))) {
            (void)url_found(l, url);
            break;
        }
    }
    l->nurl = 0;
}

/* Zero width space, joiners, word joiner and BOM between ASCII letters: how filters are fooled. A soft hyphen is
 * how honest letters part long words. */
static void look_invisible(struct spam_links *l, unsigned char c)
{
    const unsigned char *p = l->last;
    bool unseen = (p[1] == 0xE2 && p[2] == 0x80 && c >= 0x8B && c <= 0x8D) ||
                  (p[1] == 0xE2 && p[2] == 0x81 && c == 0xA0) || (p[1] == 0xEF && p[2] == 0xBB && c == 0xBF);

    if (l->after_unseen && ascii_alpha((char)c))
        l->invisible++;
    l->after_unseen = unseen && ascii_alpha((char)p[0]);
    memmove(l->last, l->last + 1, 2);
    l->last[2] = c;
}

static void text_byte(struct spam_links *l, char c)
{
    bool space = (unsigned char)c <= ' ';

    if (l->raw[0])
        return;
    look_invisible(l, (unsigned char)c);
    if (!space) {
        if (l->hidden_by[0])
            l->hidden++;
        else
            l->visible++;
    }
    if (l->in_link && l->nshown < sizeof l->shown)
        l->shown[l->nshown++] = space ? ' ' : c;
    if (space || c == '<' || c == '>' || c == '"')
        url_end(l);
    else if (l->nurl < sizeof l->url)
        l->url[l->nurl++] = c;
}

/* ---- HTML ---- */

/* The value of an attribute of the tag that was read; empty when it has none. Quotes are gone. */
static struct str attribute(struct str tag, const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; i + len < tag.n; i++) {
        struct str v;
        char q;

        if ((unsigned char)tag.p[i] > ' ' && tag.p[i] != '"' && tag.p[i] != '\'' && tag.p[i] != '/')
            continue;
        if (!str_ieq_z(str_slice(tag, i + 1, i + 1 + len), name))
            continue;
        v = str_trim(str_skip(tag, i + 1 + len));
        if (!v.n || v.p[0] != '=')
            continue;
        v = str_trim(str_skip(v, 1));
        q = v.n ? v.p[0] : 0;
        if (q == '"' || q == '\'') {
            struct str rest, inside;

            (void)str_cut(str_skip(v, 1), q, &inside, &rest);
            return inside;
        }
        for (size_t n = 0; n < v.n; n++)
            if ((unsigned char)v.p[n] <= ' ')
                return str_slice(v, 0, n);
        return v;
    }
    return STR("");
}

/* A style's property has this value: spaces do not count. */
static bool style_has(struct str style, const char *property, const char *value)
{
    char flat[256];
    size_t n = 0;
    char want[64];
    int w = snprintf(want, sizeof want, "%s:%s", property, value);
    struct str s;
    ptrdiff_t at;

    for (size_t i = 0; i < style.n && n < sizeof flat; i++)
        if ((unsigned char)style.p[i] > ' ')
            flat[n++] = ascii_lower(style.p[i]);
    s = str_of(flat, n);
    while ((at = str_find(s, str_of(want, (size_t)w))) >= 0) {
        struct str rest = str_skip(s, (size_t)at + (size_t)w);

        if ((at == 0 || s.p[at - 1] == ';') &&
            (rest.n == 0 || rest.p[0] == ';' || rest.p[0] == '!' || ascii_alpha(rest.p[0])))
            return true;
        s = str_skip(s, (size_t)at + 1);
    }
    return false;
}

static bool hides(struct str tag)
{
    static const struct {
        const char *property, *value;
    } ways[] = { { "display", "none" },     { "visibility", "hidden" }, { "font-size", "0" },
                 { "font-size", "1px" },    { "opacity", "0" },         { "max-height", "0" },
                 { "color", "transparent" } };
    struct str style = attribute(tag, "style");

    for (size_t i = 0; style.n && i < ARRAY_LEN(ways); i++)
        if (style_has(style, ways[i].property, ways[i].value))
            return true;
    return false;
}

static bool is_void(struct str name)
{
    static const char *const names[] = { "img",  "br",   "hr",   "input", "meta",
                                         "link", "area", "base", "col",   "wbr" };

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_ieq_z(name, names[i]))
            return true;
    return false;
}

static void track_hidden(struct spam_links *l, struct str name, struct str tag, bool closing)
{
    if (l->hidden_by[0]) {
        if (str_ieq_z(name, l->hidden_by)) {
            l->hidden_depth = closing ? l->hidden_depth - 1 : l->hidden_depth + 1;
            if (l->hidden_depth == 0)
                l->hidden_by[0] = '\0';
        }
        return;
    }
    if (closing || name.n >= sizeof l->hidden_by || is_void(name) || (tag.n && tag.p[tag.n - 1] == '/') ||
        !hides(tag))
        return;
    for (size_t i = 0; i < name.n; i++)
        l->hidden_by[i] = ascii_lower(name.p[i]);
    l->hidden_by[name.n] = '\0';
    l->hidden_depth = 1;
}

/* What a link shows, when that is a host and nothing else: "www.bank.example", "https://bank.example/login". */
static struct str shown_host(struct str shown)
{
    bool userinfo;
    size_t dots = 0;

    shown = str_trim(shown);
    if (str_chr(shown, ' ') >= 0 || str_chr(shown, '@') >= 0)
        return STR("");
    if (str_istarts(shown, STR("http://")) || str_istarts(shown, STR("https://")))
        return spam_url_host(shown, &userinfo);
    if (!str_istarts(shown, STR("www.")))
        return STR("");
    for (size_t i = 0; i < shown.n && shown.p[i] != '/'; i++)
        dots += shown.p[i] == '.';
    if (dots < 2)
        return STR("");
    for (size_t i = 0; i < shown.n; i++)
        if (memchr("/?#:", shown.p[i], 4))
            return str_slice(shown, 0, i);
    return shown;
}

static void link_end(struct spam_links *l)
{
    CLEANUP(buf_release) struct buf a = { .max = 512 }, b = { .max = 512 };
    struct str shown = shown_host(str_of(l->shown, l->nshown)), target = str_of(l->target.text, l->target.n);

    l->in_link = false;
    if (!shown.n || !target.n || str_chr(shown, '.') < 0)
        return;
    if (spam_name_base(shown, l->psl, &a) < 0 || spam_name_base(target, l->psl, &b) < 0)
        return;
    if (!str_eq(buf_str(&a), buf_str(&b)))
        spam_hit(l->hits, SPAM_LINK_OTHER_HOST);
}

static void link_begin(struct spam_links *l, struct str tag)
{
    struct str host = url_found(l, attribute(tag, "href"));

    host_set(&l->target, host);
    l->nshown = 0;
    l->in_link = host.n != 0;
}

static void tag_end(struct spam_links *l)
{
    struct str tag = str_of(l->tag, l->ntag), name = tag;
    bool closing = tag.n && tag.p[0] == '/';

    if (closing)
        tag = name = str_skip(tag, 1);
    for (size_t i = 0; i < name.n; i++)
        if ((unsigned char)name.p[i] <= ' ' || name.p[i] == '/')
            name = str_slice(name, 0, i);
    if (l->raw[0]) {
        if (closing && str_ieq_z(name, l->raw))
            l->raw[0] = '\0';
        return;
    }
    url_end(l);
    track_hidden(l, name, tag, closing);
    if (str_ieq_z(name, "a")) {
        if (l->in_link)
            link_end(l);
        if (!closing)
            link_begin(l, tag);
    }
    if (closing)
        return;
    if (str_ieq_z(name, "img")) {
        l->pictures++;
        (void)url_found(l, attribute(tag, "src"));
    } else if (str_ieq_z(name, "form")) {
        spam_hit(l->hits, SPAM_HTML_FORM);
        (void)url_found(l, attribute(tag, "action"));
    } else if (str_ieq_z(name, "area")) {
        (void)url_found(l, attribute(tag, "href"));
    } else if (str_ieq_z(name, "script")) {
        if (str_ifind(attribute(tag, "type"), STR("json")) < 0)
            spam_hit(l->hits, SPAM_HTML_SCRIPT); /* data about an order is no program */
        memcpy(l->raw, "script", 7);
    } else if (str_ieq_z(name, "style")) {
        memcpy(l->raw, "style", 6);
    }
}

static void tag_byte(struct spam_links *l, char c)
{
    if (l->raw[0] ? c == '>' : mime_html_tag_ends(&l->quote, c)) { /* quotes in a script are its own */
        l->state = TEXT;
        tag_end(l);
        l->ntag = 0;
        return;
    }
    if (l->ntag < sizeof l->tag)
        l->tag[l->ntag++] = c;
    if (l->ntag == 3 && memcmp(l->tag, "!--", 3) == 0 && !l->raw[0])
        l->state = COMMENT;
    else if (l->ntag == 1 && !ascii_alpha(c) && c != '/' && c != '!' && c != '?') {
        l->state = TEXT; /* "a < b" */
        l->ntag = 0;
        l->quote = (struct mime_html_quote){ 0 };
    }
}

static void html_byte(struct spam_links *l, char c)
{
    switch (l->state) {
    case TAG: tag_byte(l, c); return;
    case COMMENT: /* the last two bytes are kept in the tag's place */
        if (c == '>' && l->ntag >= 5 && l->tag[3] == '-' && l->tag[4] == '-') {
            l->state = TEXT;
            l->ntag = 0;
            return;
        }
        if (l->ntag < 5) {
            l->tag[l->ntag++] = c;
        } else {
            l->tag[3] = l->tag[4];
            l->tag[4] = c;
        }
        return;
    default: break;
    }
    if (c == '<') {
        l->state = TAG;
        l->ntag = 0;
        l->quote = (struct mime_html_quote){ 0 };
        return;
    }
    text_byte(l, c);
}

void spam_links_begin(struct spam_links *l, bool html)
{
    l->html = html;
    l->state = TEXT;
    l->ntag = l->nurl = l->nshown = 0;
    l->in_link = false;
    l->hidden_by[0] = l->raw[0] = '\0';
    l->quote = (struct mime_html_quote){ 0 };
    l->after_unseen = false;
    memset(l->last, 0, sizeof l->last);
    l->visible = l->hidden = l->pictures = 0;
}

void spam_links_feed(struct spam_links *l, struct str text)
{
    for (size_t i = 0; i < text.n; i++)
        if (l->html)
            html_byte(l, text.p[i]);
        else
            text_byte(l, text.p[i]);
}

void spam_links_end(struct spam_links *l)
{
    url_end(l);
    if (l->html && l->hidden >= HIDDEN_LEAST && l->hidden > l->visible)
        spam_hit(l->hits, SPAM_HTML_HIDDEN_TEXT);
    if (l->html && l->pictures && l->visible < PICTURE_TEXT)
        spam_hit(l->hits, SPAM_HTML_IMAGE_ONLY);
    if (l->invisible >= INVISIBLE_MIN)
        spam_hit(l->hits, SPAM_INVISIBLE_CHARS);
}
