# RFC 5321 4.5.3.1.8, 4.5.3.1.10: a hundred recipients are taken, the next is 452, and the message goes to the hundred   others 101
S: 220
C: EHLO client.example                      S: 250-… | … | 250 HELP
C: MAIL FROM:<a@client.example>             S: 250
C*100: RCPT TO:<$OTHER\#>                   S*100: 250 2.1.5
C: RCPT TO:<$OTHER101>                      S: 452 4.5.3
C: RCPT TO:<nobody-here@example.test>       S: 452 4.5.3
C: DATA                                     S: 354
C: Subject: many\r\n\r\nbody\r\n.           S: 250 2.0.0
C: MAIL FROM:<a@client.example>             S: 250
C: RCPT TO:<$OTHER101>                      S: 250
C: QUIT                                     S: 221 | EOF
