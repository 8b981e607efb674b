/* lib/spam/links.h
 *
 * What a text leads to and what it hides: hosts of its links, links that show another host than they lead to, text
 * that cannot be seen, forms, scripts, pictures. UTF-8 of plain text or HTML in slices cut anywhere. Not a browser: styles
 * count where they are written on the element. Bounded: SPAM_HOSTS_MAX hosts, a link's text of 200 bytes. */
#ifndef LIB_SPAM_LINKS_H
#define LIB_SPAM_LINKS_H
#include "lib/base/buf.h"
#include "lib/mailauth/psl.h"
#include "lib/mime/html.h"
#include "lib/spam/rules.h"

#define SPAM_HOSTS_MAX 32u
#define SPAM_HOST_MAX  128u

struct spam_host {
    char text[SPAM_HOST_MAX]; /* lower case */
    size_t n;
};

/* Private; spam_links_init, no release. Lives through all texts of a letter. */
struct spam_links {
    struct spam_hits *hits;
    const struct psl *psl;
    struct str own;
    struct spam_host hosts[SPAM_HOSTS_MAX];
    size_t nhosts;
    bool html, in_link, after_unseen;
    int state;
    struct mime_html_quote quote;
    char tag[2048], shown[200], url[512];
    size_t ntag, nshown, nurl;
    struct spam_host target;
    char hidden_by[16]; /* the element that hides; "" none */
    unsigned hidden_depth;
    char raw[8]; /* script, style: its content is no text */
    uint64_t visible, hidden, pictures;
    unsigned invisible; /* characters that are not seen, between letters */
    unsigned char last[3];
};

/* own: the recipient's domain, borrowed for its life; psl may be NULL. */
void spam_links_init(struct spam_links *l, struct spam_hits *hits, const struct psl *psl, struct str own);
void spam_links_begin(struct spam_links *l, bool html);
void spam_links_feed(struct spam_links *l, struct str text);
void spam_links_end(struct spam_links *l);
/* The host of a URL: from behind "://" or "//" to what ends it, without port and what is before an @. Empty for none. */
struct str spam_url_host(struct str url, bool *userinfo_out);
#endif
