# RFC 5465 5.4, 5.5: names and subscriptions are told as LIST; a parent is affected too; INBOX renamed      clients 2, state auth
C1: a NOTIFY SET (personal (MailboxName SubscriptionChange))    S1: a OK
C2: a CREATE NewMailbox                  S2: a OK
S1: * LIST (\HasNoChildren) "/" NewMailbox
C2: b CREATE NewMailbox/one              S2: b OK
S1: * LIST (\HasNoChildren) "/" NewMailbox/one | * LIST (\HasChildren) "/" NewMailbox
C2: c RENAME NewMailbox OldMailbox       S2: c OK
S1: * LIST (\HasChildren) "/" OldMailbox ("OLDNAME" (NewMailbox))
C2: d SUBSCRIBE OldMailbox/one           S2: d OK
S1: * LIST (\HasNoChildren \Subscribed) "/" OldMailbox/one
C2: e UNSUBSCRIBE OldMailbox/one         S2: e OK
S1: * LIST (\HasNoChildren) "/" OldMailbox/one
C2: f DELETE OldMailbox/one              S2: f OK
S1: * LIST (\NonExistent \HasNoChildren) "/" OldMailbox/one | * LIST (\HasNoChildren) "/" OldMailbox
C2: g RENAME INBOX all                   S2: g OK
S1: * LIST (\HasNoChildren) "/" all ("OLDNAME" (INBOX))
# what this client does itself is not told
C1: b CREATE mine                        S1: b OK
C1: c SUBSCRIBE mine                     S1: c OK
C1: d RENAME mine ours                   S1: d OK
C1: e DELETE ours                        S1: e OK
C1: f NOOP                               S1: f OK
# only where it was asked for; a folder that is renamed away is one of them
C1: g NOTIFY SET (mailboxes (here) (MailboxName)) (subscribed (SubscriptionChange))    S1: g OK
C2: h CREATE elsewhere                   S2: h OK
C2: i CREATE here                        S2: i OK
S1: * LIST (\HasNoChildren) "/" here
C2: j SUBSCRIBE elsewhere                S2: j OK
S1: * LIST (\HasNoChildren \Subscribed) "/" elsewhere
C2: k RENAME here there                  S2: k OK
S1: * LIST (\HasNoChildren) "/" there ("OLDNAME" (here))
C2: l DELETE there                       S2: l OK
C1: h NOOP                               S1: h OK
