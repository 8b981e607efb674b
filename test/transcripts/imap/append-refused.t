# RFC 9051 6.3.12, 7.1: TRYCREATE, bad arguments; the literal of a refused APPEND is not read as commands                         state auth
C: a APPEND nothing {8+}\r\nA: b\r\n\r\n   S: a NO [TRYCREATE]
C: b APPEND nothing {8}                S: + …
C: A: b\r\n\r\n\c
C: \r\n\c                              S: b NO [TRYCREATE]
C: c APPEND INBOX {0+}\r\n\c
C: \r\n\c                              S: c NO
C: d APPEND INBOX "not a date" {8}     S: d BAD
C: e APPEND INBOX "32-Feb-2003 04:05:06 -0700" {10+}\r\nx LOGOUT\r\n   S: e BAD
C: f APPEND INBOX (\Recent) {8}        S: f BAD
C: g APPEND INBOX (\Seen {8}           S: g BAD
# what is larger than any message would be is not waited for (RFC 7888 4)
C: h APPEND INBOX {99999999999+}\r\n\c   S: h NO [TOOBIG] | * BYE … | EOF
