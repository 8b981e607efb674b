# RFC 5782: the list is named; postmaster is reached all the same (RFC 5321 4.5.1)                                          service strict
S: 220
C: EHLO front.example                       S: 250-… | … | 250 HELP
C: XCLIENT ADDR=203.0.113.66                S: 220
C: EHLO client.example                      S: 250-… | … | 250 HELP
C: MAIL FROM:<a@good.example>               S: 250
C: RCPT TO:<$ADDRESS>                       S: 550 5.7.1 Mail from 203.0.113.66 is not taken: it is listed by bl.example
C: RCPT TO:<postmaster@example.test>        S: 550 5.1.1
C: QUIT                                     S: 221 | EOF
