# RFC 7889 5, RFC 9051 6.3.12: a message over the limit is refused before it is sent                                                state auth
C: a APPEND INBOX {52428801}           S: a NO [TOOBIG]
C: b NOOP                              S: b OK
C: c APPEND INBOX {99999999999999}     S: c NO [TOOBIG]
C: d APPEND {5}                        S: + …
C: INBOX {8+}\r\nA: b\r\n\r\n          S: d OK [APPENDUID
C: e APPEND "Drafts" ~{8+}\r\nA: \x00\r\n\r\n   S: e OK [APPENDUID
C: f APPEND INBOX {8+}\r\nA: \x00\r\n\r\n   S: f NO
C: g STATUS INBOX (MESSAGES)           S: * STATUS INBOX (MESSAGES 1) | g OK
C: h APPEND INBOX {8+}\r\nA: b\r\n\r\n x {8+}\r\nA: c\r\n\r\n   S: h BAD
C: i APPEND INBOX {8+}\r\nA: b\r\n\r\nrest   S: i BAD
C: j STATUS INBOX (MESSAGES)           S: * STATUS INBOX (MESSAGES 1) | j OK
