# RFC 2033 1: one mailbox that is full does not keep the message from another                 service lmtp, clients 2, imap 2, limit 64K
S: 220
C: LHLO front.example                      S: 250-… | … | 250 HELP
C: MAIL FROM:<a@client.example>            S: 250
C: RCPT TO:<$ADDRESS2>                     S: 250
C: RCPT TO:<$ADDRESS>                      S: 250
C: RCPT TO:<$ADDRESS2>                     S: 250
C: DATA                                    S: 354
C: From: a@client.example\r\nMessage-ID: <1@client.example>\r\n\r\n\{0123456789012345678901234567890123456789012345678901234567890123456789\r\n*2000}.   S: 250 2.0.0 | 552 5.2.2 | 250 2.0.0
C2: a NOOP                                 S2: a OK
C: QUIT                                    S: 221 | EOF
