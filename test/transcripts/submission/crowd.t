# RFC 5321 4.5.3.1.10: a hundred recipients, here and elsewhere; the next is 452   others 1
C: MAIL FROM:<$ADDRESS>                     S: 250
C: RCPT TO:<$OTHER1>                        S: 250
C*99: RCPT TO:<someone\#@far.example>       S*99: 250 2.1.5
C: RCPT TO:<more@far.example>               S: 452 4.5.3
C: DATA                                     S: 354
C: From: $ADDRESS\r\n\r\nx\r\n.             S: 250 2.0.0
C: QUIT                                     S: 221 | EOF
