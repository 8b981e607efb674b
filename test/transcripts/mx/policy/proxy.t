# The PROXY protocol, version 1: the greeting waits for it, and trace and limits see the client                      service proxied, clients 2, imap 2
C: PROXY TCP4 192.0.2.7 198.51.100.1 56324 25
S: 220
C: EHLO client.example                      S: 250-… | … | 250 HELP
C: MAIL FROM:<a@good.example>               S: 250
C: RCPT TO:<$ADDRESS>                       S: 250
C: DATA                                     S: 354
C: From: a@good.example\r\n\r\nhi\r\n.      S: 250 2.0.0
C: QUIT                                     S: 221 | EOF
C2: a NOOP                                  S2: * 1 EXISTS | … | a OK
C2: b FETCH 1 BODY.PEEK[HEADER.FIELDS (RECEIVED)]   S2: * 1 FETCH (BODY[HEADER.FIELDS (RECEIVED)] {…}\r\nReceived: from client.example ([192.0.2.7])\r\n… | b OK
