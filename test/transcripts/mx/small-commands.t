# RFC 5321 4.1.1.5 to 4.1.1.10: RSET, VRFY, EXPN, HELP, NOOP, QUIT
S: 220
C: VRFY someone                             S: 503
C: NOOP                                     S: 250
C: RSET                                     S: 250
C: EHLO client.example                      S: 250-… | … | 250 HELP
C: NOOP with words                          S: 250
C: HELP MAIL                                S: 214-… | 214
C: VRFY                                     S: 501
C: VRFY nobody-here                         S: 252
C: EXPN list                                S: 502
C: RSET now                                 S: 501
C: QUIT now                                 S: 501
C: DATA now                                 S: 501
C: STARTTLS now                             S: 501
C: TURN                                     S: 500
C: mail from:<a@client.example>             S: 250
C: NOOP                                     S: 250
C: VRFY someone                             S: 252
C: rcpt to:<$ADDRESS>                       S: 250
C: rset                                     S: 250
C: DATA                                     S: 503
C: quit                                     S: 221 | EOF
