#include "lib/smtp/command.h"
#include "lib/base/errors.h"

static const struct smtp_reply
    bad_unknown = { 500, "5.5.2", "Command not recognized" },
    bad_empty = { 500, "5.5.2", "A command was expected" },
    bad_bytes = { 500, "5.5.2", "Control bytes are not allowed in a command" },
    bad_noarg = { 501, "5.5.4", "This command takes no argument" },
    bad_helo = { 501, "5.5.4", "Syntax: EHLO domain-or-[address]" },
    bad_mail = { 501, "5.5.4", "Syntax: MAIL FROM:<address> [parameters]" },
    bad_rcpt = { 501, "5.5.4", "Syntax: RCPT TO:<address>" },
    bad_sender = { 501, "5.1.7", "That is no valid sender address" },
    bad_recipient = { 501, "5.1.3", "That is no valid recipient address" },
    bad_length = { 501, "5.1.0", "That address is too long (64 octets before the @, 256 in all)" },
    bad_utf8 = { 553, "5.6.7", "Addresses outside ASCII need the SMTPUTF8 parameter of MAIL" },
    bad_param = { 501, "5.5.4", "Syntax error in a parameter" },
    bad_twice = { 501, "5.5.4", "A parameter was given twice" },
    bad_params = { 501, "5.5.4", "Too many parameters" },
    bad_offer = { 555, "5.5.4", "That parameter is not supported" },
    bad_size = { 501, "5.5.4", "Syntax: SIZE=number-of-octets" },
    bad_body = { 501, "5.5.4", "Syntax: BODY=7BIT, BODY=8BITMIME or BODY=BINARYMIME" },
    bad_bdat = { 501, "5.5.4", "Syntax: BDAT number-of-octets [LAST]" },
    bad_vrfy = { 501, "5.5.4", "Syntax: VRFY address" };

/* A parameter of MAIL or RCPT: to add one, a row and a function. */
typedef int param_fn(struct str value, bool has_value, struct smtp_command *out,
                     const struct smtp_reply **refusal_out);

static int refuse(int e, const struct smtp_reply *why, const struct smtp_reply **refusal_out)
{
    *refusal_out = why;
    return e;
}

/* RFC 1870 3: size-value = 1*20DIGIT */
static int param_size(struct str v, bool has_value UNUSED, struct smtp_command *out,
                      const struct smtp_reply **refusal_out)
{
    for (size_t i = 0; i < v.n; i++)
        if (!ascii_digit(v.p[i]))
            return refuse(E_SYNTAX, &bad_size, refusal_out);
    if (v.n == 0 || v.n > 20)
        return refuse(E_SYNTAX, &bad_size, refusal_out);
    if (!str_to_u64(v, &out->size_bytes))
        out->size_bytes = UINT64_MAX; /* too big for anyone: the caller's size check says so */
    return 0;
}

static int param_body(struct str v, bool has_value UNUSED, struct smtp_command *out,
                      const struct smtp_reply **refusal_out)
{
    if (str_ieq(v, STR("7BIT")))
        out->body = SMTP_BODY_7BIT;
    else if (str_ieq(v, STR("8BITMIME")))
        out->body = SMTP_BODY_8BITMIME;
    else if (str_ieq(v, STR("BINARYMIME")))
        out->body = SMTP_BODY_BINARYMIME;
    else
        return refuse(E_SYNTAX, &bad_body, refusal_out);
    return 0;
}

static int param_smtputf8(struct str v UNUSED, bool has_value, struct smtp_command *out UNUSED,
                          const struct smtp_reply **refusal_out)
{
    /* RFC 6531 3.4: "does not accept a value" */
    return has_value ? refuse(E_SYNTAX, &bad_param, refusal_out) : 0;
}

static const struct param {
    struct str name;
    enum smtp_verb verb;
    uint32_t ext;
    param_fn *parse;
} params[] = {
    { { "SIZE", 4 }, SMTP_MAIL, SMTP_EXT_SIZE, param_size },
    { { "BODY", 4 }, SMTP_MAIL, SMTP_EXT_8BITMIME, param_body },
    { { "SMTPUTF8", 8 }, SMTP_MAIL, SMTP_EXT_SMTPUTF8, param_smtputf8 },
};

