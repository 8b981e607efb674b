# RFC 6409 6.1: the envelope's sender is who logged in, in any case of letters, or nobody
C: MAIL FROM:<$ADDRESS2>                    S: 553 5.7.1
C: MAIL FROM:<x@elsewhere.example>          S: 553 5.7.1
C: MAIL FROM:<x$ADDRESS>                    S: 553 5.7.1
C: MAIL FROM:<Postmaster>                   S: 501
C: MAIL FROM:<>                             S: 250
C: RSET                                     S: 250
C: MAIL FROM:<$ADDRESS> AUTH=<>             S: 250
C: RSET                                     S: 250
C: MAIL FROM:<$ADDRESS> AUTH=somebody+40elsewhere.example   S: 250
C: RCPT TO:<someone@far.example>            S: 250 2.1.5
C: RCPT TO:<nobody-here@example.test>       S: 550 5.1.1
C: RCPT TO:<$ADDRESS2>                      S: 250 2.1.5
C: RSET                                     S: 250
C: QUIT                                     S: 221 | EOF
