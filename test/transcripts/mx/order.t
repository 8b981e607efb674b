# RFC 5321 4.1.4: order of commands
S: 220
C: MAIL FROM:<a@client.example>            S: 503 5.5.1
C: EHLO client.example                     S: 250-… | … | 250 HELP
C: RCPT TO:<$ADDRESS>                      S: 503 5.5.1
C: DATA                                    S: 503 5.5.1
C: MAIL FROM:<a@client.example>            S: 250
C: MAIL FROM:<a@client.example>            S: 503 5.5.1
C: DATA                                    S: 554 5.5.1
C: RCPT TO:<$ADDRESS>                      S: 250
C: EHLO client.example                     S: 250-… | … | 250 HELP
C: RCPT TO:<$ADDRESS>                      S: 503 5.5.1
C: MAIL FROM:<a@client.example>            S: 250
C: RSET                                    S: 250
C: RCPT TO:<$ADDRESS>                      S: 503 5.5.1
C: AUTH PLAIN AGEAYg==                     S: 502 5.5.1
C: QUIT                                    S: 221 | EOF
