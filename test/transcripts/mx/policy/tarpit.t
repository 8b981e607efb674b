# After three errors each costs time; after twenty we hang up                                                               service proxied
C: PROXY TCP4 203.0.113.13 198.51.100.1 56324 25
S: 220
C: EHLO client.example                      S: 250-… | … | 250 HELP
C*20: FOO                                   S*20: 500 5.5.2
S: 421 4.7.0 | EOF
