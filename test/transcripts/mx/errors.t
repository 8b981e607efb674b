# Garbage is answered, counted, and at last hung up on
S: 220
C: GET / HTTP/1.1                          S: 500 5.5.2
C: EHLO                                    S: 501 5.5.4
C: MAIL FROM:a@client.example              S: 501
C: \x80\x81\x82                            S: 500 5.5.2
C: a\x01b                                  S: 500 5.5.2
C: 1\r\n2\r\n3\r\n4\r\n5\r\n6\r\n7\r\n8\r\n9\r\n10\r\n11\r\n12\r\n13\r\n14\r\n15
S: 500 | 500 | 500 | 500 | 500 | 500 | 500 | 500 | 500 | 500 | 500 | 500 | 500 | 500 | 500 | 421 4.7.0 | EOF
