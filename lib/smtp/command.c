#include "lib/smtp/command.h"
#include "lib/base/clock.h"
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
    bad_ret = { 501, "5.5.4", "Syntax: RET=FULL or RET=HDRS" },
    bad_envid = { 501, "5.5.4", "Syntax: ENVID=xtext, at most 100 octets" },
    bad_notify = { 501, "5.5.4", "Syntax: NOTIFY=NEVER, or a comma list of SUCCESS, FAILURE, DELAY" },
    bad_orcpt = { 501, "5.5.4", "Syntax: ORCPT=address-type;xtext" },
    bad_hold = { 501, "5.5.4", "Syntax: HOLDFOR=seconds or HOLDUNTIL=date-and-time" },
    bad_by = { 501, "5.5.4", "Syntax: BY=seconds;N or BY=seconds;R" },
    bad_priority = { 501, "5.5.4", "Syntax: MT-PRIORITY=-9 to 9" },
    bad_vrfy = { 501, "5.5.4", "Syntax: VRFY address" };

static int hex_digit(char c)
{
    return ascii_digit(c) ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* xchar is any printable but "+" and "="; hexchar "+" and two upper-case digits (RFC 3461 4). out NULL: looks only. */
int smtp_xtext_decode(struct str in, struct buf *out)
{
    for (size_t i = 0; i < in.n; i++) {
        char c = in.p[i];
        int r;

        if (c < '!' || c > '~' || c == '=')
            return E_SYNTAX;
        if (c == '+') {
            if (in.n - i < 3 || hex_digit(in.p[i + 1]) < 0 || hex_digit(in.p[i + 2]) < 0)
                return E_SYNTAX;
            c = (char)(hex_digit(in.p[i + 1]) << 4 | hex_digit(in.p[i + 2]));
            i += 2;
        }
        if (out && (r = buf_putc(out, c)) < 0)
            return r;
    }
    return 0;
}

/* xtext of what may stand in a report: printable ASCII and blanks (RFC 3461 4.2, 4.4). A line end in it would begin a
 * field of its own there. */
static bool xtext_printable(struct str in)
{
    CLEANUP(buf_release) struct buf text = { .max = SMTP_ORCPT_MAX };

    if (smtp_xtext_decode(in, &text) < 0)
        return false;
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] < ' ' || text.p[i] > '~')
            return false;
    return true;
}

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

static int param_auth(struct str v, bool has_value UNUSED, struct smtp_command *out,
                      const struct smtp_reply **refusal_out)
{
    /* RFC 4954 5: "<>" or a mailbox, xtext; what it says counts for nobody who logged in as himself */
    if (v.n == 0 || v.n > SMTP_ORCPT_MAX || smtp_xtext_decode(v, NULL) < 0)
        return refuse(E_SYNTAX, &bad_param, refusal_out);
    out->auth = v;
    return 0;
}

static int param_ret(struct str v, bool has_value UNUSED, struct smtp_command *out,
                     const struct smtp_reply **refusal_out)
{
    out->dsn.ret = str_ieq(v, STR("FULL"))   ? SMTP_RET_FULL
                   : str_ieq(v, STR("HDRS")) ? SMTP_RET_HDRS
                                             : SMTP_RET_NONE;
    return out->dsn.ret ? 0 : refuse(E_SYNTAX, &bad_ret, refusal_out);
}

static int param_envid(struct str v, bool has_value UNUSED, struct smtp_command *out,
                       const struct smtp_reply **refusal_out)
{
    if (v.n == 0 || v.n > SMTP_ENVID_MAX || !xtext_printable(v))
        return refuse(E_SYNTAX, &bad_envid, refusal_out);
    out->dsn.envid = v;
    return 0;
}

