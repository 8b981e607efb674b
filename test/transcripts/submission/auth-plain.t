# RFC 4954 4, RFC 4616: PLAIN with and without an initial response; only once   clients 2, state new
C: AUTH PLAIN $PLAIN                        S: 235 2.7.0
C: AUTH PLAIN $PLAIN                        S: 503 5.5.1
C: AUTH LOGIN                               S: 503 5.5.1
C: MAIL FROM:<$ADDRESS>                     S: 250 2.1.0
C: AUTH PLAIN $PLAIN                        S: 503
C: RSET                                     S: 250
C: QUIT                                     S: 221 | EOF
C2: auth plain                              S2: 334
C2: $PLAIN                                  S2: 235 2.7.0
C2: MAIL FROM:<$ADDRESS>                    S2: 250 2.1.0
C2: QUIT                                    S2: 221 | EOF
