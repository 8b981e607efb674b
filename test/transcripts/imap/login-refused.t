# RFC 5530 3, RFC 9051 6.2.3: a wrong password and an unknown address get one answer; the fifth ends the session   state new
C: a LOGIN $ADDRESS wrong              S: a NO [AUTHENTICATIONFAILED]
C: b LOGIN nobody@example.test wrong   S: b NO [AUTHENTICATIONFAILED]
C: c LOGIN $ADDRESS ""                 S: c NO [AUTHENTICATIONFAILED]
C: d LOGIN $ADDRESS                    S: d BAD
C: e LOGIN $ADDRESS a b                S: e BAD
C: f LOGIN                             S: f BAD
C: g LOGIN $ADDRESS $PASSWORD          S: g OK [CAPABILITY
