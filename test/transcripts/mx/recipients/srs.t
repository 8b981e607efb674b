# SRS: a rewritten sender of ours takes bounces only, and only what we made; any case, and no catch-all takes it
S: 220
C: EHLO client.example                      S: 250-… | … | 250 HELP
C: MAIL FROM:<a@client.example>             S: 250
C: RCPT TO:<SRS0=aaaaaa=aa=client.example=a@example.test>   S: 550 5.7.1
C: RCPT TO:<srs1=aaaaaa=b.example==x=y=client.example=a@example.test>   S: 550 5.7.1
C: RCPT TO:<SRS0@example.test>              S: 550 5.1.1
C: RSET                                     S: 250
C: MAIL FROM:<>                             S: 250
C: RCPT TO:<SRS0=aaaaaa=aa=client.example=a@example.test>   S: 550 5.1.1
C: RCPT TO:<srs0=aaaaaa=aa==aaaaaaaaaaaaaaaa@example.test>   S: 550 5.1.1
C: RCPT TO:<SRS1=aaaaaa=b.example==x=y=client.example=a@example.test>   S: 550 5.1.1
C: RCPT TO:<SRS0=a@elsewhere.example>       S: 550 5.1.1
C: QUIT                                     S: 221 | EOF
