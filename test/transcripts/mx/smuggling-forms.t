# RFC 5321 4.1.1.4, 2.3.8: LF.LF, LF.CRLF, CRLF.LF, CR.CR, CRCRLF: refused, the dialogue in step, nothing delivered   clients 2, imap 2
S: 220
C: EHLO client.example                      S: 250-… | … | 250 HELP
C: MAIL FROM:<a@client.example>             S: 250
C: RCPT TO:<$ADDRESS>                       S: 250
C: DATA                                     S: 354
C: a: b\r\n\r\none\n.\nMAIL FROM:<evil@client.example>\r\n.   S: 550 5.6.0
C: MAIL FROM:<a@client.example>             S: 250
C: RCPT TO:<$ADDRESS>                       S: 250
C: DATA                                     S: 354
C: a: b\r\n\r\ntwo\n.\r\nMAIL FROM:<evil@client.example>\r\n.   S: 550 5.6.0
C: MAIL FROM:<a@client.example>             S: 250
C: RCPT TO:<$ADDRESS>                       S: 250
C: DATA                                     S: 354
C: a: b\r\n\r\nthree\r\n.\nMAIL FROM:<evil@client.example>\r\n.   S: 550 5.6.0
C: MAIL FROM:<a@client.example>             S: 250
C: RCPT TO:<$ADDRESS>                       S: 250
C: DATA                                     S: 354
C: a: b\r\n\r\nfour\r.\rMAIL FROM:<evil@client.example>\r\n.   S: 550 5.6.0
C: MAIL FROM:<a@client.example>             S: 250
C: RCPT TO:<$ADDRESS>                       S: 250
C: DATA                                     S: 354
C: a: b\r\n\r\nfive\r\r\n.\r\r\nMAIL FROM:<evil@client.example>\r\n.   S: 550 5.6.0
C: MAIL FROM:<a@client.example>             S: 250
C: RCPT TO:<$ADDRESS>                       S: 250
C: DATA                                     S: 354
C: a: b\r\n\r\nsix\r\n.\r\x00\nMAIL FROM:<evil@client.example>\r\n.   S: 550 5.6.0
C: NOOP                                     S: 250
C2: a NOOP                                  S2: a OK
C: QUIT                                     S: 221 | EOF
