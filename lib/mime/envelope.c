#include "lib/mime/envelope.h"
#include "lib/mime/header.h"

static const struct {
    struct str name;
    size_t off;
    bool list;
} fields[] = {
#define TEXT(n, f)                                                    \
    {                                                                 \
        { n, sizeof n - 1 }, offsetof(struct mime_envelope, f), false \
    }
#define LIST(n, f)                                                   \
    {                                                                \
        { n, sizeof n - 1 }, offsetof(struct mime_envelope, f), true \
    }
    TEXT("Date", date),
    TEXT("Subject", subject),
    LIST("From", from),
    LIST("Sender", sender),
    LIST("Reply-To", reply_to),
    LIST("To", to),
    LIST("Cc", cc),
    LIST("Bcc", bcc),
    TEXT("In-Reply-To", in_reply_to),
    TEXT("Message-ID", message_id),
#undef TEXT
#undef LIST
};

static void field_set(struct arena *a, struct mime_envelope *e, size_t row, struct str value)
{
    char *at = (char *)e + fields[row].off;

    if (fields[row].list) {
        struct mime_address **tail = (struct mime_address **)(void *)at;

        while (*tail)
            tail = &(*tail)->next;
        *tail = mime_address_parse(a, value);
    } else {
        struct str *s = (struct str *)(void *)at;

        if (!s->p)
            *s = mime_unfold(a, value);
    }
}

struct mime_envelope *mime_envelope_parse(struct arena *a, struct str header)
{
    struct mime_envelope *e = ARENA_NEW(a, struct mime_envelope);
    struct mime_field f;

    while (e && mime_header_next(&header, &f))
        for (size_t i = 0; i < ARRAY_LEN(fields); i++)
            if (str_ieq(f.name, fields[i].name))
                field_set(a, e, i, f.value);
    if (!e)
        return NULL;
    /* RFC 9051 7.5.2: "If the Sender or Reply-To header fields are absent, or present but empty, the
     * server sets the corresponding member to be the same value as from" */
    if (!e->sender)
        e->sender = e->from;
    if (!e->reply_to)
        e->reply_to = e->from;
    e->has_sent = mime_date_parse(e->date, &e->sent) == 0;
    return e;
}
