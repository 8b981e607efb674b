# RFC 5322 3.6: two From fields are refused; other fields that stand there twice are kept as they came           clients 2, imap 2, service strict
S: 220
C: EHLO front.example                      S: 250-… | … | 250 HELP
C: XCLIENT ADDR=192.0.2.7                  S: 220
C: EHLO client.example                     S: 250-… | … | 250 HELP
C: MAIL FROM:<a@client.example>            S: 250
C: RCPT TO:<$ADDRESS>                      S: 250
C: DATA                                    S: 354
C: From: a@client.example\r\nSubject: x\r\nFROM : b@client.example\r\n\r\nbody\r\n.   S: 550 5.6.0
C: MAIL FROM:<a@client.example>            S: 250
C: RCPT TO:<$ADDRESS>                      S: 250
C: DATA                                    S: 354
C: From: a@client.example\r\nSubject: x\r\nSubject: y\r\nTo: a@b\r\nTo: c@d\r\n\r\nFrom: body\r\n.   S: 250 2.0.0
C2: a NOOP                                 S2: * 1 EXISTS | … | a OK
C2: b FETCH 1 BODY.PEEK[HEADER.FIELDS (SUBJECT TO)]   S2: * 1 FETCH (BODY[HEADER.FIELDS (SUBJECT TO)] {44}\r\nSubject: x\r\nSubject: y\r\nTo: a@b\r\nTo: c@d\r\n\r\n) | b OK
C: QUIT                                    S: 221 | EOF
