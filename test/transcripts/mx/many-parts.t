# A message of 3000 parts, and one of 200 multiparts in each other: taken; what is beyond 1000 parts or 64 levels is part of the last one   clients 2, imap 2
S: 220
C: EHLO client.example                     S: 250-… | … | 250 HELP
C: MAIL FROM:<a@client.example>            S: 250
C: RCPT TO:<$ADDRESS>                      S: 250
C: DATA                                    S: 354
C: Content-Type: multipart/mixed; boundary=x\r\n\r\n\{--x\r\n\r\nhi\r\n*3000}--x--\r\n.   S: 250 2.0.0
C: MAIL FROM:<a@client.example>            S: 250
C: RCPT TO:<$ADDRESS>                      S: 250
C: DATA                                    S: 354
C: Content-Type: message/rfc822\r\n\r\n\{Content-Type: message/rfc822\r\n\r\n*200}hi\r\n.   S: 250 2.0.0
C: QUIT                                    S: 221 | EOF
C2: a NOOP                                 S2: * 2 EXISTS | … | a OK
C2: b FETCH 1 (UID BODYSTRUCTURE)          S2: * 1 FETCH (… | b OK
C2: c FETCH 2 (UID BODYSTRUCTURE)          S2: * 2 FETCH (… | c OK
C2: d FETCH 1:2 RFC822.SIZE                S2: * 1 FETCH (… | * 2 FETCH (… | d OK
