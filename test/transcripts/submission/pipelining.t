# RFC 2920 3.1: MAIL to DATA in one packet, AUTH alone; DATA ends a group   state new, whole
C: AUTH PLAIN $PLAIN                        S: 235
C: MAIL FROM:<$ADDRESS>\r\nRCPT TO:<$ADDRESS>\r\nRCPT TO:<nobody-here@example.test>\r\nRCPT TO:<a@far.example>\r\nDATA
S: 250 2.1.0 | 250 2.1.5 | 550 5.1.1 | 250 2.1.5 | 354
C: From: $ADDRESS\r\n\r\nx\r\n.\r\nMAIL FROM:<$ADDRESS>\r\nRCPT TO:<$ADDRESS>\r\nRSET\r\nNOOP
S: 250 2.0.0 | 250 2.1.0 | 250 2.1.5 | 250 | 250
C: MAIL FROM:<$ADDRESS>\r\nRCPT TO:<$ADDRESS>\r\nDATA\r\nFrom: $ADDRESS\r\n\r\nx\r\n.   S: 250 | 250 | 554 5.5.0 | EOF