static int param_notify(struct str v, bool has_value UNUSED, struct smtp_command *out,
                        const struct smtp_reply **refusal_out)
{
    static const struct {
        struct str name;
        uint32_t bit;
    } names[] = { { { "NEVER", 5 }, SMTP_NOTIFY_NEVER },
                  { { "SUCCESS", 7 }, SMTP_NOTIFY_SUCCESS },
                  { { "FAILURE", 7 }, SMTP_NOTIFY_FAILURE },
                  { { "DELAY", 5 }, SMTP_NOTIFY_DELAY } };
    uint32_t all = 0;
    struct str word;
    bool more = true;

    while (more) {
        uint32_t bit = 0;

        more = str_cut(v, ',', &word, &v);
        for (size_t i = 0; i < ARRAY_LEN(names); i++)
            if (str_ieq(word, names[i].name))
                bit = names[i].bit;
        if (!bit || (all & bit)) /* RFC 3461 4.1: NEVER stands alone, each other at most once */
            return refuse(E_SYNTAX, &bad_notify, refusal_out);
        all |= bit;
    }
    if ((all & SMTP_NOTIFY_NEVER) && all != SMTP_NOTIFY_NEVER)
        return refuse(E_SYNTAX, &bad_notify, refusal_out);
    out->dsn.notify = all;
    return 0;
}

/* RFC 3461 4.2: addr-type ";" xtext; with SMTPUTF8 also "utf-8;…" (RFC 6533 3), whose escapes are xtext's cousin. */
static int param_orcpt(struct str v, bool has_value UNUSED, struct smtp_command *out,
                       const struct smtp_reply **refusal_out)
{
    struct str type, address;
    bool ok = v.n <= SMTP_ORCPT_MAX && str_cut(v, ';', &type, &address) && type.n && address.n;

    for (size_t i = 0; ok && i < type.n; i++)
        ok = ascii_alpha(type.p[i]) || ascii_digit(type.p[i]) || type.p[i] == '-';
    if (!ok || (!str_ieq(type, STR("utf-8")) && !xtext_printable(address)))
        return refuse(E_SYNTAX, &bad_orcpt, refusal_out);
    out->dsn.orcpt = v;
    return 0;
}

static int param_requiretls(struct str v UNUSED, bool has_value, struct smtp_command *out UNUSED,
                            const struct smtp_reply **refusal_out)
{
    return has_value ? refuse(E_SYNTAX, &bad_param, refusal_out) : 0; /* RFC 8689 2 */
}

/* RFC 4865 4: seconds, 1 to 9 digits */
static int param_holdfor(struct str v, bool has_value UNUSED, struct smtp_command *out,
                         const struct smtp_reply **refusal_out)
{
    if (v.n == 0 || v.n > 9 || !str_to_u64(v, &out->release.hold_s) || out->release.hold_s == 0)
        return refuse(E_SYNTAX, &bad_hold, refusal_out);
    return 0;
}

/* "2026-08-22T10:11:12Z", "…+02:00", with or without a fraction (RFC 3339). */
static bool date_parse(struct str v, int64_t *ms_out)
{
    static const char form[] = "dddd-dd-ddTdd:dd:dd";
    uint64_t f[6] = { 0 };
    static const uint8_t at[6] = { 0, 5, 8, 11, 14, 17 };
    int64_t zone = 0;
    struct str rest;

    if (v.n < sizeof(form))
        return false;
    for (size_t i = 0; i < sizeof(form) - 1; i++)
        if (form[i] == 'd' ? !ascii_digit(v.p[i]) : v.p[i] != form[i] && !(form[i] == 'T' && v.p[i] == 't'))
            return false;
    for (size_t i = 0; i < 6; i++)
        if (!str_to_u64(str_slice(v, at[i], at[i] + (i ? 2u : 4u)), &f[i]))
            return false;
    if (f[0] < 1970 || f[1] < 1 || f[1] > 12 || f[2] < 1 || f[2] > 31 || f[3] > 23 || f[4] > 59 || f[5] > 60)
        return false;
    rest = str_skip(v, sizeof(form) - 1);
    if (rest.n && rest.p[0] == '.')
        do
            rest = str_skip(rest, 1);
        while (rest.n && ascii_digit(rest.p[0]));
    if (rest.n == 6 && (rest.p[0] == '+' || rest.p[0] == '-') && rest.p[3] == ':') {
        uint64_t h, m;

        if (!str_to_u64(str_slice(rest, 1, 3), &h) || !str_to_u64(str_slice(rest, 4, 6), &m) || h > 23 ||
            m > 59)
            return false;
        zone = (int64_t)(h * 60 + m) * (rest.p[0] == '-' ? -60 : 60);
    } else if (rest.n != 1 || (rest.p[0] != 'Z' && rest.p[0] != 'z')) {
        return false;
    }
    *ms_out = ((clock_days_from_civil((int64_t)f[0], (unsigned)f[1], (unsigned)f[2]) * 86400) +
               (int64_t)(f[3] * 3600 + f[4] * 60 + f[5]) - zone) *
              1000;
    return true;
}

