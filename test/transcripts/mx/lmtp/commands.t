# RFC 2033 4.1: LHLO and neither HELO nor EHLO; no BDAT, no STARTTLS; DATA without recipients is 503          service lmtp
S: 220
C: EHLO front.example                      S: 500 5.5.1
C: HELO front.example                      S: 500 5.5.1
C: MAIL FROM:<a@client.example>            S: 503
C: LHLO                                    S: 501
C: LHLO front.example                      S: 250-… | … | 250 HELP
C: STARTTLS                                S: 502
C: MAIL FROM:<a@client.example> BODY=BINARYMIME   S: 555
C: MAIL FROM:<a@null.example>              S: 250
C: DATA                                    S: 503
C: RCPT TO:<nobody@example.test>           S: 550
C: DATA                                    S: 503
C: BDAT 4\r\nQUIT\c                        S: 502
C: NOOP                                    S: 250
C: XCLIENT ADDR=203.0.113.1                S: 220
C: LHLO front.example                      S: 250-… | … | 250 HELP
C: QUIT                                    S: 221 | EOF
