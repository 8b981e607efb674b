/* src/relay/tls_note.c: what TLS reports are made of (RFC 8460 4.3): a note for each connection that was tried. */
#include "src/relay/delivery.h"

void delivery_note(struct delivery *d, const struct session *s, const char *result, const char *why)
{
    struct arena *a = rpc_req_arena(d->q);
    Relay__TlsNote *n = d->nnotes < DELIVERY_NOTES_MAX ? ARENA_NEW(a, Relay__TlsNote) : NULL;
    char peer[64] = "", own[64] = "";

    if (!n || delivery_host(d)->own || relay_conf.smarthost[0] || relay_conf.tls == RELAY_TLS_NEVER)
        return;
    relay__tls_note__init(n);
    if (s)
        relay_session_ends(s, peer, own, sizeof peer);
    n->policy = d->need.policy;
    n->result = str_pb(arena_dup(a, str_from(result)));
    n->mx = str_pb(delivery_host(d)->name);
    n->ip = str_pb(arena_dup(a, str_from(peer)));
    n->from_ip = str_pb(arena_dup(a, str_from(own)));
    n->reason = str_pb(arena_dup(a, str_from(why)));
    n->policy_text = str_pb(d->need.policy_text);
    d->notes[d->nnotes++] = n;
}

void delivery_note_session(struct delivery *d)
{
    const char *why, *result = relay_session_tls_result(d->s, &why);

    if (d->clear || !relay_session_is_new(d->s))
        return;
    if (!relay_session_is_tls(d->s))
        delivery_note(d, d->s, "starttls-not-supported", "");
    else if (d->need.policy == RELAY__TLS_NOTE__POLICY__TLSA && d->need.peer.need != TLS_DANE)
        delivery_note(d, d->s, "tlsa-invalid", "no record that mail can use");
    else if (d->sts_error && d->need.policy == RELAY__TLS_NOTE__POLICY__NONE) {
        d->need.policy = RELAY__TLS_NOTE__POLICY__STS;
        delivery_note(d, d->s, d->sts_error, "");
    } else
        delivery_note(d, d->s, d->need.result ? d->need.result : result, d->need.result ? d->need.why : why);
}
