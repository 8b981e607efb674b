# A header block over 256 KiB or 4000 fields is refused, one below both is not
S: 220
C: EHLO client.example                     S: 250-… | … | 250 HELP
C: MAIL FROM:<a@client.example>            S: 250
C: RCPT TO:<$ADDRESS>                      S: 250
C: DATA                                    S: 354
C: \{X-Long: 0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\r\n 0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890\r\n*850}\r\nbody\r\n.   S: 552 5.3.4
C: MAIL FROM:<a@client.example>            S: 250
C: RCPT TO:<$ADDRESS>                      S: 250
C: DATA                                    S: 354
C: \{X-A: b\r\n*4001}\r\nbody\r\n.         S: 550 5.6.0
C: MAIL FROM:<a@client.example>            S: 250
C: RCPT TO:<$ADDRESS>                      S: 250
C: DATA                                    S: 354
C: \{X-A: b\r\n*4000}\r\n\{X-A: b\r\n*4001}.   S: 250 2.0.0
C: QUIT                                    S: 221 | EOF
