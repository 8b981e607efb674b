# Commands that bring no mail are counted
S: 220
C: EHLO client.example                      S: 250-… | … | 250 HELP
C*99: NOOP                                  S*99: 250
C: NOOP                                     S: 421 4.7.0 | EOF
