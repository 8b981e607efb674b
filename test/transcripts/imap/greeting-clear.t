# RFC 9051 6.2.3, RFC 5530 3: in clear there is no login, and it says so                                      clear
S: * OK [CAPABILITY IMAP4rev1 …STARTTLS LOGINDISABLED] …
C: a CAPABILITY                        S: * CAPABILITY IMAP4rev1 …STARTTLS LOGINDISABLED | a OK
C: b LOGIN $ADDRESS $PASSWORD          S: b NO [PRIVACYREQUIRED]
C: c AUTHENTICATE PLAIN $PLAIN         S: c NO [PRIVACYREQUIRED]
C: d AUTHENTICATE PLAIN                S: d NO [PRIVACYREQUIRED]
C: e SELECT INBOX                      S: e BAD
C: f STARTTLS now                      S: f BAD
C: g LOGOUT                            S: * BYE … | g OK | EOF
