# RFC 2033 4.2: after the data each recipient is answered, in order                             service lmtp, clients 2, imap 2
S: 220 $host LMTP Letterlock
C: LHLO front.example                      S: 250-$host | 250-PIPELINING | 250-SIZE 52428800 | 250-8BITMIME | 250-SMTPUTF8 | 250-ENHANCEDSTATUSCODES | 250-LIMITS RCPTMAX=100 | 250-DSN | 250-MT-PRIORITY | 250-XCLIENT … | 250 HELP
C: MAIL FROM:<a@client.example>            S: 250
C: RCPT TO:<$ADDRESS2>                     S: 250
C: RCPT TO:<nobody@example.test>           S: 550 5.1.1
C: RCPT TO:<$ADDRESS>                      S: 250
C: RCPT TO:<$ADDRESS>                      S: 250
C: DATA                                    S: 354
C: From: a@client.example\r\nMessage-ID: <1@client.example>\r\n\r\nhi\r\n.   S: 250 2.0.0 | 250 2.0.0 | 250 2.0.0
C2: a NOOP                                 S2: * 1 EXISTS | … | a OK
C2: b FETCH 1 BODY.PEEK[HEADER.FIELDS (RECEIVED)]   S2: * 1 FETCH (BODY[HEADER.FIELDS (RECEIVED)] {…}\r\nReceived: from front.example\r\n\tby $host with LMTP\r\n… | b OK
C: MAIL FROM:<a@client.example>            S: 250
C: RCPT TO:<$ADDRESS>                      S: 250
C: RCPT TO:<$ADDRESS2>                     S: 250
C: DATA                                    S: 354
C: one\n.\ntwo\r\n.                        S: 550 5.6.0 | 550 5.6.0
C: QUIT                                    S: 221 | EOF
