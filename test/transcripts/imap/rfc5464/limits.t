# RFC 5464 4.1, 4.3: a value too long, too many; when one cannot be set, none is      state auth
C: a SETMETADATA INBOX (/private/a "1" /private/b {65537+}\r\n\{x*65537})    S: a NO [METADATA MAXSIZE 65536]
C: b GETMETADATA INBOX /private/a        S: * METADATA INBOX (/private/a NIL) | b OK
C: c SETMETADATA INBOX (/private/a {65536+}\r\n\{x*65536})    S: c OK
C: d GETMETADATA INBOX (MAXSIZE 1024) /private/a    S: d OK [METADATA LONGENTRIES 65536]
