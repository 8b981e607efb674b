# Who is met the first time comes again; then the network, the sender and our domain know each other         service grey
S: 220
C: EHLO front.example                       S: 250-… | … | 250 HELP
C: XCLIENT ADDR=203.0.113.5                 S: 220
C: EHLO client.example                      S: 250-… | … | 250 HELP
C: MAIL FROM:<a@host.example>               S: 250
C: RCPT TO:<$ADDRESS>                       S: 450 4.7.1
C: RCPT TO:<nobody@example.test>            S: 550 5.1.1
C: RSET                                     S: 250
C: MAIL FROM:<A@host.example>               S: 250
C: RCPT TO:<$ADDRESS>                       S: 250
C: RSET                                     S: 250
C: XCLIENT ADDR=203.0.113.99                S: 220
C: EHLO client.example                      S: 250-… | … | 250 HELP
C: MAIL FROM:<a@host.example>               S: 250
C: RCPT TO:<$ADDRESS>                       S: 250
C: RSET                                     S: 250
C: XCLIENT ADDR=198.51.100.5                S: 220
C: EHLO client.example                      S: 250-… | … | 250 HELP
C: MAIL FROM:<a@host.example>               S: 250
C: RCPT TO:<$ADDRESS>                       S: 450 4.7.1
C: RSET                                     S: 250
C: MAIL FROM:<bounce-17@host.example>       S: 250
C: RCPT TO:<$ADDRESS>                       S: 450 4.7.1
C: RSET                                     S: 250
C: MAIL FROM:<bounce-18@host.example>       S: 250
C: RCPT TO:<$ADDRESS>                       S: 250
C: QUIT                                     S: 221 | EOF
