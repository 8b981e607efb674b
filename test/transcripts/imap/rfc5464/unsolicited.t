# RFC 5464 4.1, 4.4.2: others' changes are told by name to who enabled METADATA, and to nobody else      clients 3, state auth
C1: a ENABLE METADATA                    S1: * ENABLED METADATA | a OK
C2: a SETMETADATA INBOX (/shared/comment "x" /private/comment NIL)    S2: a OK
C1: b NOOP                               S1: * METADATA INBOX /shared/comment /private/comment | b OK
C1: c SETMETADATA INBOX (/shared/comment "y")    S1: c OK
C1: d NOOP                               S1: d OK
C2: b NOOP                               S2: b OK
C1: e IDLE                               S1: + …
C3: a SETMETADATA "" (/private/comment "z")    S3: a OK
S1: * METADATA "" /private/comment
C1: DONE                                 S1: e OK
C1: f UNAUTHENTICATE                     S1: f OK
C1: g AUTHENTICATE PLAIN $PLAIN          S1: g OK
C2: c SETMETADATA INBOX (/shared/comment "w")    S2: c OK
C1: h NOOP                               S1: h OK
