# RFC 1939 6: without QUIT nothing is deleted              messages 1, clients 2, state new
C1: USER $ADDRESS           S1: +OK
C1: PASS $PASSWORD          S1: +OK 1 messages, $all octets
C1: DELE 1                  S1: +OK
C1: RSET                    S1: +OK 1 messages, $all octets
C1: DELE 1                  S1: +OK
C1: STAT                    S1: +OK 0 0
C1: LIST                    S1: +OK 0 messages, 0 octets | .
C1: \{x*700}                S1: -ERR
C1: NOOP                    S1: +OK
