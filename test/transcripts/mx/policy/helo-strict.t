# mx.helo_check = resolve: names of hosts only, and such as the DNS has                                     service stricter
S: 220
C: EHLO front.example                       S: 250-… | … | 250 HELP
C: XCLIENT ADDR=203.0.113.4                 S: 220
C: EHLO nowhere.example                     S: 250-… | … | 250 HELP
C: MAIL FROM:<a@good.example>               S: 250
C: RCPT TO:<$ADDRESS>                       S: 550 5.7.1
C: HELO no!host!name                        S: 250
C: MAIL FROM:<a@good.example>               S: 250
C: RCPT TO:<$ADDRESS>                       S: 550 5.7.1
C: HELO broken.example                      S: 250
C: MAIL FROM:<a@good.example>               S: 250
C: RCPT TO:<$ADDRESS>                       S: 250
C: HELO client.example                      S: 250
C: MAIL FROM:<a@good.example>               S: 250
C: RCPT TO:<$ADDRESS>                       S: 250
C: HELO [203.0.113.4]                       S: 250
C: MAIL FROM:<a@good.example>               S: 250
C: RCPT TO:<$ADDRESS>                       S: 250
C: QUIT                                     S: 221 | EOF
