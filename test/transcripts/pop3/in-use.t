# RFC 1939 4, RFC 2449 8.1.2: one session at a time        messages 1, clients 2, state new
C1: USER $ADDRESS           S1: +OK
C1: PASS $PASSWORD          S1: +OK 1 messages, $all octets
C2: USER $ADDRESS           S2: +OK
C2: PASS $PASSWORD          S2: -ERR [IN-USE]
C1: QUIT                    S1: +OK Bye, 1 messages left | EOF
C2: USER $ADDRESS           S2: +OK
C2: PASS $PASSWORD          S2: +OK 1 messages, $all octets
C2: QUIT                    S2: +OK | EOF
