# RFC 5321 2.3.8: in commands too a line ends in CRLF and nothing else
S: 220
C: EHLO client.example                      S: 250-… | … | 250 HELP
C: NOOP\rNOOP                               S: 500
C: NOOP\nRSET                               S: 500 | 250
C: NO\x00OP                                 S: 500
C: NOOP                                     S: 250
C: QUIT                                     S: 221 | EOF
