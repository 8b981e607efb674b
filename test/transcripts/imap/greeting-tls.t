# RFC 9051 7.1, 6.1.1, 7.2.2: the greeting, and CAPABILITY before login over TLS                              state raw
S: * OK [CAPABILITY IMAP4rev1 …AUTH=PLAIN] …
C: a CAPABILITY          S: * CAPABILITY IMAP4rev1 …AUTH=PLAIN | a OK
C: b NOOP                S: b OK
C: c LOGOUT              S: * BYE … | c OK | EOF
