# RFC 9051 6.3.5: a selected folder that another client deletes is gone; the session is told                                                        clients 2, state auth
C1: a CREATE doomed                    S1: a OK
C1: b SELECT doomed                    S1: … | b OK
C2: a DELETE doomed                    S2: a OK
C1: c NOOP                             S1: … | * BYE … | EOF
