# Recipients of a network and messages under a domain within an hour, connections of a network within a minute   service rates
S: 220
C: EHLO front.example                       S: 250-… | … | 250 HELP
C: XCLIENT ADDR=203.0.113.6                 S: 220
C: EHLO client.example                      S: 250-… | … | 250 HELP
C: MAIL FROM:<a@good.example>               S: 250
C*3: RCPT TO:<$ADDRESS>                     S*3: 250
C: RCPT TO:<$ADDRESS>                       S: 450 4.7.1
C: RCPT TO:<nobody@example.test>            S: 550 5.1.1
C: RSET                                     S: 250
C: XCLIENT ADDR=198.51.100.6                S: 220
C: EHLO client.example                      S: 250-… | … | 250 HELP
C: MAIL FROM:<b@good.example>               S: 250
C: RCPT TO:<$ADDRESS>                       S: 250
C: RSET                                     S: 250
C: MAIL FROM:<c@GOOD.example>               S: 450 4.7.1
C: MAIL FROM:<c@host.example>               S: 250
C: RSET                                     S: 250
C: XCLIENT ADDR=203.0.113.7                 S: 220
C: XCLIENT ADDR=203.0.113.8                 S: 220
C: XCLIENT ADDR=203.0.113.9                 S: 421 4.7.0 | EOF
