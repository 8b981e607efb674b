# RFC 5464 4.1: annotations follow a mailbox that is renamed, stay on INBOX as well, and end with a mailbox      state auth
C: a CREATE one/two                      S: a OK
C: b SETMETADATA one (/shared/comment "1")    S: b OK
C: c SETMETADATA one/two (/shared/comment "2")    S: c OK
C: d RENAME one three                    S: d OK
C: e GETMETADATA three /shared/comment   S: * METADATA three (/shared/comment "1") | e OK
C: f GETMETADATA three/two /shared/comment   S: * METADATA three/two (/shared/comment "2") | f OK
C: g DELETE three/two                    S: g OK
C: h CREATE three/two                    S: h OK
C: i GETMETADATA three/two /shared/comment   S: * METADATA three/two (/shared/comment NIL) | i OK
C: j SETMETADATA INBOX (/private/comment "in")    S: j OK
C: k RENAME INBOX old                    S: k OK
C: l GETMETADATA old /private/comment    S: * METADATA old (/private/comment "in") | l OK
C: m GETMETADATA INBOX /private/comment  S: * METADATA INBOX (/private/comment "in") | m OK
