# A DNS that cannot answer refuses nobody (mx.sender_check = known)                                       service strict
S: 220
C: EHLO front.example                       S: 250-… | … | 250 HELP
C: XCLIENT ADDR=203.0.113.2                 S: 220
C: EHLO client.example                      S: 250-… | … | 250 HELP
C: MAIL FROM:<a@broken.example>             S: 250
C: RCPT TO:<$ADDRESS>                       S: 250
C: QUIT                                     S: 221 | EOF
