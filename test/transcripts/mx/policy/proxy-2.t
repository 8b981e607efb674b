# The PROXY protocol, version 2, IPv6                                                                                service proxied, whole, clients 2, imap 2
C: \r\n\r\n\x00\r\nQUIT\n\x21\x21\x00\x24\x20\x01\x0d\xb8\{\x00*11}\x77\x20\x01\x0d\xb8\{\x00*11}\x01\xdc\x04\x00\x19\c
S: 220
C: EHLO client.example                      S: 250-… | … | 250 HELP
C: MAIL FROM:<a@good.example>               S: 250
C: RCPT TO:<$ADDRESS>                       S: 250
C: DATA                                     S: 354
C: From: a@good.example\r\n\r\nhi\r\n.      S: 250 2.0.0
C: QUIT                                     S: 221 | EOF
C2: a NOOP                                  S2: * 1 EXISTS | … | a OK
C2: b FETCH 1 BODY.PEEK[HEADER.FIELDS (RECEIVED)]   S2: * 1 FETCH (BODY[HEADER.FIELDS (RECEIVED)] {…}\r\nReceived: from client.example ([IPv6:2001:db8::77])\r\n… | b OK
