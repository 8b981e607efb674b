# RFC 4954 6: a wrong password is 535 5.7.8, whoever it is of; nobody acts for another   state new
C: AUTH PLAIN AG5vYm9keUBleGFtcGxlLnRlc3QAd3Jvbmc=   S: 535 5.7.8
C: AUTH PLAIN ZXZlQGV4YW1wbGUudGVzdABub2JvZHlAZXhhbXBsZS50ZXN0AHdyb25n   S: 535 5.7.8
C: AUTH LOGIN $ADDRESS64                    S: 334
C: d3Jvbmc=                                 S: 535 5.7.8
C: MAIL FROM:<$ADDRESS>                     S: 530 5.7.0
C: AUTH PLAIN $PLAIN                        S: 235
C: MAIL FROM:<$ADDRESS>                     S: 250
C: QUIT                                     S: 221 | EOF
