#include "lib/imap/append_args.h"

/* [SP flag-list] [SP date-time] SP, up to what brings the bytes */
static int message_head(struct args *a, struct append_event *e)
{
    int r = args_sp(a);

    if (r == 0 && args_peek(a) == '(' && (r = imap_flags_parse_list(a, &e->flags)) == 0)
        r = args_sp(a);
    if (r == 0 && args_peek(a) == '"' && (r = args_date_time(a, &e->date_ms)) == 0) {
        e->has_date = true;
        r = args_sp(a);
    }
    return r;
}

static int between(struct append_reader *p, struct args *a, struct append_event *e)
{
    int r;

    if (p->messages && args_peek(a) < 0) {
        e->kind = APPEND_EV_END;
        return 0;
    }
    if (p->messages && p->single)
        return args_end(a);
    if (p->messages == APPEND_MESSAGES_MAX)
        return E_LIMIT;
    if ((r = message_head(a, e)) < 0)
        return r;
    p->state = APPEND_RD_DATA;
    p->catenate = false;
    p->pieces = 0;
    if (args_skip_word(a, "CATENATE")) {
        p->state = APPEND_RD_PIECE;
        p->catenate = e->catenate = true;
        if ((r = args_sp(a)) < 0 || (r = args_char(a, '(', "the pieces in parentheses")) < 0)
            return r;
    }
    p->messages++;
    e->kind = APPEND_EV_MESSAGE;
    return 0;
}

/* literal, or "UTF8 (" literal8 ")" */
static int data(struct append_reader *p, struct args *a, struct append_event *e)
{
    bool utf8 = args_skip_word(a, "UTF8");
    int r;

    if (utf8 && ((r = args_sp(a)) < 0 || (r = args_char(a, '(', "a literal8 in parentheses")) < 0))
        return r;
    if ((r = args_literal_head(a, &e->literal)) < 0)
        return r;
    if (utf8 && !e->literal.binary)
        return args_fail(a, "a literal8, ~{n}");
    e->kind = APPEND_EV_LITERAL;
    p->state = utf8 ? APPEND_RD_UTF8_END : p->catenate ? APPEND_RD_NEXT_PIECE : APPEND_RD_PLAIN_END;
    return 0;
}

static int piece(struct append_reader *p, struct args *a, struct append_event *e)
{
    int r;

    if (p->pieces++ == APPEND_PIECES_MAX)
        return E_LIMIT;
    if (args_skip_word(a, "TEXT"))
        return (r = args_sp(a)) < 0 ? r : data(p, a, e);
    if (args_skip_word(a, "URL")) {
        if ((r = args_sp(a)) < 0 || (r = args_astring(a, &e->url)) < 0)
            return r;
        e->kind = APPEND_EV_URL;
        p->state = APPEND_RD_NEXT_PIECE;
        return 0;
    }
    return args_peek(a) == 'U' || args_peek(a) == 'u' ? data(p, a, e) : args_fail(a, "TEXT or URL");
}

static int message_end(struct append_reader *p, struct append_event *e)
{
    p->state = APPEND_RD_BETWEEN;
    e->kind = APPEND_EV_MESSAGE_END;
    return 0;
}

int append_next(struct append_reader *p, struct args *a, struct append_event *out)
{
    int r;

    *out = (struct append_event){ .kind = APPEND_EV_END };
    switch (p->state) {
    case APPEND_RD_BETWEEN: return between(p, a, out);
    case APPEND_RD_DATA: return data(p, a, out);
    case APPEND_RD_PIECE: return piece(p, a, out);
    case APPEND_RD_PLAIN_END: return message_end(p, out);
    case APPEND_RD_UTF8_END:
        if ((r = args_char(a, ')', "the end of the UTF8 literal")) < 0)
            return r;
        if (!p->catenate)
            return message_end(p, out);
        break;
    case APPEND_RD_NEXT_PIECE: break;
    }
    if (args_skip(a, ')'))
        return message_end(p, out);
    return (r = args_sp(a)) < 0 ? r : piece(p, a, out);
}
