#include "lib/mime/section.h"

/* A multipart without parts has its own body as the only one, as BODYSTRUCTURE says (imap_format.c). */
static bool is_undivided(const struct mime_part *p)
{
    return !p->first_child && mime_part_is(p, "multipart", NULL);
}

static const struct mime_part *child_at(const struct mime_part *p, uint32_t n)
{
    const struct mime_part *c = p->first_child;

    while (c && --n)
        c = c->next;
    return c;
}

/* RFC 9051 6.4.5.1: "Every message has at least one part number. Messages that do not use MIME, and
 * MIME messages that are not multipart and have no encapsulated message within them, only have a
 * part 1." */
static const struct mime_part *first_number(const struct mime_part *message, uint32_t n)
{
    if (!n)
        return NULL;
    if (message->kind == MIME_MULTIPART && message->first_child)
        return child_at(message, n);
    return n == 1 ? message : NULL;
}

static const struct mime_part *next_number(const struct mime_part *p, uint32_t n)
{
    if (n == 1 && is_undivided(p))
        return p;
    if (!n || p->kind == MIME_LEAF)
        return NULL;
    return p->kind == MIME_MULTIPART ? child_at(p, n) : first_number(p->first_child, n);
}

const struct mime_part *mime_section_part(const struct mime_part *root, const uint32_t *path, size_t n)
{
    const struct mime_part *p = n ? first_number(root, path[0]) : root;

    bool bottom = p == root && is_undivided(root); /* nothing is below the text of an undivided one */

    for (size_t i = 1; p && i < n; i++) {
        const struct mime_part *next = bottom ? NULL : next_number(p, path[i]);

        bottom = next == p;
        p = next;
    }
    return p;
}

int mime_section_find(const struct mime_part *root, const struct mime_section *s,
                      struct mime_range *range_out)
{
    const struct mime_part *p = mime_section_part(root, s->path, s->n);
    uint64_t from, to;

    if (!p)
        return 0;
    if (s->n && (s->kind == MIME_SECTION_HEADER || s->kind == MIME_SECTION_TEXT)) {
        if (p->kind != MIME_MESSAGE) /* "HEADER … refer to the message/rfc822 body part" */
            return 0;
        p = p->first_child;
    }
    from = p->body_start;
    to = p->body_end;
    if (s->kind == MIME_SECTION_HEADER || s->kind == MIME_SECTION_MIME) {
        if (s->kind == MIME_SECTION_MIME && !s->n)
            return 0; /* "MIME MUST be prefixed by a part number" */
        from = p->header_start;
        to = p->body_start;
    } else if (s->kind == MIME_SECTION_ALL && !s->n) {
        from = p->header_start;
    }
    *range_out = (struct mime_range){ from, to - from };
    return 1;
}
