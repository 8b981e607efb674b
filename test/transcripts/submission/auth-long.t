# RFC 4954 4: a response of up to 12,288 octets is read; one that is longer ends the login, not the session   state new
C: AUTH PLAIN                               S: 334
C: \{AAAA*3072}                             S: 501 5.5.2
C: AUTH PLAIN                               S: 334
C: \{AAAA*3073}                             S: 500 5.5.6
C: NOOP                                     S: 250
C: AUTH PLAIN                               S: 334
C: AAAA\x00AAAA                             S: 500 5.5.6
C: AUTH PLAIN $PLAIN                        S: 235
C: QUIT                                     S: 221 | EOF
