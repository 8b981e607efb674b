# RFC 5321 4.5.4.2: mx.sender_check = strict asks to come again when the sender's domain cannot be looked up   service stricter
S: 220
C: EHLO front.example                       S: 250-… | … | 250 HELP
C: XCLIENT ADDR=203.0.113.2                 S: 220
C: EHLO client.example                      S: 250-… | … | 250 HELP
C: MAIL FROM:<a@broken.example>             S: 250
C: RCPT TO:<$ADDRESS>                       S: 450 4.1.8
C: RCPT TO:<Postmaster>                     S: 550 5.1.1
C: QUIT                                     S: 221 | EOF
