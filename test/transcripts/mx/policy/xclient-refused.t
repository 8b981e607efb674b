# XCLIENT is offered to nobody else, and refused
S: 220
C: EHLO client.example                      S: 250-… | … | 250 HELP
C: XCLIENT ADDR=203.0.113.11                S: 550 5.7.0
C: MAIL FROM:<a@client.example>             S: 250
C: QUIT                                     S: 221 | EOF
