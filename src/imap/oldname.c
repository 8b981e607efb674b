#include "src/imap/oldname.h"

int oldname_mailbox(struct args *a, struct str *out, struct str *given_out)
{
    struct args again = *a;
    struct str given;
    int r = args_mailbox(a, out);

    *given_out = STR_NONE;
    if (r == 0 && a->utf8 && args_astring(&again, &given) == 0 && !str_eq(given, *out) &&
        !str_ieq(given, *out)) /* INBOX has no case, and no other name */
        *given_out = given;
    return r;
}

void oldname_list(struct imap_conn *c, const char *attributes, struct str name, struct str old)
{
    resp_printf(&c->w, "* LIST (%s) \"/\" ", attributes);
    resp_mailbox(&c->w, name);
    if (old.p) {
        resp_z(&c->w, " (\"OLDNAME\" (");
        resp_mailbox(&c->w, old);
        resp_z(&c->w, "))");
    }
    resp_crlf(&c->w);
}
