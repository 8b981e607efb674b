# RFC 2449 5: what is offered, before TLS               clear
S: +OK
C: CAPA
S: +OK | TOP | UIDL | RESP-CODES | AUTH-RESP-CODE | PIPELINING | EXPIRE NEVER | LOGIN-DELAY 0 | UTF8 USER | STLS | IMPLEMENTATION Letterlock | .
C: USER hello@example.test              S: -ERR
C: AUTH PLAIN AGEAYg==                  S: -ERR
C: QUIT                                 S: +OK | EOF
