# RFC 5321 4.1.1.11, RFC 6152, RFC 1870: parameters known, unknown, ill-formed, given twice
S: 220
C: EHLO client.example                      S: 250-… | … | 250 HELP
C: MAIL FROM:<a@client.example> BODY=8BITMIME SIZE=100   S: 250
C: RSET                                     S: 250
C: MAIL FROM:<a@client.example> size=0 body=7bit   S: 250
C: RSET                                     S: 250
C: MAIL FROM:<a@client.example> BODY=9BIT   S: 501
C: MAIL FROM:<a@client.example> BODY        S: 501
C: MAIL FROM:<a@client.example> SIZE=       S: 501
C: MAIL FROM:<a@client.example> SIZE=-1     S: 501
C: MAIL FROM:<a@client.example> SMTPUTF8=1  S: 501
C: MAIL FROM:<a@client.example> BODY=7BIT BODY=7BIT   S: 501
C: MAIL FROM:<a@client.example> AUTH=<>     S: 555
C: MAIL FROM:<a@client.example> =x          S: 501
C: MAIL FROM:<a@client.example>             S: 250
C: RCPT TO:<$ADDRESS> MT-PRIORITY=1         S: 555
C: RCPT TO:<$ADDRESS> X-UNKNOWN             S: 555
C: RCPT TO:<$ADDRESS> SIZE=1                S: 555
C: RCPT TO:<$ADDRESS>                       S: 250
C: QUIT                                     S: 221 | EOF
