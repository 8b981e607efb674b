# RFC 5321 4.1.2, 4.5.3.1: what a sender may look like
S: 220
C: EHLO client.example                      S: 250-… | … | 250 HELP
C: MAIL                                     S: 501
C: MAIL FROM                                S: 501
C: MAIL FROM:                               S: 501
C: MAIL FROM:<                              S: 501
C: MAIL FROM:<a                             S: 501
C: MAIL FROM:<a@>                           S: 501
C: MAIL FROM:<@b.example>                   S: 501
C: MAIL FROM:<a b@client.example>           S: 501
C: MAIL FROM:<a@client..example>            S: 501
C: MAIL FROM:<a@client.example>x            S: 501
C: MAIL TO:<a@client.example>               S: 501
C: RCPT TO:<\{x*65}@example.test>            S: 501
C: MAIL FROM:<\{x*300}@client.example>      S: 501
C: MAIL FROM:<a@[192.0.2.1]>                S: 250
C: RSET                                     S: 250
C: MAIL FROM:<a@[IPv6:2001:db8::1]>         S: 250
C: RSET                                     S: 250
C: MAIL FROM:<"quoted \\"local\\" part"@client.example>   S: 250
C: RSET                                     S: 250
C: MAIL FROM:<\{x*64}@client.example>       S: 250
C: RSET                                     S: 250
C: MAIL FROM:<@relay.example,@other.example:a@client.example>   S: 250
C: QUIT                                     S: 221 | EOF
