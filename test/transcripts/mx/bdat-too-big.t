# RFC 3030 2, RFC 1870 6.3: chunks that are too big in all are refused; the size says so before the octets           whole
S: 220
C: EHLO client.example                      S: 250-… | … | 250 HELP
C: MAIL FROM:<a@client.example>             S: 250
C: RCPT TO:<nobody-here@example.test>       S: 550
C: BDAT 5 LAST\r\nabcde\c
S: 554 5.5.1
C: QUIT                                     S: 221 | EOF
