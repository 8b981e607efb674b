# RFC 3030 2, 4.2: BDAT 0 LAST, bad sizes, dots and content as they are                                               clients 2, imap 2
S: 220
C: EHLO client.example                      S: 250-… | … | 250 HELP
C: MAIL FROM:<a@client.example>             S: 250
C: RCPT TO:<$ADDRESS>                       S: 250
C: BDAT 24\r\nSubject: dots\r\n\r\n.\r\n..\r\n\c
S: 250 2.0.0
C: BDAT 0 LAST                              S: 250 2.0.0
C: MAIL FROM:<a@client.example>             S: 250
C: RCPT TO:<$ADDRESS>                       S: 250
C: BDAT 16\r\nSubject: two\r\n\r\n\c
S: 250 2.0.0
C: RSET                                     S: 250
C: BDAT 4 LAST\r\nbody\c
S: 503
C: MAIL FROM:<a@client.example>             S: 250
C: RCPT TO:<$ADDRESS>                       S: 250
C: BDAT 4\r\na: b\c
S: 250
C: DATA                                     S: 503
C: BDAT 6 LAST\r\n\r\n\r\nc\r\c
S: 550 5.6.0
C2: a NOOP                                  S2: * 1 EXISTS | … | a OK
C2: b FETCH 1 BODY.PEEK[TEXT]               S2: * 1 FETCH (BODY[TEXT] {7}\r\n.\r\n..\r\n) | b OK
C: BDAT x                                   S: 501 | EOF
