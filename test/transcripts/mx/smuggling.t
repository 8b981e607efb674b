# RFC 5321 4.1.1.4: nothing but CRLF.CRLF ends a message (CVE-2023-51764): each form is refused, none is obeyed
S: 220
C: EHLO client.example                     S: 250-… | … | 250 HELP
C: MAIL FROM:<a@client.example>            S: 250
C: RCPT TO:<$ADDRESS>                      S: 250
C: DATA                                    S: 354
C: one\n.\nMAIL FROM:<evil@client.example>\r\nRCPT TO:<$ADDRESS>\r\nDATA\r\nevil\r\n.\r\n\c
S: 550 5.6.0
C: MAIL FROM:<a@client.example>            S: 250
C: RCPT TO:<$ADDRESS>                      S: 250
C: DATA                                    S: 354
C: one\r\n.\rMAIL FROM:<evil@client.example>\r\n.\r\n\c
S: 550 5.6.0
C: MAIL FROM:<a@client.example>            S: 250
C: RCPT TO:<$ADDRESS>                      S: 250
C: DATA                                    S: 354
C: one\x00two\r\n.\r\n\c
S: 550 5.6.0
C: NOOP\nNOOP\r\n\c
S: 500 5.5.2 | 250
C: QUIT                                    S: 221 | EOF
