# RFC 9051 6.4.1: CLOSE expunges without a word
C: a APPEND INBOX (\Deleted) {8+}\r\nA: b\r\n\r\n   S: … | a OK
C: b APPEND INBOX {8+}\r\nA: c\r\n\r\n   S: … | b OK
C: c CLOSE                             S: c OK
C: d FETCH 1 FLAGS                     S: d BAD
C: e STATUS INBOX (MESSAGES)           S: * STATUS INBOX (MESSAGES 1) | e OK
