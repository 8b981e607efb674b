# RFC 5321 2.4, 4.1.1.3: domains in any case; source routes are passed over
S: 220
C: EHLO client.example                      S: 250-… | … | 250 HELP
C: MAIL FROM:<a@client.example>             S: 250
C: RCPT TO:<@relay.example,@two.example:$ADDRESS>   S: 250
C: RCPT TO:<"$ADDRESS"@elsewhere.example>   S: 550 5.7.1
C: RCPT TO:<x@[192.0.2.1]>                  S: 550 5.7.1
C: RCPT TO:<x@EXAMPLE.TEST>                 S: 550 5.1.1
C: RCPT TO:<x@example.test.>                S: 501
C: QUIT                                     S: 221 | EOF
