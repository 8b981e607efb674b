# RFC 6152: 8-bit text is taken, announced or not, and comes back as it was                                          clients 2, imap 2
S: 220
C: EHLO client.example                      S: 250-… | … | 250 HELP
C: MAIL FROM:<a@client.example> BODY=8BITMIME   S: 250
C: RCPT TO:<$ADDRESS>                       S: 250
C: DATA                                     S: 354
C: a: b\r\n\r\n\xff\x80\xc3\xbc\x01\r\n.    S: 250 2.0.0
C2: a NOOP                                  S2: * 1 EXISTS | … | a OK
C2: b FETCH 1 BODY.PEEK[TEXT]               S2: * 1 FETCH (BODY[TEXT] {7}\r\n\xff\x80\xc3\xbc\x01\r\n) | b OK
