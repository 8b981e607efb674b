# RFC 4954 4, 6: cancelled by *, what is no base64, no mechanism of ours; after each the session goes on   state new
C: AUTH PLAIN                               S: 334
C: *                                        S: 501 5.0.0
C: AUTH LOGIN                               S: 334
C: *                                        S: 501 5.0.0
C: AUTH LOGIN                               S: 334
C: $ADDRESS64                               S: 334
C: *                                        S: 501 5.0.0
C: AUTH                                     S: 501 5.5
C: AUTH CRAM-MD5                            S: 504 5.5.4
C: AUTH GSSAPI abcd                         S: 504 5.5.4
C: AUTH PLAIN =                             S: 501 5.5.2
C: AUTH PLAIN !!!!                          S: 501 5.5.2
C: AUTH PLAIN AGE=                          S: 501 5.5.2
C: AUTH PLAIN                               S: 334
C:                                          S: 501 5.5.2
C: AUTH LOGIN                               S: 334
C: !NOOP                                    S: 501 5.5.2
C: MAIL FROM:<$ADDRESS>                     S: 530 5.7.0
C: AUTH PLAIN $PLAIN                        S: 235
C: QUIT                                     S: 221 | EOF
