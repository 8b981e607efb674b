# RFC 8689 2, 4.1: REQUIRETLS is neither offered nor taken in the clear; RFC 6710 4: MT-PRIORITY is, and local mail is no faster for it
S: 220
C: EHLO client.example                      S: 250-… | … | 250-DSN | 250-MT-PRIORITY | 250 HELP
C: MAIL FROM:<a@client.example> REQUIRETLS  S: 555 5.5.4
C: MAIL FROM:<a@client.example> MT-PRIORITY=10   S: 501 5.5.4
C: MAIL FROM:<a@client.example> MT-PRIORITY=  S: 501 5.5.4
C: MAIL FROM:<a@client.example> MT-PRIORITY=-4   S: 250
C: RSET                                     S: 250
C: MAIL FROM:<a@client.example> MT-PRIORITY=9   S: 250
C: RCPT TO:<$ADDRESS>                       S: 250
C: DATA                                     S: 354
C: Subject: first\r\n\r\nx\r\n.             S: 250 2.0.0
C: MAIL FROM:<a@client.example> HOLDFOR=60  S: 555
C: MAIL FROM:<a@client.example> BY=60;N     S: 555
C: QUIT                                     S: 221 | EOF
