# RFC 5322 2.2: bytes above 127 in a header without SMTPUTF8 are an error of old programs: taken, and kept as they came   clients 2, imap 2
S: 220
C: EHLO client.example                     S: 250-… | … | 250 HELP
C: MAIL FROM:<a@client.example>            S: 250
C: RCPT TO:<$ADDRESS>                      S: 250
C: DATA                                    S: 354
C: Subject: gr\xfc\xdfe\r\n\r\nbody\r\n.   S: 250 2.0.0
C2: a NOOP                                 S2: * 1 EXISTS | … | a OK
C2: b FETCH 1 BODY.PEEK[HEADER.FIELDS (SUBJECT)]   S2: * 1 FETCH (BODY[HEADER.FIELDS (SUBJECT)] {18}\r\nSubject: gr\xfc\xdfe\r\n\r\n) | b OK
C: QUIT                                    S: 221 | EOF
