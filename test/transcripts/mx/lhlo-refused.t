# RFC 2033 4.1: LHLO is no command of SMTP
S: 220
C: LHLO client.example                     S: 500 5.5.1
C: EHLO client.example                     S: 250-… | … | 250 HELP
C: QUIT                                    S: 221 | EOF
