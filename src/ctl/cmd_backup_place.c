/* src/ctl/cmd_backup_place.c: `domain set --backups`: where backups of a domain's mailboxes go. */
#include "lib/base/errors.h"
#include "src/ctl/cmd_backup.h"
#include <sysexits.h>

static int set(struct service *s, const char *place, ProtobufCBinaryData *ids, size_t n, uint32_t *later)
{
    Store__PlaceSetRequest k = STORE__PLACE_SET_REQUEST__INIT;
    Store__PlaceSetResponse *m = NULL;
    int r;

    k.place = (char *)(uintptr_t)place;
    k.mailbox_ids = ids;
    k.n_mailbox_ids = n;
    r = service_ask(s, ROLE_STORE, STORE__OP__PLACE_SET, &k.base, &store__place_set_response__descriptor, &m);
    if (r == 0)
        *later += m->with_next_start;
    return r;
}

int backup_place_exists(struct service *s, const char *place)
{
    uint32_t later = 0;
    int r = set(s, place, NULL, 0, &later);

    if (r == E_NOTFOUND)
        return ctl_fail(EX_DATAERR, "%s: no such place in storage.places, or not since the service started",
                        place);
    return r < 0 ? ctl_fail(ctl_exit_code(r), "%s: %s", place, error_text(r)) : 0;
}

/* Those of one page that have a mailbox. */
static int give(struct service *s, const char *place, const Directory__AliasListResponse *m, uint32_t *later)
{
    ProtobufCBinaryData *ids = calloc(m->n_aliases + 1, sizeof *ids);
    size_t n = 0;
    int r = ids ? 0 : E_NOMEM;

    for (size_t i = 0; i < m->n_aliases && ids; i++)
        if (m->aliases[i]->mailbox_id.len)
            ids[n++] = m->aliases[i]->mailbox_id;
    if (n)
        r = set(s, place, ids, n, later);
    free(ids);
    return r;
}

int backup_place_give(struct service *s, const char *domain, const char *place)
{
    Directory__ListRequest q = DIRECTORY__LIST_REQUEST__INIT;
    CLEANUP(buf_release) struct buf after = { .max = KIB(2) };
    Directory__AliasListResponse *m = NULL;
    uint32_t later = 0;
    int r;

    q.domain = str_pb(str_from(domain));
    do {
        q.after = str_pb(buf_str(&after));
        q.limit = 200;
        r = service_ask(s, ROLE_DIRECTORY, DIRECTORY__OP__ALIAS_LIST, &q.base,
                        &directory__alias_list_response__descriptor, &m);
        if (r == 0)
            r = give(s, place, m, &later);
        buf_clear(&after);
        if (r == 0 && m->n_aliases)
            r = buf_puts(&after, pb_str(m->aliases[m->n_aliases - 1]->address));
        if (r < 0)
            return ctl_fail(ctl_exit_code(r), "%s: not all of its mailboxes: %s. The same command goes on",
                            domain, error_text(r));
        r = m->more && m->n_aliases;
        service_forget(s);
    } while (r);
    if (later)
        fprintf(stderr,
                "%u mailboxes have backups already: theirs go to %s with the next start of the service.\n",
                later, place);
    return EX_OK;
}
