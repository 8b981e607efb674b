# RFC 1939 10: a session from login to QUIT            messages 2, state new
C: USER $ADDRESS            S: +OK
C: PASS $PASSWORD           S: +OK 2 messages, $all octets
C: STAT                     S: +OK 2 $all
C: LIST                     S: +OK 2 messages, $all octets | 1 $one | 2 $two | .
C: LIST 2                   S: +OK 2 $two
C: UIDL                     S: +OK | 1 $first | 2 $second | .
C: UIDL 1                   S: +OK 1 $first
C: RETR 1                   S: +OK $one octets | … | Subject: Letter number 1 | … | .
C: DELE 1                   S: +OK
C: DELE 1                   S: -ERR
C: STAT                     S: +OK 1 $two
C: UIDL 1                   S: -ERR
C: QUIT                     S: +OK Bye, 1 messages left | EOF
