# Who takes it: tags, other names of the domain, patterns, the catch-all, targets of targets; and who does not          service aliases
S: 220
C: EHLO client.example                      S: 250-… | … | 250 HELP
C: MAIL FROM:<a@good.example>               S: 250
C: RCPT TO:<ready@example.test>             S: 250 2.1.5
C: RCPT TO:<Ready+tag+more@EXAMPLE.net>     S: 250 2.1.5
C: RCPT TO:<ready-tag@example.test>         S: 550 5.1.1
C: RCPT TO:<+tag@example.test>              S: 550 5.1.1
C: RCPT TO:<list@example.test>              S: 250 2.1.5
C: RCPT TO:<ORDER-17@example.net>           S: 250 2.1.5
C: RCPT TO:<order-x@example.test>           S: 550 5.1.1
C: RCPT TO:<anybody@other.test>             S: 250 2.1.5
C: RCPT TO:<anybody@example.test>           S: 550 5.1.1
C: RCPT TO:<anybody@far.example>            S: 550 5.7.1
C: RCPT TO:<waits@example.test>             S: 450 4.2.1
C: RCPT TO:<waits+tag@example.net>          S: 450 4.2.1
C: QUIT                                     S: 221 | EOF
