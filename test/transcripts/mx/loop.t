# RFC 5321 6.3: 25 Received fields are a loop, 24 are not
S: 220
C: EHLO client.example                     S: 250-… | … | 250 HELP
C: MAIL FROM:<a@client.example>            S: 250
C: RCPT TO:<$ADDRESS>                      S: 250
C: DATA                                    S: 354
C: \{Received: from here by there; Mon, 2 Nov 2026 10:11:12 +0000\r\n*25}\r\n.   S: 554 5.4.6
C: MAIL FROM:<a@client.example>            S: 250
C: RCPT TO:<$ADDRESS>                      S: 250
C: DATA                                    S: 354
C: \{Received: from here by there; Mon, 2 Nov 2026 10:11:12 +0000\r\n*24}\r\n.   S: 250 2.0.0
C: QUIT                                    S: 221 | EOF
