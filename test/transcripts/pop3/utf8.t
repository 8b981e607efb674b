# RFC 6856 2: UTF8 before the login only        messages 1, state new
C: UTF8                     S: +OK
C: USER $ADDRESS            S: +OK
C: PASS $PASSWORD           S: +OK 1 messages, $all octets
C: UTF8                     S: -ERR
C: QUIT                     S: +OK | EOF
