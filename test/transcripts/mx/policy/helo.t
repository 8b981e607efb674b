# RFC 5321 4.1.4: no name in EHLO leads to refusal because it does not match; our own name does             service strict
S: 220 $host ESMTP Letterlock
C: EHLO front.example                       S: 250-… | … | 250 HELP
C: XCLIENT ADDR=203.0.113.3                 S: 220
C: EHLO nowhere.example                     S: 250-… | … | 250 HELP
C: MAIL FROM:<a@good.example>               S: 250
C: RCPT TO:<$ADDRESS>                       S: 250
C: HELO [198.51.100.200]                    S: 250
C: MAIL FROM:<a@good.example>               S: 250
C: RCPT TO:<$ADDRESS>                       S: 250
C: HELO no!host!name                        S: 250
C: MAIL FROM:<a@good.example>               S: 250
C: RCPT TO:<$ADDRESS>                       S: 250
C: HELO $host                              S: 250
C: MAIL FROM:<a@good.example>               S: 250
C: RCPT TO:<$ADDRESS>                       S: 550 5.7.1
C: HELO [127.0.0.1]                         S: 250
C: MAIL FROM:<a@good.example>               S: 250
C: RCPT TO:<$ADDRESS>                       S: 550 5.7.1
C: QUIT                                     S: 221 | EOF
