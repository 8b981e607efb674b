# RFC 1870: a size that is too big is refused before it is sent
S: 220
C: EHLO client.example                     S: 250-… | … | 250 HELP
C: MAIL FROM:<a@client.example> SIZE=52428801  S: 552 5.3.4
C: MAIL FROM:<a@client.example> SIZE=99999999999999999999  S: 552 5.3.4
C: MAIL FROM:<a@client.example> SIZE=ten   S: 501 5.5.4
C: MAIL FROM:<a@client.example> SIZE=1 SIZE=1  S: 501 5.5.4
C: MAIL FROM:<a@client.example> SIZE=52428800  S: 250
C: QUIT                                    S: 221 | EOF
