# bytes times recipients: over 1 GiB fewer recipients are asked for, with 452                                   others 21
S: 220
C: EHLO client.example                      S: 250-… | … | 250 HELP
C: MAIL FROM:<a@client.example> SIZE=52428800   S: 250
C*20: RCPT TO:<$OTHER\#>                    S*20: 250
C: RCPT TO:<$OTHER21>                       S: 452 4.5.3
C: QUIT                                     S: 221 | EOF