static int param_holduntil(struct str v, bool has_value UNUSED, struct smtp_command *out,
                           const struct smtp_reply **refusal_out)
{
    return date_parse(v, &out->release.hold_until_ms) ? 0 : refuse(E_SYNTAX, &bad_hold, refusal_out);
}

/* Optional sign and at most `digits` of them. */
static bool number_signed(struct str v, size_t digits, int32_t *out)
{
    bool minus = v.n && v.p[0] == '-';
    uint64_t n;

    if (v.n && (v.p[0] == '-' || v.p[0] == '+'))
        v = str_skip(v, 1);
    if (v.n == 0 || v.n > digits || !str_to_u64(v, &n))
        return false;
    *out = minus ? -(int32_t)n : (int32_t)n;
    return true;
}

/* RFC 2852 4: by-time ";" by-mode [by-trace]; RETURN needs time that is left */
static int param_by(struct str v, bool has_value UNUSED, struct smtp_command *out,
                    const struct smtp_reply **refusal_out)
{
    struct str time, mode;

    if (!str_cut(v, ';', &time, &mode) || !number_signed(time, 9, &out->release.by_s) || mode.n < 1 ||
        mode.n > 2 || (mode.n == 2 && mode.p[1] != 'T' && mode.p[1] != 't'))
        return refuse(E_SYNTAX, &bad_by, refusal_out);
    out->release.by_mode = (char)(mode.p[0] & ~32);
    out->release.by_trace = mode.n == 2;
    if ((out->release.by_mode != 'N' && out->release.by_mode != 'R') ||
        (out->release.by_mode == 'R' && out->release.by_s <= 0))
        return refuse(E_SYNTAX, &bad_by, refusal_out);
    return 0;
}

/* RFC 6710 4 */
static int param_priority(struct str v, bool has_value UNUSED, struct smtp_command *out,
                          const struct smtp_reply **refusal_out)
{
    if (v.n == 0 || v.p[0] == '+' || !number_signed(v, 1, &out->release.priority))
        return refuse(E_SYNTAX, &bad_priority, refusal_out);
    return 0;
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
    { { "AUTH", 4 }, SMTP_MAIL, SMTP_EXT_AUTH, param_auth },
    { { "RET", 3 }, SMTP_MAIL, SMTP_EXT_DSN, param_ret },
    { { "ENVID", 5 }, SMTP_MAIL, SMTP_EXT_DSN, param_envid },
    { { "NOTIFY", 6 }, SMTP_RCPT, SMTP_EXT_DSN, param_notify },
    { { "ORCPT", 5 }, SMTP_RCPT, SMTP_EXT_DSN, param_orcpt },
    { { "REQUIRETLS", 10 }, SMTP_MAIL, SMTP_EXT_REQUIRETLS, param_requiretls },
    { { "HOLDFOR", 7 }, SMTP_MAIL, SMTP_EXT_HOLD, param_holdfor },
    { { "HOLDUNTIL", 9 }, SMTP_MAIL, SMTP_EXT_HOLD, param_holduntil },
    { { "BY", 2 }, SMTP_MAIL, SMTP_EXT_DELIVERBY, param_by },
    { { "MT-PRIORITY", 11 }, SMTP_MAIL, SMTP_EXT_PRIORITY, param_priority },
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
        if (out->seen & BIT(i))
            return refuse(E_SYNTAX, &bad_twice, refusal_out);
        out->seen |= BIT(i);
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
    if (out->release.hold_s && out->release.hold_until_ms) /* RFC 4865 4: one or the other */
        return refuse(E_SYNTAX, &bad_hold, refusal_out);
    if (!str_is_ascii(out->dsn.orcpt) &&
        !(extensions & SMTP_EXT_SMTPUTF8)) /* RFC 6533 3: utf-8-addr-xtext else */
        return refuse(E_SYNTAX, &bad_orcpt, refusal_out);
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
    [SMTP_LHLO] = { { "LHLO", 4 }, parse_helo },
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