/* esmtp-param = esmtp-keyword ["=" esmtp-value] (RFC 5321 4.1.2) */
static bool param_well_formed(struct str name, struct str value, bool has_value)
{
    if (name.n == 0 || name.p[0] == '-' || (has_value && value.n == 0))
        return false;
    for (size_t i = 0; i < name.n; i++)
        if (!ascii_alpha(name.p[i]) && !ascii_digit(name.p[i]) && name.p[i] != '-')
            return false;
    return str_chr(value, '=') < 0 && smtp_utf8_clean(value);
}

static int parse_param(struct str text, uint32_t extensions, struct smtp_command *out,
                       const struct smtp_reply **refusal_out)
{
    struct str name, value;
    bool has_value = str_cut(text, '=', &name, &value);

    if (!param_well_formed(name, value, has_value))
        return refuse(E_SYNTAX, &bad_param, refusal_out);
    for (size_t i = 0; i < ARRAY_LEN(params); i++) {
        const struct param *p = &params[i];

        if (p->verb != out->verb || !str_ieq(name, p->name))
            continue;
        if (!(extensions & p->ext))
            break;
        if (out->params & p->ext)
            return refuse(E_SYNTAX, &bad_twice, refusal_out);
        out->params |= p->ext;
        return p->parse(value, has_value, out, refusal_out);
    }
    /* RFC 5321 4.1.1.11: "If the server ... does not recognize or cannot implement one or more of the
     * parameters ... it will return code 555." */
    return refuse(E_UNSUPPORTED, &bad_offer, refusal_out);
}

static int parse_params(struct str rest, uint32_t extensions, struct smtp_command *out,
                        const struct smtp_reply **refusal_out)
{
    unsigned n = 0;
    struct str text;
    int r;

    while (rest.n) {
        str_cut(rest, ' ', &text, &rest);
        if (text.n == 0)
            continue;
        if (n++ == SMTP_PARAMS_MAX)
            return refuse(E_LIMIT, &bad_params, refusal_out);
        if ((r = parse_param(text, extensions, out, refusal_out)) < 0)
            return r;
    }
    if (out->body == SMTP_BODY_BINARYMIME && !(extensions & SMTP_EXT_BINARYMIME))
        return refuse(E_UNSUPPORTED, &bad_offer, refusal_out);
    return 0;
}

/* "FROM:" or "TO:", path, parameters. */
static int parse_path_command(struct str args, uint32_t extensions, struct smtp_command *out,
                              const struct smtp_reply **refusal_out)
{
    bool mail = out->verb == SMTP_MAIL;
    struct str word = mail ? STR("FROM:") : STR("TO:");
    size_t used = 0;
    int r;

    if (!str_istarts(args, word))
        return refuse(E_SYNTAX, mail ? &bad_mail : &bad_rcpt, refusal_out);
    args = str_skip(args, word.n);
    while (args.n && args.p[0] == ' ')
        args = str_skip(args, 1);
    if (args.n == 0 || args.p[0] != '<')
        return refuse(E_SYNTAX, mail ? &bad_mail : &bad_rcpt, refusal_out);
    r = smtp_path_parse(args, mail ? SMTP_PATH_REVERSE : SMTP_PATH_FORWARD, &out->path, &used);
    if (r == E_LIMIT)
        return refuse(r, &bad_length, refusal_out);
    if (r < 0 || (used < args.n && args.p[used] != ' '))
        return refuse(E_SYNTAX, mail ? &bad_sender : &bad_recipient, refusal_out);
    if ((r = parse_params(str_skip(args, used), extensions, out, refusal_out)) < 0)
        return r;
    /* RFC 6531 3.5: UTF-8 in a path is for transactions that said SMTPUTF8 */
    if (out->path.utf8 && !((mail ? out->params : extensions) & SMTP_EXT_SMTPUTF8))
        return refuse(E_UNSUPPORTED, &bad_utf8, refusal_out);
    return 0;
}

static int parse_helo(struct str args, uint32_t extensions UNUSED, struct smtp_command *out,
                      const struct smtp_reply **refusal_out)
{
    bool literal, utf8;

    if (args.n == 0 || args.n > SMTP_DOMAIN_MAX || str_chr(args, ' ') >= 0)
        return refuse(E_SYNTAX, &bad_helo, refusal_out);
    out->arg = args;
    out->helo_valid = smtp_domain_valid(args, &literal, &utf8);
    return 0;
}

