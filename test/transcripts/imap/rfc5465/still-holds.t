# RFC 5465 3.1: what was asked for lasts until the next NOTIFY that succeeds: not until one that is refused      clients 2, state auth
C1: a NOTIFY SET (mailboxes Sent (MessageNew MessageExpunge)) (personal (MailboxName))    S1: a OK
C1: b NOTIFY SET (personal (MoonChange))      S1: b NO [BADEVENT (
C1: c NOTIFY SET (personal (SubscriptionChange) (    S1: c BAD
C1: d NOTIFY NONE x                           S1: d BAD
C1: e NOTIFY SET                              S1: e BAD
C2: a CREATE one                              S2: a OK
S1: * LIST (\HasNoChildren) "/" one
C2: b APPEND Sent {8+}\r\nA: b\r\n\r\n  S2: b OK
S1: * STATUS Sent (MESSAGES 1 UIDNEXT 2)
# as long as a name that is not there is no reason to refuse
C1: f NOTIFY SET (mailboxes nowhere (MailboxName))    S1: f OK
C2: c CREATE two                              S2: c OK
C2: d CREATE nowhere                          S2: d OK
S1: * LIST (\HasNoChildren) "/" nowhere
C1: g NOTIFY NONE                             S1: g OK
C2: e CREATE nowhere/three                    S2: e OK
C1: h NOOP                                    S1: h OK
