# RFC 5321 4.3.1: who speaks before the greeting is no mail server                                                        service proxied, whole
C: PROXY TCP4 203.0.113.12 198.51.100.1 56324 25\r\nEHLO client.example
S: 554 5.5.0 | EOF