static int parse_bdat(struct str args, uint32_t extensions UNUSED, struct smtp_command *out,
                      const struct smtp_reply **refusal_out)
{
    struct str size, last;
    bool more = str_cut(args, ' ', &size, &last);

    if (!str_to_u64(size, &out->chunk_bytes) || (more && !str_ieq(str_trim(last), STR("LAST"))))
        return refuse(E_SYNTAX, &bad_bdat, refusal_out);
    out->chunk_last = more;
    return 0;
}

static int parse_none(struct str args, uint32_t extensions UNUSED, struct smtp_command *out UNUSED,
                      const struct smtp_reply **refusal_out)
{
    return args.n ? refuse(E_SYNTAX, &bad_noarg, refusal_out) : 0;
}

static int parse_text(struct str args, uint32_t extensions UNUSED, struct smtp_command *out,
                      const struct smtp_reply **refusal_out UNUSED)
{
    out->arg = args;
    return 0;
}

static int parse_string(struct str args, uint32_t extensions UNUSED, struct smtp_command *out,
                        const struct smtp_reply **refusal_out)
{
    out->arg = args;
    return args.n ? 0 : refuse(E_SYNTAX, &bad_vrfy, refusal_out);
}

static const struct verb {
    struct str name;
    int (*parse)(struct str args, uint32_t extensions, struct smtp_command *out,
                 const struct smtp_reply **refusal_out);
} verbs[SMTP_VERBS] = {
    [SMTP_UNKNOWN] = { { "?", 1 }, NULL },
    [SMTP_AUTH] = { { "AUTH", 4 }, parse_text },
    [SMTP_BDAT] = { { "BDAT", 4 }, parse_bdat },
    [SMTP_DATA] = { { "DATA", 4 }, parse_none },
    [SMTP_EHLO] = { { "EHLO", 4 }, parse_helo },
    [SMTP_EXPN] = { { "EXPN", 4 }, parse_string },
    [SMTP_HELO] = { { "HELO", 4 }, parse_helo },
    [SMTP_HELP] = { { "HELP", 4 }, parse_text },
    [SMTP_MAIL] = { { "MAIL", 4 }, parse_path_command },
    [SMTP_NOOP] = { { "NOOP", 4 }, parse_text },
    [SMTP_QUIT] = { { "QUIT", 4 }, parse_none },
    [SMTP_RCPT] = { { "RCPT", 4 }, parse_path_command },
    [SMTP_RSET] = { { "RSET", 4 }, parse_none },
    [SMTP_STARTTLS] = { { "STARTTLS", 8 }, parse_none },
    [SMTP_VRFY] = { { "VRFY", 4 }, parse_string },
    [SMTP_XCLIENT] = { { "XCLIENT", 7 }, parse_text },
};

const char *smtp_verb_name(enum smtp_verb v)
{
    return v < SMTP_VERBS ? verbs[v].name.p : "?";
}

int smtp_command_parse(struct str line, uint32_t extensions, struct smtp_command *out,
                       const struct smtp_reply **refusal_out)
{
    struct str word, args;

    *out = (struct smtp_command){ .verb = SMTP_UNKNOWN };
    while (line.n && (line.p[line.n - 1] == ' ' || line.p[line.n - 1] == '\t'))
        line.n--;
    if (line.n > SMTP_COMMAND_MAX)
        return refuse(E_LIMIT, &bad_unknown, refusal_out);
    str_cut(line, ' ', &word, &args);
    for (unsigned v = SMTP_UNKNOWN + 1; v < SMTP_VERBS; v++)
        if (str_ieq(word, verbs[v].name))
            out->verb = v;
    for (size_t i = 0; i < line.n; i++)
        if ((unsigned char)line.p[i] < 32 || line.p[i] == 127)
            return refuse(E_SYNTAX, &bad_bytes, refusal_out);
    if (out->verb == SMTP_UNKNOWN)
        return refuse(E_SYNTAX, line.n ? &bad_unknown : &bad_empty, refusal_out);
    while (args.n && args.p[0] == ' ')
        args = str_skip(args, 1);
    return verbs[out->verb].parse(args, extensions, out, refusal_out);
}
