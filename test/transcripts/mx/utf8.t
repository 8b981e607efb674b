# RFC 6531: addresses outside ASCII need SMTPUTF8
S: 220
C: EHLO client.example                     S: 250-… | … | 250 HELP
C: MAIL FROM:<\xc3\xbc@client.example>     S: 553 5.6.7
C: MAIL FROM:<a@client.example>            S: 250
C: RCPT TO:<\xc3\xbc@example.test>         S: 553 5.6.7
C: RSET                                    S: 250
C: MAIL FROM:<\xc3\xbc@client.example> SMTPUTF8 BODY=8BITMIME  S: 250
C: RCPT TO:<\xc3\xbc@example.test>         S: 550 5.1.1
C: RCPT TO:<$ADDRESS>                      S: 250
C: DATA                                    S: 354
C: Subject: gr\xc3\xbc\xc3\x9fe
C: .                                       S: 250 2.0.0
C: QUIT                                    S: 221 | EOF
