# RFC 3030: BDAT, BINARYMIME, and what is refused of either; rules of From are the same
C: MAIL FROM:<$ADDRESS> BODY=BINARYMIME     S: 250
C: RCPT TO:<$ADDRESS>                       S: 250
C: DATA                                     S: 503 5.5.1
C: BDAT 6\r\nFrom: \c
S: 250 2.0.0 6 octets
C: BDAT 9 LAST\r\nx@y\r\n\r\n\x00\n\c
S: 550 5.7.1
C: BDAT 4 LAST\r\nabcd\c
S: 503 5.5.1
C: MAIL FROM:<$ADDRESS>                     S: 250
C: RCPT TO:<$ADDRESS>                       S: 250
C: BDAT 9 LAST\r\nFrom: x\r\n\c
S: 550 5.6.0
C: BDAT x                                   S: 501 | EOF
