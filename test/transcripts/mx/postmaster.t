# RFC 5321 4.5.1: <Postmaster> is an address without a domain; here no domain has that alias, but the syntax is known
S: 220
C: EHLO client.example                      S: 250-… | … | 250 HELP
C: MAIL FROM:<a@client.example>             S: 250
C: RCPT TO:<Postmaster>                     S: 550
C: RCPT TO:<someone>                        S: 501
C: QUIT                                     S: 221 | EOF
