# RFC 2449 5, RFC 5034 3: what is offered over TLS, before and after the login      state new
C: CAPA
S: +OK | TOP | UIDL | RESP-CODES | AUTH-RESP-CODE | PIPELINING | EXPIRE NEVER | LOGIN-DELAY 0 | UTF8 USER | USER | SASL PLAIN | IMPLEMENTATION Letterlock | .
C: STLS                                 S: -ERR
C: AUTH PLAIN $PLAIN                    S: +OK
C: CAPA
S: +OK | TOP | UIDL | RESP-CODES | AUTH-RESP-CODE | PIPELINING | EXPIRE NEVER | LOGIN-DELAY 0 | UTF8 USER | IMPLEMENTATION Letterlock | .
C: QUIT                                 S: +OK | EOF
