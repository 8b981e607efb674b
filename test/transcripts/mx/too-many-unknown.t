# RFC 5321 3.3, 7.8: who guesses addresses is hung up on
S: 220
C: EHLO client.example                      S: 250-… | … | 250 HELP
C: MAIL FROM:<a@client.example>             S: 250
C*100: RCPT TO:<nobody-\#@example.test>     S*100: 550 5.1.1
S: 421 4.7.0 | EOF
