# RFC 8314, RFC 4954 4: before TLS no password is taken, no mail, and neither is offered   clear
S: 220
C: EHLO client.example
S: 250-… | 250-PIPELINING | 250-SIZE 52428800 | 250-STARTTLS | 250-8BITMIME | 250-SMTPUTF8 | 250-ENHANCEDSTATUSCODES | 250-CHUNKING | 250-BINARYMIME | 250-LIMITS RCPTMAX=100 | 250-DSN | 250-DELIVERBY | 250-MT-PRIORITY | 250-FUTURERELEASE 2592000 … | 250 HELP
C: AUTH PLAIN $PLAIN                        S: 538 5.7.11
C: AUTH PLAIN                               S: 538 5.7.11
C: AUTH LOGIN                               S: 538 5.7.11
C: MAIL FROM:<$ADDRESS>                     S: 530 5.7.0 … STARTTLS…
C: MAIL FROM:<$ADDRESS> REQUIRETLS          S: 555 5.5.4
C: RCPT TO:<$ADDRESS>                       S: 503
C: DATA                                     S: 503
C: BDAT 4 LAST\r\nabcd\c
S: 503
C: NOOP                                     S: 250
C: QUIT                                     S: 221 | EOF
