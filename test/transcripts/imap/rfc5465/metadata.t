# RFC 5465 5.6, 5.7: annotations of mailboxes and of the server      clients 2, state auth
C1: a NOTIFY SET (mailboxes INBOX (MailboxMetadataChange)) (personal (ServerMetadataChange))    S1: a OK
C2: a SETMETADATA INBOX (/shared/comment "x")    S2: a OK
S1: * METADATA INBOX /shared/comment
C2: b SETMETADATA Sent (/shared/comment "x")    S2: b OK
C2: c SETMETADATA INBOX (/shared/comment NIL /private/comment "y")    S2: c OK
S1: * METADATA INBOX /shared/comment /private/comment
C2: d SETMETADATA "" (/private/comment "z")    S2: d OK
S1: * METADATA "" /private/comment
# NOTIFY says all, also to who enabled METADATA
C1: b ENABLE METADATA                    S1: * ENABLED METADATA | b OK
C1: c NOTIFY SET (subscribed (MailboxMetadataChange))    S1: c OK
C2: d1 CREATE unliked                    S2: d1 OK
C2: e SETMETADATA unliked (/shared/comment "w")    S2: e OK
C2: f SETMETADATA "" (/private/comment "v")    S2: f OK
C2: g CREATE liked                       S2: g OK
C2: h SUBSCRIBE liked                    S2: h OK
C2: i SETMETADATA liked (/shared/comment "u")    S2: i OK
S1: * METADATA liked /shared/comment
C1: d SETMETADATA liked (/shared/comment "own")    S1: d OK
C1: e NOOP                               S1: e OK
