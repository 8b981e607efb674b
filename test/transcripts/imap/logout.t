# RFC 9051 6.1.3: BYE comes before the tagged OK, then the connection ends; what follows is not read               state auth, whole
C: a LOGOUT\r\nb NOOP    S: * BYE … | a OK | EOF
