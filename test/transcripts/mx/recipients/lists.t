# Allow and deny lists, said at RCPT: the most exact row, an address's own before its domain's                       service aliases
S: 220
C: EHLO front.example                       S: 250-… | … | 250 HELP
C: MAIL FROM:<x@bad.example>                S: 250
C: RCPT TO:<ready@example.test>             S: 550 5.7.1
C: RCPT TO:<ready+tag@example.net>          S: 550 5.7.1
C: RCPT TO:<order-1@example.test>           S: 550 5.7.1
C: RCPT TO:<anybody@other.test>             S: 250 2.1.5
C: RCPT TO:<nobody@example.test>            S: 550 5.1.1
C: RSET                                     S: 250
C: MAIL FROM:<x@deep.below.BAD.example>     S: 250
C: RCPT TO:<ready@example.test>             S: 550 5.7.1
C: RSET                                     S: 250
C: MAIL FROM:<Friend@bad.example>           S: 250
C: RCPT TO:<ready@example.test>             S: 250 2.1.5
C: RCPT TO:<list@example.test>              S: 550 5.7.1
C: RSET                                     S: 250
C: MAIL FROM:<x@good.example>               S: 250
C: RCPT TO:<out@example.test>               S: 550 5.7.1
C: RSET                                     S: 250
C: MAIL FROM:<>                             S: 250
C: RCPT TO:<out@example.test>               S: 250 2.1.5
C: RSET                                     S: 250
C: XCLIENT ADDR=198.51.100.7                S: 220
C: EHLO client.example                      S: 250-… | … | 250 HELP
C: MAIL FROM:<x@good.example>               S: 250
C: RCPT TO:<ready@example.test>             S: 550 5.7.1
C: RCPT TO:<anybody@other.test>             S: 250 2.1.5
C: RSET                                     S: 250
C: MAIL FROM:<friend@bad.example>           S: 250
C: RCPT TO:<ready@example.test>             S: 250 2.1.5
C: QUIT                                     S: 221 | EOF
