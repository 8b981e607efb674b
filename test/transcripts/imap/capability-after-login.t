# RFC 9051 6.2.3, 7.1: the OK of LOGIN tells what is offered now                                               state new
C: a LOGIN $ADDRESS $PASSWORD
S: a OK [CAPABILITY IMAP4rev1
C: b CAPABILITY
S: * CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR ID ENABLE … IDLE NAMESPACE UIDPLUS …
S: b OK
C: c CAPABILITY now                    S: c BAD
C: d LOGIN $ADDRESS $PASSWORD          S: d BAD
C: e AUTHENTICATE PLAIN $PLAIN         S: e BAD
C: f STARTTLS                          S: f BAD
C: g LOGOUT                            S: * BYE … | g OK | EOF
