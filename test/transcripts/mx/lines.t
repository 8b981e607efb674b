# RFC 5321 4.5.3.1: a line of 998 octets is taken, one of 999 is not; commands up to their limit              clients 2, imap 2
S: 220
C: EHLO client.example                      S: 250-… | … | 250 HELP
C: MAIL FROM:<a@client.example>             S: 250
C: RCPT TO:<$ADDRESS>                       S: 250
C: DATA                                     S: 354
C: a: b\r\n\r\n\{x*998}\r\n.                S: 250 2.0.0
C: MAIL FROM:<a@client.example>             S: 250
C: RCPT TO:<$ADDRESS>                       S: 250
C: DATA                                     S: 354
C: a: b\r\n\r\n\{x*999}\r\n.                S: 550 5.6.0
C: NOOP \{x*500}                            S: 250
C: NOOP \{x*20000}                          S: 500
C: NOOP                                     S: 250
C2: a NOOP                                  S2: * 1 EXISTS | … | a OK
C: QUIT                                     S: 221 | EOF
