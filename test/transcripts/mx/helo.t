# RFC 5321 4.1.1.1: HELO is enough, but brings no extensions
S: 220
C: HELO client.example                     S: 250
C: MAIL FROM:<sender@client.example> SIZE=10  S: 555 5.5.4
C: MAIL FROM:<sender@client.example>       S: 250
C: RCPT TO:<$ADDRESS>                      S: 250
C: DATA                                    S: 354
C: Subject: plain
C: .                                       S: 250
C: QUIT                                    S: 221 | EOF
