# RFC 5530 3: AUTHENTICATIONFAILED, AUTHORIZATIONFAILED, CLIENTBUG before login                            state new
C: a SELECT INBOX                      S: a BAD [CLIENTBUG]
C: b LOGIN $ADDRESS wrong              S: b NO [AUTHENTICATIONFAILED]
C: c AUTHENTICATE XOAUTH2              S: c NO [CANNOT]
C: d AUTHENTICATE PLAIN c29tZWJvZHkAYUBleGFtcGxlLnRlc3QAeA==   S: d NO [AUTHORIZATIONFAILED]
C: e STARTTLS                          S: e BAD [CLIENTBUG]
