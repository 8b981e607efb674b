# RFC 3461 3, RFC 5321 4.1.1.1: after HELO nothing was offered
S: 220
C: HELO client.example                      S: 250
C: MAIL FROM:<a@client.example> ENVID=x     S: 555
C: MAIL FROM:<a@client.example>             S: 250
C: RCPT TO:<$ADDRESS> NOTIFY=SUCCESS        S: 555
C: RCPT TO:<$ADDRESS>                       S: 250
C: QUIT                                     S: 221 | EOF
