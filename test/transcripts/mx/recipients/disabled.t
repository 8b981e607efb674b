# Disabled aliases answer as set, and the connection goes on: 421 is for this recipient alone                        service aliases
S: 220
C: EHLO client.example                      S: 250-… | … | 250 HELP
C: MAIL FROM:<a@good.example>               S: 250
C: RCPT TO:<gone@example.test>              S: 550 5.2.1
C: RCPT TO:<soon@example.test>              S: 421 4.2.1
C: RCPT TO:<soon+tag@example.net>           S: 421 4.2.1
C: DATA                                     S: 554 5.5.1
C: RCPT TO:<quiet@example.test>             S: 250 2.1.5
C: DATA                                     S: 354
C: Subject: nobody reads this\r\n\r\nhi\r\n.   S: 250 2.0.0
C: MAIL FROM:<a@good.example>               S: 250
C: RCPT TO:<soon@example.test>              S: 421 4.2.1
C: RCPT TO:<ready@example.test>             S: 250 2.1.5
C: DATA                                     S: 354
C: Subject: for one of them\r\n\r\nhi\r\n.  S: 250 2.0.0 Ok
C: QUIT                                     S: 221 | EOF
