# RFC 5464 4.2, 4.3: annotations of a mailbox are set, told, replaced and removed; names have no case      state auth
C: a GETMETADATA INBOX /shared/comment    S: * METADATA INBOX (/shared/comment NIL) | a OK
C: b SETMETADATA INBOX (/private/comment {33+}\r\nMy new comment across\r\ntwo lines. /shared/comment "This one")    S: b OK
C: c GETMETADATA INBOX (/private/comment /shared/COMMENT)
S: * METADATA INBOX (/private/comment {33}\r\nMy new comment across\r\ntwo lines. /shared/COMMENT "This one") | c OK
C: d SETMETADATA INBOX (/Private/comment "again")    S: d OK
C: e GETMETADATA INBOX /private/comment   S: * METADATA INBOX (/private/comment "again") | e OK
C: f SETMETADATA INBOX (/private/comment NIL /shared/comment "")    S: f OK
C: g GETMETADATA INBOX (/private/comment /shared/comment)
S: * METADATA INBOX (/private/comment NIL /shared/comment "") | g OK
C: h SETMETADATA INBOX (/private/vendor/x/bin ~{3+}\r\na\x00b)    S: h OK
C: i GETMETADATA INBOX /private/vendor/x/bin    S: * METADATA INBOX (/private/vendor/x/bin ~{3}\r\na\x00b) | i OK
C: j SETMETADATA nowhere (/private/comment "x")    S: j NO [NONEXISTENT]
C: k GETMETADATA nowhere /private/comment    S: k NO [NONEXISTENT]
