# RFC 3030: chunks, also in disorder; BINARYMIME needs them
S: 220
C: EHLO client.example                     S: 250-… | … | 250 HELP
C: BDAT 6 LAST\r\nQUIT\r\n\c
S: 503 5.5.1
C: MAIL FROM:<a@client.example>            S: 250
C: BDAT 3\r\nabc\c
S: 554 5.5.1
C: MAIL FROM:<a@client.example> BODY=8BITMIME  S: 250
C: RCPT TO:<$ADDRESS>                      S: 250
C: BDAT 14\r\nSubject: one\r\n\c
S: 250 2.0.0 14 octets
C: RCPT TO:<$ADDRESS>                      S: 503
C: BDAT 5 LAST\r\n\r\n.\r\n\c
S: 250 2.0.0 Ok, stored as
C: MAIL FROM:<a@client.example> BODY=BINARYMIME  S: 250
C: RCPT TO:<$ADDRESS>                      S: 250
C: DATA                                    S: 503 5.5.1
C: BDAT 22 LAST\r\nSubject: two\r\n\r\n\x00\x01\n\rab\c
S: 250 2.0.0 Ok, stored as
C: MAIL FROM:<a@client.example>            S: 250
C: RCPT TO:<$ADDRESS>                      S: 250
C: BDAT 2 LAST\r\na\n\c
S: 550 5.6.0
C: QUIT                                    S: 221 | EOF
