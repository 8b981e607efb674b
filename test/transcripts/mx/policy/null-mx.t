# RFC 7505: a sender whose domain takes no mail cannot be answered; one that is not in the DNS neither      service strict
S: 220
C: EHLO front.example                       S: 250-… | … | 250 HELP
C: XCLIENT ADDR=203.0.113.1                 S: 220
C: EHLO client.example                      S: 250-… | … | 250 HELP
C: MAIL FROM:<a@null.example>               S: 250
C: RCPT TO:<$ADDRESS>                       S: 550 5.7.27
C: RCPT TO:<nobody@example.test>            S: 550 5.1.1
C: RCPT TO:<someone@elsewhere.example>      S: 550 5.7.1
C: RSET                                     S: 250
C: MAIL FROM:<a@nowhere.example>            S: 250
C: RCPT TO:<$ADDRESS>                       S: 550 5.1.8
C: RSET                                     S: 250
C: MAIL FROM:<a@empty.example>              S: 250
C: RCPT TO:<$ADDRESS>                       S: 550 5.1.8
C: RSET                                     S: 250
C: MAIL FROM:<a@localhost>                  S: 250
C: RCPT TO:<$ADDRESS>                       S: 550 5.1.8
C: RSET                                     S: 250
C: MAIL FROM:<a@host.example>               S: 250
C: RCPT TO:<$ADDRESS>                       S: 250
C: RSET                                     S: 250
C: MAIL FROM:<a@good.example>               S: 250
C: RCPT TO:<$ADDRESS>                       S: 250
C: DATA                                     S: 354
C: From: a@good.example\r\n\r\nhi\r\n.      S: 250 2.0.0
C: MAIL FROM:<>                             S: 250
C: RCPT TO:<$ADDRESS>                       S: 250
C: QUIT                                     S: 221 | EOF
