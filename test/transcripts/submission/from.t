# RFC 6409 8.1, RFC 5322 3.6: addresses in From and Sender are who logged in
C: MAIL FROM:<$ADDRESS>\r\nRCPT TO:<$ADDRESS>\r\nDATA   S: 250 | 250 | 354
C: From: $ADDRESS2\r\n\r\nx\r\n.            S: 550 5.7.1
C: MAIL FROM:<$ADDRESS>\r\nRCPT TO:<$ADDRESS>\r\nDATA   S: 250 | 250 | 354
C: From: "$ADDRESS" <$ADDRESS2>\r\n\r\nx\r\n.   S: 550 5.7.1
C: MAIL FROM:<$ADDRESS>\r\nRCPT TO:<$ADDRESS>\r\nDATA   S: 250 | 250 | 354
C: From: $ADDRESS\r\nSender: $ADDRESS2\r\n\r\nx\r\n.   S: 550 5.7.1
C: MAIL FROM:<>\r\nRCPT TO:<$ADDRESS>\r\nDATA   S: 250 | 250 | 354
C: From: $ADDRESS2\r\n\r\nx\r\n.            S: 550 5.7.1
C: MAIL FROM:<$ADDRESS>\r\nRCPT TO:<$ADDRESS>\r\nDATA   S: 250 | 250 | 354
C: From: $ADDRESS, $ADDRESS2\r\nSender: $ADDRESS\r\n\r\nx\r\n.   S: 550 5.7.1
C: MAIL FROM:<$ADDRESS>\r\nRCPT TO:<$ADDRESS>\r\nDATA   S: 250 | 250 | 354
C: Subject: of nobody\r\n\r\nx\r\n.         S: 550 5.6.0
C: MAIL FROM:<$ADDRESS>\r\nRCPT TO:<$ADDRESS>\r\nDATA   S: 250 | 250 | 354
C: From: $ADDRESS\r\nFrom: $ADDRESS\r\n\r\nx\r\n.   S: 550 5.6.0
C: MAIL FROM:<$ADDRESS>\r\nRCPT TO:<$ADDRESS>\r\nDATA   S: 250 | 250 | 354
C: From: $ADDRESS\r\nSender: $ADDRESS\r\nSender: $ADDRESS\r\n\r\nx\r\n.   S: 550 5.6.0
C: MAIL FROM:<$ADDRESS>\r\nRCPT TO:<$ADDRESS>\r\nDATA   S: 250 | 250 | 354
C: From: $ADDRESS, "again" <$ADDRESS>\r\n\r\nx\r\n.   S: 550 5.6.0
C: MAIL FROM:<$ADDRESS>\r\nRCPT TO:<$ADDRESS>\r\nDATA   S: 250 | 250 | 354
C: From: undisclosed:;\r\n\r\nx\r\n.        S: 550 5.6.0
C: MAIL FROM:<$ADDRESS>\r\nRCPT TO:<$ADDRESS>\r\nDATA   S: 250 | 250 | 354
C: From: $ADDRESS\r\n .\r\n\r\nx\r\n.       S: 550
C: MAIL FROM:<>\r\nRCPT TO:<$ADDRESS>\r\nDATA   S: 250 | 250 | 354
C: fRoM:Me <$ADDRESS> (that is me)\r\n\r\nx\r\n.   S: 250 2.0.0
C: QUIT                                     S: 221 | EOF
