# RFC 5034 4: AUTH PLAIN, cancelled, malformed, and as it should be        messages 1, state new
C: AUTH                     S: +OK | PLAIN | .
C: AUTH SCRAM-SHA-1         S: -ERR
C: AUTH PLAIN               S: +…
C: *                        S: -ERR
C: AUTH PLAIN               S: +…
C: %%%                      S: -ERR
C: AUTH PLAIN               S: +…
C: $PLAIN                   S: +OK 1 messages, $all octets
C: QUIT                     S: +OK | EOF
