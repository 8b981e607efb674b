# RFC 2920: commands in one go, answers in order
S: 220
C: EHLO client.example                     S: 250-… | … | 250 HELP
C: MAIL FROM:<a@client.example>\r\nRCPT TO:<nobody-here@example.test>\r\nRCPT TO:<$ADDRESS>\r\nDATA
S: 250 2.1.0 | 550 5.1.1 | 250 2.1.5 | 354
C: Subject: one\r\n\r\ntext\r\n.\r\nMAIL FROM:<b@client.example>\r\nRSET\r\nQUIT
S: 250 2.0.0 | 250 2.1.0 | 250 2.0.0 | 221 2.0.0 | EOF
