# RFC 5465 3.1, 5, 6.1, 8: what is refused; the former wish holds      clients 2, state auth
C1: a NOTIFY SET (mailboxes Sent (MessageNew MessageExpunge))    S1: a OK
C1: b NOTIFY SET (personal (AnnotationChange MessageNew MessageExpunge))
S1: b NO [BADEVENT (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange MailboxMetadataChange ServerMetadataChange)]
C1: c NOTIFY SET (personal (MoonChange))    S1: c NO [BADEVENT (
C1: d NOTIFY SET (personal (MessageNew))    S1: d BAD
C1: e NOTIFY SET (personal (FlagChange))    S1: e BAD
C1: f NOTIFY SET (selected (MailboxName))    S1: f BAD
C1: g NOTIFY SET (selected NONE) (selected-delayed NONE)    S1: g BAD
C1: h NOTIFY SET (personal (MessageNew (UID) MessageExpunge))    S1: h BAD
C1: i NOTIFY SET (subtree-one x (MailboxName))    S1: i BAD
C1: j NOTIFY SET                         S1: j BAD
C1: k NOTIFY                             S1: k BAD
C1: l NOTIFY SET \{(inboxes (MailboxName)) *101}(personal (MailboxName))    S1: l NO [NOTIFICATIONOVERFLOW]
C2: a APPEND Sent {8+}\r\nA: b\r\n\r\n   S2: a OK
S1: * STATUS Sent (MESSAGES 1 UIDNEXT 2)
# the parentheses that the example of 3.1 leaves out, names that are literals, and case
C1: m notify set (SELECTED messagenew (uid) messageexpunge) (Subtree ({4+}\r\nSent "a") (mailboxname))    S1: m OK
C2: b CREATE Sent/2026                   S2: b OK
S1: * LIST (\HasNoChildren) "/" Sent/2026 | * LIST (\HasChildren \Subscribed \Sent) "/" Sent
C1: n UNAUTHENTICATE                     S1: n OK
C1: o NOTIFY NONE                        S1: o BAD
C1: p AUTHENTICATE PLAIN $PLAIN          S1: p OK
C2: c CREATE Sent/2027                   S2: c OK
C1: q NOOP                               S1: q OK
