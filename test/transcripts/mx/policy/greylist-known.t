# Known domains pass when SPF proves the sender, known hosts by their name, and who logged in elsewhere         service grey
S: 220
C: EHLO front.example                       S: 250-… | … | 250 HELP
C: XCLIENT ADDR=192.0.2.7                   S: 220
C: EHLO client.example                      S: 250-… | … | 250 HELP
C: MAIL FROM:<x@good.example>               S: 250
C: RCPT TO:<$ADDRESS>                       S: 250
C: DATA                                     S: 354
C: From: x@good.example\r\n\r\nproved\r\n.  S: 250 2.0.0
C: XCLIENT ADDR=192.0.3.9                   S: 220
C: EHLO client.example                      S: 250-… | … | 250 HELP
C: MAIL FROM:<x@good.example>               S: 250
C: RCPT TO:<$ADDRESS>                       S: 250
C: DATA                                     S: 354
C: From: x@good.example\r\n\r\nclaimed\r\n.   S: 450 4.7.1
C: XCLIENT ADDR=192.0.4.9 NAME=out.good.example   S: 220
C: EHLO client.example                      S: 250-… | … | 250 HELP
C: MAIL FROM:<y@host.example>               S: 250
C: RCPT TO:<$ADDRESS>                       S: 250
C: RSET                                     S: 250
C: XCLIENT ADDR=192.0.5.9 LOGIN=someone     S: 220
C: EHLO client.example                      S: 250-… | … | 250 HELP
C: MAIL FROM:<z@host.example>               S: 250
C: RCPT TO:<$ADDRESS>                       S: 250
C: QUIT                                     S: 221 | EOF
