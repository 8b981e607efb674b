# What would go in circles: a pattern that leads to itself, and a message that was in the alias before                service aliases
S: 220
C: EHLO client.example                      S: 250-… | … | 250 HELP
C: MAIL FROM:<>                             S: 250
C: RCPT TO:<round@example.test>             S: 554 5.4.6
C: RCPT TO:<out@example.test>               S: 250 2.1.5
C: DATA                                     S: 354
C: Delivered-To: other@example.test\r\nDelivered-To: Out@example.test\r\n\r\nhi\r\n.   S: 554 5.4.6
C: MAIL FROM:<>                             S: 250
C: RCPT TO:<out@example.test>               S: 250 2.1.5
C: DATA                                     S: 354
C: Subject: x\r\n\r\nDelivered-To: out@example.test\r\n.   S: 250 2.0.0 Ok
C: QUIT                                     S: 221 | EOF
