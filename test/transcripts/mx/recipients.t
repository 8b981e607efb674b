# Who is here and who is not: unknown, not ours, ill-formed
S: 220
C: EHLO client.example                     S: 250-… | … | 250 HELP
C: MAIL FROM:<>                            S: 250
C: RCPT TO:<nobody-of-that-name@example.test>  S: 550 5.1.1
C: RCPT TO:<someone@elsewhere.example>     S: 550 5.7.1
C: RCPT TO:<someone%elsewhere.example@[127.0.0.1]>  S: 550 5.7.1
C: RCPT TO:<$ADDRESS> RET=HDRS             S: 555 5.5.4
C: RCPT TO:<>                              S: 501 5.1.3
C: RCPT TO:<a..b@example.test>             S: 501 5.1.3
C: RCPT TO: <$ADDRESS>                     S: 250 2.1.5
C: RCPT TO:<@relay.example:$ADDRESS>       S: 250 2.1.5
C: QUIT                                    S: 221 | EOF
