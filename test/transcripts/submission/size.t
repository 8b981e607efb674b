# RFC 1870 6.1: a size that is too big is refused at MAIL; a header block over 128 KiB is   whole
C: MAIL FROM:<$ADDRESS> SIZE=52428800       S: 250
C: RSET                                     S: 250
C: MAIL FROM:<$ADDRESS> SIZE=52428801       S: 552 5.3.4
C: MAIL FROM:<$ADDRESS> SIZE=x              S: 501
C: RCPT TO:<$ADDRESS>                       S: 503
C: MAIL FROM:<$ADDRESS>\r\nRCPT TO:<$ADDRESS>\r\nDATA   S: 250 | 250 | 354
C: From: $ADDRESS\r\n\{X-Long: 01234567890123456789012345678901234567890123456789\r\n*2300}\r\nx\r\n.   S: 552 5.3.4
C: MAIL FROM:<$ADDRESS>\r\nRCPT TO:<$ADDRESS>\r\nDATA   S: 250 | 250 | 354
C: From: $ADDRESS\r\n\r\n\{x*999}\r\n.       S: 550 5.6.0
C: MAIL FROM:<$ADDRESS>\r\nRCPT TO:<$ADDRESS>\r\nDATA   S: 250 | 250 | 354
C: From: $ADDRESS\r\n\r\na\nb\r\n.          S: 550 5.6.0
C: MAIL FROM:<$ADDRESS>\r\nRCPT TO:<$ADDRESS>\r\nDATA   S: 250 | 250 | 354
C: From: $ADDRESS\r\n\{X-Long: 01234567890123456789012345678901234567890123456789\r\n*2000}\r\nx\r\n.   S: 250 2.0.0
C: QUIT                                     S: 221 | EOF
