# RFC 4954 6: MAIL before AUTH is 530 5.7.0; EHLO before both   state raw
S: 220
C: AUTH PLAIN $PLAIN                        S: 503 5.5.1
C: HELO client.example                      S: 250
C: AUTH PLAIN $PLAIN                        S: 503 5.5.1
C: MAIL FROM:<$ADDRESS>                     S: 530 5.7.0 Authentication required
C: EHLO client.example                      S: 250-… | … | 250 HELP
C: MAIL FROM:<$ADDRESS>                     S: 530 5.7.0 Authentication required
C: MAIL FROM:<>                             S: 530 5.7.0
C: RCPT TO:<$ADDRESS>                       S: 503 5.5.1
C: DATA                                     S: 503 5.5.1
C: QUIT                                     S: 221 | EOF
