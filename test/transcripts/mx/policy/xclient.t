# Postfix's XCLIENT: from hosts that are named, whole and well-formed, outside of a transaction                    clients 2, imap 2, service strict
S: 220
C: XCLIENT NAME=client.example              S: 220
C: EHLO front.example                       S: 250-… | … | 250-XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT | 250 HELP
C: XCLIENT                                  S: 501 5.5.4
C: XCLIENT COLOUR=red                       S: 501 5.5.4
C: XCLIENT ADDR=2001:db8::1                 S: 501 5.5.4
C: XCLIENT PORT=25 PORT=26                  S: 501 5.5.4
C: MAIL FROM:<a@good.example>               S: 250
C: XCLIENT ADDR=203.0.113.10                S: 503 5.5.1
C: RSET                                     S: 250
C: XCLIENT ADDR=IPV6:2001:db8::77 NAME=client.example   S: 220
C: MAIL FROM:<a@good.example>               S: 503 5.5.1
C: EHLO client.example                      S: 250-… | … | 250 HELP
C: MAIL FROM:<a@good.example>               S: 250
C: RCPT TO:<$ADDRESS>                       S: 250
C: DATA                                     S: 354
C: From: a@good.example\r\n\r\nhi\r\n.      S: 250 2.0.0
C: XCLIENT HELO=said.example PROTO=SMTP     S: 220
C: MAIL FROM:<a@good.example> SIZE=1        S: 555
C: MAIL FROM:<a@good.example>               S: 250
C: QUIT                                     S: 221 | EOF
C2: a NOOP                                  S2: * 1 EXISTS | … | a OK
C2: b FETCH 1 BODY.PEEK[HEADER.FIELDS (RECEIVED)]   S2: * 1 FETCH (… | b OK
