# RFC 5321 4.5.2: dots are doubled by the client and come back single                                       clients 2, imap 2
S: 220
C: EHLO client.example                      S: 250-… | … | 250 HELP
C: MAIL FROM:<a@client.example>             S: 250
C: RCPT TO:<$ADDRESS>                       S: 250
C: DATA                                     S: 354
C: Subject: dots\r\n\r\n..\r\n...\r\n..a\r\n.b\r\nc.\r\n.   S: 250 2.0.0
C: MAIL FROM:<a@client.example>             S: 250
C: RCPT TO:<$ADDRESS>                       S: 250
C: DATA                                     S: 354
C: .                                        S: 250 2.0.0
C2: a NOOP                                  S2: * 2 EXISTS | … | a OK
C2: b FETCH 1 BODY.PEEK[TEXT]               S2: * 1 FETCH (BODY[TEXT] {18}\r\n.\r\n..\r\n.a\r\nb\r\nc.\r\n) | b OK
C2: c FETCH 2 BODY.PEEK[TEXT]               S2: * 2 FETCH (BODY[TEXT] {0}\r\n) | c OK
